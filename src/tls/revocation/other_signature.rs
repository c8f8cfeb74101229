//! Certificates that say the same with another signature. For each signature of ECDSA, (r, s), there is a second one,
//! (r, n - s), which everybody can make from the first, above all who holds the certificate; so a digest of the certificate
//! alone keeps nobody out. Verifies nothing.

use crate::tls::der::{BIT_STRING, INTEGER, Reader, SEQUENCE};
use crate::tls::signed::Signed;

/// The orders of the curves that certificates are signed with, big-endian.
const ORDERS: [&[u8]; 3] = [&P256, &P384, &P521];

const P256: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];
const P384: [u8; 48] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xc7, 0x63, 0x4d, 0x81, 0xf4, 0x37, 0x2d, 0xdf,
    0x58, 0x1a, 0x0d, 0xb2, 0x48, 0xb0, 0xa7, 0x7a, 0xec, 0xec, 0x19, 0x6a, 0xcc, 0xc5, 0x29, 0x73,
];
const P521: [u8; 66] = [
    0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xfa, 0x51, 0x86, 0x87, 0x83, 0xbf, 0x2f, 0x96, 0x6b, 0x7f, 0xcc, 0x01, 0x48, 0xf7, 0x09,
    0xa5, 0xd0, 0x3b, 0xb5, 0xc9, 0xb8, 0x89, 0x9c, 0x47, 0xae, 0xbb, 0x6f, 0xb7, 0x1e, 0x91, 0x38,
    0x64, 0x09,
];

/// The other forms of a certificate, one for each curve that could have signed it; only that of the right curve has a good
/// signature. None if its signature is not of the form of ECDSA's.
pub(super) fn other_forms(der: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    ORDERS
        .iter()
        .filter_map(move |order| other_form(der, order))
}

fn other_form(der: &[u8], order: &[u8]) -> Option<Vec<u8>> {
    let signed = Signed::read(der).ok()?;
    let mut outer = Reader::new(signed.signature);
    let mut numbers = outer.expect(SEQUENCE).ok()?.reader();
    let (r, s) = (
        numbers.expect(INTEGER).ok()?.whole,
        numbers.expect(INTEGER).ok()?.content,
    );
    let other = integer(&difference(order, s)?);
    let signature = element(SEQUENCE, &[r, &other].concat());
    let algorithm = element(SEQUENCE, signed.algorithm);
    // The first octet of a bit string: no bit is left over.
    let signature = element(BIT_STRING, &[&[0], signature.as_slice()].concat());
    Some(element(
        SEQUENCE,
        &[signed.message, &algorithm, &signature].concat(),
    ))
}

/// `whole - part`, both big-endian; `None` if that is negative.
fn difference(whole: &[u8], part: &[u8]) -> Option<Vec<u8>> {
    let part = significant(part);
    let padding = whole.len().checked_sub(part.len())?;
    let part = part
        .iter()
        .rev()
        .copied()
        .chain(std::iter::repeat_n(0, padding));
    let (mut octets, mut borrow) = (Vec::with_capacity(whole.len()), false);
    for (whole, part) in whole.iter().rev().zip(part) {
        let (octet, is_under) = whole.overflowing_sub(part);
        let (octet, is_under_again) = octet.overflowing_sub(u8::from(borrow));
        borrow = is_under || is_under_again;
        octets.push(octet);
    }
    octets.reverse();
    (!borrow).then_some(octets)
}

fn significant(octets: &[u8]) -> &[u8] {
    let zeros = octets.iter().take_while(|octet| **octet == 0).count();
    octets.get(zeros..).unwrap_or_default()
}

/// A number that is not negative, in as few octets as can be.
fn integer(octets: &[u8]) -> Vec<u8> {
    let octets = significant(octets);
    let sign: &[u8] = if octets.first().is_none_or(|first| *first >= 0x80) {
        &[0]
    } else {
        &[]
    };
    element(INTEGER, &[sign, octets].concat())
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let digits = significant(&length);
    let mut octets = vec![tag];
    match digits {
        [short @ 0..=0x7f] => octets.push(*short),
        [] => octets.push(0),
        long => {
            octets.push(0x80 | u8::try_from(long.len()).unwrap_or(u8::MAX));
            octets.extend(long);
        }
    }
    octets.extend(content);
    octets
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, PublicKeyData};

    #[test]
    fn one_other_form_is_signed_as_well_and_its_other_form_is_the_first() {
        for kind in [
            &rcgen::PKCS_ECDSA_P256_SHA256,
            &rcgen::PKCS_ECDSA_P384_SHA384,
            &rcgen::PKCS_ECDSA_P521_SHA512,
        ] {
            // Often enough for numbers of different lengths.
            for _ in 0..50 {
                let key = KeyPair::generate_for(kind).unwrap();
                let der = CertificateParams::default()
                    .self_signed(&key)
                    .unwrap()
                    .der()
                    .to_vec();
                let public = key.subject_public_key_info();
                let is_good = |der: &Vec<u8>| Signed::read(der).unwrap().is_by(&public);
                let good: Vec<_> = other_forms(&der).filter(is_good).collect();
                assert!(good.len() == 1 && good[0] != der, "{kind:?}");
                assert!(other_forms(&good[0]).any(|form| form == der), "{kind:?}");
            }
        }
    }

    #[test]
    fn what_is_not_signed_with_ecdsa_has_no_other_form() {
        let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let der = CertificateParams::default()
            .self_signed(&key)
            .unwrap()
            .der()
            .to_vec();
        assert_eq!(other_forms(&der).count(), 0);
        assert_eq!(other_forms(b"no certificate").count(), 0);
    }
}
