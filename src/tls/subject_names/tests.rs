//! Alternative names of odd certificates, made byte by byte, since no honest library writes them.

mod hostile;
mod subject;

use super::*;
use crate::tls::{PeerCertificate, TrustDomainId};
use rcgen::string::Ia5String;
use rcgen::{CertificateParams, CustomExtension, KeyPair, SanType};
use std::sync::OnceLock;

/// Subject alternative names: tags and bytes.
type Names<'a> = &'a [(u8, &'a [u8])];

const EMAIL: u8 = 0x81;
const DNS: u8 = 0x82;
const URI: u8 = 0x86;

fn key() -> &'static KeyPair {
    static KEY: OnceLock<KeyPair> = OnceLock::new();
    KEY.get_or_init(|| KeyPair::generate().unwrap())
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut bytes = vec![tag];
    match length {
        0..128 => bytes.push(length as u8),
        _ => bytes.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    bytes.extend(content);
    bytes
}

fn san_bytes(names: Names<'_>) -> Vec<u8> {
    element(
        0x30,
        &names
            .iter()
            .flat_map(|(tag, bytes)| element(*tag, bytes))
            .collect::<Vec<_>>(),
    )
}

fn signed(params: CertificateParams) -> PeerCertificate {
    let certificate = params.self_signed(key()).unwrap();
    PeerCertificate::read(TrustDomainId(0), certificate.der()).unwrap()
}

fn with_san(bytes: &[&[u8]]) -> PeerCertificate {
    let extension =
        |bytes: &&[u8]| CustomExtension::from_oid_content(&[2, 5, 29, 17], bytes.to_vec());
    let mut params = CertificateParams::default();
    params.custom_extensions = bytes.iter().map(extension).collect();
    signed(params)
}

fn named(names: Names<'_>) -> PeerCertificate {
    with_san(&[&san_bytes(names)])
}

fn texts(names: &[Box<str>]) -> Vec<&str> {
    names.iter().map(AsRef::as_ref).collect()
}

#[test]
fn names_are_read_in_their_one_form_and_in_order() {
    let peer = named(&[
        (DNS, b"Web.Example.ORG"),
        (EMAIL, b"Alice.B@Example.ORG"),
        (DNS, b"my_host"),
        (URI, b"urn:example:Alice"),
        (URI, b"https://example.org/a?b#c"),
    ]);
    assert_eq!(texts(&peer.dns_names), ["web.example.org", "my_host"]);
    assert_eq!(texts(&peer.emails), ["Alice.B@example.org"]);
    assert_eq!(
        texts(&peer.uris),
        ["urn:example:Alice", "https://example.org/a?b#c"]
    );
    assert!(peer.unusable_names.is_empty() && peer.other_names.is_empty());
    assert_eq!((peer.spki.len(), peer.fingerprint.len()), (64, 64));
    assert_ne!(peer.spki, peer.fingerprint);
    // What rcgen writes is read as well.
    let san = SanType::DnsName(Ia5String::try_from("api.example.org").unwrap());
    let mut params = CertificateParams::default();
    params.subject_alt_names.push(san);
    let peer = signed(params);
    assert_eq!(texts(&peer.dns_names), ["api.example.org"]);
}

#[test]
fn the_key_is_the_same_in_every_certificate_that_has_it() {
    let (one, other) = (named(&[(DNS, b"one")]), named(&[(DNS, b"other")]));
    assert_eq!(one.spki, other.spki);
    assert_ne!(one.fingerprint, other.fingerprint);
    let stranger = CertificateParams::default()
        .self_signed(&KeyPair::generate().unwrap())
        .unwrap();
    assert_ne!(
        one.spki,
        PeerCertificate::read(TrustDomainId(0), stranger.der())
            .unwrap()
            .spki
    );
}

#[test]
fn a_malformed_dns_name_takes_its_kind_with_it_and_no_other() {
    let bad_dns: [&[u8]; 12] = [
        b"",
        b"a..b",
        b".a",
        b"a.",
        b"a b",
        b"a\0.b",
        b"-a",
        b"a-",
        b"x*.a",
        b"*",
        b"\xc3\xa4.b",
        b"\xff",
    ];
    for bad in bad_dns {
        let peer = named(&[(DNS, b"good"), (DNS, bad), (EMAIL, b"a@b"), (URI, b"urn:x")]);
        assert_eq!(
            (
                texts(&peer.dns_names),
                texts(&peer.emails),
                texts(&peer.uris)
            ),
            (vec![], vec!["a@b"], vec!["urn:x"])
        );
        assert_eq!(peer.unusable_names.len(), 1, "{bad:?}");
        assert!(texts(&peer.other_names).contains(&"good"), "{bad:?}");
    }
}

#[test]
fn a_malformed_address_or_uri_takes_its_kind_with_it_and_no_other() {
    let bad_emails: [&[u8]; 9] = [
        b"",
        b"a",
        b"@b",
        b"a@",
        b"a@b@c",
        b"\"a b\"@c",
        b"a..b@c",
        b"a@[127.0.0.1]",
        b"a@*.b",
    ];
    for bad in bad_emails {
        let peer = named(&[(EMAIL, b"a@b"), (EMAIL, bad), (DNS, b"good")]);
        assert_eq!(
            (texts(&peer.emails), texts(&peer.dns_names)),
            (vec![], vec!["good"]),
            "{bad:?}"
        );
    }
    let bad_uris: [&[u8]; 8] = [
        b"",
        b"x",
        b":x",
        b"1:x",
        b"urn:",
        b"urn:a b",
        b"urn:a\0b",
        b"urn:\xc3\xa4",
    ];
    for bad in bad_uris {
        let peer = named(&[(URI, b"urn:x"), (URI, bad), (DNS, b"good")]);
        assert_eq!(
            (texts(&peer.uris), texts(&peer.dns_names)),
            (vec![], vec!["good"]),
            "{bad:?}"
        );
    }
}

#[test]
fn a_wildcard_is_no_name_of_anybody_and_harms_no_other() {
    let peer = named(&[(DNS, b"*.example.org"), (DNS, b"a.example.org")]);
    assert_eq!(texts(&peer.dns_names), ["a.example.org"]);
    assert_eq!(texts(&peer.other_names), ["*.example.org"]);
    assert!(peer.unusable_names.is_empty());
}

#[test]
fn a_spiffe_id_is_the_only_uri_and_follows_its_rules() {
    for good in [
        "spiffe://example.org/agent",
        "spiffe://a_b-c.1/Ns/x.y/-",
        "spiffe://1.2/a",
    ] {
        assert_eq!(
            texts(&named(&[(URI, good.as_bytes()), (DNS, b"d")]).uris),
            [good]
        );
    }
    for bad in [
        "spiffe://example.org",
        "spiffe://example.org/",
        "spiffe://Example.org/a",
        "SPIFFE://example.org/a",
        "spiffe:/example.org/a",
        "spiffe:a",
        "spiffe:///a",
        "spiffe://example.org:8080/a",
        "spiffe://user@example.org/a",
        "spiffe://example.org/a/",
        "spiffe://example.org//a",
        "spiffe://example.org/a/../b",
        "spiffe://example.org/./a",
        "spiffe://example.org/a%2Fb",
        "spiffe://example.org/a?b",
        "spiffe://example.org/a#b",
    ] {
        let peer = named(&[(URI, bad.as_bytes())]);
        assert_eq!(
            peer.unusable_names,
            [(NameKind::Uri, NameError::NotSpiffe)],
            "{bad}"
        );
        assert!(peer.uris.is_empty());
    }
    for other in ["spiffe://example.org/b", "urn:x"] {
        let peer = named(&[(URI, b"spiffe://example.org/a"), (URI, other.as_bytes())]);
        assert_eq!(
            peer.unusable_names,
            [(NameKind::Uri, NameError::SpiffeNotAlone)]
        );
        assert!(peer.uris.is_empty());
    }
    let long = |length: usize| format!("spiffe://example.org/{}", "a".repeat(length - 21));
    assert!(uri(&long(2048)).is_ok());
    assert!(uri(&long(2049)).is_err());
    assert!(uri(&format!("spiffe://{}/a", "d".repeat(256))).is_err());
}

#[test]
fn repeated_or_unreadable_alternative_names_are_ignored() {
    let good = san_bytes(&[(DNS, b"a"), (URI, b"urn:x"), (EMAIL, b"a@b")]);
    assert_eq!(texts(&with_san(&[&good]).dns_names), ["a"]);
    let truncated = good.get(..good.len() - 1).unwrap();
    for extensions in [
        &[good.as_slice(), &good][..],
        &[truncated],
        &[b""],
        &[b"\x04\x01a"],
    ] {
        let peer = with_san(extensions);
        assert!(
            peer.dns_names.is_empty() && peer.uris.is_empty() && peer.emails.is_empty(),
            "{extensions:?}"
        );
    }
}

#[test]
fn addresses_and_names_of_other_kinds_are_known_too() {
    let common_name = element(
        0x30,
        &[&[6, 3, 0x55, 4, 3][..], &element(0x0c, b"node-1")].concat(),
    );
    let directory = element(0x30, &element(0x31, &common_name));
    let user = [
        &[6, 3, 0x2a, 3, 4][..],
        &element(0xa0, &element(0x0c, b"node-2")),
    ]
    .concat();
    let names: [(u8, &[u8]); 4] = [
        (0x87, &[10, 0, 0, 1]),
        (0x87, &[0; 16]),
        (0xa4, &directory),
        (0xa0, &user),
    ];
    assert_eq!(
        texts(&named(&names).other_names),
        ["10.0.0.1", "::", "node-1", "node-2"]
    );
    assert!(
        named(&[(0x87, &[10, 0, 0]), (0xa0, &[6, 3, 0x2a, 3, 4, 0xa0])])
            .other_names
            .is_empty()
    );
}
