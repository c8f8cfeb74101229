//! ECDSA signature malleability: for each signature (r, s), (r, n - s) is valid too, and anyone with the certificate can
//! compute it. So the digest of one form of a certificate is not enough to deny it. Verifies nothing.

use crate::tls::der::{BIT_STRING, DerReader, INTEGER, SEQUENCE};
use crate::tls::signed::SignedDer;

/// The group orders of the curves for certificate signatures, big-endian.
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

/// The other forms of a certificate, one for each possible curve; only that of the right curve has a valid signature.
/// Empty if its signature does not have the structure of an ECDSA signature.
pub(super) fn other_forms(der: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    ORDERS
        .iter()
        .filter_map(move |order| other_form(der, order))
}

fn other_form(der: &[u8], order: &[u8]) -> Option<Vec<u8>> {
    let signed = SignedDer::read(der).ok()?;
    let mut outer = DerReader::new(signed.signature);
    let mut numbers = outer.expect(SEQUENCE).ok()?.reader();
    let r = numbers.expect(INTEGER).ok()?.whole;
    let s = numbers.expect(INTEGER).ok()?.content;
    let other_s = integer(&difference(order, s)?);
    let signature = element(SEQUENCE, &[r, &other_s].concat());
    let algorithm = element(SEQUENCE, signed.algorithm);
    // The first byte of a bit string: no unused bits.
    let signature = element(BIT_STRING, &[&[0], signature.as_slice()].concat());
    Some(element(
        SEQUENCE,
        &[signed.message, &algorithm, &signature].concat(),
    ))
}

/// `minuend - subtrahend`, both big-endian; `None` if the result is negative.
fn difference(minuend: &[u8], subtrahend: &[u8]) -> Option<Vec<u8>> {
    let subtrahend = significant(subtrahend);
    let padding = minuend.len().checked_sub(subtrahend.len())?;
    let subtrahend = subtrahend
        .iter()
        .rev()
        .copied()
        .chain(std::iter::repeat_n(0, padding));
    let mut digits = Vec::with_capacity(minuend.len());
    let mut borrow = false;
    for (upper, lower) in minuend.iter().rev().zip(subtrahend) {
        let (digit, has_borrowed) = upper.overflowing_sub(lower);
        let (digit, has_borrowed_again) = digit.overflowing_sub(u8::from(borrow));
        borrow = has_borrowed || has_borrowed_again;
        digits.push(digit);
    }
    digits.reverse();
    (!borrow).then_some(digits)
}

fn significant(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).unwrap_or_default()
}

/// Encodes a non-negative number as DER.
fn integer(bytes: &[u8]) -> Vec<u8> {
    let bytes = significant(bytes);
    let sign: &[u8] = if bytes.first().is_none_or(|first| *first >= 0x80) {
        &[0]
    } else {
        &[]
    };
    element(INTEGER, &[sign, bytes].concat())
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let digits = significant(&length);
    let mut bytes = vec![tag];
    match digits {
        [short @ 0..=0x7f] => bytes.push(*short),
        [] => bytes.push(0),
        long => {
            bytes.push(0x80 | u8::try_from(long.len()).unwrap_or(u8::MAX));
            bytes.extend(long);
        }
    }
    bytes.extend(content);
    bytes
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
                let is_good = |der: &Vec<u8>| SignedDer::read(der).unwrap().is_by(&public);
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
