//! Facts read from a client's certificate. Whether it is to be believed is for the trust domain to say.

use super::common_name::{CommonName, CommonNameError};
use super::name::rfc4514;
use super::subject_names::{NameError, NameKind, SubjectNames};
use super::trust::TrustDomainId;
use crate::clock::rfc3339;
use rustls::pki_types::CertificateDer;
use std::fmt::Write;
use x509_parser::prelude::{FromDer, X509Certificate};

/// What a verified client certificate says.
#[derive(Clone, Debug)]
pub struct PeerCertificate {
    /// The domain that vouched for it.
    pub trust_domain: TrustDomainId,
    /// The one common name, or why there is none.
    pub common_name: Result<CommonName, CommonNameError>,
    /// Subject alternative names, in the order of the certificate and in lower case; no wildcards. Empty if any of them
    /// is malformed.
    pub dns_names: Vec<Box<str>>,
    /// Subject alternative names, in the order of the certificate. Empty if any of them is malformed, or if a SPIFFE ID
    /// does not stand alone.
    pub uris: Vec<Box<str>>,
    /// Subject alternative names, in the order of the certificate, the domain in lower case. Empty if any is malformed.
    pub emails: Vec<Box<str>>,
    /// The subject's O, in the order of the certificate. Empty if any is malformed.
    pub organizations: Vec<Box<str>>,
    /// The subject's OU, in the order of the certificate. Empty if any is malformed.
    pub organizational_units: Vec<Box<str>>,
    /// Why names of these kinds are left out.
    pub unusable_names: Vec<(NameKind, NameError)>,
    /// What the certificate calls itself besides, malformed names and wildcards, as somebody might read it. They are
    /// never an identity, but may be reserved.
    pub other_names: Vec<Box<str>>,
    /// RFC 4514.
    pub subject: String,
    /// RFC 4514.
    pub issuer: String,
    /// Lower-case hexadecimal, without separators.
    pub serial: String,
    /// SHA-256 of the DER, lower-case hexadecimal.
    pub fingerprint: String,
    /// SHA-256 of the SubjectPublicKeyInfo's DER, lower-case hexadecimal.
    pub spki: String,
    /// Seconds since 1970.
    pub not_before: i64,
    /// Seconds since 1970.
    pub not_after: i64,
}

/// A certificate that cannot be read, although it was verified.
#[derive(Debug, thiserror::Error)]
#[error("the certificate cannot be read: {0}")]
pub struct UnreadableCertificate(String);

impl PeerCertificate {
    /// Reads a leaf certificate that `trust_domain` has verified.
    ///
    /// # Errors
    /// If it is no certificate, or something follows it.
    pub fn read(
        trust_domain: TrustDomainId,
        der: &CertificateDer<'_>,
    ) -> Result<Self, UnreadableCertificate> {
        let (rest, certificate) = X509Certificate::from_der(der)
            .map_err(|_| UnreadableCertificate("it is no X.509 certificate in DER".to_owned()))?;
        if !rest.is_empty() {
            return Err(UnreadableCertificate("bytes follow it".to_owned()));
        }
        let subject = certificate.subject();
        let names = SubjectNames::read(&certificate);
        Ok(Self {
            trust_domain,
            common_name: CommonName::of_subject(subject),
            dns_names: names.dns_names,
            uris: names.uris,
            emails: names.emails,
            organizations: names.organizations,
            organizational_units: names.organizational_units,
            unusable_names: names.unusable,
            other_names: names.other,
            subject: rfc4514(subject),
            issuer: rfc4514(certificate.issuer()),
            serial: hexadecimal(certificate.raw_serial()),
            fingerprint: sha256_text(der),
            spki: sha256_text(certificate.public_key().raw),
            not_before: certificate.validity().not_before.timestamp(),
            not_after: certificate.validity().not_after.timestamp(),
        })
    }

    /// The last second of validity as RFC 3339.
    pub fn not_after_text(&self) -> String {
        rfc3339(self.not_after)
    }
}

/// What any certificate says about itself, ours or an anchor.
#[derive(Clone, Debug)]
pub struct CertificateFacts {
    /// RFC 4514.
    pub subject: String,
    /// Seconds since 1970.
    pub not_before: i64,
    /// Seconds since 1970.
    pub not_after: i64,
    /// Whether it may sign certificates: CA in its basic constraints, and certificate signing in its key usage if that
    /// is there (RFC 5280 sections 4.2.1.3 and 4.2.1.9).
    pub may_sign: bool,
}

impl CertificateFacts {
    /// Reads a certificate; `None` if it is none.
    pub fn read(der: &CertificateDer<'_>) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        // Libraries let this pass, although it is no DER: and what has no serial number cannot be revoked.
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

/// SHA-256 in lower-case hexadecimal: of a certificate's DER, its fingerprint.
pub(crate) fn sha256_text(octets: &[u8]) -> String {
    hexadecimal(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, octets).as_ref())
}

/// Lower-case hexadecimal.
pub(crate) fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().fold(
        String::with_capacity(octets.len() * 2),
        |mut text, octet| {
            let _ = write!(text, "{octet:02x}");
            text
        },
    )
}
