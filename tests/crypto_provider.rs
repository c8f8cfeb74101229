//! Which cryptography is used, and that the binary says so.

use crate::support::gateway::{listener_with, route_to, user};
use crate::support::{Client, Gateway, PORTCULLIS, Pki, Upstream, run};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, NamedGroup, RootCertStore};

/// The key exchange group that the gateway and a client with these groups settle on.
fn settled(pki: &Pki, gateway: &Gateway, only: Option<NamedGroup>) -> NamedGroup {
    let identity = pki.client("alice");
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider
        .kx_groups
        .retain(|group| only.is_none_or(|only| group.name() == only));
    let client = Client::new(pki, Some(&identity), gateway.address()).with_config(|config| {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(pki.ca_file()).expect("a CA"))
            .expect("an anchor");
        let chain = vec![
            CertificateDer::from_pem_slice(identity.certificate.as_bytes()).expect("a certificate"),
        ];
        let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).expect("a key");
        let builder = ClientConfig::builder_with_provider(provider.into())
            .with_safe_default_protocol_versions();
        let builder = builder.expect("versions").with_root_certificates(roots);
        *config = builder.with_client_auth_cert(chain, key).expect("a pair");
    });
    client
        .shake_hands()
        .negotiated_key_exchange_group()
        .expect("a group")
        .name()
}

#[test]
fn key_exchange_is_post_quantum_unless_the_client_cannot() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let rest = user("alice", &["GET /*"]) + &route_to(upstream.address);
    // A build with `fips` has only one.
    let layers: &[&str] = if cfg!(feature = "fips") {
        &["rustls"]
    } else {
        &["rustls", "in-place"]
    };
    for layer in layers {
        let config = listener_with(&pki, &format!("record_layer = \"{layer}\""));
        let gateway = Gateway::start(&(config + &rest));
        assert_eq!(settled(&pki, &gateway, None), NamedGroup::X25519MLKEM768);
        assert_eq!(
            settled(&pki, &gateway, Some(NamedGroup::secp256r1)),
            NamedGroup::secp256r1,
            "the older twin"
        );
    }
}

#[test]
fn the_version_names_provider_groups_and_fips() {
    let (text, _, code) = run(PORTCULLIS, &["--version"]);
    assert_eq!(code, 0);
    let line = |name: &str| {
        text.lines()
            .find(|line| line.starts_with(name))
            .unwrap_or_else(|| panic!("{name}: {text}"))
    };
    assert_eq!(
        text.lines().next(),
        Some(concat!("portcullis ", env!("CARGO_PKG_VERSION")))
    );
    assert!(line("TLS library:").contains(" rustls 0."), "{text}");
    assert!(line("crypto:").contains(" aws-lc-rs 1."), "{text}");
    assert!(
        line("key exchange:").contains(": ") && line("key exchange:").contains(" X25519MLKEM768, "),
        "{text}"
    );
    assert_eq!(
        line("FIPS:").contains("no FIPS module"),
        !cfg!(feature = "fips"),
        "{text}"
    );
    let (short, _, _) = run(PORTCULLIS, &["-V"]);
    assert_eq!(short.lines().count(), 1, "{short}");
}

#[test]
fn records_in_place_are_rejected_by_a_fips_build_alone() {
    let pki = Pki::new();
    let file = pki.path("gateway.toml");
    let rest = user("alice", &["GET /*"]) + &route_to("127.0.0.1:1".parse().unwrap());
    for (layer, is_taken) in [("rustls", true), ("in-place", !cfg!(feature = "fips"))] {
        std::fs::write(
            &file,
            listener_with(&pki, &format!("record_layer = \"{layer}\"")) + &rest,
        )
        .unwrap();
        let (_, report, code) = run(PORTCULLIS, &["check", "-c", file.to_str().unwrap()]);
        assert_eq!(code == 0, is_taken, "{layer}: {report}");
        assert_eq!(
            report.contains("would not be FIPS"),
            !is_taken,
            "{layer}: {report}"
        );
    }
}
