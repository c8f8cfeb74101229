//! Certificates and keys that a command line names: read, or rejected with what the file is instead and what to do.

use crate::file_format::{FileAdvice, FileFormat};
use crate::file_read::FileKind;
use crate::tls::{PemError, certificates, private_key};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;

/// The certificates of a file, leaf first.
///
/// # Errors
/// In words, with the file and what to do.
pub(super) fn given_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    certificates(path).map_err(|error| explained(path, FileKind::Certificates, &error))
}

/// The private key of a file.
///
/// # Errors
/// In words, with the file and what to do.
pub(super) fn given_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    private_key(path).map_err(|error| explained(path, FileKind::PrivateKey, &error))
}

fn explained(path: &Path, wanted: FileKind, error: &PemError) -> String {
    let Some(FileAdvice { what, hint }) = FileFormat::misplaced_file(path, wanted) else {
        return error.to_string();
    };
    let hint = if is_swapped(path, wanted) {
        "the certificate and its key may be swapped".to_owned()
    } else {
        hint
    };
    format!("{} {what}; {hint}", path.display())
}

/// Whether a key was given for a certificate, or the other way round.
fn is_swapped(path: &Path, wanted: FileKind) -> bool {
    matches!(
        (FileFormat::of_file(path, wanted), wanted),
        (Some(FileFormat::PrivateKey), FileKind::Certificates)
            | (Some(FileFormat::Certificate), FileKind::PrivateKey)
    )
}
