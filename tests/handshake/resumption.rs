//! A resumed session skips the verifier, but not the judgement.

use super::start;
use crate::support::client::{Version, get};
use crate::support::pki::Kind;
use crate::support::{Client, Gateway, Pki, Upstream, eventually};
use rustls::version::{TLS12, TLS13};

fn resumed(gateway: &Gateway) -> f64 {
    gateway.metric("portcullis_handshakes_total", &[("resumption", "resumed")])
}

#[test]
fn a_session_is_resumed_and_keeps_its_identity() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = start(&pki, &upstream);
    for (before, version) in [&TLS13, &TLS12].into_iter().enumerate() {
        let client = Client::with_provider(
            &pki,
            Some(&pki.client("alice")),
            gateway.address(),
            &[version],
        );
        assert_eq!(client.get("/").status, 200);
        assert_eq!(
            resumed(&gateway),
            before as f64,
            "the first handshake is a whole one"
        );
        assert_eq!(client.get("/").status, 200);
        assert_eq!(resumed(&gateway), before as f64 + 1.0, "{version:?}");
        let up = upstream.recorded();
        assert_eq!(
            up[up.len() - 1].values("x-client-fingerprint"),
            up[up.len() - 2].values("x-client-fingerprint")
        );
        assert_eq!(up[up.len() - 1].values("x-client-cn"), ["alice"]);
    }
}

#[test]
fn a_resumed_client_may_do_no_more_than_before() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = start(&pki, &upstream);
    for (name, method, reason) in [
        ("alice", "POST", "no_permission"),
        ("mallory", "GET", "unknown_user"),
    ] {
        let client = Client::new(&pki, Some(&pki.client(name)), gateway.address());
        let before = resumed(&gateway);
        for _ in 0..2 {
            let request = crate::support::client::request(method, "/", "");
            let answer = client.send(Version::Http1, request).unwrap();
            assert_eq!((answer.status, answer.reason().as_str()), (403, reason));
        }
        assert_eq!(resumed(&gateway), before + 1.0);
    }
    assert!(upstream.recorded().is_empty());
}

#[test]
fn a_certificate_that_has_expired_since_the_first_handshake_does_not_count_in_the_second() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = start(&pki, &upstream);
    for version in [&TLS13, &TLS12] {
        let before = resumed(&gateway);
        let short = pki.of_kind("alice", Kind::ExpiresIn(5));
        let client = Client::with_provider(&pki, Some(&short), gateway.address(), &[version]);
        assert_eq!(client.get("/").status, 200);
        let answer = eventually("the rejection of an expired certificate", || {
            let answer = client.send(Version::Http1, get("/")).unwrap();
            (answer.status != 200).then_some(answer)
        });
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (403, "expired"),
            "{version:?}"
        );
        assert!(resumed(&gateway) > before, "{version:?}");
    }
}
