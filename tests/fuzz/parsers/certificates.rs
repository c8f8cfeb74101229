//! DER, certificates, their names, and revocation lists.

use super::Reading;
use super::authority::{Authority, ED25519, NAME, der_element};
use portcullis::tls::der::{DerReader, GENERALIZED_TIME, SEQUENCE, UTC_TIME, time};
use portcullis::tls::{
    CertificateFacts, CommonName, CrlFile, DenyList, PeerCertificate, Revocation,
    RevocationSettings, TrustDomainId, certificates_in, dns_name, email, organization, uri,
};
use rustls::pki_types::CertificateDer;
use std::collections::BTreeSet;
use std::path::Path;
use x509_parser::prelude::{CertificateRevocationList, FromDer};

/// Elements follow each other without a gap, each in the one form that DER has for it, and so do those in them.
pub fn der(bytes: &[u8]) -> Reading {
    let mut reader = DerReader::new(bytes);
    let mut at = 0;
    while !reader.is_empty() {
        let peeked = reader.peek();
        let Ok(element) = reader.any() else {
            return Reading::Rejected;
        };
        assert_eq!(peeked, Some(element.tag));
        assert_eq!(element.whole, der_element(element.tag, element.content));
        assert!(bytes[at..].starts_with(element.whole));
        at += element.whole.len();
        if let Ok(seconds) = time(&element) {
            assert_eq!(
                element.content,
                written_time(element.tag, seconds).as_bytes()
            );
        }
        if element.tag & 0x20 != 0 {
            der(element.content);
        }
    }
    assert_eq!(at, bytes.len());
    assert!(reader.finish().is_ok());
    Reading::Accepted
}

/// A time as RFC 5280 writes it in an element with this tag.
fn written_time(tag: u8, seconds: i64) -> String {
    let moment = time::OffsetDateTime::from_unix_timestamp(seconds).expect("a time");
    let year = match tag {
        UTC_TIME => {
            assert!((1950..2050).contains(&moment.year()));
            format!("{:02}", moment.year() % 100)
        }
        GENERALIZED_TIME => format!("{:04}", moment.year()),
        _ => panic!("a time with the tag {tag}"),
    };
    format!(
        "{year}{:02}{:02}{:02}{:02}{:02}Z",
        u8::from(moment.month()),
        moment.day(),
        moment.hour(),
        moment.minute(),
        moment.second()
    )
}

/// A certificate in PEM or DER: all names that may identify a user are canonical.
pub fn certificate(bytes: &[u8]) -> Reading {
    let mut reading = Reading::Rejected;
    let from_pem = certificates_in(bytes).unwrap_or_default();
    let from_der = CertificateDer::from(bytes.to_vec());
    for der in from_pem.iter().chain([&from_der]) {
        let facts = CertificateFacts::read(der);
        let Ok(peer) = PeerCertificate::read(TrustDomainId(0), der) else {
            continue;
        };
        if let Some(facts) = facts {
            assert_eq!(facts.subject, peer.subject);
            assert_eq!(facts.not_after, peer.not_after);
        }
        assert_names_are_canonical(&peer);
        reading = Reading::Accepted;
    }
    reading
}

fn assert_names_are_canonical(peer: &PeerCertificate) {
    let assert_all = |names: &[Box<str>], read: &dyn Fn(&str) -> Option<Box<str>>| {
        for name in names {
            assert_eq!(read(name).as_ref(), Some(name));
        }
    };
    assert_all(&peer.dns_names, &|name| dns_name(name).ok());
    assert_all(&peer.uris, &|name| uri(name).ok());
    assert_all(&peer.emails, &|name| email(name).ok());
    assert_all(&peer.organizations, &|name| organization(name).ok());
    assert_all(&peer.organizational_units, &|name| organization(name).ok());
    if let Ok(name) = &peer.common_name {
        assert_eq!(CommonName::new(name.as_str()).as_ref(), Ok(name));
    }
}

/// The DER of subject alternative names, in a certificate: those that may identify a user are in it, in the same order.
pub fn subject_names(bytes: &[u8]) -> Reading {
    let certificate = Authority::shared().certificate_with_names(bytes);
    let Ok(peer) = PeerCertificate::read(TrustDomainId(0), &certificate) else {
        return Reading::Rejected;
    };
    assert_names_are_canonical(&peer);
    for (tag, names) in [
        (0x81, &peer.emails),
        (0x82, &peer.dns_names),
        (0x86, &peer.uris),
    ] {
        if names.is_empty() {
            continue;
        }
        let listed: Vec<String> = names_with_tag(bytes, tag)
            .into_iter()
            .filter(|name| tag != 0x82 || !name.starts_with("*."))
            .collect();
        assert_eq!(listed.len(), names.len(), "{listed:?} {names:?}");
        for (listed, name) in listed.iter().zip(names) {
            assert!(listed.eq_ignore_ascii_case(name), "{listed} {name}");
        }
    }
    Reading::Accepted
}

/// All names with this tag, read without a parser of certificates.
fn names_with_tag(names: &[u8], tag: u8) -> Vec<String> {
    let mut outer = DerReader::new(names);
    // x509-parser ignores the class of this tag.
    let mut elements = outer.any().expect("a sequence of names").reader();
    let mut found = Vec::new();
    while !elements.is_empty() {
        let element = elements.any().expect("a name");
        if element.tag == tag {
            found.push(String::from_utf8_lossy(element.content).into_owned());
        }
    }
    found
}

/// What follows the issuer in a revocation list of version 1 (first byte 1) or 2, signed by its CA: what is accepted has the same
/// dates and revokes the same serial numbers when x509-parser reads it.
pub fn crl(bytes: &[u8]) -> Reading {
    let Some((version, fields)) = bytes.split_first() else {
        return Reading::Rejected;
    };
    let version: &[u8] = if *version == 1 { &[] } else { &[2, 1, 1] };
    let authority = Authority::shared();
    let content = der_element(SEQUENCE, &[version, ED25519, NAME, fields].concat());
    let signature = [&[0][..], &authority.sign(&content)].concat();
    let signature = der_element(3, &signature);
    let list = der_element(SEQUENCE, &[&content[..], ED25519, &signature].concat());
    let parse =
        |list: &[u8]| CrlFile::parse(Path::new("fuzz.crl"), list, &authority.authorities, &[]);
    let Ok(file) = parse(&list) else {
        return Reading::Rejected;
    };
    let mut forged = list.clone();
    *forged.last_mut().expect("a signature") ^= 1;
    assert!(parse(&forged).is_err(), "another signature");
    let revocation = Revocation::new(
        vec![file],
        DenyList::default(),
        RevocationSettings::default(),
    );
    let facts = revocation.facts();
    let [facts] = facts.as_slice() else {
        panic!("{} lists", facts.len());
    };
    // x509-parser also reads the dates and reasons of entries.
    let Ok((rest, read)) = CertificateRevocationList::from_der(&list) else {
        return Reading::Rejected;
    };
    assert!(rest.is_empty());
    assert_eq!(facts.this_update, read.last_update().timestamp());
    let next_update = read.next_update().map(|time| time.timestamp());
    assert_eq!(facts.next_update, next_update);
    let serials: BTreeSet<_> = read
        .iter_revoked_certificates()
        .map(|entry| {
            let serial = entry.raw_serial();
            let zeros = serial.iter().take_while(|byte| **byte == 0).count();
            serial[zeros..].to_vec()
        })
        .collect();
    assert_eq!(facts.entries, serials.len());
    Reading::Accepted
}
