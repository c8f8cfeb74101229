//! Reads certificates and keys named on a command line. Errors name the actual format of the file and the remedy.

use crate::file_format::{FileAdvice, FileFormat};
use crate::file_read::FileKind;
use crate::tls::{PemError, certificates, private_key};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;

/// The certificates of a file, leaf first.
///
/// # Errors
/// A message with the file and the remedy.
pub(super) fn given_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    certificates(path).map_err(|error| explained(path, FileKind::Certificates, &error))
}

/// The private key of a file.
///
/// # Errors
/// A message with the file and the remedy.
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

/// Whether a key was given for a certificate, or vice versa.
fn is_swapped(path: &Path, wanted: FileKind) -> bool {
    matches!(
        (FileFormat::of_file(path, wanted), wanted),
        (Some(FileFormat::PrivateKey), FileKind::Certificates)
            | (Some(FileFormat::Certificate), FileKind::PrivateKey)
    )
}
