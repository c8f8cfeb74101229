//! One permission against one requirement: rows, and `deny` against its definition.

use super::*;
use crate::config::{FileId, Place, Sources};
use crate::route::{Requirement, plain_reading};
use proptest::prelude::*;

fn compiled(text: &str, effect: Effect) -> Permission {
    let file: FileId = Sources::default().add("test".into(), String::new()).unwrap();
    Permission::new(Arc::new(CompiledPermission::new(text, effect)), Place::new(file, &(0..0)))
}

fn permission(text: &str) -> Permission {
    compiled(text, Effect::Grant)
}

impl Permission {
    fn test_grants(&self, requirement: &Requirement<'_>) -> bool {
        self.grants(&Asked::of(requirement))
    }

    fn test_denies(&self, requirement: &Requirement<'_>) -> bool {
        self.denies(&Asked::of(requirement))
    }
}

fn request<'a>(method: &'a str, path: &'a str) -> Requirement<'a> {
    Requirement::MethodAndPath { method, path: path.into() }
}

#[test]
fn method_and_path_compare_with_case() {
    assert!(permission("GET /api/*").test_grants(&request("GET", "/api/x/y")));
    assert!(!permission("GET /api/*").test_grants(&request("GET", "/API/x")));
    assert!(!permission("GET /api/*").test_grants(&request("get", "/api/x")));
    assert!(!permission("GET /api/*").test_grants(&request("POST", "/api/x")));
    assert!(!permission("GET /api/*").test_grants(&request("GET", "/api")));
    assert!(permission("* /api/*").test_grants(&request("DELETE", "/api/x")));
    assert!(permission("GET /a b").test_grants(&request("GET", "/a%20b")));
}

#[test]
fn the_two_kinds_never_match_each_other() {
    let named = Requirement::Named("objects/x /b".into());
    assert!(!permission("* /b").test_grants(&named));
    assert!(!permission("GET*").test_grants(&request("GET", "/x")));
    assert!(permission("*").test_grants(&named) && permission("*").test_grants(&request("GET", "/x")));
    assert!(permission("OBJECTS/*").test_grants(&Requirement::Named("objects/query/host".into())));
}

#[test]
fn a_text_with_spaces_is_a_name_unless_it_is_a_method_and_a_path() {
    let named = |name: &'static str| Requirement::Named(name.into());
    assert!(permission("objects/query/Host ").test_grants(&named("objects/query/host ")));
    assert!(!permission("objects/query/Host ").test_grants(&named("objects/query/host")));
    assert!(!permission(" objects/*").test_grants(&named("objects/query/host")));
    assert!(permission("events/* *").test_grants(&named("events/a b")));
    assert!(permission("events/CheckResult\0*").test_grants(&named("events/checkresult")), "as a C string");
    assert!(!permission("events/CheckResult\0*").test_grants(&named("events/checkresults")));
}

#[test]
fn an_octet_beyond_ascii_right_behind_a_star_is_never_found_as_in_icinga() {
    let asked = Requirement::Named("events/\u{e4}".into());
    for (text, grants) in [
        ("events/\u{e4}", true),
        ("events/??", true),
        ("events*/\u{e4}", true),
        ("events/\u{e4}*", true),
        ("events*\u{e4}", false),
        ("events*?\u{e4}", false),
        ("*\u{e4}*", false),
        ("events/\\*\u{e4}", false),
    ] {
        assert_eq!(permission(text).test_grants(&asked), grants, "{text}");
    }
    let literal = Requirement::Named("events/*\u{e4}".into());
    assert!(permission("events/\\*\u{e4}").test_grants(&literal), "a star that is meant seeks nothing");
    // What is denied is what was meant.
    assert!(compiled("events*\u{e4}", Effect::Deny).test_denies(&asked));
}

#[test]
fn deny_reads_a_path_as_the_upstream_will() {
    let deny = compiled("GET /secret!/*", Effect::Deny);
    assert!(deny.test_denies(&request("GET", "/secret%21/x")));
    assert!(!deny.test_grants(&request("GET", "/secret%21/x")));
    assert!(compiled("GET /secret%21/*", Effect::Deny).test_denies(&request("GET", "/secret!/x")));
    assert!(compiled("GET /a b*", Effect::Deny).test_denies(&request("GET", "/a%20bc")));
    assert!(deny.test_denies(&request("GET", "/secret!;v=1/x")));
    assert!(deny.test_denies(&request("get", "/secret!/x")), "a method that an upstream may take for GET");
    assert!(compiled("GET /a/b*", Effect::Deny).test_denies(&request("GET", "//a//b")));
    assert!(compiled("items/secret", Effect::Deny).test_denies(&Requirement::Named("items/secret;x".into())));
    assert!(!deny.test_denies(&request("GET", "/public/x")));
    assert!(!deny.test_denies(&request("GET", "/public;secret!/x")));
}

#[test]
fn a_permission_that_no_route_asks_for_is_found() {
    assert!(permission("GET /api/*").could_grant(&RequirementRule::MethodAndPath, "/api/v1/*"));
    assert!(!permission("GET /api/*").could_grant(&RequirementRule::MethodAndPath, "/other/*"));
    assert!(!permission("objects/*").could_grant(&RequirementRule::MethodAndPath, "/*"));
    for (text, could) in [
        ("objects/query/*", true),
        ("OBJECTS/*/Dependency", true),
        ("events/Made-Up", true),
        ("status/quer?", true),
        ("objects/query/hosts", false),
        ("templates/Host", false),
        ("config/*/x", false),
        ("GET /v1/*", false),
    ] {
        assert_eq!(permission(text).could_grant(&RequirementRule::Icinga2, "/v1/*"), could, "{text}");
    }
}

/// `denies` as it is meant: every pattern on every reading, whether they differ or not.
fn denies_every_reading(permission: &Permission, requirement: &Requirement<'_>) -> bool {
    let readings = |text: &str| {
        [text.as_bytes().to_vec(), decoded(text), decoded(&plain_reading(text)), plain_reading(text).into_bytes()]
    };
    let Scope::One(One { method, pattern, decoded }) = &permission.compiled.scope else { return true };
    match (method, requirement) {
        (Some(denied), Requirement::MethodAndPath { method, path }) => {
            let methods = [(*method).to_owned(), method.to_ascii_uppercase()];
            let matches = |path: &[u8]| pattern.matches(path) || decoded.as_ref().unwrap().matches(path);
            methods.iter().any(|method| denied.matches(method.as_bytes()))
                && readings(path).iter().any(|path| matches(path))
        }
        (None, Requirement::Named(name)) => readings(name.as_str()).iter().any(|name| pattern.matches(name)),
        _ => false,
    }
}

#[test]
fn a_permission_is_small_and_keeps_no_copy_of_its_text() {
    assert!(size_of::<CompiledPermission>() <= 72 && size_of::<Permission>() <= 16, "there may be millions");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn deny_agrees_with_trying_every_reading(
        method in "(GET|\\*|G\\*|get)", pattern in "/([ab/]|[*?!;]|%21|%2F){0,6}",
        asked_method in "(GET|get|Get|POST)", path in "/([ab/]|[!;]|%21|%2F|%41){0,7}",
        name in "[ab]([ab/]|[!;*]|%21){0,5}", asked_name in "[aAb]([ab/]|[!;]|%21){0,6}",
    ) {
        let deny = compiled(&format!("{method} {pattern}"), Effect::Deny);
        let asked = request(&asked_method, &path);
        prop_assert_eq!(deny.test_denies(&asked), denies_every_reading(&deny, &asked));
        let deny = compiled(&name, Effect::Deny);
        let asked = Requirement::Named(asked_name.as_str().into());
        prop_assert_eq!(deny.test_denies(&asked), denies_every_reading(&deny, &asked));
    }
}
