//! TLS: who gets in, with which alert the others are refused, and what the log says.

/// What `client_auth` means on listeners and on routes.
mod client_auth;
/// Routes that demand a trust domain.
mod route_domains;
/// What comes before TLS is agreed: silence, other protocols, garbage, ALPN.
mod first_bytes;
/// A resumed session skips the verifier, but not the judgement.
mod resumption;
/// Certificates by server name.
mod server_names;

use crate::support::client::{BOTH, get};
use crate::support::gateway::{listener, route_to, user};
use crate::support::pki::{Identity, Kind, subject};
use crate::support::{Client, Gateway, PORTCULLIS, Pki, Upstream, eventually, run};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose};
use rustls::AlertDescription as Alert;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::version::{TLS12, TLS13};
use x509_parser::prelude::{FromDer, X509Certificate};

#[test]
fn a_client_with_a_certificate_reaches_the_upstream() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = start(&pki, &upstream);
    let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
    for version in BOTH {
        let answer = client.send(version, get("/")).unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (200, "hello"));
    }
    gateway.wait_for_metric("portcullis_handshakes_total", &[("listener", "main")], 2.0);
    assert!(failures_in(gateway.settled_log()).is_empty());
}

#[test]
fn a_certificate_without_extended_key_usage_is_accepted_as_icinga_makes_none_with_it() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = start(&pki, &upstream);
    let plain = pki.of_kind("alice", Kind::ClientWithoutUsage);
    for version in [&TLS13, &TLS12] {
        let client = Client::with_provider(&pki, Some(&plain), gateway.address(), &[version]);
        assert_eq!(client.get("/").status, 200, "{version:?}");
    }
}

#[test]
fn a_client_without_certificate_is_rejected() {
    Rejection::new(|_| None, Alert::CertificateRequired, "no_certificate").happens();
}

#[test]
fn a_certificate_of_an_unknown_ca_is_rejected() {
    Rejection::new(
        |_| Some(Pki::named("Other CA").client("alice")),
        Alert::UnknownCA,
        "unknown_issuer",
    )
    .happens();
}

#[test]
fn a_certificate_of_another_ca_with_the_same_name_is_rejected() {
    Rejection::new(
        |_| Some(Pki::new().client("alice")),
        Alert::DecryptError,
        "invalid_certificate",
    )
    .happens();
}

#[test]
fn an_expired_certificate_is_rejected() {
    Rejection::new(
        |pki| Some(pki.of_kind("alice", Kind::Expired)),
        Alert::CertificateExpired,
        "expired",
    )
    .happens();
}

#[test]
fn a_certificate_that_is_not_yet_valid_is_rejected() {
    // RFC 8446 section 6.2: `certificate_expired` also stands for "not currently valid".
    Rejection::new(
        |pki| Some(pki.of_kind("alice", Kind::NotYetValid)),
        Alert::CertificateExpired,
        "not_yet_valid",
    )
    .happens();
}

#[test]
fn a_server_certificate_is_rejected_as_a_client_certificate() {
    Rejection::new(
        |pki| Some(pki.of_kind("alice", Kind::Server)),
        Alert::UnsupportedCertificate,
        "wrong_usage",
    )
    .happens();
}

#[test]
fn the_certificate_of_an_authority_is_rejected_as_a_client_certificate() {
    Rejection::new(
        |pki| Some(pki.of_kind("alice", Kind::Authority)),
        Alert::CertificateUnknown,
        "ca_certificate",
    )
    .happens();
}

#[test]
fn a_self_signed_certificate_is_rejected() {
    Rejection::new(
        |pki| Some(pki.self_signed("alice")),
        Alert::UnknownCA,
        "unknown_issuer",
    )
    .happens();
}

/// The alert must not be lost because the gateway closes while the rest of a long flight is still unread.
#[test]
fn a_certificate_of_many_records_is_rejected_with_an_alert_too() {
    let fat = |_: &Pki| {
        let names: Vec<String> = (0..800)
            .map(|number| format!("name-{number}.fat.test"))
            .collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name = subject(&["alice".into()]);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        Some(Pki::named("Other CA").sign("fat", params))
    };
    Rejection::new(fat, Alert::UnknownCA, "unknown_issuer").happens();
}

/// In TLS 1.3 a client may send its request before it learns that it is refused.
#[test]
fn a_rejected_client_that_sends_at_once_still_gets_its_alert() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = start(&pki, &upstream);
    for _ in 0..20 {
        let mut raw = Client::new(&pki, None, gateway.address()).raw();
        let request =
            "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n".to_owned();
        let _ = raw.try_write((request + &"x".repeat(100_000)).as_bytes());
        assert_eq!(raw.alert(), Alert::CertificateRequired);
    }
    assert!(upstream.recorded().is_empty());
}

/// A client that must not get in, and what everybody learns about it.
struct Rejection<F> {
    identity: F,
    alert: Alert,
    reason: &'static str,
}

impl<F: Fn(&Pki) -> Option<Identity>> Rejection<F> {
    fn new(identity: F, alert: Alert, reason: &'static str) -> Self {
        Self {
            identity,
            alert,
            reason,
        }
    }

    /// In both TLS versions; and the good client beside it gets in.
    fn happens(&self) {
        let (pki, upstream) = (Pki::new(), Upstream::start());
        let gateway = start(&pki, &upstream);
        let identity = (self.identity)(&pki);
        for (before, version) in [&TLS13, &TLS12].into_iter().enumerate() {
            let client =
                Client::with_provider(&pki, identity.as_ref(), gateway.address(), &[version]);
            assert_eq!(client.alert(), self.alert, "{version:?}");
            let line = eventually("the log line", || failures(&gateway).get(before).cloned());
            self.check_log_line(&line, identity.as_ref());
            let good = Client::with_provider(
                &pki,
                Some(&pki.client("alice")),
                gateway.address(),
                &[version],
            );
            assert_eq!(good.get("/").status, 200, "{version:?}");
        }
        assert_eq!(
            failures_in(gateway.settled_log()).len(),
            2,
            "one line for each"
        );
        let labels = [("listener", "main"), ("reason", self.reason)];
        gateway.wait_for_metric("portcullis_handshake_failures_total", &labels, 2.0);
        gateway.wait_for_metric("portcullis_handshake_failures_total", &[], 2.0);
        assert_eq!(
            upstream.recorded().len(),
            2,
            "only the good client got through"
        );
    }

    fn check_log_line(&self, line: &serde_json::Value, identity: Option<&Identity>) {
        let (subject, issuer, serial) =
            identity.map_or(("-".into(), "-".into(), "-".into()), names);
        for (field, expected) in [
            ("listener", "main"),
            ("reason", self.reason),
            ("server_name", "localhost"),
            ("subject", &subject),
            ("issuer", &issuer),
            ("serial", &serial),
        ] {
            assert_eq!(line[field], expected, "{field} of {line}");
        }
        let client: std::net::SocketAddr = line["client"].as_str().unwrap().parse().unwrap();
        assert!(client.ip().is_loopback(), "{line}");
    }
}

/// Subject, issuer and serial of a certificate, read apart from the gateway.
fn names(identity: &Identity) -> (String, String, String) {
    let der = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap();
    let (_, certificate) = X509Certificate::from_der(&der).unwrap();
    let serial = certificate
        .raw_serial()
        .iter()
        .map(|octet| format!("{octet:02x}"));
    (
        certificate.subject().to_string(),
        certificate.issuer().to_string(),
        serial.collect(),
    )
}

/// A gateway where `alice` may read.
fn start(pki: &Pki, upstream: &Upstream) -> Gateway {
    Gateway::start(&(listener(pki) + &user("alice", &["GET /*"]) + &route_to(upstream.address)))
}

/// The log's lines about handshakes that failed, as far as they have been read.
fn failures(gateway: &Gateway) -> Vec<serde_json::Value> {
    failures_in(gateway.log())
}

fn failures_in(mut lines: Vec<serde_json::Value>) -> Vec<serde_json::Value> {
    lines.retain(|line| line["message"] == "handshake failed");
    lines
}

#[test]
fn an_expired_anchor_verifies_no_chain() {
    let (pki, old, upstream) = (Pki::new(), Pki::expired("Old CA"), Upstream::start());
    let rest = user("alice", &["GET /*"]) + &route_to(upstream.address);
    let anchors = format!("anchors = [\"{}\"", old.ca_file().display());
    let both = listener(&pki).replace("anchors = [", &format!("{anchors}, ")) + &rest;
    let gateway = Gateway::start(&both);
    let client = |of: &Pki| Client::new(&pki, Some(&of.client("alice")), gateway.address());
    assert_eq!(client(&old).alert(), Alert::UnknownCA);
    assert_eq!(
        client(&pki).get("/").status,
        200,
        "the other anchor still counts"
    );

    let good = format!("anchors = [\"{}\"", pki.ca_file().display());
    let alone = listener(&pki).replace(&good, &anchors) + &rest;
    let file = pki.path("expired.toml");
    std::fs::write(&file, alone).unwrap();
    let (_, report, code) = run(PORTCULLIS, &["check", "-c", file.to_str().unwrap()]);
    assert!(
        code == 1 && report.contains("all trust anchors have expired"),
        "{report}"
    );
}
