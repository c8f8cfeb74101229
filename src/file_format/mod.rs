//! Recognises by its content a file that was given in place of another, for hints in error messages. The readers alone decide
//! what is accepted.

mod advice;
mod der;
mod pem;
mod text;

use crate::file_read::{self, FileKind};
use std::path::Path;

pub use advice::shell_word;

/// Number of bytes of a file that are examined.
const SAMPLE_SIZE: usize = 64 << 10;

/// The format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    /// Whitespace only.
    Empty,
    /// Text in UTF-16.
    Utf16,
    /// Text in UTF-8 that begins with a byte order mark.
    ByteOrderMark,
    /// Certificates in PEM.
    Certificate,
    /// `TRUSTED CERTIFICATE` of OpenSSL.
    TrustedCertificate,
    /// A certificate signing request in PEM.
    CertificateRequest,
    /// A private key in PEM: PKCS#8, PKCS#1 or SEC1.
    PrivateKey,
    /// A private key with a passphrase, in PEM.
    EncryptedKey,
    /// A public key in PEM.
    PublicKey,
    /// Parameters of a key without the key.
    KeyParameters,
    /// A revocation list in PEM.
    RevocationList,
    /// Certificates in PKCS#7, in PEM.
    Pkcs7,
    /// A private key of OpenSSH.
    OpenSshKey,
    /// A public key of OpenSSH.
    OpenSshPublicKey,
    /// A private key of PuTTY.
    PuttyKey,
    /// Base64 of DER without the lines around it.
    BareBase64,
    /// A certificate in DER.
    CertificateDer,
    /// A certificate signing request in DER.
    CertificateRequestDer,
    /// A private key in DER.
    PrivateKeyDer,
    /// A private key with a passphrase, in DER.
    EncryptedKeyDer,
    /// A public key in DER.
    PublicKeyDer,
    /// A revocation list in DER.
    RevocationListDer,
    /// Certificates in PKCS#7, in DER.
    Pkcs7Der,
    /// A certificate with its key in PKCS#12.
    Pkcs12,
    /// A key store of Java.
    JavaKeyStore,
    /// A config of this program.
    OwnConfig,
    /// A config of nginx.
    Nginx,
    /// A config of HAProxy.
    HaProxy,
    /// A config of Caddy.
    Caddyfile,
    /// A config of Icinga 2.
    Icinga2,
    /// YAML.
    Yaml,
    /// JSON.
    Json,
    /// HTML or XML.
    Markup,
}

/// The hint for a file of another format than expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileAdvice {
    /// Follows the name of the file: `is a private key, not a certificate`.
    pub what: String,
    /// What to do.
    pub hint: String,
}

impl FileFormat {
    /// The format of a content; `None` if unknown.
    pub fn of(content: &[u8]) -> Option<Self> {
        let content = content.get(..SAMPLE_SIZE).unwrap_or(content);
        if content.trim_ascii().is_empty() {
            return Some(Self::Empty);
        }
        if is_utf16(content) {
            return Some(Self::Utf16);
        }
        if content.starts_with(b"\xef\xbb\xbf") {
            return Some(Self::ByteOrderMark);
        }
        der::format(content).or_else(|| {
            let text = String::from_utf8_lossy(content);
            pem::format(&text).or_else(|| text::format(&text))
        })
    }

    /// The hint for a content that is unusable as `wanted`. `None` if the format is unknown or is the expected one.
    pub fn misplaced(content: &[u8], path: &Path, wanted: FileKind) -> Option<FileAdvice> {
        advice::misplaced(Self::of(content)?, path, wanted)
    }

    /// As [`Self::misplaced`], for a file, which is read again.
    pub fn misplaced_file(path: &Path, wanted: FileKind) -> Option<FileAdvice> {
        if file_read::is_folder(path) {
            let what = "is a folder".to_owned();
            return Some(FileAdvice {
                what,
                hint: "name the file in it".to_owned(),
            });
        }
        advice::misplaced(Self::of_file(path, wanted)?, path, wanted)
    }

    /// The format of a file that was given as `wanted`; `None` if unknown, or if the file cannot be read.
    pub fn of_file(path: &Path, wanted: FileKind) -> Option<Self> {
        let mut content = Vec::new();
        let keep = |piece: &[u8]| {
            let room = SAMPLE_SIZE.saturating_sub(content.len()).min(piece.len());
            content.extend_from_slice(piece.get(..room).unwrap_or_default());
        };
        file_read::read_pieces(path, wanted, keep).ok()?;
        Self::of(&content)
    }
}

/// Text in UTF-16 has a byte order mark, or, for ASCII text, a NUL in every second byte.
fn is_utf16(content: &[u8]) -> bool {
    const SAMPLE: usize = 64;
    if content.starts_with(&[0xff, 0xfe]) || content.starts_with(&[0xfe, 0xff]) {
        return true;
    }
    let sample = content.get(..SAMPLE).unwrap_or(content);
    let zeros_at = |parity: usize| {
        sample
            .iter()
            .skip(parity)
            .step_by(2)
            .filter(|byte| **byte == 0)
            .count()
    };
    let half = sample.len() / 2;
    half >= 4
        && (zeros_at(0) == half && zeros_at(1) == 0 || zeros_at(1) == half && zeros_at(0) == 0)
}

#[cfg(test)]
mod tests;
