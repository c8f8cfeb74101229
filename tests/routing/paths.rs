//! Paths: each oddity is refused by default, taken where a route says so, and never changes what was judged.

use super::{Scene, route};
use crate::support::client::{Version, get};
use crate::support::eventually;

/// Key of a route, the word that relaxes it, a target, and what then goes up.
const ODDITIES: [(&str, &str, &str, &str); 18] = [
    ("encoded_slash", "keep", "/a%2fb", "/a%2Fb"),
    ("encoded_slash", "keep", "/%2F", "/%2F"),
    ("encoded_backslash", "keep", "/a%5cb", "/a%5Cb"),
    ("encoded_control", "keep", "/a%00b", "/a%00b"),
    ("encoded_control", "keep", "/a%0d%0ab", "/a%0D%0Ab"),
    ("encoded_control", "keep", "/a%7f", "/a%7F"),
    ("double_encoding", "keep", "/%252e%252E/b", "/%252e%252E/b"),
    ("double_encoding", "keep", "/a%252fb", "/a%252fb"),
    ("invalid_utf8", "keep", "/a%ffb", "/a%FFb"),
    ("invalid_utf8", "keep", "/%c0%ae%c0%ae/b", "/%C0%AE%C0%AE/b"),
    ("empty_segments", "keep", "/a//b", "/a//b"),
    ("empty_segments", "keep", "//a", "//a"),
    ("dot_segments", "resolve", "/a/./b/../c", "/a/c"),
    ("dot_segments", "resolve", "/a/b/%2e%2E", "/a/"),
    ("raw_backslash", "encode", "/a\\b", "/a%5Cb"),
    ("path_parameters", "keep", "/a;v=1/b", "/a;v=1/b"),
    // Seen in what would go up, which is `%252e`.
    (
        "double_encoding",
        "keep",
        "/%25%32%65%25%32%65/b",
        "/%252e%252e/b",
    ),
    ("double_encoding", "keep", "/a%2525", "/a%2525"),
];

#[test]
fn every_oddity_is_rejected_by_name_in_both_versions() {
    let scene = Scene::new(&route("/", ""));
    for (word, _, target, _) in ODDITIES {
        assert_eq!(scene.outcome(target), format!("400 {word}"), "{target}");
        let answer = scene.alice().send(Version::Http2, get(target)).unwrap();
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (400, word),
            "{target} in HTTP/2"
        );
    }
    assert!(scene.upstream.recorded().is_empty());
}

#[test]
fn a_route_takes_the_oddity_that_it_names_and_no_other() {
    for key in [
        "encoded_slash",
        "encoded_backslash",
        "encoded_control",
        "double_encoding",
        "invalid_utf8",
        "empty_segments",
        "dot_segments",
        "raw_backslash",
        "path_parameters",
    ] {
        let (_, word, ..) = ODDITIES.iter().find(|oddity| oddity.0 == key).unwrap();
        let scene = Scene::new(&route("/", &format!("{key} = \"{word}\"")));
        for (other, _, target, goes_up) in ODDITIES {
            let expected = if other == key {
                format!("GET {goes_up}?q=%2f")
            } else {
                format!("400 {other}")
            };
            assert_eq!(
                scene.outcome(&format!("{target}?q=%2f")),
                expected,
                "{key} on {target}"
            );
        }
    }
}

#[test]
fn a_relaxed_route_does_not_relax_its_neighbours() {
    let lines = "encoded_slash = \"keep\"\ndot_segments = \"resolve\"";
    let scene = Scene::new(&(route("/", "") + &route("/loose", lines)));
    for (target, expected) in [
        ("/loose/a%2Fb", "GET /loose/a%2Fb"),
        ("/loose%2Fa", "400 encoded_slash"),
        ("/loose/x/../y", "GET /loose/y"),
        // The path that counts is the resolved one, so that its route decides.
        ("/loose/../strict", "400 dot_segments"),
        ("/strict/../loose/x", "GET /loose/x"),
        ("/strict/a%2Fb", "400 encoded_slash"),
    ] {
        assert_eq!(scene.outcome(target), expected, "{target}");
    }
}

#[test]
fn a_path_that_upstreams_read_in_two_ways_leads_to_one_route_in_both() {
    let loose = "path_parameters = \"keep\"\nempty_segments = \"keep\"\n";
    let admin = loose.to_owned() + "requirement = \"admin\"";
    let scene =
        Scene::new(&(route("/", loose) + &route("/admin", &admin) + &route("/secret!", "")));
    for (target, expected) in [
        ("/other;v=1/x", "GET /other;v=1/x"),
        ("/other//x", "GET /other//x"),
        ("/admin/x;v=1", "GET /admin/x;v=1"),
        ("/admin;v=1/x", "400 path_parameters"),
        ("//admin/x", "400 empty_segments"),
    ] {
        assert_eq!(scene.outcome(target), expected, "{target}");
    }
    // An encoded slash may lengthen what a route captures, but not lead to a route that asks for more.
    let keep = "encoded_slash = \"keep\"\nencoded_backslash = \"keep\"\n";
    let exact = keep.to_owned() + "match = \"exact\"\n";
    let slashes = Scene::new(
        &(route("/", keep) + &route("/objects/{type}/{name}", &exact) + &route("/admin", "")),
    );
    for (target, expected) in [
        ("/objects/hosts/a%2Fb", "GET /objects/hosts/a%2Fb"),
        ("/other%2Fx", "GET /other%2Fx"),
        ("/admin%2Fx", "400 encoded_slash"),
        ("/admin%5Cx", "400 encoded_backslash"),
    ] {
        assert_eq!(slashes.outcome(target), expected, "{target}");
    }
    // Two spellings of one path are one path.
    assert_eq!(scene.outcome("/secret%21/x"), "GET /secret!/x");
    assert_eq!(scene.route_of(Version::Http1, "/secret%21/x"), "/secret!");
}

#[test]
fn what_has_no_canonical_path_is_rejected_on_every_route() {
    let everything = "encoded_slash = \"keep\"\nencoded_backslash = \"keep\"\nencoded_control = \"keep\"\n\
                      double_encoding = \"keep\"\ninvalid_utf8 = \"keep\"\nempty_segments = \"keep\"\n\
                      dot_segments = \"resolve\"\nraw_backslash = \"encode\"\npath_parameters = \"keep\"";
    let scene = Scene::new(&route("/", everything));
    for target in [
        "/%",
        "/%4",
        "/%zz",
        "/a%2",
        "/..",
        "/a/../..",
        "/a/../../b",
        "/%2e%2e/b",
        "/..;x/b",
        "/a/..;/b",
        "/a/.;x",
        "/a/%2e%2e;x/b",
        "/a#b",
        "/#",
        "/a?b#c",
        "/a<b",
        "/a?b=\"",
        "/a`b",
        "/a>",
        // Whoever takes the encoded slash for one climbs.
        "/a%2F..%2F/./b",
        "/a%2f..%2fb",
        "/x\\..\\b",
    ] {
        assert_eq!(scene.outcome(target), "400 bad_path", "{target}");
    }
    assert_eq!(scene.outcome("/a%2F...%2F/./b"), "GET /a%2F...%2F/b");
}

#[test]
fn a_rejected_target_is_counted_and_logged_like_every_other_denial() {
    let scene = Scene::new(&route("/", ""));
    for (before, (target, word)) in [
        ("/a#b", "bad_path"),
        ("/a<b", "bad_path"),
        ("/a%2fb", "encoded_slash"),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(scene.outcome(target), format!("400 {word}"));
        let line = eventually("the log line", || {
            scene.gateway.access_log().get(before).cloned()
        });
        assert_eq!(
            (&line["decision"], &line["reason"]),
            (&"refuse".into(), &word.into())
        );
        assert_eq!(line["status"], 400);
    }
    let labels = [("decision", "refuse"), ("reason", "bad_path")];
    scene
        .gateway
        .wait_for_metric("portcullis_decisions_total", &labels, 2.0);
}

#[test]
fn ordinary_paths_are_forwarded_in_canonical_form() {
    let scene = Scene::new(&route("/", ""));
    for (target, goes_up) in [
        ("/", "/"),
        ("/a/b/", "/a/b/"),
        ("/%61%7Eb%2d", "/a~b-"),
        ("/a%20b%c3%a4", "/a%20b%C3%A4"),
        ("/\u{e4}", "/%C3%A4"),
        ("/100%25", "/100%25"),
        ("/a=b,c/d", "/a=b,c/d"),
        ("/a!$&'()*+:@=", "/a!$&'()*+:@="),
        ("/a%21%24%2b%3b", "/a!$%2B%3B"),
        ("/a\"{b}|^", "/a%22%7Bb%7D%7C%5E"),
        ("/...", "/..."),
        ("/.a/..b", "/.a/..b"),
    ] {
        assert_eq!(scene.outcome(target), format!("GET {goes_up}"), "{target}");
    }
}

#[test]
fn the_query_is_forwarded_unchanged() {
    let scene = Scene::new(&route("/", ""));
    for query in [
        "",
        "a=1&a=2",
        "a=%2f%5c%00%zz%",
        "a=../..//x\\y",
        "??a=?b",
        "a={x}|^`",
        "filter=match(%22a*%22,h)&x=+",
    ] {
        assert_eq!(
            scene.outcome(&format!("/p?{query}")),
            format!("GET /p?{query}"),
            "{query}"
        );
    }
}

#[test]
fn bytes_beyond_ascii_in_a_query_are_encoded_before_decision_and_forwarding() {
    let rule = "when = 'request.query[\"q\"] == \"\u{e4}\"'";
    let scene = Scene::on("", &(route("/", "") + &route("/judged", rule)));
    for (target, sent) in [
        ("/a?q=\u{e4}", "/a?q=%C3%A4"),
        ("/a?\u{20ac}=x&%zz", "/a?%E2%82%AC=x&%zz"),
        ("/a?q=%c3%a4", "/a?q=%c3%a4"),
        ("/a?x={y}|z", "/a?x={y}|z"),
        ("/judged?q=\u{e4}", "/judged?q=%C3%A4"),
        ("/judged?q=%c3%a4", "/judged?q=%c3%a4"),
    ] {
        assert_eq!(scene.outcome(target), format!("GET {sent}"), "{target}");
        let uri = format!("https://localhost{target}");
        let asked = http::Request::builder()
            .uri(uri)
            .body(crate::support::client::body(""))
            .unwrap();
        assert_eq!(
            scene.alice().send(Version::Http2, asked).unwrap().status,
            200,
            "{target} in HTTP/2"
        );
        assert_eq!(
            scene.upstream.recorded().pop().unwrap().target,
            sent,
            "{target} in HTTP/2"
        );
    }
    assert_eq!(scene.outcome("/judged?q=\u{f6}"), "403 condition_not_met");
}
