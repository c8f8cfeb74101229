//! A certificate authority: creates one, and loads one from its folder (`ca.crt`, `ca.key`). The contents of the certificates
//! that it signs are in `sign`.

use std::fs;
use std::io;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyUsagePurpose};
use time::{Date, OffsetDateTime};
use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::Zeroizing;

use super::names::check_common_name;
use super::request::subject;
use super::validity::{CertificateValidity, random_serial};
use super::{OutputFile, PkiError, PrivateKey, pem};
use crate::file_read::FileKind;

const CERTIFICATE_FILE: &str = "ca.crt";
const KEY_FILE: &str = "ca.key";

/// A certificate authority that can sign: its certificate is a valid CA certificate, and its key matches.
#[derive(Debug)]
pub struct Authority {
    certificate_pem: String,
    certificate: Vec<u8>,
    key: PrivateKey,
    not_after: OffsetDateTime,
}

impl Authority {
    /// Creates a new authority, valid for `days`. It may sign certificates, but no other authorities.
    ///
    /// # Errors
    /// [`PkiError::CommonName`] or [`PkiError::Days`].
    pub fn create(common_name: &str, days: u32) -> Result<Self, PkiError> {
        check_common_name(common_name)?;
        let validity = CertificateValidity::from_now(days)?;
        let key = PrivateKey::generate()?;
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = subject(common_name);
        parameters.serial_number = Some(random_serial()?);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        parameters.not_before = validity.not_before;
        parameters.not_after = validity.not_after;
        let certificate = parameters
            .self_signed(key.pair())
            .map_err(PkiError::Library)?;
        Ok(Self {
            certificate_pem: certificate.pem(),
            certificate: certificate.der().to_vec(),
            key,
            not_after: validity.not_after,
        })
    }

    /// Loads `ca.crt` and `ca.key` from `folder` and checks that they are an authority.
    ///
    /// # Errors
    /// A file is missing ([`PkiError::NoAuthority`]) or unreadable; or [`PkiError::File`]: the certificate is not one of an
    /// authority, not valid now, or does not match the key.
    pub fn load(folder: &Path) -> Result<Self, PkiError> {
        let certificate_path = folder.join(CERTIFICATE_FILE);
        let key_path = folder.join(KEY_FILE);
        let text = read(&certificate_path)?;
        let certificate = check_certificate(&text)
            .map_err(|error| error.in_file(&certificate_path, FileKind::Certificates))?;
        let key_text = Zeroizing::new(read(&key_path)?);
        let key = PrivateKey::from_pem(&key_text)
            .map_err(|error| error.in_file(&key_path, FileKind::PrivateKey))?;
        let parsed = parse(&certificate)
            .map_err(|error| error.in_file(&certificate_path, FileKind::Certificates))?;
        if *parsed.public_key().subject_public_key.data != *key.public_bytes() {
            return Err(PkiError::KeyMismatch.in_file(&key_path, FileKind::PrivateKey));
        }
        let not_after = parsed.validity().not_after.to_datetime();
        let certificate_pem = String::from_utf8_lossy(&text).into_owned();
        Ok(Self {
            certificate_pem,
            certificate,
            key,
            not_after,
        })
    }

    /// The files of this authority in `folder`, for [`super::write_files`].
    pub fn files(&self, folder: &Path) -> Vec<OutputFile> {
        vec![
            OutputFile::private_key(folder.join(KEY_FILE), &self.key),
            OutputFile::certificate(
                folder.join(CERTIFICATE_FILE),
                &self.certificate_pem,
                self.valid_until(),
            ),
        ]
    }

    /// The authority's certificate, as PEM: the trust anchor for others.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The last day of validity.
    pub fn valid_until(&self) -> Date {
        self.not_after.date()
    }

    /// The authority's certificate, as DER.
    pub(super) fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// The key to sign with.
    pub(super) fn key(&self) -> &PrivateKey {
        &self.key
    }

    /// End of validity.
    pub(super) fn not_after(&self) -> OffsetDateTime {
        self.not_after
    }
}

fn read(path: &Path) -> Result<Vec<u8>, PkiError> {
    fs::read(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => PkiError::NoAuthority(path.to_owned()),
        _ => PkiError::Read {
            path: path.to_owned(),
            source,
        },
    })
}

/// The first certificate of the file, if it may sign others and is valid now.
fn check_certificate(text: &[u8]) -> Result<Vec<u8>, PkiError> {
    let der = pem::blocks(text, pem::CERTIFICATE, "a certificate")?
        .into_iter()
        .next()
        .unwrap_or_default();
    let certificate = parse(&der)?;
    let constraints = certificate
        .basic_constraints()
        .map_err(|_| PkiError::Malformed("certificate"))?;
    if !constraints.is_some_and(|constraints| constraints.value.ca) {
        return Err(PkiError::NotAuthority("basic constraints without CA:TRUE"));
    }
    let usage = certificate
        .key_usage()
        .map_err(|_| PkiError::Malformed("certificate"))?;
    if usage.is_some_and(|usage| !usage.value.key_cert_sign()) {
        return Err(PkiError::NotAuthority("key usage without keyCertSign"));
    }
    // rcgen panics on an empty set of attributes, and cannot write two attributes in one set.
    if certificate
        .subject()
        .iter()
        .any(|attributes| attributes.iter().count() != 1)
    {
        return Err(PkiError::AuthorityName);
    }
    if !certificate.validity().is_valid() {
        let validity = certificate.validity();
        return Err(PkiError::AuthorityNotValid {
            from: validity.not_before.to_datetime().date(),
            until: validity.not_after.to_datetime().date(),
        });
    }
    Ok(der)
}

fn parse(der: &[u8]) -> Result<X509Certificate<'_>, PkiError> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        _ => Err(PkiError::Malformed("certificate")),
    }
}
