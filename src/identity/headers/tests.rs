//! Each set says what it is to say, and nothing in it can be read in two ways.

mod field_names;
mod readers;

use super::*;
use crate::identity::VerifiedCertificate;
use crate::identity::tests::{alice, certificate, read};
use proptest::prelude::*;
use rcgen::{CustomExtension, DnType, SanType};
use readers::{byte_sequences, element, of_pem, of_rfc_4514, percent_decoded};
use rustls::pki_types::CertificateDer;

const ALL: [IdentitySet; 6] = [
    IdentitySet::XClient,
    IdentitySet::XSsl,
    IdentitySet::Nginx,
    IdentitySet::Xfcc,
    IdentitySet::XfccCert,
    IdentitySet::Rfc9440,
];

/// What these sets say about a client with this chain.
fn sent_headers(sets: &[IdentitySet], chain: &[CertificateDer<'static>]) -> Vec<(String, String)> {
    let (peer, user) = (read(&chain[0]), alice());
    let certificate = Some(VerifiedCertificate {
        peer: &peer,
        domain: "internal",
        chain,
    });
    let known = KnownClient {
        certificate,
        user: Some(&user),
        own_uri: Some("spiffe://us/gateway"),
        forwarded_by: None,
    };
    let selection = IdentitySelection {
        sets: sets.to_vec(),
        audience: Arc::default(),
    };
    collected(&IdentityBlock::new(&selection, &known, None, 0))
}

fn collected(block: &IdentityBlock) -> Vec<(String, String)> {
    block
        .fields()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn value<'f>(fields: &'f [(String, String)], name: &str) -> &'f str {
    &fields
        .iter()
        .find(|(is, _)| is == name)
        .unwrap_or_else(|| panic!("{name} in {fields:?}"))
        .1
}

fn names(fields: &[(String, String)]) -> Vec<&str> {
    fields.iter().map(|(name, _)| name.as_str()).collect()
}

#[test]
fn every_word_names_a_set_and_is_named_in_messages() {
    for (word, set) in IdentitySet::ALL {
        assert_eq!(IdentitySet::from_word(word), Some(set));
        assert!(IdentitySet::words().contains(&format!("\"{word}\"")));
    }
    assert_eq!(IdentitySet::from_word("x_client"), None);
}

#[test]
fn about_a_client_without_a_certificate_nothing_looks_like_proof() {
    let sent_headers = |set| collected(&IdentityBlock::without_user(&[set]));
    let pair = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    assert_eq!(
        sent_headers(IdentitySet::XClient),
        pair("x-client-verify", "NONE")
    );
    assert_eq!(sent_headers(IdentitySet::XSsl), pair("x-ssl", "1"));
    assert_eq!(
        sent_headers(IdentitySet::Nginx),
        pair("ssl-client-verify", "NONE")
    );
    for set in [
        IdentitySet::Xfcc,
        IdentitySet::XfccCert,
        IdentitySet::Rfc9440,
        IdentitySet::Jwt,
    ] {
        assert_eq!(sent_headers(set), []);
    }
}

#[test]
fn x_ssl_has_the_forms_of_haproxy() {
    let der = certificate("J\u{f6}rg \"x\"", |params| {
        params.not_before = time::OffsetDateTime::from_unix_timestamp(1_795_392_000).unwrap();
        params.not_after = time::OffsetDateTime::from_unix_timestamp(1_795_392_001).unwrap();
    });
    let fields = sent_headers(&[IdentitySet::XSsl], std::slice::from_ref(&der));
    assert_eq!(value(&fields, "x-ssl-client-verify"), "0");
    assert_eq!(
        value(&fields, "x-ssl-client-dn"),
        "CN=J\\C3\\B6rg \\22x\\22"
    );
    assert_eq!(value(&fields, "x-ssl-client-cn"), "J%C3%B6rg \"x\"");
    assert_eq!(
        value(&fields, "x-ssl-issuer"),
        value(&fields, "x-ssl-client-dn")
    );
    assert_eq!(value(&fields, "x-ssl-client-notbefore"), "261123000000Z");
    assert_eq!(value(&fields, "x-ssl-client-notafter"), "261123000001Z");
    assert_eq!(
        value(&fields, "x-ssl-client-sha256"),
        read(&der).fingerprint.to_uppercase()
    );
}

#[test]
fn nginx_tells_names_and_the_certificate() {
    let der = certificate("alice", |_| {});
    let fields = sent_headers(&[IdentitySet::Nginx], std::slice::from_ref(&der));
    assert_eq!(
        names(&fields),
        [
            "ssl-client-verify",
            "ssl-client-subject-dn",
            "ssl-client-issuer-dn",
            "ssl-client-cert"
        ]
    );
    assert_eq!(
        of_pem(&percent_decoded(value(&fields, "ssl-client-cert"))),
        *der
    );
}

#[test]
fn xfcc_is_one_element_in_the_order_of_envoy() {
    let der = certificate("alice", |_| {});
    let fields = sent_headers(&[IdentitySet::Xfcc], std::slice::from_ref(&der));
    let expected = format!(
        "By=spiffe://us/gateway;Hash={};Subject=\"CN=alice\"",
        read(&der).fingerprint
    );
    assert_eq!(fields, [("x-forwarded-client-cert".to_owned(), expected)]);
    let fields = sent_headers(&[IdentitySet::XfccCert], std::slice::from_ref(&der));
    let element = element(&fields[0].1).unwrap();
    assert_eq!(
        element
            .iter()
            .map(|(key, _)| key.as_str())
            .collect::<Vec<_>>(),
        ["By", "Hash", "Cert", "Subject"]
    );
    assert_eq!(of_pem(&percent_decoded(&element[2].1)), *der);
}

#[test]
fn alternative_names_are_listed_by_kind() {
    let der = certificate("alice", |params| {
        params.subject_alt_names = vec![
            SanType::DnsName("a.example".try_into().unwrap()),
            SanType::DnsName("b.example".try_into().unwrap()),
            SanType::URI("urn:a,b;c=d".try_into().unwrap()),
            SanType::Rfc822Name("alice@example.org".try_into().unwrap()),
        ];
    });
    let fields = sent_headers(
        &[IdentitySet::XClient, IdentitySet::XSsl, IdentitySet::Xfcc],
        std::slice::from_ref(&der),
    );
    assert_eq!(value(&fields, "x-client-dns"), "a.example, b.example");
    assert_eq!(value(&fields, "x-client-uri"), "urn:a%2Cb;c=d");
    assert_eq!(value(&fields, "x-client-email"), "alice@example.org");
    let expected = "DNS:a.example, DNS:b.example, URI:urn:a%2Cb;c=d, email:alice@example.org";
    assert_eq!(value(&fields, "x-ssl-client-san"), expected);
    let expected = "Subject=\"CN=alice\";URI=\"urn:a,b;c=d\";DNS=a.example;DNS=b.example";
    assert!(
        value(&fields, "x-forwarded-client-cert").ends_with(expected),
        "{fields:?}"
    );
    let fields = sent_headers(
        &[IdentitySet::XClient, IdentitySet::XSsl],
        &[certificate("alice", |_| {})],
    );
    assert!(
        !names(&fields).contains(&"x-client-dns") && !names(&fields).contains(&"x-ssl-client-san")
    );
}

#[test]
fn rfc_9440_gives_the_bytes_of_leaf_and_chain() {
    let [leaf, one, other] = ["leaf", "one", "other"].map(|name| certificate(name, |_| {}));
    let fields = sent_headers(
        &[IdentitySet::Rfc9440],
        &[leaf.clone(), one.clone(), other.clone()],
    );
    assert_eq!(names(&fields), ["client-cert", "client-cert-chain"]);
    assert_eq!(byte_sequences(&fields[0].1), [leaf.to_vec()]);
    assert_eq!(byte_sequences(&fields[1].1), [one.to_vec(), other.to_vec()]);
    assert_eq!(
        names(&sent_headers(&[IdentitySet::Rfc9440], &[leaf])),
        ["client-cert"],
        "no empty list is written"
    );
}

#[test]
fn what_is_too_large_is_left_out_and_named() {
    let long = certificate(&"x".repeat(5000), |_| {});
    let fields = sent_headers(&[IdentitySet::XClient], &[long]);
    assert_eq!(
        value(&fields, "x-identity-left-out"),
        "x-client-subject, x-client-issuer"
    );
    assert_eq!(value(&fields, "x-client-user"), "alice");
    let huge = certificate("alice", |params| {
        params
            .custom_extensions
            .push(CustomExtension::from_oid_content(
                &[1, 3, 9999],
                vec![0; 20_000],
            ));
    });
    let fields = sent_headers(
        &[
            IdentitySet::XfccCert,
            IdentitySet::Rfc9440,
            IdentitySet::Nginx,
        ],
        &[huge.clone(), huge],
    );
    let left_out = "x-forwarded-client-cert, client-cert, client-cert-chain, ssl-client-cert";
    assert_eq!(value(&fields, "x-identity-left-out"), left_out);
    let element = element(value(&fields, "x-forwarded-client-cert")).unwrap();
    assert_eq!(
        element
            .iter()
            .map(|(key, _)| key.as_str())
            .collect::<Vec<_>>(),
        ["By", "Hash", "Subject"]
    );
    let small = certificate("alice", |_| {});
    assert!(!names(&sent_headers(&ALL, &[small.clone(), small])).contains(&"x-identity-left-out"));
}

#[test]
fn a_user_without_a_certificate_is_a_user() {
    let user = alice();
    let known = KnownClient {
        user: Some(&user),
        ..KnownClient::default()
    };
    let selection = IdentitySelection {
        sets: vec![IdentitySet::XClient],
        audience: Arc::default(),
    };
    let fields = collected(&IdentityBlock::new(&selection, &known, None, 0));
    assert_eq!(names(&fields), ["x-client-verify", "x-client-user"]);
    assert_eq!(value(&fields, "x-client-verify"), "NONE");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// For any names that a CA signs, a strict parser finds the name and no other field.
    #[test]
    fn no_name_breaks_out_of_its_quotes(
        name in r#"[a-z"\\;=, \u{e4}#+<>\x01]{1,12}"#,
        organization in r#"[a-z"\\;=, ]{1,12}"#,
    ) {
        let der = certificate(&name, |params| {
            params.distinguished_name.push(DnType::OrganizationName, organization.clone());
            params.subject_alt_names = vec![SanType::DnsName("a.example".try_into().unwrap())];
        });
        let fields = sent_headers(&[IdentitySet::Xfcc], std::slice::from_ref(&der));
        let pairs = element(&fields[0].1).unwrap();
        let keys: Vec<_> = pairs.iter().map(|(key, _)| key.as_str()).collect();
        prop_assert_eq!(&keys[..3], ["By", "Hash", "Subject"]);
        prop_assert!(keys[3..].iter().all(|key| ["URI", "DNS"].contains(key)), "{:?}", keys);
        let expected = vec![("O".to_owned(), organization), ("CN".to_owned(), name)];
        prop_assert_eq!(of_rfc_4514(&pairs[2].1), expected);
        for (_, value) in sent_headers(&ALL, std::slice::from_ref(&der)) {
            prop_assert!(value.bytes().all(|byte| (b' '..0x7f).contains(&byte)), "{}", value);
        }
    }
}
