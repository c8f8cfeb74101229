//! Revocation lists from files, PEM and DER. Lists of an unchanged file are reused from the previous load, since a list
//! may be very large. Checks no certificates.

use super::crl::Crl;
use super::crl_error::CrlError;
use crate::file_read::{self, FileKind};
use crate::tls::authorities::Authorities;
use crate::tls::validity::seconds;
use aws_lc_rs::digest::{SHA256, digest};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateRevocationListDer, UnixTime};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file with revocation lists.
#[derive(Clone, Debug)]
pub struct CrlFile {
    pub(super) path: PathBuf,
    pub(super) content: Arc<CrlFileContent>,
}

#[derive(Debug)]
pub(super) struct CrlFileContent {
    /// SHA-256 of the file.
    pub(super) digest: [u8; 32],
    pub(super) crls: Vec<Arc<Crl>>,
}

/// Why a file with revocation lists cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CrlFileError {
    /// The file is missing, or permission is denied.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The I/O error.
        source: std::io::Error,
    },
    /// The file is neither DER nor PEM with the label of a revocation list.
    #[error("{0} holds no certificate revocation list")]
    NoCrl(PathBuf),
    /// One of the lists cannot be used.
    #[error("the revocation list {path} cannot be used: {reason}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with the list.
        reason: CrlError,
    },
}

impl CrlFileError {
    /// The file.
    pub fn path(&self) -> &Path {
        match self {
            Self::Unreadable { path, .. } | Self::NoCrl(path) | Self::Unusable { path, .. } => path,
        }
    }
}

impl CrlFile {
    /// Reads a file with lists of these CAs. A file with the same content as in `previous` is not parsed again.
    ///
    /// # Errors
    /// [`CrlFileError`], naming the file.
    pub fn load(
        path: &Path,
        authorities: &Authorities,
        previous: &[Self],
    ) -> Result<Self, CrlFileError> {
        let bytes = file_read::read(path, FileKind::RevocationList).map_err(|source| {
            CrlFileError::Unreadable {
                path: path.to_owned(),
                source,
            }
        })?;
        Self::parse(path, &bytes, authorities, previous)
    }

    /// As [`Self::load`], for the content of a file.
    ///
    /// # Errors
    /// [`CrlFileError`], naming the file.
    pub fn parse(
        path: &Path,
        bytes: &[u8],
        authorities: &Authorities,
        previous: &[Self],
    ) -> Result<Self, CrlFileError> {
        let mut content_digest = [0; 32];
        content_digest
            .iter_mut()
            .zip(digest(&SHA256, bytes).as_ref())
            .for_each(|(to, from)| *to = *from);
        let same = previous.iter().find(|file| {
            file.content.digest == content_digest
                && file
                    .content
                    .crls
                    .iter()
                    .all(|crl| is_still_of(crl, authorities))
        });
        if let Some(same) = same {
            return Ok(Self {
                path: path.to_owned(),
                content: same.content.clone(),
            });
        }
        let crls = read_all(bytes, authorities).map_err(|reason| CrlFileError::Unusable {
            path: path.to_owned(),
            reason,
        })?;
        if crls.is_empty() {
            return Err(CrlFileError::NoCrl(path.to_owned()));
        }
        Ok(Self {
            path: path.to_owned(),
            content: Arc::new(CrlFileContent {
                digest: content_digest,
                crls,
            }),
        })
    }
}

/// Whether the CA with which the signature was checked is still in the domain and may sign lists.
fn is_still_of(crl: &Crl, authorities: &Authorities) -> bool {
    authorities
        .all()
        .any(|authority| authority.key == crl.issuer && authority.may_sign_crls)
}

fn read_all(bytes: &[u8], authorities: &Authorities) -> Result<Vec<Arc<Crl>>, CrlError> {
    let now = seconds(UnixTime::now());
    lists(bytes)?
        .iter()
        .map(|der| Crl::read(der, authorities.all(), now).map(Arc::new))
        .collect()
}

/// Splits a file into lists: all of a PEM text, or the one in DER.
pub(super) fn lists(bytes: &[u8]) -> Result<Vec<CertificateRevocationListDer<'_>>, CrlError> {
    /// The first byte of a list in DER, and never of PEM.
    const DER: u8 = 0x30;
    if bytes.first() == Some(&DER) {
        return Ok(vec![CertificateRevocationListDer::from(bytes)]);
    }
    let lists: Vec<_> = CertificateRevocationListDer::pem_slice_iter(bytes)
        .map(|der| der.map_err(|_| CrlError::NotACrl))
        .collect::<Result<_, _>>()?;
    // The PEM parser skips sections with other labels, which may be mislabelled lists.
    let sections = bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| line.trim_ascii_start().starts_with(b"-----BEGIN"));
    if !lists.is_empty() && sections.count() != lists.len() {
        return Err(CrlError::NotAlone);
    }
    Ok(lists)
}
