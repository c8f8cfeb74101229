//! One permission against one requirement: rows, and `deny` against its definition.

use super::*;
use crate::config::{FileId, Place, Sources};
use crate::route::{CanonicalTarget, Requirement};
use proptest::prelude::*;

fn compiled(text: &str, effect: Effect) -> Permission {
    let file: FileId = Sources::default()
        .add("test".into(), String::new())
        .unwrap();
    Permission::new(
        Arc::new(CompiledPermission::new(text, effect)),
        Place::new(file, &(0..0)),
    )
}

fn permission(text: &str) -> Permission {
    compiled(text, Effect::Grant)
}

impl Permission {
    fn test_grants(&self, requirement: &Requirement<'_>) -> bool {
        self.grants(&RequirementSubject::of(requirement))
    }

    fn test_denies(&self, requirement: &Requirement<'_>) -> bool {
        self.denies(&RequirementSubject::of(requirement))
    }
}

fn request<'a>(method: &'a str, path: &'a str) -> Requirement<'a> {
    Requirement::MethodAndPath {
        method,
        path: path.into(),
    }
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
    assert!(
        permission("*").test_grants(&named) && permission("*").test_grants(&request("GET", "/x"))
    );
    assert!(permission("OBJECTS/*").test_grants(&Requirement::Named("objects/query/host".into())));
}

#[test]
fn a_text_with_spaces_is_a_name_unless_it_is_a_method_and_a_path() {
    let named = |name: &'static str| Requirement::Named(name.into());
    assert!(permission("objects/query/Host ").test_grants(&named("objects/query/host ")));
    assert!(!permission("objects/query/Host ").test_grants(&named("objects/query/host")));
    assert!(!permission(" objects/*").test_grants(&named("objects/query/host")));
    assert!(permission("events/* *").test_grants(&named("events/a b")));
    assert!(
        permission("events/CheckResult\0*").test_grants(&named("events/checkresult")),
        "as a C string"
    );
    assert!(!permission("events/CheckResult\0*").test_grants(&named("events/checkresults")));
}

#[test]
fn a_byte_beyond_ascii_after_a_star_never_matches_as_in_icinga() {
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
    assert!(
        permission("events/\\*\u{e4}").test_grants(&literal),
        "a star that is meant seeks nothing"
    );
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
    assert!(
        deny.test_denies(&request("get", "/secret!/x")),
        "a method that an upstream may take for GET"
    );
    assert!(compiled("GET /a/b*", Effect::Deny).test_denies(&request("GET", "//a//b")));
    assert!(
        compiled("items/secret", Effect::Deny)
            .test_denies(&Requirement::Named("items/secret;x".into()))
    );
    assert!(!deny.test_denies(&request("GET", "/public/x")));
    assert!(!deny.test_denies(&request("GET", "/public;secret!/x")));
}

#[test]
fn a_permission_that_no_route_asks_for_is_found() {
    assert!(permission("GET /api/*").could_match(&RequirementRule::MethodAndPath, "/api/v1/*"));
    assert!(!permission("GET /api/*").could_match(&RequirementRule::MethodAndPath, "/other/*"));
    assert!(!permission("objects/*").could_match(&RequirementRule::MethodAndPath, "/*"));
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
        assert_eq!(
            permission(text).could_match(&RequirementRule::Icinga2, "/v1/*"),
            could,
            "{text}"
        );
    }
}

#[test]
fn a_deny_that_no_route_asks_for_is_found_in_every_spelling_of_the_path() {
    let rule = RequirementRule::MethodAndPath;
    for text in [
        "* /API/*",
        "* /api",
        "* /api/",
        "* /%61pi/x",
        "* /%EF%BD%81pi*",
        "* /a%70i%20*",
    ] {
        assert!(
            compiled(text, Effect::Deny).could_match(&rule, "/api*"),
            "{text}"
        );
    }
    for text in ["* /apx/*", "* /ap", "objects/query/Host"] {
        assert!(
            !compiled(text, Effect::Deny).could_match(&rule, "/api*"),
            "{text}"
        );
    }
}

/// What upstreams do with a path that do not tell all spellings apart, one after the other.
const FOLDINGS: [fn(&str) -> String; 7] = [
    |path| by_segments(path, |segment| segment.split(';').next().unwrap()),
    |path| String::from_utf8(decoded(path)).unwrap(),
    |path| path.chars().map(narrow).collect(),
    |path| path.to_lowercase(),
    |path| by_segments(path, |segment| segment.split(';').next().unwrap()),
    |path| {
        by_segments(path, |segment| {
            segment.trim_start_matches(' ').trim_end_matches([' ', '.'])
        })
    },
    |path| {
        let segments = path.split('/').filter(|segment| !segment.is_empty());
        format!("/{}", segments.collect::<Vec<_>>().join("/"))
    },
];

/// Its place among them.
const FOLDS_CASE: usize = 3;

fn by_segments(path: &str, edit: impl Fn(&str) -> &str) -> String {
    path.split('/').map(edit).collect::<Vec<_>>().join("/")
}

/// A letter of a full-width script as that of ASCII.
fn narrow(letter: char) -> char {
    match u32::from(letter) {
        code @ 0xff01..=0xff5e => char::from_u32(code - 0xff01 + 0x21).unwrap(),
        _ => letter,
    }
}

/// The foldings of an upstream that are bits of a number.
fn folded_by(upstream: usize, path: &str) -> String {
    let chosen = FOLDINGS
        .iter()
        .enumerate()
        .filter(|(at, _)| upstream >> at & 1 == 1);
    chosen.fold(path.to_owned(), |path, (_, fold)| fold(&path))
}

/// The path of a request with this target, if it has one.
fn canonical(target: &str) -> Option<String> {
    let target = CanonicalTarget::parse(target).ok()?;
    String::from_utf8(decoded(&target.path))
        .ok()
        .map(|_| target.path.into_owned())
}

fn denies_what_is_meant(pattern: &str, path: &str) -> bool {
    let deny = compiled(&format!("GET {pattern}"), Effect::Deny);
    deny.test_denies(&request("GET", path))
}

#[test]
fn deny_is_not_evaded_by_spelling() {
    for target in [
        "/ADMIN/x",
        "/Admin/x",
        "/admin%20/x",
        "/admin./x",
        "/admin.%20./x",
        "/admin%3Bx/y",
        "/admin;x/y",
        "/%61dmin/x",
        "/%EF%BD%81dmin/x",
        "/admin%EF%BC%8Fx",
        "/ad%C2%ADmin/x",
        "/%E2%93%90dmin/x",
        "/admi\u{144}/x",
        "/admin/x/",
        "//admin//x",
        "/%20/admin/x",
        "/admin%5Cx",
        "/admin%2Fx",
    ] {
        let path = canonical(target).unwrap();
        let is_other_letter = target.contains('\u{144}');
        assert_eq!(
            denies_what_is_meant("/admin/*", &path),
            !is_other_letter,
            "{target}"
        );
    }
    for (pattern, target, is_denied) in [
        ("/items/history", "/items/history/", true),
        ("/items/history/", "/items/history", true),
        ("/items/history", "/items/History.", true),
        ("/items/history", "/items/historyx", false),
        ("/items/history", "/items/history/x", false),
        ("/Items/*", "/items/x", true),
        ("/stra\u{df}e/*", "/STRASSE/x", true),
        ("/caf\u{e9}", "/cafe%CC%81", true),
        ("/caf\u{e9}", "/cafe", false),
        ("/admin/*", "/admin", false),
        ("*/", "/a", false),
        ("/v1.2/*", "/v1.3/x", false),
        ("/\u{ff0a}", "/x", false),
    ] {
        let path = canonical(target).unwrap();
        assert_eq!(
            denies_what_is_meant(pattern, &path),
            is_denied,
            "{pattern} on {target}"
        );
    }
}

#[test]
fn a_permission_is_small_and_keeps_no_copy_of_its_text() {
    assert!(
        size_of::<CompiledPermission>() <= 72 && size_of::<Permission>() <= 16,
        "there may be millions"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn what_an_upstream_may_read_as_denied_is_denied(
        pattern in "/([abA/]|[*.; ]){0,6}", target in "/([abAB/]|[.;]|%20|%3B|%2F|%41|\u{ff41}|\u{ff0e}|\u{ff1b}){0,8}",
    ) {
        let Some(path) = canonical(&target) else { return Ok(()) };
        let denied = denies_what_is_meant(&pattern, &path);
        let meant = String::from_utf8(decoded(&canonical_literal(&pattern, b"*?\\"))).unwrap();
        for upstream in 0..1 << FOLDINGS.len() {
            let read = folded_by(upstream, &path);
            let folds_case = upstream >> FOLDS_CASE & 1 == 1;
            // Case-insensitive matching also applies to upper case in the pattern.
            let meant = if folds_case { meant.to_lowercase() } else { meant.clone() };
            let covers = Pattern::new(&meant, Case::Matters).matches(read.as_bytes());
            prop_assert!(denied || !covers, "{} is read as {}, which {} denies", path, read, pattern);
        }
    }

    #[test]
    fn only_what_some_upstream_reads_as_denied_is_denied(
        pattern in "/[abA]{1,3}(/[ab]{1,2}){0,2}[*]?", target in "/([abAB/]|[.;]|%20|%3B|%2F|%41|\u{ff41}){0,8}",
    ) {
        let Some(path) = canonical(&target) else { return Ok(()) };
        let meant = Pattern::new(pattern.to_lowercase(), Case::Matters);
        let reads = |upstream| folded_by(upstream, &path).to_lowercase();
        let some_does = (0..1 << FOLDINGS.len()).any(|upstream| meant.matches(reads(upstream).as_bytes()));
        prop_assert_eq!(denies_what_is_meant(&pattern, &path), some_does, "{} on {}", pattern, path);
    }

    #[test]
    fn names_are_denied_in_every_reading(
        name in "[ab]([ab/]|[!*]){0,5}", asked_name in "[aAb]([ab/]|[!;.]|%21|%20){0,6}",
    ) {
        let deny = compiled(&name, Effect::Deny);
        let asked = Requirement::Named(asked_name.as_str().into());
        let pattern = Pattern::new(&name, Case::Folds);
        // A name does not begin with a slash, so that empty segments are left out behind one.
        let read = |upstream| folded_by(upstream, &format!("/{asked_name}"));
        let covers = (0..1 << FOLDINGS.len()).any(|upstream| pattern.matches(read(upstream).trim_start_matches('/').as_bytes()));
        prop_assert!(deny.test_denies(&asked) || !covers, "{} denies {}", name, asked_name);
    }
}
