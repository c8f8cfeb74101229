//! `respond = "whoami"`: a user asks who it is and what it may do.

use super::{Scene, user_with};
use crate::support::Client;
use crate::support::client::{BOTH, Version, get, request};
use crate::support::gateway::user;

const WHOAMI: &str = "[[route]]\npath = \"/v1\"\nrespond = \"whoami\"\n";

fn scene() -> Scene {
    let users = user_with(
        "alice",
        "permissions = [\"GET /<b>&*\"]\ndeny = [\"GET /x*\"]\nroles = [\"ops\"]",
    ) + "[role.ops]\npermissions = [\"objects/*\"]\n"
        + &user("nobody", &[])
        + &user_with("banned", "deny = [\"*\"]");
    Scene::with_routes(&users, WHOAMI)
}

fn asking(client: &Client, accept: &str) -> crate::support::client::Answer {
    let mut request = get("/v1");
    request
        .headers_mut()
        .insert("accept", accept.parse().unwrap());
    client.send(Version::Http1, request).unwrap()
}

#[test]
fn whoami_reports_the_user_and_its_permissions() {
    let scene = scene();
    for version in BOTH {
        let answer = scene.client("alice").send(version, get("/v1")).unwrap();
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, Some("application/json"))
        );
        let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        let me = &body["results"][0];
        assert_eq!(me["user"], "alice");
        assert_eq!(
            me["permissions"],
            serde_json::json!(["GET /<b>&*", "objects/*"])
        );
        assert_eq!(me["denied"], serde_json::json!(["GET /x*"]));
        assert_eq!(
            me["version"],
            concat!("portcullis ", env!("CARGO_PKG_VERSION"))
        );
        assert!(
            me["certificate_expires"].as_str().unwrap().ends_with('Z'),
            "{me}"
        );
    }
    assert!(scene.upstream.recorded().is_empty());
}

#[test]
fn a_browser_gets_a_page_without_foreign_markup() {
    let scene = scene();
    let answer = asking(
        &scene.client("alice"),
        "text/html,application/xhtml+xml,*/*;q=0.8",
    );
    assert_eq!(
        answer.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert!(answer.body.contains("<b>alice</b>"), "{}", answer.body);
    assert!(
        answer.body.contains("<code>GET /&lt;b&gt;&amp;*</code>"),
        "{}",
        answer.body
    );
    assert!(!answer.body.contains("/<b>"), "{}", answer.body);
    let answer = asking(&scene.client("alice"), "text/html, application/json");
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

#[test]
fn it_answers_every_user_that_is_known_and_not_denied() {
    let scene = scene();
    assert_eq!(scene.client("nobody").get("/v1").status, 200);
    let stranger = scene.client("mallory").get("/v1");
    assert_eq!(
        (stranger.status, stranger.reason().as_str()),
        (403, "unknown_user")
    );
    let banned = scene.client("banned").get("/v1");
    assert_eq!((banned.status, banned.reason().as_str()), (403, "denied"));
}

#[test]
fn it_answers_get_and_head_only() {
    let scene = scene();
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let answer = scene
            .client("alice")
            .send(Version::Http1, request(method, "/v1", ""))
            .unwrap();
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (405, "method_not_allowed"),
            "{method}"
        );
        let id = answer.header("x-request-id").unwrap().to_owned();
        let line = scene
            .gateway
            .wait_for_access(|line| line["id"] == id.as_str());
        assert_eq!(line["decision"], "refuse", "{method}");
    }
    let head = scene
        .client("alice")
        .send(Version::Http1, request("HEAD", "/v1", ""))
        .unwrap();
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(scene.client("alice").get("/v1").status, 200);
    // Below it is another route's business.
    let below = scene.client("nobody").get("/v1/x");
    assert_eq!(
        (below.status, below.reason().as_str()),
        (403, "no_permission")
    );
}

#[test]
fn it_says_which_permissions_count_only_sometimes_or_on_trial() {
    let lines = "permissions = [\"GET /a\", { permission = \"GET /b\", when = 'request.host == \"x\"' }, \
        { permission = \"GET /c\", shadow = true }]";
    let scene = Scene::with_routes(&user_with("alice", lines), WHOAMI);
    let body: serde_json::Value =
        serde_json::from_str(&scene.client("alice").get("/v1").body).unwrap();
    let expected = serde_json::json!(["GET /a", "GET /b (conditional)", "GET /c (on trial)"]);
    assert_eq!(body["results"][0]["permissions"], expected);
}
