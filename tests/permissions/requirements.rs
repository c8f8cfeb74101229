//! Requirements with names: captures, methods, case.

use super::{DENIED, NO_PERMISSION, Scene, user_with};
use crate::support::gateway::user;

/// A route to the upstream with a path and further lines.
fn route(path: &str, lines: &str) -> String {
    format!("[[route]]\npath = \"{path}\"\nupstream = \"api\"\n{lines}\n")
}

#[test]
fn a_requirement_takes_its_captures_from_the_path() {
    let scene = Scene::with_routes(
        &(user("alice", &["objects/query/hosts", "objects/query/s*"])
            + &user("bob", &["objects/*"])),
        &route(
            "/v1/objects/{type}",
            "requirement = \"objects/query/{type}\"",
        ),
    );
    scene.check(&[
        ("alice", "GET", "/v1/objects/hosts", "200"),
        ("alice", "GET", "/v1/objects/hosts/a/b", "200"),
        ("alice", "GET", "/v1/objects/services", "200"),
        ("alice", "GET", "/v1/objects/users", NO_PERMISSION),
        ("alice", "DELETE", "/v1/objects/hosts", "200"),
        ("bob", "GET", "/v1/objects/users", "200"),
        // Nothing captured is nothing required here: the route for everything has its own requirement.
        ("bob", "GET", "/v1/objects", NO_PERMISSION),
        ("bob", "GET", "/v1/objects/", NO_PERMISSION),
    ]);
    let line = scene
        .gateway
        .wait_for_access(|line| line["path"] == "/v1/objects/services");
    assert_eq!(line["requirement"], "objects/query/services");
    assert_eq!(line["route"], "/v1/objects/{type}");
}

#[test]
fn named_requirements_compare_without_case() {
    let scene = Scene::with_routes(
        &(user("alice", &["Objects/QUERY/Hosts"])
            + &user_with(
                "bob",
                "permissions = [\"*\"]\ndeny = [\"OBJECTS/query/users\"]",
            )),
        &route(
            "/v1/objects/{type}",
            "requirement = \"objects/query/{type}\"",
        ),
    );
    scene.check(&[
        ("alice", "GET", "/v1/objects/hosts", "200"),
        ("alice", "GET", "/v1/objects/HOSTS", "200"),
        ("alice", "GET", "/v1/objects/services", NO_PERMISSION),
        ("bob", "GET", "/v1/objects/Users", DENIED),
        ("bob", "GET", "/v1/objects/hosts", "200"),
    ]);
}

#[test]
fn a_capture_cannot_smuggle_another_name_in() {
    let scene = Scene::with_routes(
        &(user("alice", &["objects/query/hosts", "x/a b", "x/a/b"])
            + &user_with("bob", "permissions = [\"*\"]\ndeny = [\"x/a!b\"]")),
        &(route(
            "/v1/objects/{type}",
            "requirement = \"objects/query/{type}\"",
        ) + &route(
            "/x/{name}",
            "requirement = \"x/{name}\"\nencoded_slash = \"keep\"",
        )),
    );
    scene.check(&[
        // A capture is one segment and stays percent-encoded, so neither a slash nor a space gets into a name.
        ("alice", "GET", "/x/a%2Fb", NO_PERMISSION),
        ("alice", "GET", "/x/a%20b", NO_PERMISSION),
        ("alice", "GET", "/v1/objects/h%6Fsts", "200"),
        ("alice", "GET", "/v1/objects/*", NO_PERMISSION),
        ("bob", "GET", "/x/a%21b", DENIED),
        ("bob", "GET", "/x/a!b", DENIED),
        ("bob", "GET", "/x/ab", "200"),
    ]);
}

#[test]
fn a_requirement_by_method_allows_only_the_methods_that_it_names() {
    let by_method = "requirement = { GET = \"hosts/read\", POST = \"hosts/write/{name}\" }";
    let scene = Scene::with_routes(
        &(user("reader", &["hosts/read"]) + &user("writer", &["hosts/*"]) + &user("admin", &["*"])),
        &route("/hosts/{name}", by_method),
    );
    scene.check(&[
        ("reader", "GET", "/hosts/a", "200"),
        ("reader", "POST", "/hosts/a", NO_PERMISSION),
        ("writer", "POST", "/hosts/a", "200"),
        ("writer", "DELETE", "/hosts/a", "405 method_not_allowed"),
        ("admin", "HEAD", "/hosts/a", "405 method_not_allowed"),
        ("admin", "get", "/hosts/a", "400 lower_case_method"),
        ("admin", "DELETE", "/else", "200"),
    ]);
}

#[test]
fn the_two_kinds_of_permission_are_never_confused() {
    let scene = Scene::with_routes(
        &(user("paths", &["* /*"]) + &user("names", &["a*", "b*", "g*", "get*"])),
        &route("/named", "requirement = \"get/named\""),
    );
    scene.check(&[
        ("paths", "GET", "/named", NO_PERMISSION),
        ("paths", "GET", "/get/named", "200"),
        ("names", "GET", "/named", "200"),
        ("names", "GET", "/get/named", NO_PERMISSION),
    ]);
}
