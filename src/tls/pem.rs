//! Certificates and keys from PEM files. A file without usable content, or with a malformed part, is an error.

use crate::file_read::{self, FileKind};
use base64::Engine;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};

/// Why a PEM file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PemError {
    /// Missing, or not allowed to be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The I/O error.
        source: std::io::Error,
    },
    /// The content does not match the label.
    #[error("{path} is not valid PEM: {reason}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The error of the PEM parser.
        reason: String,
    },
    /// The file contains no certificate, for example an empty file or a `TRUSTED CERTIFICATE`.
    #[error("{0} holds no certificate")]
    NoCertificate(PathBuf),
    /// The file contains no usable private key.
    #[error("{0} holds no private key that can be used")]
    NoKey(PathBuf),
    /// The private key has a passphrase.
    #[error("{0} holds an encrypted private key")]
    EncryptedKey(PathBuf),
}

/// Why a text in PEM cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PemTextError {
    /// The content does not match the label.
    #[error("the certificate is not valid PEM: {0}")]
    Malformed(String),
    /// The text contains no certificate.
    #[error("there is no certificate in the text")]
    NoCertificate,
}

fn read(path: &Path, kind: FileKind) -> Result<Vec<u8>, PemError> {
    file_read::read(path, kind).map_err(|source| PemError::Unreadable {
        path: path.to_owned(),
        source,
    })
}

/// Reads all certificates of a file, at least one.
///
/// # Errors
/// [`PemError`], naming the file.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let text = read(path, FileKind::Certificates)?;
    let malformed = |error: rustls::pki_types::pem::Error| PemError::Malformed {
        path: path.to_owned(),
        reason: format!("{error:?}"),
    };
    let found = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<Vec<_>, _>>()
        .map_err(malformed)?;
    if found.is_empty() {
        Err(PemError::NoCertificate(path.to_owned()))
    } else {
        Ok(found)
    }
}

/// Reads all certificates of a text, at least one.
///
/// # Errors
/// [`PemTextError`] for malformed PEM, or a text without certificates.
pub fn certificates_in(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, PemTextError> {
    let found = CertificateDer::pem_slice_iter(text).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|error| PemTextError::Malformed(format!("{error:?}")))?;
    if found.is_empty() {
        Err(PemTextError::NoCertificate)
    } else {
        Ok(found)
    }
}

/// Encodes certificates as PEM, as [`certificates_in`] reads them.
pub fn pem_of(certificates: &[CertificateDer<'_>]) -> String {
    const LINE: usize = 64;
    let mut text = String::new();
    for der in certificates {
        let encoded = base64::engine::general_purpose::STANDARD.encode(der);
        text.push_str("-----BEGIN CERTIFICATE-----\n");
        for line in encoded.as_bytes().chunks(LINE) {
            text.extend(line.iter().map(|byte| char::from(*byte)));
            text.push('\n');
        }
        text.push_str("-----END CERTIFICATE-----\n");
    }
    text
}

/// Reads the private key of a file.
///
/// # Errors
/// [`PemError`], naming the file.
pub fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, PemError> {
    let text = zeroize::Zeroizing::new(read(path, FileKind::PrivateKey)?);
    let encrypted: &[u8] = b"ENCRYPTED";
    if text
        .windows(encrypted.len())
        .any(|window| window == encrypted)
    {
        return Err(PemError::EncryptedKey(path.to_owned()));
    }
    PrivateKeyDer::from_pem_slice(&text).map_err(|_| PemError::NoKey(path.to_owned()))
}
