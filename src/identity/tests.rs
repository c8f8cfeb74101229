//! What the tests of this module share: real certificates, read as those of clients are.

use super::{Principal, UserId};
use crate::tls::{PeerCertificate, TrustDomainId};
use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::pki_types::CertificateDer;

/// A certificate with this common name, and what `change` makes of it.
pub(super) fn certificate(
    name: &str,
    change: impl FnOnce(&mut CertificateParams),
) -> CertificateDer<'static> {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    change(&mut params);
    params
        .self_signed(&KeyPair::generate().unwrap())
        .unwrap()
        .der()
        .clone()
}

/// What a certificate says.
pub(super) fn read(der: &CertificateDer<'_>) -> PeerCertificate {
    PeerCertificate::read(TrustDomainId(0), der).unwrap()
}

/// What a certificate with this common name says.
pub(super) fn peer(name: &str) -> PeerCertificate {
    read(&certificate(name, |_| {}))
}

/// The user `alice`.
pub(super) fn alice() -> Principal {
    Principal {
        id: UserId(0),
        name: "alice".into(),
        identified_by: None,
        extra_roles: Box::default(),
    }
}
