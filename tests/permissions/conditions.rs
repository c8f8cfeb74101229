//! Conditions through the real binary: of permissions, of what is denied, of requirements and of routes.

use super::{NO_PERMISSION, Scene, user_with};
use crate::support::client::{Version, request};
use crate::support::gateway::user;

const NOT_MET: &str = "403 condition_not_met";
const FAILED: &str = "403 condition_failed";

#[test]
fn a_permission_counts_only_where_its_condition_holds() {
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
    let line = scene.gateway.wait_for_access(|line| line["path"] == "/query/x" && line["reason"] == "condition_failed");
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
            asked.headers_mut().append("X-Change", value.parse().unwrap());
        });
        [Version::Http1, Version::Http2].map(|version| {
            let mut again = request("GET", "/", "");
            *again.headers_mut() = asked.headers().clone();
            let answer = scene.client("alice").send(version, again).unwrap();
            if answer.status == 200 { "200".to_owned() } else { answer.reason() }
        })
    };
    assert_eq!(judged(&["approved"]), ["200", "200"]);
    assert_eq!(judged(&["no"]), ["condition_not_met", "condition_not_met"]);
    assert_eq!(judged(&[]), ["condition_failed", "condition_failed"]);
    assert_eq!(judged(&["approved", "approved"]), ["condition_failed", "condition_failed"]);
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
