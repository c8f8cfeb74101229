//! Upstreams behind TLS: whom the gateway trusts, what it shows, and the credentials and Host that it sends.

use crate::support::client::BOTH;
use crate::support::client::get;
use crate::support::pki::text;
use crate::support::{Chain, Pki, ReservedPort, Upstream};
use http::HeaderValue;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::net::SocketAddr;
use std::sync::Arc;

enum Clients {
    Any,
    WithCertificate,
}

/// A TLS server that shows `server.crt` of this PKI.
fn server(pki: &Pki, clients: Clients) -> Upstream {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let chain = CertificateDer::pem_file_iter(pki.path("server.crt")).unwrap();
    let key = PrivateKeyDer::from_pem_file(pki.path("server.key")).unwrap();
    let builder = ServerConfig::builder_with_provider(provider.clone());
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let builder = match clients {
        Clients::Any => builder.with_no_client_auth(),
        Clients::WithCertificate => {
            let mut roots = RootCertStore::empty();
            roots
                .add(CertificateDer::from_pem_file(pki.ca_file()).unwrap())
                .unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let chain = chain.collect::<Result<_, _>>().unwrap();
    Upstream::over_tls(builder.with_single_cert(chain, key).unwrap())
}

/// An `https` endpoint with these keys.
fn endpoint(host: &str, address: SocketAddr, keys: &str) -> String {
    format!(
        "[upstream.api]\nendpoints = [\"https://{host}:{}\"]\n{keys}\n[[route]]\npath = \"/\"\nupstream = \"api\"\n",
        address.port()
    )
}

fn anchors(pki: &Pki) -> String {
    format!("anchors = [\"{}\"]\n", text(&pki.ca_file()))
}

fn expect(chain: &Chain, status: u16, reason: Option<&str>) {
    for version in BOTH {
        let answer = chain.client.send(version, get("/")).unwrap();
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(reason, (status != 200).then(|| answer.reason()).as_deref());
    }
}

#[test]
fn an_upstream_with_a_certificate_of_its_ca_is_trusted() {
    let theirs = Pki::named("Their CA");
    for host in ["localhost", "127.0.0.1"] {
        let chain = Chain::configured(server(&theirs, Clients::Any), |_, address| {
            endpoint(host, address, &anchors(&theirs))
        });
        expect(&chain, 200, None);
        assert_eq!(chain.upstream.recorded().len(), 2);
    }
}

#[test]
fn an_upstream_of_an_unknown_ca_is_a_bad_gateway() {
    let (theirs, another) = (Pki::named("Their CA"), Pki::named("Another CA"));
    let chain = Chain::configured(server(&theirs, Clients::Any), |_, address| {
        endpoint("localhost", address, &anchors(&another))
    });
    expect(&chain, 502, Some("upstream_tls"));
    assert!(chain.upstream.recorded().is_empty());
}

#[test]
fn an_upstream_with_another_name_is_a_bad_gateway_unless_that_name_is_expected() {
    let theirs = Pki::new();
    theirs.server("server", &["api.internal"]);
    let start = |keys: &str| {
        Chain::configured(server(&theirs, Clients::Any), |_, address| {
            endpoint("localhost", address, &(anchors(&theirs) + keys))
        })
    };
    expect(&start(""), 502, Some("upstream_tls"));
    expect(
        &start("server_name = \"other.internal\""),
        502,
        Some("upstream_tls"),
    );
    expect(&start("server_name = \"api.internal\""), 200, None);
}

#[test]
fn an_upstream_without_tls_is_a_bad_gateway_where_tls_is_expected() {
    let theirs = Pki::new();
    let chain = Chain::configured(Upstream::start(), |_, address| {
        endpoint("localhost", address, &anchors(&theirs))
    });
    expect(&chain, 502, Some("upstream_tls"));
}

#[test]
fn an_upstream_that_demands_a_certificate_gets_ours() {
    let theirs = Pki::named("Their CA");
    let ours = theirs.client("gateway");
    let keys = format!(
        "certificate = \"{}\"\nprivate_key = \"{}\"\n",
        text(&ours.certificate_file),
        text(&ours.key_file)
    );
    let start = |keys: &str| {
        Chain::configured(server(&theirs, Clients::WithCertificate), |_, address| {
            endpoint("localhost", address, &(anchors(&theirs) + keys))
        })
    };
    expect(&start(&keys), 200, None);
    let without = start("");
    for version in BOTH {
        let answer = without.client.send(version, get("/")).unwrap();
        assert_eq!(answer.status, 502, "{answer:?}");
    }
    assert!(without.upstream.recorded().is_empty());
}

#[test]
fn credentials_from_a_file_replace_those_of_the_client() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("credentials");
    std::fs::write(&file, "icinga:secret\n").unwrap();
    let keys = format!("basic_credentials = \"{}\"\n", text(&file));
    let chain = Chain::configured(Upstream::start(), |_, address| plain(address, &keys));
    for version in BOTH {
        let mut request = get("/");
        let theirs = HeaderValue::from_static("Bearer mine");
        request.headers_mut().insert("authorization", theirs);
        assert_eq!(chain.client.send(version, request).unwrap().status, 200);
        let seen = chain.upstream.recorded().pop().unwrap();
        assert_eq!(seen.values("authorization"), ["Basic aWNpbmdhOnNlY3JldA=="]);
    }
}

#[test]
fn credentials_come_from_the_environment_too() {
    // Any variable that is surely set will do.
    let value = std::env::var("PATH").unwrap();
    let expected = {
        use base64::Engine;
        let text = if value.contains(':') {
            value
        } else {
            format!("{value}:")
        };
        format!(
            "Basic {}",
            base64::engine::general_purpose::STANDARD.encode(text)
        )
    };
    let chain = Chain::configured(Upstream::start(), |_, address| {
        plain(address, "basic_credentials = \"env:PATH\"\n")
    });
    assert_eq!(chain.client.get("/").status, 200);
    assert_eq!(chain.upstream.only().values("authorization"), [expected]);
}

#[test]
fn without_gateway_credentials_those_of_the_client_are_forwarded() {
    let chain = Chain::to(Upstream::start());
    let mut request = get("/");
    let theirs = HeaderValue::from_static("Bearer mine");
    request.headers_mut().insert("authorization", theirs);
    assert_eq!(chain.client.send(BOTH[0], request).unwrap().status, 200);
    assert_eq!(
        chain.upstream.only().values("authorization"),
        ["Bearer mine"]
    );
}

#[test]
fn the_upstream_sees_the_host_that_the_client_asked_for_or_its_own() {
    let theirs = Chain::to(Upstream::start());
    assert_eq!(theirs.client.get("/").status, 200);
    assert_eq!(theirs.upstream.only().values("host"), ["localhost"]);

    let own = Chain::configured(Upstream::start(), |_, address| {
        plain(address, "host_header = \"endpoint\"\n")
    });
    for version in BOTH {
        assert_eq!(own.client.send(version, get("/")).unwrap().status, 200);
        let seen = own.upstream.recorded().pop().unwrap();
        assert_eq!(seen.values("host"), [own.upstream.address.to_string()]);
        assert_eq!(seen.values("x-forwarded-host"), ["localhost"]);
    }
}

#[test]
fn the_host_of_the_endpoint_is_that_of_the_responding_one() {
    // It refuses connections, so every other request passes it over.
    let closed = ReservedPort::new();
    let chain = Chain::configured(Upstream::start(), |_, address| {
        plain(address, "host_header = \"endpoint\"\n").replace(
            "endpoints = [",
            &format!("endpoints = [\"http://{}\", ", closed.address()),
        )
    });
    for _ in 0..4 {
        assert_eq!(chain.client.get("/").status, 200);
    }
    for seen in chain.upstream.recorded() {
        assert_eq!(seen.values("host"), [chain.upstream.address.to_string()]);
    }
}

fn plain(address: SocketAddr, keys: &str) -> String {
    format!(
        "[upstream.api]\nendpoints = [\"http://{address}\"]\n{keys}[[route]]\npath = \"/\"\nupstream = \"api\"\n"
    )
}
