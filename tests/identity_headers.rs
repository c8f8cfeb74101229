//! What upstreams are told, and what clients cannot make them believe.

/// What else the gateway writes or takes away: forwarding, overrides, connection fields.
mod other_fields;
/// Trailers.
mod trailers;

use crate::support::client::{BOTH, Version, get, reason, status};
use crate::support::gateway::{listener, route_to, user};
use crate::support::pki::Identity;
use crate::support::upstream::Recorded;
use crate::support::{Client, Gateway, Pki, Upstream};
use http::{HeaderName, HeaderValue};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, X509Certificate};

/// A gateway where `alice` and a user with an odd name may do everything.
struct Scene {
    pki: Pki,
    upstream: Upstream,
    gateway: Gateway,
}

const ODD_NAME: &str = "J\u{f6}rg 100% \"M\"";

impl Scene {
    fn new() -> Self {
        Self::with("")
    }

    fn with(lines: &str) -> Self {
        let (pki, upstream) = (Pki::new(), Upstream::start());
        let odd = format!("[api_user.odd]\nclient_cn = {ODD_NAME:?}\npermissions = [\"*\"]\n");
        let config =
            listener(&pki) + &user("alice", &["*"]) + &odd + &route_to(upstream.address) + lines;
        let gateway = Gateway::start(&config);
        Self {
            pki,
            upstream,
            gateway,
        }
    }

    fn alice(&self) -> Client {
        Client::new(
            &self.pki,
            Some(&self.pki.client("alice")),
            self.gateway.address(),
        )
    }

    /// What goes up when alice sends these fields.
    fn sent(&self, version: Version, fields: &[(&str, &str)]) -> Recorded {
        let mut request = get("/");
        for (name, value) in fields {
            let name: HeaderName = name.parse().unwrap();
            request
                .headers_mut()
                .append(name, HeaderValue::from_str(value).unwrap());
        }
        let answer = self.alice().send(version, request).unwrap();
        assert_eq!(answer.status, 200, "{fields:?}");
        self.upstream.recorded().pop().unwrap()
    }

    /// What goes up when alice sends these lines as they are.
    fn sent_raw(&self, lines: &str) -> Recorded {
        let request =
            format!("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{lines}\r\n");
        let answer = self.alice().exchange(request.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 200 "), "{lines}: {answer}");
        self.upstream.recorded().pop().unwrap()
    }
}

/// All fields whose folded name begins so.
fn beginning_with<'r>(up: &'r Recorded, start: &str) -> Vec<&'r str> {
    let names = up.headers.iter().map(|(name, _)| name.as_str());
    let mut names: Vec<_> = names
        .filter(|name| {
            name.replace(|c: char| !c.is_ascii_alphanumeric(), "-")
                .starts_with(start)
        })
        .collect();
    names.sort_unstable();
    names
}

const X_CLIENT: [&str; 9] = [
    "x-client-cn",
    "x-client-fingerprint",
    "x-client-issuer",
    "x-client-not-after",
    "x-client-serial",
    "x-client-subject",
    "x-client-trust-domain",
    "x-client-user",
    "x-client-verify",
];

/// Serial, fingerprint and end of validity, read apart from the gateway.
fn facts(identity: &Identity) -> (String, String, i64) {
    let der = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap();
    let (_, certificate) = X509Certificate::from_der(&der).unwrap();
    let hexadecimal = |octets: &[u8]| octets.iter().map(|octet| format!("{octet:02x}")).collect();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &der);
    (
        hexadecimal(certificate.raw_serial()),
        hexadecimal(digest.as_ref()),
        certificate.validity().not_after.timestamp(),
    )
}

#[test]
fn the_upstream_gets_the_exact_client_identity() {
    let scene = Scene::new();
    let alice = scene.pki.client("alice");
    let client = Client::new(&scene.pki, Some(&alice), scene.gateway.address());
    let (serial, fingerprint, not_after) = facts(&alice);
    for version in BOTH {
        assert_eq!(client.send(version, get("/")).unwrap().status, 200);
        let up = scene.upstream.recorded().pop().unwrap();
        assert_eq!(beginning_with(&up, "x-client-"), X_CLIENT, "each once");
        for (name, expected) in [
            ("x-client-verify", "SUCCESS"),
            ("x-client-cn", "alice"),
            ("x-client-user", "alice"),
            ("x-client-trust-domain", "test"),
            ("x-client-subject", "CN=alice"),
            ("x-client-issuer", "CN=Test CA"),
            ("x-client-serial", &serial),
            ("x-client-fingerprint", &fingerprint),
        ] {
            assert_eq!(up.values(name), [expected], "{name}");
        }
        let format = &time::format_description::well_known::Rfc3339;
        let told = time::OffsetDateTime::parse(up.values("x-client-not-after")[0], format).unwrap();
        assert_eq!(told.unix_timestamp(), not_after);
    }
}

#[test]
fn what_is_not_printable_ascii_is_percent_encoded() {
    let scene = Scene::new();
    let identity = scene
        .pki
        .of_kind(ODD_NAME, crate::support::pki::Kind::Client);
    let client = Client::new(&scene.pki, Some(&identity), scene.gateway.address());
    assert_eq!(client.get("/").status, 200);
    let up = scene.upstream.recorded().pop().unwrap();
    assert_eq!(up.values("x-client-cn"), ["J%C3%B6rg 100%25 \"M\""]);
    assert_eq!(
        up.values("x-client-subject"),
        ["CN=J%C3%B6rg 100%25 \\\"M\\\""]
    );
    assert_eq!(up.values("x-client-user"), ["odd"]);
}

#[test]
fn a_clients_own_identity_fields_never_arrive_in_any_spelling() {
    let scene = Scene::new();
    for spelling in [
        "X-Client-CN",
        "x-client-cn",
        "X-CLIENT-CN",
        "X_Client_CN",
        "x_client-cn",
        "X.Client.CN",
        "x-client~cn",
        "X-Client-User",
        "X_CLIENT_USER",
        "X-Client-Verify",
        "X-Client-Serial",
        "X-Client-Roles",
    ] {
        let up = scene.sent_raw(&format!("{spelling}: root\r\n{spelling}: root\r\n"));
        assert_eq!(beginning_with(&up, "x-client-"), X_CLIENT, "{spelling}");
        assert_eq!(up.values("x-client-cn"), ["alice"], "{spelling}");
        assert!(
            !up.headers.values().any(|value| value == "root"),
            "{spelling}"
        );
        for version in BOTH {
            let up = scene.sent(
                version,
                &[(spelling, "root"), (spelling, "alice"), (spelling, "")],
            );
            assert_eq!(
                beginning_with(&up, "x-client-"),
                X_CLIENT,
                "{spelling} {version:?}"
            );
            assert_eq!(
                up.values("x-client-cn"),
                ["alice"],
                "{spelling} {version:?}"
            );
        }
    }
}

#[test]
fn what_connection_names_cannot_take_our_fields_away() {
    let scene = Scene::new();
    for named in [
        "X-Client-CN",
        "x-client-user, x-client-verify",
        "close, X_Client_CN",
        "Via, Forwarded, X-Request-Id",
    ] {
        let request = format!(
            "GET / HTTP/1.1\r\nHost: localhost\r\nX-Client-CN: root\r\nConnection: {named}\r\n\r\n"
        );
        let answer = scene.alice().exchange(request.as_bytes());
        assert_eq!(
            (status(&answer), reason(&answer).as_str()),
            (400, "bad_connection_field"),
            "{named}"
        );
    }
    let up = scene.sent_raw("X-Client-CN: root\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\n");
    assert_eq!(beginning_with(&up, "x-client-"), X_CLIENT);
    assert_eq!(
        (up.values("x-client-cn"), up.values("via").len()),
        (vec!["alice"], 1)
    );
}

#[test]
fn identity_fields_of_other_gateways_are_removed() {
    let scene = Scene::new();
    for name in [
        "X-Forwarded-Client-Cert",
        "Client-Cert",
        "CLIENT_CERT",
        "Client-Cert-Chain",
        "X-SSL-Client-Verify",
        "X-SSL-Client-CN",
        "X_SSL_CLIENT_S_DN",
        "SSL_CLIENT_VERIFY",
        "SSL-Client-S-DN",
        "X-Forwarded-Tls-Client-Cert",
        "X-ARR-ClientCert",
        "X-Amzn-Mtls-Clientcert",
        "L5d-Client-Id",
        "X-Consumer-Username",
        "Remote-User",
        "REMOTE_USER",
        "X-Remote-User",
        "X-Forwarded-User",
        "X-Auth-Request-User",
        "X-Portcullis-Assertion",
        "X-Spiffe-Id",
        "CloudFront-Viewer-Cert-Subject",
        "Cf-Client-Cert-Sha256",
        "CF-Connecting-IP",
        "True-Client-IP",
        "Client-IP",
        "Remote-Groups",
        "X-Client-Anything",
        "X-SSL-Anything",
        "SSL-Client-Anything",
        "X-Authentik-Username",
        "X-Forwarded-Email",
        "X-Forwarded-Access-Token",
        "X-Original-Remote-Addr",
        "X-Envoy-Original-Path",
        "$WSRU",
    ] {
        for version in BOTH {
            let up = scene.sent(version, &[(name, "root")]);
            assert!(
                !up.headers.values().any(|value| value == "root"),
                "{name} {version:?}"
            );
        }
    }
}

#[test]
fn what_only_resembles_an_identity_field_passes() {
    let scene = Scene::new();
    for name in [
        "X-Clien-CN",
        "Client",
        "X-SSLabs",
        "Remotes",
        "X-User",
        "X-Correlation-Id",
        "Cf-Ray",
        "X-Referer",
    ] {
        for version in BOTH {
            let up = scene.sent(version, &[(name, "one"), (name, "two")]);
            assert_eq!(up.values(name), ["one", "two"], "{name} {version:?}");
        }
    }
}

#[test]
fn without_a_set_no_identity_header_is_sent_or_accepted() {
    let scene = Scene::with("[identity_headers]\nsets = []\n");
    let up = scene.sent(
        Version::Http1,
        &[
            ("X-Client-CN", "root"),
            ("X_Client_User", "root"),
            ("X-Mine", "1"),
        ],
    );
    assert_eq!(beginning_with(&up, "x-client-"), [""; 0]);
    assert_eq!(up.values("x-mine"), ["1"]);
}
