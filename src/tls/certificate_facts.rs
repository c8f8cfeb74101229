//! Subject, validity and signing permission of any certificate. Verifies nothing.

use super::name::rfc4514;
use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Facts of any certificate.
#[derive(Clone, Debug)]
pub struct CertificateFacts {
    /// RFC 4514.
    pub subject: String,
    /// Seconds since 1970.
    pub not_before: i64,
    /// Seconds since 1970.
    pub not_after: i64,
    /// Whether it may sign certificates: CA in its basic constraints, and certificate signing in its key usage if present
    /// (RFC 5280 sections 4.2.1.3 and 4.2.1.9).
    pub may_sign: bool,
}

impl CertificateFacts {
    /// Reads a certificate; `None` if it cannot be read.
    pub fn read(der: &CertificateDer<'_>) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        // x509-parser accepts an empty serial number, although that is not DER. Such a certificate could not be revoked.
        if certificate.raw_serial().is_empty() {
            return None;
        }
        let not_before = certificate.validity().not_before.timestamp();
        let not_after = certificate.validity().not_after.timestamp();
        let is_ca = certificate.is_ca();
        let usage = certificate.key_usage().ok()?;
        let may_sign = is_ca && usage.is_none_or(|usage| usage.value.key_cert_sign());
        Some(Self {
            subject: rfc4514(certificate.subject()),
            not_before,
            not_after,
            may_sign,
        })
    }
}
