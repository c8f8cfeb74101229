//! Who may do what: patterns, requirements, deny, roles.

/// Conditions of permissions, requirements and routes.
mod conditions;
/// What paths and requirements let a user do.
mod requirements;
/// Roles within roles.
mod roles;
/// Refusals that are only marked.
mod shadow;
/// Users and routes that count until a time.
mod until;
/// `respond = "whoami"`.
mod whoami;

use crate::support::client::{Version, request};
use crate::support::gateway::{listener, route_to, user};
use crate::support::{Client, Gateway, PORTCULLIS, Pki, Upstream, run};

/// A gateway with users who all come with the common name that is their name.
struct Scene {
    pki: Pki,
    upstream: Upstream,
    gateway: Gateway,
}

impl Scene {
    /// With a route for everything.
    fn new(users: &str) -> Self {
        Self::with_routes(users, "")
    }

    /// With further routes.
    fn with_routes(users: &str, routes: &str) -> Self {
        let (pki, upstream) = (Pki::new(), Upstream::start());
        let config = listener(&pki) + users + &route_to(upstream.address) + routes;
        let gateway = Gateway::start(&config);
        Self {
            pki,
            upstream,
            gateway,
        }
    }

    fn client(&self, name: &str) -> Client {
        Client::new(
            &self.pki,
            Some(&self.pki.client(name)),
            self.gateway.address(),
        )
    }

    /// `200`, or status and reason of a rejection; checked against what reached the upstream and against the log.
    fn judge(&self, name: &str, method: &str, path: &str) -> String {
        let before = self.upstream.recorded().len();
        let answer = self
            .client(name)
            .send(Version::Http1, request(method, path, ""))
            .unwrap();
        let went_up = self.upstream.recorded().len() - before;
        assert_eq!(
            went_up,
            usize::from(answer.status == 200),
            "{name} {method} {path}"
        );
        if answer.status == 200 {
            return "200".to_owned();
        }
        let id = answer.header("x-request-id").expect("an id").to_owned();
        let line = self
            .gateway
            .wait_for_access(|line| line["id"] == id.as_str());
        assert_eq!(
            (&line["decision"], &line["user"]),
            (&"refuse".into(), &name.into())
        );
        let reason = line["reason"].as_str().unwrap();
        // An answer to HEAD has no body to say it.
        assert!(method == "HEAD" || answer.reason() == reason, "{line}");
        format!("{} {reason}", answer.status)
    }

    /// Judges a table of user, method, path and outcome.
    fn check(&self, table: &[(&str, &str, &str, &str)]) {
        for (name, method, path, expected) in table {
            assert_eq!(
                self.judge(name, method, path),
                *expected,
                "{name} {method} {path}"
            );
        }
    }
}

/// An ApiUser with further keys.
fn user_with(name: &str, lines: &str) -> String {
    format!("[api_user.{name}]\nclient_cn = \"{name}\"\n{lines}\n")
}

const NO_PERMISSION: &str = "403 no_permission";
const DENIED: &str = "403 denied";

#[test]
fn without_permission_there_is_no_right() {
    let scene = Scene::new(&(user("nobody", &[]) + &user("alice", &["GET /*"])));
    scene.check(&[
        ("nobody", "GET", "/", NO_PERMISSION),
        ("nobody", "OPTIONS", "/", NO_PERMISSION),
        ("alice", "GET", "/", "200"),
    ]);
}

#[test]
fn a_permission_is_for_a_method_and_a_path_and_both_compare_with_case() {
    let scene = Scene::new(&user("alice", &["GET /api/*", "POST /jobs", "* /free/*"]));
    scene.check(&[
        ("alice", "GET", "/api/x", "200"),
        ("alice", "GET", "/api/x/y/z", "200"),
        ("alice", "GET", "/api/", "200"),
        ("alice", "GET", "/api", NO_PERMISSION),
        ("alice", "GET", "/apix", NO_PERMISSION),
        ("alice", "GET", "/API/x", NO_PERMISSION),
        ("alice", "POST", "/api/x", NO_PERMISSION),
        ("alice", "HEAD", "/api/x", NO_PERMISSION),
        ("alice", "get", "/api/x", "400 lower_case_method"),
        ("alice", "POST", "/jobs", "200"),
        ("alice", "POST", "/jobs/", NO_PERMISSION),
        ("alice", "POST", "/jobs/1", NO_PERMISSION),
        ("alice", "DELETE", "/free/x", "200"),
        ("alice", "PURGE", "/free/x", "200"),
        // The query is no part of the name.
        ("alice", "POST", "/jobs?x=/api/", "200"),
        ("alice", "DELETE", "/api/x?/free/x", NO_PERMISSION),
    ]);
}

#[test]
fn patterns_have_a_star_a_question_mark_and_a_way_to_mean_them_literally() {
    let scene = Scene::new(
        &(user("one", &["GET /a?c"])
            + &user("star", &[r"GET /a\*c"])
            + &user("mid", &["GET /*/x/*"])),
    );
    scene.check(&[
        ("one", "GET", "/abc", "200"),
        ("one", "GET", "/a/c", "200"),
        ("one", "GET", "/ac", NO_PERMISSION),
        ("one", "GET", "/abbc", NO_PERMISSION),
        ("star", "GET", "/a*c", "200"),
        ("star", "GET", "/abc", NO_PERMISSION),
        ("mid", "GET", "/a/b/x/c", "200"),
        ("mid", "GET", "/x/c", NO_PERMISSION),
        ("mid", "GET", "/a/x", NO_PERMISSION),
    ]);
}

#[test]
fn a_single_star_is_everything() {
    let scene = Scene::with_routes(
        &user("admin", &["*"]),
        "[[route]]\npath = \"/named\"\nupstream = \"api\"\nrequirement = \"some/name\"\n",
    );
    scene.check(&[
        ("admin", "DELETE", "/x", "200"),
        ("admin", "GET", "/named", "200"),
    ]);
}

#[test]
fn deny_wins_over_every_permission() {
    let roles = "[role.ops]\npermissions = [\"* /ops/*\"]\ndeny = [\"DELETE /*\"]\n";
    let users = user_with(
        "alice",
        "permissions = [\"*\"]\ndeny = [\"* /secret*\", \"GET /a%20b\"]",
    ) + &user_with("bob", "permissions = [\"*\"]\nroles = [\"ops\"]")
        + &user_with("carol", "roles = [\"ops\"]\ndeny = [\"* /ops/keys/*\"]")
        + roles;
    let scene = Scene::new(&users);
    scene.check(&[
        ("alice", "GET", "/", "200"),
        ("alice", "GET", "/secret", DENIED),
        ("alice", "GET", "/secret/x", DENIED),
        ("alice", "GET", "/Secret", DENIED),
        ("alice", "GET", "/Secre", "200"),
        ("alice", "GET", "/a%20b", DENIED),
        ("alice", "DELETE", "/x", "200"),
        ("bob", "DELETE", "/x", DENIED),
        ("bob", "GET", "/x", "200"),
        ("carol", "GET", "/ops/x", "200"),
        ("carol", "DELETE", "/ops/x", DENIED),
        ("carol", "GET", "/ops/keys/1", DENIED),
        ("carol", "GET", "/x", NO_PERMISSION),
    ]);
}

#[test]
fn deny_sees_every_spelling_of_a_path_that_an_upstream_takes_for_the_same() {
    let scene = Scene::new(&user_with(
        "alice",
        "permissions = [\"GET /*\"]\ndeny = [\"GET /secret!/*\", \"GET /x/*\"]",
    ));
    scene.check(&[
        ("alice", "GET", "/secret!/a", DENIED),
        ("alice", "GET", "/secret%21/a", DENIED),
        ("alice", "GET", "/%73ecret!/a", DENIED),
        ("alice", "GET", "/s%65cr%65t%21/a", DENIED),
        ("alice", "GET", "/%78/a", DENIED),
        ("alice", "GET", "/secret/a", "200"),
        ("alice", "GET", "/y/a", "200"),
    ]);
}

#[test]
fn roles_add_up() {
    let roles = "[role.reader]\npermissions = [\"GET /docs/*\"]\n[role.writer]\npermissions = [\"PUT /docs/*\"]\n";
    let users = user_with("alice", "roles = [\"reader\"]")
        + &user_with(
            "bob",
            "roles = [\"reader\", \"writer\"]\npermissions = [\"DELETE /docs/*\"]",
        )
        + roles;
    let scene = Scene::new(&users);
    scene.check(&[
        ("alice", "GET", "/docs/1", "200"),
        ("alice", "PUT", "/docs/1", NO_PERMISSION),
        ("bob", "GET", "/docs/1", "200"),
        ("bob", "PUT", "/docs/1", "200"),
        ("bob", "DELETE", "/docs/1", "200"),
        ("bob", "PUT", "/else", NO_PERMISSION),
    ]);
}

#[test]
fn the_log_names_the_permission_that_decided() {
    let scene = Scene::new(&user_with(
        "alice",
        "permissions = [\"GET /a*\"]\ndeny = [\"GET /ab*\"]",
    ));
    scene.check(&[
        ("alice", "GET", "/ac", "200"),
        ("alice", "GET", "/abc", DENIED),
    ]);
    let granted = scene.gateway.wait_for_access(|line| line["path"] == "/ac");
    assert_eq!(
        (&granted["permission"], &granted["reason"]),
        (&"GET /a*".into(), &"permission".into())
    );
    assert_eq!(granted["requirement"], "GET /ac");
    let denied = scene.gateway.wait_for_access(|line| line["path"] == "/abc");
    assert_eq!(
        (&denied["permission"], &denied["reason"]),
        (&"GET /ab*".into(), &"denied".into())
    );
}

#[test]
fn a_deny_that_would_deny_nothing_does_not_load_and_its_right_spelling_denies() {
    let pki = Pki::new();
    let config = |deny: &str| {
        let lines = format!("permissions = [\"*\"]\ndeny = [\"{deny}\"]");
        listener(&pki) + &user_with("alice", &lines) + &route_to("127.0.0.1:1".parse().unwrap())
    };
    for deny in [
        "DELETE  /api/*",
        "GET api/*",
        "GET\\t/api/*",
        "* /api%252f*",
        "GET,POST /api/*",
        "GET /a b",
    ] {
        let file = pki.path("wrong.toml");
        std::fs::write(&file, config(deny)).unwrap();
        let (_, report, code) = run(PORTCULLIS, &["check", "-c", file.to_str().unwrap()]);
        assert_eq!(code, 1, "{deny}: {report}");
        assert!(
            report.contains("can never match") && report.contains("help: write \""),
            "{deny}: {report}"
        );
    }
    let denied =
        "permissions = [\"*\"]\ndeny = [\"DELETE /api/*\", \"GET /api/*\", \"* /api%2f*\"]";
    let scene = Scene::new(&user_with("alice", denied));
    scene.check(&[
        ("alice", "GET", "/api/x", DENIED),
        ("alice", "DELETE", "/api/x", DENIED),
        ("alice", "POST", "/api/x", DENIED),
        ("alice", "POST", "/other", "200"),
    ]);
}
