//! A proxy in front may say for whom it speaks, where that is allowed, and is believed no more than it must be.

/// Real proxies in front.
mod interop;
/// What is open falls when the identity behind it does.
mod live;
/// The PROXY protocol.
mod proxy_v2;
/// Elements of Envoy, chains, domains, and what `explain` and `verify` say of front proxies.
mod elements;

use crate::support::client::{BOTH, RequestBody, Version, get};
use crate::support::gateway::{named_listener, process, route_to, trust_domain, user};
use crate::support::pki::{Identity, Kind};
use crate::support::upstream::Recorded;
use crate::support::{Client, Gateway, PORTCULLIS, Pki, Upstream, run};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Request};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, Issuer, KeyPair};

/// Two authorities: one for those who connect to us, and one for those behind the front proxy `edge`.
struct Scene {
    ours: Pki,
    partners: Pki,
    edge: Identity,
    alice: Identity,
    upstream: Upstream,
}

impl Scene {
    fn new() -> Self {
        let (ours, partners) = (Pki::named("Ours"), Pki::named("Partners"));
        let (edge, alice) = (ours.client("edge"), partners.client("alice"));
        Self {
            ours,
            partners,
            edge,
            alice,
            upstream: Upstream::start(),
        }
    }

    /// `edge` may say who its clients are in this way; it has all permissions itself, as has `other`, who may not.
    fn config(&self, lines: &str, front: &str) -> String {
        let table = format!(
            "[listener.main.front_proxy]\npeers = [\"edge\"]\ntrust_domain = \"partners\"\n{front}\n"
        );
        named_listener(
            "main",
            &self.ours,
            &format!("trust_domain = \"ours\"\nclient_auth = \"optional\"\n{lines}"),
        ) + &table
            + &trust_domain("ours", &self.ours)
            + &trust_domain("partners", &self.partners)
            + &process()
            + &["edge", "other"]
                .map(|name| user(name, &["*"]) + "trust_domain = \"ours\"\n")
                .concat()
            + &user("alice", &["GET /*"])
            + "trust_domain = \"partners\"\n"
            + &user("bob", &["GET /bob/*"])
            + "trust_domain = \"partners\"\n"
            + &route_to(self.upstream.address)
    }

    fn start(&self, lines: &str, front: &str) -> Gateway {
        Gateway::start(&self.config(lines, front))
    }

    fn client(&self, gateway: &Gateway, identity: &Identity) -> Client {
        Client::new(&self.ours, Some(identity), gateway.address())
    }

    fn last(&self) -> Recorded {
        self.upstream.recorded().pop().unwrap()
    }
}

fn byte_sequence(identity: &Identity) -> String {
    format!(":{}:", STANDARD.encode(identity.der()))
}

/// As Envoy encodes a certificate.
fn url_encoded(identity: &Identity) -> String {
    let pairs = [
        ("\n", "%0A"),
        (" ", "%20"),
        ("+", "%2B"),
        ("/", "%2F"),
        ("=", "%3D"),
    ];
    let pem = identity.certificate.replace("\r\n", "\n");
    pairs
        .into_iter()
        .fold(pem, |text, (from, to)| text.replace(from, to))
}

/// A request with these fields.
fn saying(path: &str, fields: &[(&'static str, &str)]) -> Request<RequestBody> {
    let mut request = get(path);
    for (name, value) in fields {
        request
            .headers_mut()
            .append(*name, HeaderValue::from_str(value).unwrap());
    }
    request
}

/// Status and reason of a request with these fields; no reason if it came through.
fn outcome(client: &Client, version: Version, fields: &[(&'static str, &str)]) -> (u16, String) {
    let answer = client.send(version, saying("/", fields)).unwrap();
    let reason = if answer.status == 200 {
        String::new()
    } else {
        answer.reason()
    };
    (answer.status, reason)
}

fn through() -> (u16, String) {
    (200, String::new())
}

fn refused(status: u16, reason: &str) -> (u16, String) {
    (status, reason.to_owned())
}

#[test]
fn each_request_belongs_to_the_forwarded_client() {
    let scene = Scene::new();
    let bob = scene.partners.client("bob");
    let gateway = scene.start("", "identity = \"rfc9440\"\nsources = [\"127.0.0.0/8\"]");
    let edge = scene.client(&gateway, &scene.edge);
    for version in BOTH {
        let mut connection = edge.connect(version).unwrap();
        // One connection for all of its clients, in turn.
        for _ in 0..3 {
            let mut send = |path: &str, who: &Identity| {
                connection
                    .send(saying(path, &[("client-cert", &byte_sequence(who))]))
                    .unwrap()
            };
            assert_eq!(send("/", &scene.alice).status, 200);
            let up = scene.last();
            assert_eq!(up.values("x-client-user"), ["alice"]);
            assert_eq!(up.values("x-client-trust-domain"), ["partners"]);
            assert_eq!(up.values("x-client-forwarded-by"), ["edge"]);
            assert_eq!(
                up.values("client-cert"),
                Vec::<&str>::new(),
                "never as it came"
            );
            let answer = send("/", &bob);
            assert_eq!(
                (answer.status, answer.reason().as_str()),
                (403, "no_permission")
            );
            assert_eq!(send("/bob/x", &bob).status, 200);
            assert_eq!(scene.last().values("x-client-user"), ["bob"]);
        }
        let answer = connection.send(get("/")).unwrap();
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (401, "no_forwarded_identity")
        );
    }
    let line = gateway.wait_for_access(|line| line["user"] == "alice");
    assert_eq!(
        (line["forwarded_by"].as_str(), line["cn"].as_str()),
        (Some("edge"), Some("alice"))
    );
}

#[test]
fn only_front_proxies_may_forward_identities() {
    let scene = Scene::new();
    let other = scene.ours.client("other");
    let fields = [("client-cert", &*byte_sequence(&scene.alice))];
    let gateway = scene.start("", "identity = \"rfc9440\"");
    let other = scene.client(&gateway, &other);
    let stranger = Client::new(&scene.ours, None, gateway.address());
    for version in BOTH {
        // As itself, and what it says of others is gone.
        assert_eq!(outcome(&other, version, &fields), through());
        let up = scene.last();
        assert_eq!(up.values("x-client-user"), ["other"]);
        assert!(
            up.values("client-cert").is_empty() && up.values("x-client-forwarded-by").is_empty()
        );
        assert_eq!(
            outcome(&stranger, version, &fields),
            refused(401, "no_certificate")
        );
    }
    let gateway = scene.start(
        "",
        "identity = \"rfc9440\"\nsources = [\"10.0.0.0/8\", \"::1\"]",
    );
    let elsewhere = scene.client(&gateway, &scene.edge);
    for version in BOTH {
        assert_eq!(
            outcome(&elsewhere, version, &fields),
            refused(403, "front_proxy_source")
        );
        assert_eq!(
            outcome(&elsewhere, version, &[]),
            refused(403, "front_proxy_source"),
            "no rights of its own"
        );
    }
}

#[test]
fn forwarded_certificates_are_verified_by_us() {
    let scene = Scene::new();
    let of_kind = |kind| scene.partners.of_kind("alice", kind);
    let revoked = scene.partners.client("alice");
    std::fs::write(
        scene.partners.path("ca.crl"),
        scene.partners.crl(&[&revoked], 1),
    )
    .unwrap();
    let cases = [
        (of_kind(Kind::Expired), "expired"),
        (of_kind(Kind::NotYetValid), "not_yet_valid"),
        (of_kind(Kind::Server), "wrong_usage"),
        (revoked, "revoked"),
        (scene.partners.self_signed("alice"), "unknown_issuer"),
        (scene.ours.client("alice"), "unknown_issuer"),
        (scene.edge.clone(), "unknown_issuer"),
        (scene.partners.client("carol"), "unknown_user"),
    ];
    let config = scene.config("", "identity = \"rfc9440\"");
    let folder = scene.partners.folder.path().display();
    let with_crl = config.replace(
        &trust_domain("partners", &scene.partners),
        &format!(
            "{}crls = [\"{folder}/ca.crl\"]\n",
            trust_domain("partners", &scene.partners)
        ),
    );
    let gateway = Gateway::start(&with_crl);
    let edge = scene.client(&gateway, &scene.edge);
    for version in BOTH {
        let mut connection = edge.connect(version).unwrap();
        for (identity, reason) in &cases {
            let fields = [("client-cert", &*byte_sequence(identity))];
            let answer = connection.send(saying("/", &fields)).unwrap();
            assert_eq!(
                (answer.status, answer.reason().as_str()),
                (403, *reason),
                "{version:?}"
            );
            // The connection is the front proxy's, and goes on.
            let fields = [("client-cert", &*byte_sequence(&scene.alice))];
            assert_eq!(
                connection.send(saying("/", &fields)).unwrap().status,
                200,
                "after {reason}"
            );
        }
    }
}

#[test]
fn an_unreadable_or_repeated_certificate_is_rejected() {
    let scene = Scene::new();
    let alice = byte_sequence(&scene.alice);
    let broken = alice.replace(':', ":!");
    let cut = format!(":{}:", STANDARD.encode(&scene.alice.der()[..100]));
    let longer = format!(
        ":{}:",
        STANDARD.encode([&scene.alice.der()[..], b"x"].concat())
    );
    let above = format!(":{}:", STANDARD.encode(b"above"));
    let gateway = scene.start("", "identity = \"rfc9440\"");
    let edge = scene.client(&gateway, &scene.edge);
    for version in BOTH {
        let outcome = |fields: &[(&'static str, &str)]| outcome(&edge, version, fields);
        let (one, name) = (("client-cert", &*alice), "client-cert");
        assert_eq!(outcome(&[one]), through());
        assert_eq!(
            outcome(&[one, one]),
            refused(400, "ambiguous_forwarded_identity")
        );
        assert_eq!(
            outcome(&[(name, &format!("{alice}, {alice}"))]),
            refused(400, "bad_forwarded_identity")
        );
        assert_eq!(
            outcome(&[(name, &broken)]),
            refused(400, "bad_forwarded_identity")
        );
        assert_eq!(
            outcome(&[(name, "")]),
            refused(400, "bad_forwarded_identity")
        );
        // What HAProxy sends for a client without a certificate.
        assert_eq!(
            outcome(&[(name, "::")]),
            refused(401, "no_forwarded_identity")
        );
        assert_eq!(outcome(&[(name, &cut)]).0, 403);
        assert_eq!(outcome(&[(name, &longer)]).0, 403);
        let chain = ("client-cert-chain", &*above);
        assert_eq!(outcome(&[chain]), refused(400, "bad_forwarded_identity"));
        assert_eq!(
            outcome(&[one, chain, chain]),
            refused(400, "ambiguous_forwarded_identity")
        );
        // What looks like the field to others is not the field.
        assert_eq!(
            outcome(&[("client_cert", &*alice)]),
            refused(401, "no_forwarded_identity")
        );
        assert_eq!(
            outcome(&[("x-client-user", "alice")]),
            refused(401, "no_forwarded_identity")
        );
    }
}
