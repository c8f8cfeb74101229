//! CAs, certificates, and revocation lists written by hand.

use crate::tls::authorities::Authorities;
use crate::tls::authority::AuthorityFacts;
use crate::tls::der::{
    GENERALIZED_TIME, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, UTC_TIME,
};
use crate::tls::validity::seconds;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SigningKey,
};
use rustls::pki_types::{CertificateDer, UnixTime};
use std::sync::Arc;

pub(super) const DAY: i64 = 86_400;
/// ecdsa-with-SHA256.
pub(super) const ALGORITHM: [u8; 10] = [6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];

pub(super) struct Ca {
    pub(super) der: CertificateDer<'static>,
    pub(super) issuer: Issuer<'static, KeyPair>,
    /// Of its private key's owner, for lists written by hand.
    pub(super) key: KeyPair,
}

pub(super) fn ca_with(name: &str, usages: Vec<KeyUsagePurpose>, above: Option<&Ca>) -> Ca {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = usages;
    let certificate = match above {
        Some(above) => params.signed_by(&key, &above.issuer).unwrap(),
        None => params.self_signed(&key).unwrap(),
    };
    let copy = KeyPair::try_from(key.serialize_der().as_slice()).unwrap();
    Ca {
        der: certificate.der().clone(),
        issuer: Issuer::new(params, key),
        key: copy,
    }
}

pub(super) fn ca(name: &str, above: Option<&Ca>) -> Ca {
    ca_with(
        name,
        vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign],
        above,
    )
}

pub(super) fn leaf(serial: &[u8], issuer: &Ca) -> CertificateDer<'static> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "alice");
    params.serial_number = Some(serial.to_vec().into());
    params
        .signed_by(&KeyPair::generate().unwrap(), &issuer.issuer)
        .unwrap()
        .der()
        .clone()
}

pub(super) fn authorities(anchors: &[&Ca], intermediates: &[&Ca]) -> Arc<Authorities> {
    let der = |all: &[&Ca]| all.iter().map(|ca| ca.der.clone()).collect::<Vec<_>>();
    Arc::new(Authorities::new(&der(anchors), &der(intermediates)).unwrap())
}

pub(super) fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut bytes = match length {
        0..=0x7f => vec![tag, length as u8],
        _ => {
            let digits: Vec<u8> = length
                .to_be_bytes()
                .into_iter()
                .skip_while(|digit| *digit == 0)
                .collect();
            [vec![tag, 0x80 | digits.len() as u8], digits].concat()
        }
    };
    bytes.extend_from_slice(content);
    bytes
}

pub(super) fn number(digits: &[u8]) -> Vec<u8> {
    let sign = if digits.first().is_none_or(|first| first & 0x80 != 0) {
        &[0][..]
    } else {
        &[]
    };
    tlv(INTEGER, &[sign, digits].concat())
}

pub(super) fn generalized(second: i64) -> Vec<u8> {
    let time = time::OffsetDateTime::from_unix_timestamp(second).unwrap();
    let format = time::macros::format_description!("[year][month][day][hour][minute][second]Z");
    tlv(GENERALIZED_TIME, time.format(format).unwrap().as_bytes())
}

pub(super) fn extension(id: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let critical = if critical {
        tlv(1, &[0xff])
    } else {
        Vec::new()
    };
    tlv(
        SEQUENCE,
        &[
            tlv(OBJECT_IDENTIFIER, id),
            critical,
            tlv(OCTET_STRING, value),
        ]
        .concat(),
    )
}

pub(super) fn entry(serial: &[u8], extensions: &[Vec<u8>]) -> Vec<u8> {
    let extensions = if extensions.is_empty() {
        Vec::new()
    } else {
        tlv(SEQUENCE, &extensions.concat())
    };
    tlv(
        SEQUENCE,
        &[number(serial), tlv(UTC_TIME, b"250101000000Z"), extensions].concat(),
    )
}

/// A list as it is before it is signed.
#[derive(Clone)]
pub(super) struct List {
    pub(super) version: Vec<u8>,
    pub(super) issuer: Vec<u8>,
    pub(super) this_update: i64,
    pub(super) next_update: Option<i64>,
    pub(super) entries: Vec<u8>,
    pub(super) extensions: Vec<Vec<u8>>,
}

pub(super) fn now() -> i64 {
    seconds(UnixTime::now())
}

pub(super) fn list(issuer: &Ca) -> List {
    let (this_update, next_update) = (now() - DAY, Some(now() + DAY));
    let name = AuthorityFacts::read(&issuer.der).unwrap().subject.to_vec();
    List {
        version: number(&[1]),
        issuer: name,
        this_update,
        next_update,
        entries: Vec::new(),
        extensions: Vec::new(),
    }
}

impl List {
    pub(super) fn revoking(mut self, serials: &[&[u8]]) -> Self {
        self.entries
            .extend(serials.iter().flat_map(|serial| entry(serial, &[])));
        self
    }

    pub(super) fn with(mut self, extension: Vec<u8>) -> Self {
        self.extensions.push(extension);
        self
    }

    /// CRL number.
    pub(super) fn numbered(self, digits: &[u8]) -> Self {
        self.with(extension(&[0x55, 0x1d, 20], false, &number(digits)))
    }

    pub(super) fn scoped(self, content: &[u8]) -> Self {
        self.with(extension(&[0x55, 0x1d, 28], true, &tlv(SEQUENCE, content)))
    }

    pub(super) fn at(mut self, this_update: i64, next_update: i64) -> Self {
        (self.this_update, self.next_update) = (this_update, Some(next_update));
        self
    }

    pub(super) fn signed_by(&self, ca: &Ca) -> Vec<u8> {
        let algorithm = tlv(SEQUENCE, &ALGORITHM);
        let extensions = match self.extensions.is_empty() {
            true => Vec::new(),
            false => tlv(0xa0, &tlv(SEQUENCE, &self.extensions.concat())),
        };
        let entries = if self.entries.is_empty() {
            Vec::new()
        } else {
            tlv(SEQUENCE, &self.entries)
        };
        let next_update = self.next_update.map_or_else(Vec::new, generalized);
        let parts = [
            self.version.clone(),
            algorithm.clone(),
            self.issuer.clone(),
            generalized(self.this_update),
            next_update,
            entries,
            extensions,
        ];
        let message = tlv(SEQUENCE, &parts.concat());
        let signature = [vec![0], ca.key.sign(&message).unwrap()].concat();
        tlv(SEQUENCE, &[message, algorithm, tlv(3, &signature)].concat())
    }
}
