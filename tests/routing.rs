//! Hosts, paths and methods to routes; what has two readings is refused.

/// Hosts: several entries, Host fields, 421.
mod hosts;
/// Paths that an upstream may take for another route's.
mod look_alikes;
/// Overriding methods, and methods that are never forwarded.
mod methods;
/// Paths: oddities refused, relaxed, and what goes up.
mod paths;
/// Forms of the request target.
mod targets;

use crate::support::client::{BOTH, Version, get, reason, status};
use crate::support::gateway::{listener_with, named_listener, process, trust_domain, user};
use crate::support::{Client, Gateway, Pki, Upstream};

/// A gateway where `alice` may do everything.
struct Scene {
    pki: Pki,
    upstream: Upstream,
    gateway: Gateway,
}

impl Scene {
    /// With these routes to upstream `api`.
    fn new(routes: &str) -> Self {
        Self::on("", routes)
    }

    /// The same with further lines in the table of the listener.
    fn on(lines: &str, routes: &str) -> Self {
        let (pki, upstream) = (Pki::new(), Upstream::start());
        let config = listener_with(&pki, lines) + &user("alice", &["*"]) + &api(&upstream) + routes;
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

    fn alice(&self) -> Client {
        self.client("alice")
    }

    /// `GET target` as it is: what the upstream saw, or status and reason of the rejection.
    fn outcome(&self, target: &str) -> String {
        self.outcome_of(
            format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                .as_bytes(),
        )
    }

    fn outcome_of(&self, request: &[u8]) -> String {
        let before = self.upstream.recorded().len();
        let answer = self.alice().exchange(request);
        let up = self.upstream.recorded().split_off(before);
        match (status(&answer), up.as_slice()) {
            (200, [only]) => format!("{} {}", only.method, only.target),
            (refused, []) => format!("{refused} {}", reason(&answer)),
            _ => panic!("{answer} with {up:?}"),
        }
    }

    /// The route that took a request, from the log.
    fn route_of(&self, version: Version, path: &str) -> String {
        let answer = self.alice().send(version, get(path)).unwrap();
        let id = answer.header("x-request-id").unwrap().to_owned();
        let line = self
            .gateway
            .wait_for_access(|line| line["id"] == id.as_str());
        line["route"].as_str().unwrap_or("-").to_owned()
    }
}

fn api(upstream: &Upstream) -> String {
    format!(
        "[upstream.api]\nendpoints = [\"http://{}\"]\n",
        upstream.address
    )
}

/// A route with further lines.
fn route(path: &str, lines: &str) -> String {
    format!("[[route]]\npath = \"{path}\"\nupstream = \"api\"\n{lines}\n")
}

#[test]
fn the_most_specific_path_wins_in_any_order() {
    let scene = Scene::new(
        &(route("/", "")
            + &route("/v1/{kind}", "")
            + &route("/v1/hosts", "")
            + &route("/v1/{kind}/{name}", "match = \"exact\"")
            + &route("/v1", "match = \"exact\"")
            + &route("/v1/hosts/", "match = \"exact\"")),
    );
    for version in BOTH {
        for (path, expected) in [
            ("/", "/"),
            ("/x", "/"),
            ("/v1", "/v1"),
            ("/v1/", "/"),
            ("/v1/hosts", "/v1/hosts"),
            ("/v1/hosts/", "/v1/hosts/"),
            ("/v1/hosts/a", "/v1/hosts"),
            ("/v1/hostsx", "/v1/{kind}"),
            ("/v1/users", "/v1/{kind}"),
            ("/v1/users/a", "/v1/{kind}/{name}"),
            ("/v1/users/a/b", "/v1/{kind}"),
            ("/v1/h%6Fsts", "/v1/hosts"),
            ("/V1/hosts", "/"),
        ] {
            assert_eq!(
                scene.route_of(version, path),
                expected,
                "{path} {version:?}"
            );
        }
    }
}

#[test]
fn an_exact_path_is_itself_and_a_prefix_all_below_it() {
    let scene = Scene::new(&(route("/one", "match = \"exact\"") + &route("/all", "")));
    for (target, expected) in [
        ("/one", "GET /one"),
        ("/one?x=1", "GET /one?x=1"),
        ("/one/", "404 no_route"),
        ("/one/x", "404 no_route"),
        ("/onex", "404 no_route"),
        ("/all", "GET /all"),
        ("/all/", "GET /all/"),
        ("/all/x/y", "GET /all/x/y"),
        ("/allx", "404 no_route"),
        ("/", "404 no_route"),
    ] {
        assert_eq!(scene.outcome(target), expected, "{target}");
    }
}

#[test]
fn only_a_known_user_learns_that_there_is_no_route() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let config = named_listener("main", &pki, "client_auth = \"optional\"")
        + &trust_domain("test", &pki)
        + &process()
        + &user("alice", &["*"])
        + &user("nobody", &[])
        + &api(&upstream)
        + &route("/known", "");
    let gateway = Gateway::start(&config);
    for (name, status, word) in [
        (None, 401, "no_certificate"),
        (Some("mallory"), 403, "unknown_user"),
        (Some("nobody"), 404, "no_route"),
        (Some("alice"), 404, "no_route"),
    ] {
        let identity = name.map(|name| pki.client(name));
        let client = Client::new(&pki, identity.as_ref(), gateway.address());
        for version in BOTH {
            let answer = client.send(version, get("/unknown")).unwrap();
            assert_eq!(
                (answer.status, answer.reason().as_str()),
                (status, word),
                "{name:?}"
            );
        }
    }
}

#[test]
fn a_route_may_belong_to_one_listener() {
    let (pki, upstream, inner) = (Pki::new(), Upstream::start(), Upstream::start());
    let config = named_listener("outer", &pki, "")
        + &named_listener("inner", &pki, "")
        + &trust_domain("test", &pki)
        + &process()
        + &user("alice", &["*"])
        + &api(&upstream)
        + &format!(
            "[upstream.inner]\nendpoints = [\"http://{}\"]\n",
            inner.address
        )
        + &route("/everywhere", "")
        + &route("/inside", "listeners = [\"inner\"]")
        + &route("/both", "")
        + "[[route]]\npath = \"/both\"\nupstream = \"inner\"\nlisteners = [\"inner\"]\n";
    let gateway = Gateway::start(&config);
    let get = |listener: &str, path: &str| {
        Client::new(
            &pki,
            Some(&pki.client("alice")),
            gateway.address_of(listener),
        )
        .get(path)
    };
    for (listener, path, status) in [
        ("outer", "/everywhere", 200),
        ("inner", "/everywhere", 200),
        ("inner", "/inside", 200),
        ("outer", "/inside", 404),
        ("outer", "/both", 200),
    ] {
        assert_eq!(get(listener, path).status, status, "{listener} {path}");
    }
    assert!(inner.recorded().is_empty());
    assert_eq!(get("inner", "/both").status, 200);
    assert_eq!(
        inner.only().target,
        "/both",
        "a route that names its listener goes first"
    );
}
