//! Paths that differ from another route's only by what many upstreams ignore: rejected where that route asks for more, and
//! ordinary paths go on.

use super::{Scene, route};
use crate::support::client::{Version, get};
use crate::support::gateway::{listener, route_to, user};
use crate::support::pki::Identity;
use crate::support::{Client, Gateway, Pki, Upstream};

const LOOK_ALIKE: &str = "400 look_alike_path";

/// Targets that some upstreams take for one below `/admin`.
const DISGUISES: [&str; 21] = [
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
    "/admin%E2%81%A6/x",
    "/admin%E2%81%A9",
    "/ad%E1%A0%8Emin",
    "/admin%CD%8F",
    "/admin%D8%9C/x",
    "/admin%E3%85%A4/x",
    "/admin%F3%A0%84%80/x",
    "/ADM%C4%B0N/x",
    "/admin%3Fx",
    "/admin::$DATA",
];

/// Dot segments that only some upstreams take for such.
const DOTS: [&str; 10] = [
    "/api/..%20/admin/x",
    "/api/..%3B/admin/x",
    "/api/%EF%BC%8E%EF%BC%8E/admin/x",
    "/api/.%20./admin/x",
    "/api/%2E%2E%09/admin",
    "/api/..%C2%A0/admin",
    "/api/%E2%80%A5/admin",
    "/api/..%EF%BC%8Fadmin",
    "/api/..%3Fadmin",
    "/api/..%23admin",
];

/// Targets of which a reader makes one below `/admin` who decodes twice.
const ENCODED_TWICE: [&str; 6] = [
    "/%2561dmin/x",
    "/%25%36%31dmin/x",
    "/admin%2520/x",
    "/%252561dmin/x",
    "/admin%252fx",
    "/admin%253bx/y",
];

#[test]
fn a_path_that_may_be_of_a_stricter_route_is_rejected() {
    let scene = Scene::new(
        &(route("/", "") + &route("/admin", "requirement = \"admin\"") + &route("/api", "")),
    );
    for target in DISGUISES {
        assert_eq!(scene.outcome(target), LOOK_ALIKE, "{target}");
        let answer = scene.alice().send(Version::Http2, get(target)).unwrap();
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (400, "look_alike_path"),
            "{target} in HTTP/2"
        );
    }
    for target in DOTS {
        assert_eq!(scene.outcome(target), "400 bad_path", "{target}");
    }
    for target in ["/admin", "/admin/x", "/admin/", "/admin/X.txt"] {
        assert_eq!(
            scene.outcome(target),
            format!("GET {target}"),
            "the route itself takes it"
        );
    }
}

#[test]
fn ordinary_paths_go_on_beside_a_stricter_route() {
    let scene = Scene::new(
        &(route("/", "") + &route("/admin", "requirement = \"admin\"") + &route("/api", "")),
    );
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
        "/100%25/x",
        "/%25x",
        "/a%3Fb",
        "/times/12:30",
        "/price/$10",
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
    let routes =
        route("/", "look_alike_path = \"keep\"") + &route("/admin", "requirement = \"admin\"");
    let scene = Scene::new(&routes);
    for target in ["/ADMIN/x", "/admin%20/x", "/admin./x"] {
        assert_eq!(scene.outcome(target), format!("GET {target}"));
    }
    assert_eq!(
        scene.outcome("/a/..%20/admin"),
        "400 bad_path",
        "a dot segment is one on every route"
    );
}

#[test]
fn routes_that_ask_for_the_same_or_for_nothing_are_not_kept_apart() {
    let open = "client_auth = \"off\"\nmatch = \"exact\"";
    let scene = Scene::new(
        &(route("/", "") + &route("/api", "response_timeout = \"9s\"") + &route("/health", open)),
    );
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
    let users = user("alice", &["GET /*"]).trim_end().to_owned()
        + "\ndeny = [\"* /admin*\", \"GET /items/history\"]\n";
    let gateway = Gateway::start(&(listener(&pki) + &users + &route_to(upstream.address)));
    let alice: Identity = pki.client("alice");
    let client = Client::new(&pki, Some(&alice), gateway.address());
    let denied = DISGUISES
        .into_iter()
        .chain(["/items/history/", "/ITEMS/history"]);
    for target in denied {
        for version in [Version::Http1, Version::Http2] {
            let answer = client.send(version, get(target)).unwrap();
            assert_eq!(
                (answer.status, answer.reason().as_str()),
                (403, "denied"),
                "{target}"
            );
        }
    }
    assert!(upstream.recorded().is_empty());
    for target in [
        "/Adm/x",
        "/file.txt",
        "/items/histories/",
        "/items/history/x",
        "/a%20b",
        "/items/",
    ] {
        assert_eq!(
            client.send(Version::Http1, get(target)).unwrap().status,
            200,
            "{target}"
        );
    }
}

#[test]
fn deny_is_not_evaded_where_a_route_takes_paths_that_are_encoded_twice() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let users = user("alice", &["GET /*"]).trim_end().to_owned() + "\ndeny = [\"* /admin*\"]\n";
    let lines = "double_encoding = \"keep\"\n";
    let gateway = Gateway::start(&(listener(&pki) + &users + &route_to(upstream.address) + lines));
    let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
    for target in ENCODED_TWICE {
        for version in [Version::Http1, Version::Http2] {
            let answer = client.send(version, get(target)).unwrap();
            assert_eq!(
                (answer.status, answer.reason().as_str()),
                (403, "denied"),
                "{target}"
            );
        }
    }
    assert!(upstream.recorded().is_empty());
    for target in ["/%2562dmin/x", "/x%252fadmin", "/100%2525"] {
        assert_eq!(
            client.send(Version::Http1, get(target)).unwrap().status,
            200,
            "{target}"
        );
    }
}

#[test]
fn a_path_that_is_encoded_twice_reaches_neither_a_denied_path_nor_a_stricter_route() {
    let scene = Scene::new(&(route("/", "") + &route("/admin", "requirement = \"admin\"")));
    for target in ENCODED_TWICE {
        assert_eq!(scene.outcome(target), "400 double_encoding", "{target}");
        let answer = scene.alice().send(Version::Http2, get(target)).unwrap();
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (400, "double_encoding"),
            "{target} in HTTP/2"
        );
    }
    for target in ["/admin/x", "/100%25", "/%25zz", "/%256"] {
        assert_eq!(scene.outcome(target), format!("GET {target}"));
    }
}

#[test]
fn the_limits_of_a_route_are_not_evaded() {
    for limit in [
        "request_rate = \"1/m\"",
        "body_size = \"1KiB\"",
        "request_time = \"1h\"",
        "daily_quota = 1",
    ] {
        let scene = Scene::new(&(route("/", "") + &route("/lim", limit)));
        for target in ["/LIM", "/lim%20", "/lim.", "/Lim/"] {
            assert_eq!(scene.outcome(target), LOOK_ALIKE, "{limit}: {target}");
        }
        for target in ["/lim", "/other", "/OTHER%20/x"] {
            assert_eq!(scene.outcome(target), format!("GET {target}"), "{limit}");
        }
    }
}

#[test]
fn a_route_that_takes_fewer_oddities_is_not_evaded() {
    let scene = Scene::new(&(route("/", "empty_segments = \"keep\"") + &route("/strict", "")));
    assert_eq!(scene.outcome("/STRICT//x"), LOOK_ALIKE);
    assert_eq!(scene.outcome("/strict//x"), "400 empty_segments");
    assert_eq!(scene.outcome("/other//x"), "GET /other//x");
    assert_eq!(scene.outcome("/strict/x"), "GET /strict/x");
}

#[test]
fn a_route_that_allows_more_than_the_one_that_takes_a_path_is_not_evaded() {
    let routes = route("/", "") + &route("/big", "body_size = \"1GiB\"\nempty_segments = \"keep\"");
    let scene = Scene::new(&routes);
    for target in ["/BIG", "/big%20"] {
        assert_eq!(scene.outcome(target), format!("GET {target}"));
    }
}

#[test]
fn a_path_with_more_readings_than_are_compared_is_denied_where_anything_is() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let denies = |name: &str, deny: &str| user(name, &["GET /*"]).trim_end().to_owned() + deny;
    let users = denies("alice", "\ndeny = [\"* /*/zz0/*/admin*\"]\n") + &denies("bob", "\n");
    let gateway = Gateway::start(&(listener(&pki) + &users + &route_to(upstream.address)));
    let client = |name: &str| Client::new(&pki, Some(&pki.client(name)), gateway.address());
    let long = "/".to_owned() + &"zz1%20/%EF%BC%A1.%3B/".repeat(1000);
    let answer = client("alice").send(Version::Http1, get(&long)).unwrap();
    assert_eq!((answer.status, answer.reason().as_str()), (403, "denied"));
    assert_eq!(
        client("bob")
            .send(Version::Http1, get(&long))
            .unwrap()
            .status,
        200
    );
    let ordinary = "/".to_owned() + &"%C3%84pfel%20und/".repeat(1000);
    assert_eq!(
        client("alice")
            .send(Version::Http1, get(&ordinary))
            .unwrap()
            .status,
        200
    );
}
