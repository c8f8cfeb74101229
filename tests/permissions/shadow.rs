//! Shadow mode: who would be refused passes, marked, counted and logged; nobody else, and nobody whom it does not know.

use super::{DENIED, NO_PERMISSION, Scene, user_with};
use crate::support::client::{Version, request};
use crate::support::gateway::{listener, route_to, user};
use crate::support::{Client, Gateway, Pki, Upstream, eventually};

const ON: &str = "[gateway]\nshadow = true\n";

/// What becomes of a request: `enforced STATUS`, or `shadow REASON` where upstream, log and metric agree.
fn outcome(scene: &Scene, name: &str, method: &str, path: &str) -> String {
    let counted = |reason: &str| {
        let labels = [
            ("listener", "main"),
            ("decision", "shadow"),
            ("reason", reason),
        ];
        scene.gateway.metric("portcullis_decisions_total", &labels)
    };
    let forged = hyper_request(method, path);
    let answer = scene.client(name).send(Version::Http1, forged).unwrap();
    let id = answer.header("x-request-id").expect("an id").to_owned();
    let line = scene
        .gateway
        .wait_for_access(|line| line["id"] == id.as_str());
    if answer.status != 200 {
        return format!("enforced {}", line["reason"].as_str().unwrap());
    }
    let up = scene.upstream.recorded().pop().expect("it went up");
    let mark: Vec<_> = up.values("x-portcullis-shadow");
    if line["decision"] == "permit" {
        assert!(mark.is_empty(), "{mark:?}");
        return "permit".to_owned();
    }
    assert_eq!(line["decision"], "shadow");
    let reason = line["reason"].as_str().unwrap().to_owned();
    assert_eq!(mark, [reason.as_str()]);
    eventually("it is counted", || (counted(&reason) >= 1.0).then_some(()));
    format!("shadow {reason}")
}

/// A request that says itself that it is marked.
fn hyper_request(method: &str, path: &str) -> hyper::Request<crate::support::client::RequestBody> {
    let mut request = request(method, path, "");
    request
        .headers_mut()
        .insert("X-Portcullis-Shadow", "forged".parse().unwrap());
    request
}

fn check(scene: &Scene, table: &[(&str, &str, &str, &str)]) {
    for (name, method, path, expected) in table {
        assert_eq!(
            outcome(scene, name, method, path),
            *expected,
            "{name} {method} {path}"
        );
    }
}

#[test]
fn in_shadow_mode_denied_requests_pass_and_are_marked() {
    let users = user_with(
        "alice",
        "permissions = [\"GET /*\"]\ndeny = [\"* /secret*\"]",
    ) + &user("nobody", &[]);
    let scene = Scene::new(&(ON.to_owned() + &users));
    check(
        &scene,
        &[
            ("alice", "GET", "/", "permit"),
            ("alice", "POST", "/", "shadow no_permission"),
            ("alice", "GET", "/secret", "shadow denied"),
            ("nobody", "GET", "/", "shadow no_permission"),
        ],
    );
    // Its twin, where refusals count.
    let scene = Scene::new(&users);
    scene.check(&[
        ("alice", "POST", "/", NO_PERMISSION),
        ("alice", "GET", "/secret", DENIED),
        ("nobody", "GET", "/", NO_PERMISSION),
    ]);
}

#[test]
fn strangers_do_not_pass() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let config = listener(&pki) + ON + &user("alice", &["*"]) + &route_to(upstream.address);
    let gateway = Gateway::start(&config);
    let stranger = Client::new(&pki, Some(&pki.client("stranger")), gateway.address()).get("/");
    assert_eq!(
        (stranger.status, stranger.reason().as_str()),
        (403, "unknown_user")
    );
    assert_eq!(
        Client::new(&pki, Some(&pki.client("alice")), gateway.address())
            .get("/")
            .status,
        200
    );
}

#[test]
fn off_overrides_other_settings() {
    let users = user_with("trial", "shadow = true")
        + &user_with("strict", "shadow = false")
        + &user_with("plain", "");
    let routes = "[[route]]\npath = \"/trial\"\nupstream = \"api\"\nshadow = true\n\
        [[route]]\npath = \"/strict\"\nupstream = \"api\"\nshadow = false\n";
    let scene = Scene::with_routes(&users, routes);
    check(
        &scene,
        &[
            ("trial", "GET", "/", "shadow no_permission"),
            ("plain", "GET", "/", "enforced no_permission"),
            ("strict", "GET", "/", "enforced no_permission"),
            ("plain", "GET", "/trial", "shadow no_permission"),
            ("strict", "GET", "/trial", "enforced no_permission"),
            ("trial", "GET", "/trial", "shadow no_permission"),
            ("trial", "GET", "/strict", "enforced no_permission"),
        ],
    );
    let scene = Scene::with_routes(&(ON.to_owned() + &users), routes);
    check(
        &scene,
        &[
            ("plain", "GET", "/", "shadow no_permission"),
            ("strict", "GET", "/", "enforced no_permission"),
            ("plain", "GET", "/strict", "enforced no_permission"),
        ],
    );
}

#[test]
fn a_permission_on_trial_grants_and_a_deny_on_trial_denies_nothing() {
    let lines = "permissions = [\"GET /a/*\", { permission = \"GET /*\", shadow = true }]\n\
        deny = [{ permission = \"* /a/new/*\", shadow = true }, \"* /a/never/*\"]";
    let scene = Scene::new(&user_with("alice", lines));
    check(
        &scene,
        &[
            ("alice", "GET", "/a/x", "permit"),
            ("alice", "GET", "/b", "shadow no_permission"),
            ("alice", "GET", "/a/new/x", "shadow denied"),
            ("alice", "GET", "/a/never/x", "enforced denied"),
            ("alice", "POST", "/a/x", "enforced no_permission"),
        ],
    );
}
