//! Certificates and private keys of the gateway, from PEM and PKCS#12, also with a passphrase.

use super::passphrase::{DecryptionError, DerivationBudget, decrypt_private_key};
use super::pem::{self, PemError};
use super::pkcs12::{Pkcs12, Pkcs12Error};
use crate::file_format::FileFormat;
use crate::file_read::{self, FileKind};
use base64::Engine;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

const ENCRYPTED_LABEL: &str = "ENCRYPTED PRIVATE KEY";
/// The encryption of keys in PEM before PKCS#8 (RFC 1421), whose key derivation is one round of MD5.
const LEGACY_ENCRYPTION: &str = "Proc-Type: 4,ENCRYPTED";

/// Why a certificate or key cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CredentialFileError {
    /// The file cannot be read, or is not PEM.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// The file is encrypted, and no passphrase is given.
    #[error("{0} is encrypted, and no passphrase is given")]
    NoPassphrase(PathBuf),
    /// The key has the encryption of PEM that derives its key with MD5.
    #[error(
        "{0} holds a private key with the outdated encryption of PEM (\"{LEGACY_ENCRYPTION}\")"
    )]
    LegacyEncryption(PathBuf),
    /// The encrypted private key cannot be decrypted.
    #[error("{path}: {source}")]
    Decryption {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: DecryptionError,
    },
    /// The PKCS#12 file cannot be used.
    #[error("{path}: {source}")]
    Pkcs12 {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: Pkcs12Error,
    },
}

/// Whether a passphrase decrypted the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassphraseUse {
    /// The file is encrypted.
    Used,
    /// The file is not encrypted.
    NotNeeded,
}

/// What was read from a file.
#[derive(Debug)]
pub struct CredentialPart<T> {
    /// The certificates or the key.
    pub value: T,
    /// Whether the file is encrypted.
    pub passphrase: PassphraseUse,
}

/// Reads a certificate chain, leaf first.
///
/// # Errors
/// [`CredentialFileError`], naming the file.
pub fn chain_of(
    path: &Path,
    passphrase: Option<&str>,
) -> Result<CredentialPart<Vec<CertificateDer<'static>>>, CredentialFileError> {
    if FileFormat::of_file(path, FileKind::Certificates) != Some(FileFormat::Pkcs12) {
        return Ok(CredentialPart {
            value: pem::certificates(path)?,
            passphrase: PassphraseUse::NotNeeded,
        });
    }
    let content = read(path)?;
    let found = pkcs12(path, &content, passphrase)?;
    let chain = found.chain().map_err(|source| pkcs12_error(path, source))?;
    Ok(CredentialPart {
        value: chain,
        passphrase: PassphraseUse::Used,
    })
}

/// Reads a private key.
///
/// # Errors
/// [`CredentialFileError`], naming the file.
pub fn key_of(
    path: &Path,
    passphrase: Option<&str>,
) -> Result<CredentialPart<PrivateKeyDer<'static>>, CredentialFileError> {
    let content = read(path)?;
    let value = if FileFormat::of(&content) == Some(FileFormat::Pkcs12) {
        let found = pkcs12(path, &content, passphrase)?;
        let key = found.private_key();
        key.map_err(|source| pkcs12_error(path, source))?
            .clone_key()
            .into()
    } else {
        let text = Zeroizing::new(String::from_utf8_lossy(&content).into_owned());
        if text.contains(LEGACY_ENCRYPTION) {
            return Err(CredentialFileError::LegacyEncryption(path.to_owned()));
        }
        let Some(encrypted) = encrypted_key(&text) else {
            let plain = PrivateKeyDer::from_pem_slice(&content);
            return Ok(CredentialPart {
                value: plain.map_err(|_| PemError::NoKey(path.to_owned()))?,
                passphrase: PassphraseUse::NotNeeded,
            });
        };
        let failed = |source| CredentialFileError::Decryption {
            path: path.to_owned(),
            source,
        };
        let passphrase =
            passphrase.ok_or_else(|| CredentialFileError::NoPassphrase(path.to_owned()))?;
        let encrypted = encrypted.ok_or_else(|| failed(DecryptionError::Malformed))?;
        let mut budget = DerivationBudget::default();
        let key = decrypt_private_key(&encrypted, passphrase.as_bytes(), &mut budget);
        PrivatePkcs8KeyDer::from(key.map_err(failed)?.to_vec()).into()
    };
    Ok(CredentialPart {
        value,
        passphrase: PassphraseUse::Used,
    })
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, PemError> {
    let content = file_read::read(path, FileKind::PrivateKey);
    content
        .map(Zeroizing::new)
        .map_err(|source| PemError::Unreadable {
            path: path.to_owned(),
            source,
        })
}

fn pkcs12(
    path: &Path,
    content: &[u8],
    passphrase: Option<&str>,
) -> Result<Pkcs12, CredentialFileError> {
    // Files without a passphrase have a MAC by the empty one.
    let result = Pkcs12::read(content, passphrase.unwrap_or_default());
    result.map_err(|source| match (source, passphrase) {
        (Pkcs12Error::Decryption(DecryptionError::WrongPassphrase), None) => {
            CredentialFileError::NoPassphrase(path.to_owned())
        }
        _ => pkcs12_error(path, source),
    })
}

fn pkcs12_error(path: &Path, source: Pkcs12Error) -> CredentialFileError {
    CredentialFileError::Pkcs12 {
        path: path.to_owned(),
        source,
    }
}

/// The DER of an encrypted key in PEM. `None` without such a key, `Some(None)` if it is malformed.
#[expect(
    clippy::option_option,
    reason = "absent and malformed are different errors"
)]
fn encrypted_key(text: &str) -> Option<Option<Vec<u8>>> {
    let begin = format!("-----BEGIN {ENCRYPTED_LABEL}-----");
    let end = format!("-----END {ENCRYPTED_LABEL}-----");
    let rest = text.split_once(&begin)?.1;
    let body = rest.split_once(&end).map(|parts| parts.0);
    let decode = |body: &str| {
        let lines: String = body.split_ascii_whitespace().collect();
        base64::engine::general_purpose::STANDARD.decode(lines).ok()
    };
    Some(body.and_then(decode))
}
