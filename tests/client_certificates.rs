//! Client certificates by the host of an endpoint: which one an upstream sees, and from when on.

use crate::support::client::{BOTH, get};
use crate::support::gateway::{ONE_WORKER, listener, user};
use crate::support::pki::text;
use crate::support::tls_upstream::tls_upstream;
use crate::support::{Client, Gateway, Pki, Upstream};
use std::fs::copy;

/// An upstream that says which certificate it sees, and on which connection.
struct Scene {
    pki: Pki,
    theirs: Pki,
    upstream: Upstream,
}

impl Scene {
    fn new() -> Self {
        let (pki, theirs) = (Pki::new(), Pki::named("Their CA"));
        let upstream = tls_upstream(&theirs, |mut stream| {
            while !stream.read_head().is_empty() {
                let body = format!("{} {}", stream.client, stream.number);
                stream.write(&format!(
                    "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                ));
            }
        });
        Self {
            pki,
            theirs,
            upstream,
        }
    }

    /// `[client_certificate."PATTERN"]` with a certificate of this name.
    fn certificate(&self, pattern: &str, name: &str) -> String {
        format!("[client_certificate.\"{pattern}\"]\n") + &self.files(name)
    }

    fn files(&self, name: &str) -> String {
        let identity = self.theirs.client(name);
        format!(
            "certificate = \"{}\"\nprivate_key = \"{}\"\n",
            text(&identity.certificate_file),
            text(&identity.key_file)
        )
    }

    fn anchors(&self) -> String {
        format!("anchors = [\"{}\"]\n", text(&self.theirs.ca_file()))
    }

    /// `upstream` continues the table of the upstream; other tables may follow.
    fn config(&self, host: &str, upstream: &str) -> String {
        format!(
            "{}{}{ONE_WORKER}[[route]]\npath = \"/\"\nupstream = \"api\"\n\
             [upstream.api]\nendpoints = [\"https://{host}:{}\"]\n{upstream}",
            listener(&self.pki),
            user("alice", &["*"]),
            self.upstream.address.port()
        )
    }

    fn client(&self, gateway: &Gateway) -> Client {
        Client::new(
            &self.pki,
            Some(&self.pki.client("alice")),
            gateway.address(),
        )
    }

    /// What the upstream saw: the name in the certificate, and the number of the connection.
    fn saw(&self, gateway: &Gateway) -> (String, usize) {
        let answer = self.client(gateway).get("/");
        assert_eq!(answer.status, 200, "{answer:?}");
        let (name, number) = answer.body.split_once(' ').unwrap();
        (name.to_owned(), number.parse().unwrap())
    }
}

#[test]
fn the_most_specific_pattern_applies_unless_the_upstream_has_its_own_certificate() {
    let scene = Scene::new();
    let any = scene.certificate("*", "any");
    let exact = scene.certificate("LOCALHOST", "exact");
    let address = scene.certificate("127.0.0.1", "address");
    let deeper = scene.certificate("*.localhost", "deeper");
    let own = scene.anchors() + &scene.files("own");
    let anchors = scene.anchors();
    for (host, upstream, seen) in [
        (
            "localhost",
            anchors.clone() + &any + &exact + &address,
            "exact",
        ),
        (
            "localhost",
            anchors.clone() + &exact + &any + &address,
            "exact",
        ),
        (
            "localhost",
            anchors.clone() + &any + &address + &deeper,
            "any",
        ),
        (
            "127.0.0.1",
            anchors.clone() + &any + &exact + &address,
            "address",
        ),
        ("127.0.0.1", anchors.clone() + &any + &exact, ""),
        ("localhost", own + &any + &exact, "own"),
    ] {
        let gateway = Gateway::start(&scene.config(host, &upstream));
        for version in BOTH {
            let answer = scene.client(&gateway).send(version, get("/")).unwrap();
            assert_eq!(answer.status, 200, "{answer:?}");
            assert_eq!(
                answer.body.split(' ').next(),
                Some(seen),
                "{host}\n{upstream}"
            );
        }
    }
}

#[test]
fn the_anchors_of_the_pattern_verify_an_upstream_without_its_own() {
    let scene = Scene::new();
    let other = Pki::named("Another CA");
    let pattern = scene.certificate("localhost", "gateway");
    let trusting =
        Gateway::start(&scene.config("localhost", &(pattern.clone() + &scene.anchors())));
    assert_eq!(scene.saw(&trusting).0, "gateway");

    let others = format!("anchors = [\"{}\"]\n", text(&other.ca_file()));
    // The anchors of the upstream come first.
    for upstream in [
        pattern.clone() + &others,
        others.clone() + &pattern + &scene.anchors(),
    ] {
        let gateway = Gateway::start(&scene.config("localhost", &upstream));
        let answer = scene.client(&gateway).get("/");
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (502, "upstream_tls")
        );
    }
}

#[test]
fn a_renewed_certificate_is_seen_with_the_next_request_and_an_equal_one_keeps_the_connection() {
    let scene = Scene::new();
    let upstream = scene.anchors() + &scene.certificate("localhost", "first");
    let gateway = Gateway::start(&scene.config("localhost", &upstream));
    let (name, connection) = scene.saw(&gateway);
    assert_eq!(name, "first");

    gateway.reload_with(&(scene.config("localhost", &upstream) + &user("bob", &["*"])));
    assert_eq!(scene.saw(&gateway), ("first".to_owned(), connection));

    let second = scene.theirs.client("second");
    let before = gateway.generation();
    copy(&second.key_file, scene.theirs.path("first.key.new")).unwrap();
    copy(&second.certificate_file, scene.theirs.path("first.crt.new")).unwrap();
    std::fs::rename(
        scene.theirs.path("first.key.new"),
        scene.theirs.path("first.key"),
    )
    .unwrap();
    std::fs::rename(
        scene.theirs.path("first.crt.new"),
        scene.theirs.path("first.crt"),
    )
    .unwrap();
    gateway.wait_for_generation_after(before);
    let (name, renewed) = scene.saw(&gateway);
    assert_eq!(name, "second");
    assert_ne!(renewed, connection);
}

/// The authorizer permits what comes with the certificate of the gateway.
#[test]
fn an_authorizer_at_a_matching_host_sees_the_certificate() {
    let scene = Scene::new();
    let authorizer = tls_upstream(&scene.theirs, |mut stream| {
        while !stream.read_head().is_empty() {
            let status = match stream.client.as_str() {
                "gateway" => "200 OK",
                _ => "403 Forbidden",
            };
            stream.write(&format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n"));
        }
    });
    for (pattern, status) in [("localhost", 200), ("127.0.0.1", 403)] {
        let tables = format!(
            "{}{}[authorizer.a]\nprotocol = \"forward-auth\"\nendpoint = \"https://localhost:{}/\"\n{}",
            scene.anchors(),
            scene.certificate(pattern, "gateway"),
            authorizer.address.port(),
            scene.anchors()
        );
        let config = scene
            .config("localhost", &tables)
            .replace("path = \"/\"\n", "path = \"/\"\nauthorizer = \"a\"\n");
        let gateway = Gateway::start(&config);
        assert_eq!(scene.client(&gateway).get("/").status, status, "{pattern}");
    }
}
