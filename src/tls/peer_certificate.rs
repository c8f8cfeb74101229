//! Facts read from a client's certificate. The trust domain verifies it.

use super::common_name::{CommonName, CommonNameError};
use super::hexadecimal::{hexadecimal, sha256_text};
use super::name::rfc4514;
use super::subject_names::{NameError, NameKind, SubjectNames};
use super::trust_domain_id::TrustDomainId;
use crate::clock::rfc3339;
use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The facts of a verified client certificate.
#[derive(Clone, Debug)]
pub struct PeerCertificate {
    /// The domain that verified it.
    pub trust_domain: TrustDomainId,
    /// The one common name, or why there is none.
    pub common_name: Result<CommonName, CommonNameError>,
    /// Subject alternative names, in the order of the certificate and in lower case; no wildcards. Empty if any of them
    /// is malformed.
    pub dns_names: Vec<Box<str>>,
    /// Subject alternative names, in the order of the certificate. Empty if any of them is malformed, or if there is a
    /// SPIFFE ID and another URI.
    pub uris: Vec<Box<str>>,
    /// Subject alternative names, in the order of the certificate, the domain in lower case. Empty if any is malformed.
    pub emails: Vec<Box<str>>,
    /// The subject's O, in the order of the certificate. Empty if any is malformed.
    pub organizations: Vec<Box<str>>,
    /// The subject's OU, in the order of the certificate. Empty if any is malformed.
    pub organizational_units: Vec<Box<str>>,
    /// The kinds of names that cannot be used, with the error.
    pub unusable_names: Vec<(NameKind, NameError)>,
    /// All other names, malformed names and wildcards, decoded as other programs might. They are never an identity, but
    /// may be reserved.
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
    /// If it is not a certificate, or bytes follow it.
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
