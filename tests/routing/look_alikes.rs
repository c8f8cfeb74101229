//! Paths that differ from another route's only by what many upstreams ignore: rejected where that route asks for more, and
//! ordinary paths go on.

use super::{Scene, route};
use crate::support::client::{Version, get};
use crate::support::gateway::{listener, route_to, user};
use crate::support::pki::Identity;
use crate::support::{Client, Gateway, Pki, Upstream};

const LOOK_ALIKE: &str = "400 look_alike_path";

/// Targets that some upstreams take for one below `/admin`.
const DISGUISES: [&str; 11] = [
    "/ADMIN",
    "/Admin/x",
    "/admin%20/x",
    "/admin.",
    "/admin./x",
    "/admin%3Bx/y",
    "/%EF%BD%81dmin/x",
    "/admin%E2%80%8B/x",
    "/%20/admin/x",
    "/%EF%BC%8Fadmin",
    "/admin%EF%BC%8Fx",
];

/// Dot segments that only some upstreams take for such.
const DOTS: [&str; 8] = [
    "/api/..%20/admin/x",
    "/api/..%3B/admin/x",
    "/api/%EF%BC%8E%EF%BC%8E/admin/x",
    "/api/.%20./admin/x",
    "/api/%2E%2E%09/admin",
    "/api/..%C2%A0/admin",
    "/api/%E2%80%A5/admin",
    "/api/..%EF%BC%8Fadmin",
];

#[test]
fn a_path_that_may_be_of_a_stricter_route_is_rejected() {
    let scene = Scene::new(&(route("/", "") + &route("/admin", "requirement = \"admin\"") + &route("/api", "")));
    for target in DISGUISES {
        assert_eq!(scene.outcome(target), LOOK_ALIKE, "{target}");
        let answer = scene.alice().send(Version::Http2, get(target)).unwrap();
        assert_eq!((answer.status, answer.reason().as_str()), (400, "look_alike_path"), "{target} in HTTP/2");
    }
    for target in DOTS {
        assert_eq!(scene.outcome(target), "400 bad_path", "{target}");
    }
    for target in ["/admin", "/admin/x", "/admin/", "/admin/X.txt"] {
        assert_eq!(scene.outcome(target), format!("GET {target}"), "the route itself takes it");
    }
}

#[test]
fn ordinary_paths_go_on_beside_a_stricter_route() {
    let scene = Scene::new(&(route("/", "") + &route("/admin", "requirement = \"admin\"") + &route("/api", "")));
    for target in [
        "/",
        "/API/v1.2/x",
        "/file.txt",
        "/Folder/",
        "/a/b/c/",
        "/a%20b/c",
        "/%C3%84pfel/%E6%97%A5%E6%9C%AC",
        "/.well-known/acme-challenge/x",
        "/x.",
        "/...",
        "/administration",
        "/admins/x",
        "/a/admin",
        "/%E2%80%8B",
        "/a%3Bb",
    ] {
        assert_eq!(scene.outcome(target), format!("GET {target}"));
    }
}

#[test]
fn a_final_slash_does_not_lead_around_an_exact_route() {
    let history = "match = \"exact\"\nrequirement = \"history\"";
    let scene = Scene::new(&(route("/items", "") + &route("/items/history", history)));
    assert_eq!(scene.outcome("/items/history/"), LOOK_ALIKE);
    assert_eq!(scene.outcome("/items/History"), LOOK_ALIKE);
    assert_eq!(scene.outcome("/items/history"), "GET /items/history");
    assert_eq!(scene.outcome("/items/other/"), "GET /items/other/");
}

#[test]
fn a_route_says_that_its_upstream_tells_such_paths_apart() {
    let routes = route("/", "look_alike_path = \"keep\"") + &route("/admin", "requirement = \"admin\"");
    let scene = Scene::new(&routes);
    for target in ["/ADMIN/x", "/admin%20/x", "/admin./x"] {
        assert_eq!(scene.outcome(target), format!("GET {target}"));
    }
    assert_eq!(scene.outcome("/a/..%20/admin"), "400 bad_path", "a dot segment is one on every route");
}

#[test]
fn routes_that_ask_for_the_same_or_for_nothing_are_not_kept_apart() {
    let open = "client_auth = \"off\"\nmatch = \"exact\"";
    let scene = Scene::new(&(route("/", "") + &route("/api", "response_timeout = \"9s\"") + &route("/health", open)));
    for target in ["/API/x", "/health/", "/Health"] {
        assert_eq!(scene.outcome(target), format!("GET {target}"));
    }
}

#[test]
fn the_other_spelling_may_be_that_of_the_stricter_route() {
    let scene = Scene::new(&(route("/", "") + &route("/Admin", "requirement = \"admin\"")));
    assert_eq!(scene.outcome("/admin/x"), LOOK_ALIKE);
    assert_eq!(scene.outcome("/Admin/x"), "GET /Admin/x");
}

#[test]
fn deny_is_not_evaded_by_case_slashes_dots_and_blanks() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let users = user("alice", &["GET /*"]).trim_end().to_owned() + "\ndeny = [\"* /admin*\", \"GET /items/history\"]\n";
    let gateway = Gateway::start(&(listener(&pki) + &users + &route_to(upstream.address)));
    let alice: Identity = pki.client("alice");
    let client = Client::new(&pki, Some(&alice), gateway.address());
    let denied = DISGUISES.into_iter().chain(["/items/history/", "/ITEMS/history"]);
    for target in denied {
        for version in [Version::Http1, Version::Http2] {
            let answer = client.send(version, get(target)).unwrap();
            assert_eq!((answer.status, answer.reason().as_str()), (403, "denied"), "{target}");
        }
    }
    assert!(upstream.recorded().is_empty());
    for target in ["/Adm/x", "/file.txt", "/items/histories/", "/items/history/x", "/a%20b", "/items/"] {
        assert_eq!(client.send(Version::Http1, get(target)).unwrap().status, 200, "{target}");
    }
}
