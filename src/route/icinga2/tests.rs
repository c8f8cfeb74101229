//! Requirements by method, target and body: rows that were tested against Icinga 2.13.6, and
//! properties.

use super::*;
use crate::pattern::{Case, Pattern};
use proptest::prelude::*;

fn needs(method: &str, target: &str) -> Needs<'static> {
    requirement(method, &CanonicalTarget::parse(target).unwrap(), None)
}

fn named(name: &'static str) -> Needs<'static> {
    Needs::Permission(Name::from(name))
}

#[test]
fn each_method_and_path_needs_what_icinga_asks_for() {
    for (method, target, name) in [
        ("GET", "/v1/objects/hosts", "objects/query/Host"),
        (
            "GET",
            "/v1/objects/hosts/a%2Fb?attrs=name",
            "objects/query/Host",
        ),
        ("POST", "/v1/objects/services", "objects/modify/Service"),
        ("POST", "/v1/objects/services/a!b", "objects/modify/Service"),
        (
            "DELETE",
            "/v1/objects/DEPENDENCIES/x",
            "objects/delete/Dependency",
        ),
        ("PUT", "/v1/objects/hosts/x", "objects/create/Host"),
        ("GET", "/v1/templates/hosts", "templates/query/Host"),
        ("GET", "/v1/templates/hosts/x", "templates/query/Host"),
        ("GET", "/v1/status", "status/query"),
        ("GET", "/v1/status/CIB", "status/query"),
        ("GET", "/v1/types", "types"),
        ("GET", "/v1/types/Host", "types"),
        ("GET", "/v1/variables", "variables"),
        ("GET", "/v1/variables/NodeName", "variables"),
        (
            "POST",
            "/v1/actions/reschedule-check",
            "actions/reschedule-check",
        ),
        (
            "POST",
            "/v1/actions/shutdown-process?x",
            "actions/shutdown-process",
        ),
        ("POST", "/v1/console/execute-script", "console"),
        ("POST", "/v1/console/whatever", "console"),
        ("GET", "/v1/config/packages", "config/query"),
        ("POST", "/v1/config/packages/x", "config/modify"),
        ("DELETE", "/v1/config/packages/x", "config/modify"),
        ("GET", "/v1/config/stages/p/s", "config/query"),
        ("POST", "/v1/config/stages/p", "config/modify"),
        ("DELETE", "/v1/config/stages/p/s", "config/modify"),
        ("GET", "/v1/config/files", "config/query"),
        ("GET", "/v1/config/files/a/b/c/d/e/f", "config/query"),
        ("GET", "/v1/debug/malloc_info", "debug"),
        ("POST", "/v1/events?types=CheckResult", "events/CheckResult"),
        ("GET", "/v1/objects//hosts/", "objects/query/Host"),
        ("GET", "/%761/%6fbjects/%48OSTS", "objects/query/Host"),
    ] {
        assert_eq!(needs(method, target), named(name), "{method} {target}");
    }
    for target in ["/", "/v1", "/v1/", "/v1?pretty=1"] {
        assert_eq!(needs("GET", target), Needs::AnyApiUser, "{target}");
        assert_eq!(needs("POST", target), Needs::Nothing, "{target}");
    }
}

#[test]
fn what_icinga_has_nothing_of_is_nothing() {
    for (method, target) in [
        ("GET", "/v1/objects"),
        ("PUT", "/v1/objects/hosts"),
        ("PUT", "/v1/objects/nope"),
        ("PATCH", "/v1/objects/hosts/x"),
        ("HEAD", "/v1/objects/hosts"),
        ("get", "/v1/objects/hosts"),
        ("GET", "/v1/objects/hosts/a/b"),
        ("GET", "/V1/objects/hosts"),
        ("GET", "/v1/Objects/hosts"),
        ("GET", "/v1/objects%2Fhosts"),
        ("GET", "/objects/hosts"),
        ("POST", "/v1/status"),
        ("GET", "/v1/status/a/b"),
        ("GET", "/v1/templates"),
        ("POST", "/v1/templates/hosts"),
        ("POST", "/v1/actions"),
        ("POST", "/v1/actions/nope"),
        ("POST", "/v1/actions/Reschedule-Check"),
        ("POST", "/v1/actions/reschedule_check"),
        ("POST", "/v1/actions/reschedule-check/x"),
        ("GET", "/v1/actions/reschedule-check"),
        ("POST", "/v1/console"),
        ("POST", "/v1/console/execute-script/x"),
        ("GET", "/v1/console/execute-script"),
        ("GET", "/v1/events?types=a"),
        ("POST", "/v1/events/x?types=a"),
        ("GET", "/v1/config"),
        ("PUT", "/v1/config/packages/x"),
        ("GET", "/v1/config/packages/x/y"),
        ("GET", "/v1/config/stages/p/s/x"),
        ("DELETE", "/v1/config/stages/p/s/x/y"),
        ("POST", "/v1/config/files/x"),
        ("GET", "/v1/debug"),
        ("GET", "/v1/debug/malloc_info/x"),
        ("GET", "/v2"),
        ("GET", "/v1%00"),
    ] {
        assert_eq!(needs(method, target), Needs::Nothing, "{method} {target}");
    }
}

#[test]
fn what_has_two_readings_or_no_type_is_a_bad_request() {
    for target in [
        "//v1/objects/hosts",
        "//x/v1/objects/hosts",
        "//user@x:1/v1",
        "///v1",
        "//",
    ] {
        assert_eq!(
            needs("GET", target),
            Needs::BadRequest(BadRequest::Authority),
            "{target}"
        );
    }
    for target in [
        "/v1/objects/host",
        "/v1/objects/hostss/x",
        "/v1/objects/*",
        "/v1/templates/nope",
        "/v1/objects/hosts%2Fx",
    ] {
        assert_eq!(
            needs("GET", target),
            Needs::BadRequest(BadRequest::UnknownType),
            "{target}"
        );
    }
    assert_eq!(
        needs("PUT", "/v1/objects/nope/x"),
        Needs::BadRequest(BadRequest::UnknownType)
    );
    for query in ["types=%", "a[=1", "filter=a|b", "=1"] {
        assert_eq!(
            needs("GET", &format!("/v1/objects/hosts?{query}")),
            Needs::BadRequest(BadRequest::Query),
            "{query}"
        );
    }
}

#[test]
fn a_subscription_needs_every_type_and_the_query_goes_before_the_body() {
    let every =
        |names: &[&'static str]| Needs::Every(names.iter().map(|name| Name::from(*name)).collect());
    let asked = |query: &str, body: Option<&str>| {
        let body = body.map(|body| EventTypes::from_body(body.as_bytes()));
        requirement(
            "POST",
            &CanonicalTarget::parse(&format!("/v1/events{query}")).unwrap(),
            body.as_ref(),
        )
    };
    let body = r#"{"types":["a","b","a"]}"#;
    assert_eq!(asked("", None), Needs::BodyNeeded);
    assert_eq!(asked("?queue=x", None), Needs::BodyNeeded);
    assert_eq!(
        asked("?Types=c", Some(body)),
        every(&["events/a", "events/b"])
    );
    assert_eq!(asked("?types=c", Some(body)), named("events/c"));
    assert_eq!(asked("?types=c", None), named("events/c"));
    assert_eq!(
        asked("?types=c&types[]=d&types=c", None),
        every(&["events/c", "events/d"])
    );
    assert_eq!(asked("?types", None), named("events/"));
    assert_eq!(
        asked("?types=", Some("[]")),
        named("events/"),
        "an unused body is not parsed"
    );
    assert_eq!(
        asked("?types=CheckResult%00Evil", None),
        named("events/CheckResult")
    );
    assert_eq!(
        asked("", Some(r#"{"types":[]}"#)),
        Needs::AnyApiUser,
        "it brings nothing"
    );
    for (body, why) in [
        ("", BadRequest::NoTypes),
        (r#"{"types":"a"}"#, BadRequest::TypesNotAList),
        ("{", BadRequest::Body),
    ] {
        assert_eq!(
            asked("?queue=x", Some(body)),
            Needs::BadRequest(why),
            "{body}"
        );
    }
}

#[test]
fn a_path_is_decoded_as_in_icinga() {
    assert_eq!(
        spoken_path("/v1/objects//hosts/a%2Fb/"),
        "v1/objects/hosts/a/b"
    );
    assert_eq!(spoken_path("/"), "");
    assert_eq!(spoken_path("/v1/%C3%A4%FF"), "v1/\u{e4}\u{fffd}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn how_a_path_is_written_makes_no_difference(
        words in proptest::collection::vec("(v1|objects|hosts|Hosts|events|config|files|stages|packages|x|status|types|console)", 0..6),
        method in "(GET|POST|PUT|DELETE)", escaped in any::<u64>(), doubled in any::<u8>(),
    ) {
        let plain = format!("/{}", words.join("/"));
        let mut odd = String::new();
        for (at, word) in words.iter().enumerate() {
            // A second slash in front would be an authority.
            odd.push_str(if at > 0 && doubled >> at & 1 == 1 { "//" } else { "/" });
            for (place, byte) in word.bytes().enumerate() {
                let escape = escaped >> ((at * 7 + place) % 64) & 1 == 1;
                odd.push_str(&if escape { format!("%{byte:02x}") } else { char::from(byte).to_string() });
            }
        }
        odd.push('/');
        let odd = CanonicalTarget::parse(&odd).unwrap();
        prop_assert_eq!(odd.oddities.first_beyond(accepted_oddities()), None);
        prop_assert_eq!(requirement(&method, &odd, None), needs(&method, &plain));
    }

    #[test]
    fn every_requirement_is_a_known_name(
        method in "(GET|POST|PUT|DELETE|PATCH|\\PC{0,4})",
        path in "(/(v1|objects|hosts|events|actions|add-comment|config|files|stages|types|console|debug|malloc_info|\\PC{0,3})){0,5}",
        query in "(\\?((types|queue)(\\[\\])?=?[a-z%0]{0,4}&?){0,4})?", body in "\\PC{0,6}|\\{\"types\":\\[(\"[a-z]\",){0,2}\"x\"\\]\\}",
    ) {
        let text = format!("{path}{query}");
        if let Ok(target) = CanonicalTarget::parse(&text) {
            let known = |name: &Name<'_>| {
                all_names().any(|known| Pattern::new(known.as_bytes(), Case::Folds).matches(name.as_bytes()))
            };
            let said = EventTypes::from_body(body.as_bytes());
            match requirement(&method, &target, Some(&said)) {
                Needs::Permission(name) => prop_assert!(known(&name), "{:?}", name),
                Needs::Every(names) => prop_assert!(names.len() > 1 && names.iter().all(known)),
                Needs::BodyNeeded => prop_assert!(false, "it was read"),
                Needs::AnyApiUser | Needs::Nothing | Needs::BadRequest(_) => {}
            }
        }
    }
}
