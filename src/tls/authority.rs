//! Facts of a CA certificate of a trust domain, anchor or intermediate, for matching issuers. Verifies nothing.

use super::hexadecimal::hexadecimal;
use super::name::rfc4514;
use super::validity::ValidityPeriod;
use aws_lc_rs::digest::{Context, SHA256};
use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Identifies a CA: SHA-256 over its name and key, since several CAs may have the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct AuthorityKey([u8; 32]);

/// Facts of a CA certificate.
#[derive(Clone, Debug)]
pub(super) struct AuthorityFacts {
    pub(super) key: AuthorityKey,
    /// The subject name, in DER.
    pub(super) subject: Box<[u8]>,
    /// The `SubjectPublicKeyInfo`, in DER.
    pub(super) public_key: Box<[u8]>,
    /// RFC 4514.
    pub(super) name: String,
    pub(super) validity: ValidityPeriod,
    /// The path length constraint: maximum number of CAs between this one and a leaf.
    pub(super) path_length: Option<usize>,
    /// Whether it is a CA and its key usage, if present, allows signing certificates (RFC 5280 section 4.2.1.3).
    pub(super) may_sign_certificates: bool,
    /// Whether it is a CA and its key usage, if present, allows signing revocation lists.
    pub(super) may_sign_crls: bool,
}

impl AuthorityFacts {
    /// Reads a certificate; `None` if it cannot be read.
    pub(super) fn read(der: &CertificateDer<'_>) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let usage = certificate.key_usage().ok()?;
        let constraints = certificate.basic_constraints().ok()?;
        let subject = certificate.subject().as_raw();
        let public_key = certificate.public_key().raw;
        Some(Self {
            key: AuthorityKey::of(subject, public_key)?,
            subject: subject.into(),
            public_key: public_key.into(),
            name: rfc4514(certificate.subject()),
            validity: ValidityPeriod {
                not_before: certificate.validity().not_before.timestamp(),
                not_after: certificate.validity().not_after.timestamp(),
            },
            path_length: constraints
                .and_then(|constraints| constraints.value.path_len_constraint)
                .map(|limit| usize::try_from(limit).unwrap_or(usize::MAX)),
            may_sign_certificates: certificate.is_ca()
                && usage
                    .as_ref()
                    .is_none_or(|usage| usage.value.key_cert_sign()),
            may_sign_crls: certificate.is_ca() && usage.is_none_or(|usage| usage.value.crl_sign()),
        })
    }

    /// The issuer name of a certificate, in DER.
    pub(super) fn issuer_of(der: &CertificateDer<'_>) -> Option<Box<[u8]>> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        Some(certificate.issuer().as_raw().into())
    }
}

impl AuthorityKey {
    /// Lower-case hexadecimal, for file names.
    pub(super) fn hexadecimal(self) -> String {
        hexadecimal(&self.0)
    }

    fn of(subject: &[u8], public_key: &[u8]) -> Option<Self> {
        let mut context = Context::new(&SHA256);
        // DER contains its own length, so the concatenation is unambiguous.
        context.update(subject);
        context.update(public_key);
        context.finish().as_ref().try_into().ok().map(Self)
    }
}
