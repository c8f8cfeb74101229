//! Messages, against bytes made by hand: field numbers and wire types as in Envoy's and Google's `.proto` files, which
//! `messages` names.

use super::*;
use crate::authorizer::tests::{known, question};
use crate::identity::VerifiedCertificate;
use proptest::prelude::*;
use rustls::pki_types::CertificateDer;
use std::time::Duration;

/// A field of wire type 2: a text, bytes or a message.
fn field(number: u8, bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    let mut length = bytes.len();
    let mut all = vec![number << 3 | 2];
    while length >= 128 {
        all.push(u8::try_from(length & 127).unwrap() | 128);
        length >>= 7;
    }
    all.push(u8::try_from(length).unwrap());
    all.extend_from_slice(bytes);
    all
}

/// A field of wire type 0: a small number.
fn number(of: u8, value: u8) -> Vec<u8> {
    assert!(value < 128);
    vec![of << 3, value]
}

fn pair(key: &str, value: &str) -> Vec<u8> {
    [field(1, key), field(2, value)].concat()
}

/// What `config.core.v3.Address` is for an address and a port that takes two bytes.
fn socket_address(address: &str, port: u16) -> Vec<u8> {
    let port = [
        3 << 3,
        (port & 127) as u8 | 128,
        (port >> 7 & 127) as u8 | 128,
        (port >> 14) as u8,
    ];
    let length = if port[3] == 0 { 3 } else { 4 };
    let mut port = port[..length].to_vec();
    *port.last_mut().unwrap() &= 127;
    field(1, field(1, [field(2, address), port].concat()))
}

#[test]
fn a_question_is_what_the_proto_files_say_byte_by_byte() {
    let (agent, language, cookie) = (
        "x-agent".parse().unwrap(),
        "accept-language".parse().unwrap(),
        "cookie".parse().unwrap(),
    );
    let mut asked = question();
    asked.fields = vec![
        (&language, b"en"),
        (&agent, b"\xff"),
        (&language, b"de"),
        (&cookie, b"a"),
        (&cookie, b"b"),
    ];
    let now = UNIX_EPOCH + Duration::new(100, 5);
    let http = [
        field(1, "id-1"),
        field(2, "POST"),
        field(3, pair("accept-language", "en,de")),
        field(3, pair("cookie", "a; b")),
        field(3, pair("x-agent", "\u{fffd}")),
        field(4, "/a?b=c"),
        field(5, "api.example.org"),
        field(6, "https"),
        // size: -1, as a varint of ten bytes.
        vec![9 << 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1],
        field(10, "HTTP/1.1"),
    ]
    .concat();
    let attributes = [
        field(1, socket_address("192.0.2.1", 50000)),
        field(2, socket_address("192.0.2.9", 8443)),
        field(
            4,
            [
                field(1, [number(1, 100), number(2, 5)].concat()),
                field(2, http),
            ]
            .concat(),
        ),
        field(10, pair("listener", "main")),
        field(10, pair("route", "/")),
        field(12, field(1, "api.example.org")),
    ]
    .concat();
    assert_eq!(request(&asked, now), field(1, attributes));
}

#[test]
fn the_certificate_is_url_encoded_pem_and_its_first_name_the_principal() {
    let mut peer = known("alice");
    let chain = [
        CertificateDer::from(b"der".to_vec()),
        CertificateDer::from(b"ca".to_vec()),
    ];
    peer.dns_names = vec!["a.example".into(), "b.example".into()];
    for principal in ["CN=alice", "a.example", "spiffe://example.org/a"] {
        let mut shown = peer.clone();
        match principal {
            "CN=alice" => shown.dns_names.clear(),
            "a.example" => {}
            uri => shown.uris = vec![uri.into()],
        }
        let known = KnownClient {
            certificate: Some(VerifiedCertificate {
                peer: &shown,
                domain: "internal",
                chain: &chain,
            }),
            ..Default::default()
        };
        let source = source("192.0.2.1:1".parse().unwrap(), &known);
        assert_eq!(source.principal, principal);
        assert_eq!(
            source.certificate,
            "-----BEGIN%20CERTIFICATE-----%0AZGVy%0A-----END%20CERTIFICATE-----%0A"
        );
        let asked = Question {
            known,
            ..question()
        };
        assert_eq!(
            context(&asked).get("trust_domain").map(String::as_str),
            Some("internal")
        );
    }
}

fn taken() -> FieldNames {
    let mut taken = FieldNames::default();
    taken.add_reserved("x-org").unwrap();
    taken
}

/// `permit FIELDS`, `deny` or `nothing`.
fn verdict_of(message: &[u8]) -> String {
    match answer(message, &taken()) {
        Ok(Ok(fields)) => fields
            .iter()
            .fold("permit".to_owned(), |all, (name, value)| {
                format!("{all} {name}={}", value.to_str().unwrap())
            }),
        Ok(Err(_)) => "deny".to_owned(),
        Err(_) => "nothing".to_owned(),
    }
}

#[test]
fn a_status_of_zero_permits_and_every_other_rejects() {
    let ok = field(1, "");
    assert_eq!(verdict_of(&ok), "permit");
    assert_eq!(verdict_of(&field(1, number(1, 0))), "permit");
    for code in [1, 7, 16, 99] {
        assert_eq!(verdict_of(&field(1, number(1, code))), "deny");
    }
    let ok_response = |headers: &[u8]| field(3, headers);
    let option = |inner: Vec<u8>| field(2, field(1, inner));
    let said = [
        option(pair("X-Org", "a")),
        option(pair("x-other", "b")),
        option([field(1, "x-org"), field(3, "c")].concat()),
    ];
    assert_eq!(
        verdict_of(&[ok.clone(), ok_response(&said.concat())].concat()),
        "permit x-org=a x-org=c"
    );
    // Unknown fields: dynamic_metadata, a message and details of the status.
    let more = [
        field(1, [field(2, "fine"), field(3, "x")].concat()),
        field(4, "x"),
        number(15, 1),
    ]
    .concat();
    assert_eq!(verdict_of(&more), "permit");
}

#[test]
fn what_contradicts_itself_rejects_and_what_says_nothing_is_no_verdict() {
    assert_eq!(verdict_of(&[field(1, ""), field(2, "")].concat()), "deny");
    assert_eq!(
        verdict_of(&[field(1, number(1, 7)), field(3, "")].concat()),
        "deny"
    );
    for nothing in [
        &b""[..],
        &field(3, ""),
        &field(2, ""),
        &number(1, 0),
        b"\x0a\x05a",
        b"\xff",
    ] {
        assert_eq!(verdict_of(nothing), "nothing", "{nothing:?}");
    }
    let split = field(
        3,
        field(2, field(1, pair("x-org", "a\r\nx-client-user: root"))),
    );
    assert_eq!(verdict_of(&[field(1, ""), split].concat()), "nothing");
}

proptest! {
    #[test]
    fn no_bytes_permit_without_a_status_that_does(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        if verdict_of(&bytes).starts_with("permit") {
            let status = CheckResponse::decode(&bytes[..]).unwrap().status;
            prop_assert_eq!(status.map(|status| status.code), Some(0));
        }
    }
}
