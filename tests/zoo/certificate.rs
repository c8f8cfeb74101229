//! Certificates and revocation lists in every part of which one can lie.

use super::keys::{Key, children, content, without_zeros};
use crate::support::der::{
    IA5_STRING, UTF8_STRING, bit_string, boolean, element, explicit, implicit, integer,
    octet_string, oid, sequence, set, time,
};
use std::time::{SystemTime, UNIX_EPOCH};

pub const DAY: i64 = 86_400;

pub const CN: &[u64] = &[2, 5, 4, 3];
pub const O: &[u64] = &[2, 5, 4, 10];
pub const OU: &[u64] = &[2, 5, 4, 11];
pub const SERVER_AUTH: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 3, 1];
pub const CLIENT_AUTH: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 3, 2];
pub const EMAIL_PROTECTION: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 3, 4];
pub const ANY_USAGE: &[u64] = &[2, 5, 29, 37, 0];

/// Bits of a key usage (RFC 5280 section 4.2.1.3), as they stand in the first octet.
pub const DIGITAL_SIGNATURE: u8 = 0x80;
pub const KEY_ENCIPHERMENT: u8 = 0x20;
pub const KEY_CERT_SIGN: u8 = 0x04;
pub const CRL_SIGN: u8 = 0x02;

pub fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock")
        .as_secs() as i64
}

/// All parts of a certificate.
#[derive(Clone)]
pub struct Certificate {
    /// With its tag; nothing for version 1.
    pub version: Vec<u8>,
    /// Of the INTEGER.
    pub serial: Vec<u8>,
    /// In place of the issuer's name.
    pub issuer: Option<Vec<u8>>,
    /// A Name.
    pub subject: Vec<u8>,
    /// Whole elements.
    pub validity: [Vec<u8>; 2],
    /// Nothing for none.
    pub extensions: Vec<Vec<u8>>,
    /// In place of the algorithm inside what is signed.
    pub inner_algorithm: Option<Vec<u8>>,
    /// What stands behind the extensions, inside what is signed.
    pub behind_extensions: Vec<u8>,
}

/// A certificate authority.
#[derive(Clone)]
pub struct Authority {
    pub name: Vec<u8>,
    pub key: Key,
    pub der: Vec<u8>,
}

impl Certificate {
    /// Version 3, valid from yesterday for a hundred days, with a random serial number and no extensions.
    pub fn of(subject: Vec<u8>) -> Self {
        let mut serial = [0; 9];
        aws_lc_rs::rand::fill(&mut serial).expect("random numbers");
        serial[0] = 1;
        Self {
            version: explicit(0, &integer(&[2])),
            serial: serial.to_vec(),
            issuer: None,
            subject,
            validity: [time(now() - DAY), time(now() + 100 * DAY)],
            extensions: Vec::new(),
            inner_algorithm: None,
            behind_extensions: Vec::new(),
        }
    }

    /// A client's certificate.
    pub fn client(common_name: &str) -> Self {
        Self::of(name(&[(CN, UTF8_STRING, common_name.as_bytes())])).with(usages(&[CLIENT_AUTH]))
    }

    /// A CA's certificate.
    pub fn authority(common_name: &str) -> Self {
        Self::of(name(&[(CN, UTF8_STRING, common_name.as_bytes())]))
            .with(basic_constraints(true, None))
            .with(key_usage(KEY_CERT_SIGN | CRL_SIGN))
    }

    /// One more extension.
    pub fn with(mut self, extension: Vec<u8>) -> Self {
        self.extensions.push(extension);
        self
    }

    /// Without those that there are.
    pub fn bare(mut self) -> Self {
        self.extensions.clear();
        self
    }

    pub fn serial(mut self, octets: &[u8]) -> Self {
        self.serial = octets.to_vec();
        self
    }

    /// Seconds since 1970.
    pub fn valid(self, from: i64, until: i64) -> Self {
        self.valid_as(time(from), time(until))
    }

    /// Elements as they stand.
    pub fn valid_as(mut self, from: Vec<u8>, until: Vec<u8>) -> Self {
        self.validity = [from, until];
        self
    }

    pub fn signed_by(&self, issuer: &Authority, key: &Key) -> Vec<u8> {
        self.signed(&issuer.name, &issuer.key, key)
    }

    pub fn signed(&self, issuer: &[u8], signer: &Key, key: &Key) -> Vec<u8> {
        let extensions = match self.extensions.is_empty() {
            true => Vec::new(),
            false => explicit(3, &sequence(&self.extensions)),
        };
        let signed = sequence(&[
            self.version.clone(),
            integer(&self.serial),
            self.inner_algorithm
                .clone()
                .unwrap_or_else(|| signer.algorithm.clone()),
            self.issuer.clone().unwrap_or_else(|| issuer.to_vec()),
            sequence(&self.validity),
            self.subject.clone(),
            key.public.clone(),
            extensions,
            self.behind_extensions.clone(),
        ]);
        let signature = bit_string(0, &signer.sign(&signed));
        sequence(&[signed, signer.algorithm.clone(), signature])
    }
}

impl Authority {
    /// A root.
    pub fn root(common_name: &str, key: Key) -> Self {
        let certificate = Certificate::authority(common_name);
        let der = certificate.signed(&certificate.subject, &key, &key);
        Self {
            name: certificate.subject,
            key,
            der,
        }
    }

    /// Below another one.
    pub fn below(&self, certificate: &Certificate) -> Self {
        let key = Key::p256();
        Self {
            der: certificate.signed_by(self, &key),
            name: certificate.subject.clone(),
            key,
        }
    }

    /// An ordinary CA below another one.
    pub fn intermediate(&self, common_name: &str) -> Self {
        self.below(&Certificate::authority(common_name))
    }

    /// A revocation list: serial numbers with a reason, and until when it is fresh.
    pub fn crl(&self, revoked: &[(&[u8], Option<u8>)], next_update: i64) -> Vec<u8> {
        let entry = |(serial, reason): &(&[u8], Option<u8>)| {
            let reason = reason.map(|reason| {
                sequence(&[extension(&[2, 5, 29, 21], false, &element(0x0a, &[reason]))])
            });
            sequence(&[
                integer(serial),
                time(now() - DAY),
                reason.unwrap_or_default(),
            ])
        };
        let entries: Vec<_> = revoked.iter().map(entry).collect();
        let signed = sequence(&[
            integer(&[1]),
            self.key.algorithm.clone(),
            self.name.clone(),
            time(now() - DAY),
            time(next_update),
            if entries.is_empty() {
                Vec::new()
            } else {
                sequence(&entries)
            },
            explicit(
                0,
                &sequence(&[extension(&[2, 5, 29, 20], false, &integer(&[1]))]),
            ),
        ]);
        let signature = bit_string(0, &self.key.sign(&signed));
        sequence(&[signed, self.key.algorithm.clone(), signature])
    }
}

/// A Name of one attribute for each step.
pub fn name(attributes: &[(&[u64], u8, &[u8])]) -> Vec<u8> {
    let one = |(kind, tag, value): &(&[u64], u8, &[u8])| set(&[attribute(kind, *tag, value)]);
    sequence(&attributes.iter().map(one).collect::<Vec<_>>())
}

pub fn attribute(kind: &[u64], tag: u8, value: &[u8]) -> Vec<u8> {
    sequence(&[oid(kind), element(tag, value)])
}

pub fn extension(kind: &[u64], is_critical: bool, value: &[u8]) -> Vec<u8> {
    let critical = if is_critical {
        boolean(true)
    } else {
        Vec::new()
    };
    sequence(&[oid(kind), critical, octet_string(value)])
}

pub fn basic_constraints(is_authority: bool, path_length: Option<u8>) -> Vec<u8> {
    let flag = if is_authority {
        boolean(true)
    } else {
        Vec::new()
    };
    let length = path_length
        .map(|length| integer(&[length]))
        .unwrap_or_default();
    extension(&[2, 5, 29, 19], true, &sequence(&[flag, length]))
}

pub fn key_usage(bits: u8) -> Vec<u8> {
    extension(
        &[2, 5, 29, 15],
        true,
        &bit_string(bits.trailing_zeros() as u8, &[bits]),
    )
}

pub fn usages(kinds: &[&[u64]]) -> Vec<u8> {
    let kinds: Vec<_> = kinds.iter().map(|kind| oid(kind)).collect();
    extension(&[2, 5, 29, 37], false, &sequence(&kinds))
}

/// Subject alternative names.
pub fn alternative_names(names: &[Vec<u8>]) -> Vec<u8> {
    extension(&[2, 5, 29, 17], false, &sequence(names))
}

pub fn email(address: &str) -> Vec<u8> {
    implicit(1, address.as_bytes())
}

pub fn dns(name: &str) -> Vec<u8> {
    implicit(2, name.as_bytes())
}

pub fn uri(uri: &str) -> Vec<u8> {
    implicit(6, uri.as_bytes())
}

/// Names that certificates below may have, and must not have.
pub fn name_constraints(permitted: &[Vec<u8>], excluded: &[Vec<u8>]) -> Vec<u8> {
    let trees = |number: u8, names: &[Vec<u8>]| match names {
        [] => Vec::new(),
        names => element(
            0xa0 | number,
            &names
                .iter()
                .map(|name| sequence(std::slice::from_ref(name)))
                .collect::<Vec<_>>()
                .concat(),
        ),
    };
    extension(
        &[2, 5, 29, 30],
        true,
        &sequence(&[trees(0, permitted), trees(1, excluded)]),
    )
}

/// An extension that nobody knows.
pub fn unknown_extension(is_critical: bool, octets: usize) -> Vec<u8> {
    extension(
        &[1, 3, 6, 1, 4, 1, 55555, 1],
        is_critical,
        &element(IA5_STRING, &vec![b'x'; octets]),
    )
}

/// Changes one bit of the signature, which stands last.
pub fn with_a_flipped_bit(mut der: Vec<u8>) -> Vec<u8> {
    let last = der.len() - 1;
    der[last] ^= 1;
    der
}

/// The same certificate with the other of the two signatures that ECDSA has for each: `n - s` in place of `s`, for P-256.
/// Everybody can make it from the first.
pub fn with_the_other_signature(der: &[u8]) -> Vec<u8> {
    const ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    let parts = children(content(der));
    // Behind the number of unused bits.
    let numbers = children(content(&content(parts[2])[1..]));
    let s = without_zeros(content(numbers[1]));
    let mut other = vec![0; 32 - s.len()];
    other.extend(s);
    let mut borrow = 0;
    for (at, octet) in other.iter_mut().enumerate().rev() {
        let order = i16::from_str_radix(&ORDER[2 * at..2 * at + 2], 16).expect("digits");
        let difference = order - i16::from(*octet) - borrow;
        borrow = i16::from(difference < 0);
        *octet = difference.rem_euclid(256) as u8;
    }
    let mut other = without_zeros(&other);
    if other[0] >= 0x80 {
        other.insert(0, 0);
    }
    let signature = sequence(&[numbers[0].to_vec(), integer(&other)]);
    sequence(&[
        parts[0].to_vec(),
        parts[1].to_vec(),
        bit_string(0, &signature),
    ])
}
