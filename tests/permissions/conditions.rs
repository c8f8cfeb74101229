//! Conditions through the real binary: of permissions, of what is denied, of requirements and of routes.

use super::{NO_PERMISSION, Scene, user_with};
use crate::support::client::{BOTH, Version, body_with_trailers, reason, request, status};
use crate::support::gateway::user;
use http::{HeaderName, HeaderValue};

const NOT_MET: &str = "403 condition_not_met";
const FAILED: &str = "403 condition_failed";

#[test]
fn a_permission_applies_only_where_its_condition_holds() {
    let lines = r#"permissions = [
        "GET /always/*",
        { permission = "* /api/*", when = 'request.method == "GET" || request.path.startsWith("/api/jobs/")' },
        { permission = "GET /here/*", when = 'inNetwork(source, "127.0.0.0/8") && certificate.cn == "alice"' },
        { permission = "GET /there/*", when = 'inNetwork(source, "10.0.0.0/8")' },
        { permission = "GET /later/*", when = 'now > timestamp("2099-01-01T00:00:00Z")' },
        { permission = "GET /query/*", when = 'request.query["kind"] == "a b"' },
    ]"#;
    let scene = Scene::new(&user_with("alice", lines));
    scene.check(&[
        ("alice", "GET", "/always/x", "200"),
        ("alice", "GET", "/api/x", "200"),
        ("alice", "POST", "/api/x", NOT_MET),
        ("alice", "POST", "/api/jobs/1", "200"),
        ("alice", "GET", "/here/x", "200"),
        ("alice", "GET", "/there/x", NOT_MET),
        ("alice", "GET", "/later/x", NOT_MET),
        ("alice", "GET", "/query/x?kind=a%20b", "200"),
        ("alice", "GET", "/query/x?kind=b", NOT_MET),
        ("alice", "GET", "/query/x", FAILED),
        ("alice", "GET", "/nothing", NO_PERMISSION),
    ]);
    let line = scene
        .gateway
        .wait_for_access(|line| line["path"] == "/query/x" && line["reason"] == "condition_failed");
    assert_eq!(line["permission"], "GET /query/*");
}

#[test]
fn what_may_have_to_be_denied_is_denied() {
    let lines = r#"permissions = "GET /*"
        deny = [{ permission = "GET /a/*", when = 'request.query["mode"] == "all"' }]"#;
    let scene = Scene::new(&user_with("alice", lines));
    scene.check(&[
        ("alice", "GET", "/a/x?mode=one", "200"),
        ("alice", "GET", "/a/x?mode=all", "403 denied"),
        ("alice", "GET", "/a/x", FAILED),
        ("alice", "GET", "/b/x", "200"),
    ]);
}

#[test]
fn chosen_header_fields_are_read_and_two_of_a_kind_have_no_reading() {
    let lines = r#"permissions = [{ permission = "GET /*", when = 'request.headers["x-change"] == "approved"' }]"#;
    let scene = Scene::new(&user_with("alice", lines));
    let judged = |values: &[&str]| {
        let mut asked = request("GET", "/", "");
        values.iter().for_each(|value| {
            asked
                .headers_mut()
                .append("X-Change", value.parse().unwrap());
        });
        [Version::Http1, Version::Http2].map(|version| {
            let mut again = request("GET", "/", "");
            *again.headers_mut() = asked.headers().clone();
            let answer = scene.client("alice").send(version, again).unwrap();
            if answer.status == 200 {
                "200".to_owned()
            } else {
                answer.reason()
            }
        })
    };
    assert_eq!(judged(&["approved"]), ["200", "200"]);
    assert_eq!(judged(&["no"]), ["condition_not_met", "condition_not_met"]);
    assert_eq!(judged(&[]), ["condition_failed", "condition_failed"]);
    assert_eq!(
        judged(&["approved", "approved"]),
        ["condition_failed", "condition_failed"]
    );
}

/// The outcomes of one request over HTTP/1.1 and HTTP/2.
fn outcomes(scene: &Scene, fields: &[(&'static str, &'static str)]) -> Vec<String> {
    let send = |version| {
        let mut asked = request("GET", "/", "");
        for (name, value) in fields {
            asked.headers_mut().append(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        let answer = scene.client("alice").send(version, asked).unwrap();
        if answer.status == 200 {
            "200".to_owned()
        } else {
            format!("{} {}", answer.status, answer.reason())
        }
    };
    vec![send(Version::Http1), send(Version::Http2)]
}

#[test]
fn a_header_in_two_spellings_has_no_reading_whichever_the_upstream_would_take() {
    for condition in [
        r#"request.headers["x-team"] == "red""#,
        r#"!("x-team" in request.headers)"#,
    ] {
        let lines = format!("permissions = [{{ permission = \"GET /*\", when = '{condition}' }}]");
        let scene = Scene::new(&user_with("alice", &lines));
        assert_eq!(
            outcomes(&scene, &[("x-team", "red"), ("x_team", "blue")]),
            [FAILED; 2],
            "{condition}"
        );
        assert_eq!(
            outcomes(&scene, &[("x_team", "blue")]),
            [FAILED; 2],
            "{condition}"
        );
        assert!(scene.upstream.recorded().is_empty());
    }
    // What no condition reads may be spelled as it likes.
    let lines =
        r#"permissions = [{ permission = "GET /*", when = 'request.headers["x-team"] == "red"' }]"#;
    let scene = Scene::new(&user_with("alice", lines));
    assert_eq!(
        outcomes(
            &scene,
            &[("x-team", "red"), ("x_other", "a"), ("x-other", "b")]
        ),
        ["200"; 2]
    );
    let received = scene.upstream.recorded().pop().unwrap();
    assert_eq!(
        (received.values("x_other"), received.values("x-other")),
        (vec!["a"], vec!["b"])
    );
}

#[test]
fn connection_cannot_take_away_what_a_condition_of_any_route_reads() {
    let routes = r#"
[[route]]
path = "/teams"
upstream = "api"
when = 'request.headers["x-team"] == "red"'
"#;
    let scene = Scene::with_routes(&user("alice", &["GET /*"]), routes);
    let answer = |named: &str| {
        let head = format!(
            "GET /teams HTTP/1.1\r\nHost: localhost\r\nConnection: {named}\r\nX-Team: red\r\n\r\n"
        );
        let answer = scene.client("alice").exchange(head.as_bytes());
        (
            status(&answer),
            if status(&answer) == 200 {
                String::new()
            } else {
                reason(&answer)
            },
        )
    };
    for named in ["X-Team, close", "close, x_team"] {
        assert_eq!(
            answer(named),
            (400, "bad_connection_field".to_owned()),
            "{named}"
        );
    }
    assert!(scene.upstream.recorded().is_empty());
    assert_eq!(answer("X-Hop, close").0, 200);
    assert_eq!(
        scene.upstream.recorded().pop().unwrap().values("x-team"),
        ["red"],
        "what was judged arrives"
    );
}

#[test]
fn a_route_and_its_requirements_may_demand_more_of_everybody() {
    let routes = r#"
[[route]]
path = "/v1/{type}"
upstream = "api"
requirement = { GET = "read/{type}", POST = { name = "write/{type}", when = 'captures.type != "users"' } }

[[route]]
path = "/one/{type}"
upstream = "api"
requirement = { name = "read/{type}", when = 'captures.type.startsWith("h")' }

[[route]]
path = "/inner"
upstream = "api"
when = 'inNetwork(source, "10.0.0.0/8")'

[[route]]
path = "/open"
upstream = "api"
client_auth = "off"
when = 'request.method == "GET"'
"#;
    let scene = Scene::with_routes(&user("alice", &["read/*", "write/*", "* /*"]), routes);
    scene.check(&[
        ("alice", "GET", "/v1/users", "200"),
        ("alice", "POST", "/v1/hosts", "200"),
        ("alice", "POST", "/v1/users", NOT_MET),
        ("alice", "PUT", "/v1/hosts", "405 method_not_allowed"),
        ("alice", "GET", "/one/hosts", "200"),
        ("alice", "GET", "/one/users", NOT_MET),
        ("alice", "GET", "/inner", NOT_MET),
        ("alice", "GET", "/open", "200"),
        ("alice", "POST", "/open", NOT_MET),
    ]);
}

/// Bytes after the body were not parsed.
#[test]
fn no_trailer_has_the_name_of_a_field_that_a_condition_reads() {
    let lines = r#"permissions = [{ permission = "POST /*", when = 'request.headers["x-team"] == "red"' }]"#;
    let scene = Scene::new(&user_with("alice", lines));
    let dropped = [
        "x-team",
        "x_team",
        "X-Team, x-sum",
        "date",
        "user-agent",
        "content-md5",
    ];
    for (announced, passes) in dropped
        .map(|name| (name, false))
        .into_iter()
        .chain([("x-sum", true)])
    {
        let name: HeaderName = announced.split(',').next().unwrap().parse().unwrap();
        for version in BOTH {
            let trailers =
                http::HeaderMap::from_iter([(name.clone(), HeaderValue::from_static("blue"))]);
            let asked = http::Request::post("https://localhost/x")
                .header("x-team", "red")
                .header("te", "trailers");
            let asked = asked
                .header("trailer", announced)
                .body(body_with_trailers("text", trailers))
                .unwrap();
            assert_eq!(
                scene.client("alice").send(version, asked).unwrap().status,
                200,
                "{announced} {version:?}"
            );
            let up = scene.upstream.recorded().pop().unwrap();
            assert_eq!(
                (&*up.body, up.values("x-team")),
                (&b"text"[..], vec!["red"]),
                "{announced} {version:?}"
            );
            let came = up
                .trailers
                .as_ref()
                .is_some_and(|trailers| trailers.contains_key(&name));
            assert_eq!(came, passes, "{announced} {version:?}: {up:?}");
        }
    }
}
