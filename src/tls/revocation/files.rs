//! Revocation lists from files, PEM and DER, and carried over from the load before where a file is the same, since a list
//! may be very large. Judges nobody.

use super::crl::Crl;
use super::crl_error::CrlError;
use crate::file_read::{self, FileKind};
use crate::tls::trust::Authorities;
use crate::tls::verified::seconds;
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
    /// Missing, or not allowed to be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Neither DER nor PEM with such a label.
    #[error("{0} holds no certificate revocation list")]
    NoCrl(PathBuf),
    /// One of its lists.
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
    /// Reads a file whose lists are of these CAs. One that was read before is not taken apart again.
    ///
    /// # Errors
    /// [`CrlFileError`], naming the file.
    pub fn load(
        path: &Path,
        authorities: &Authorities,
        before: &[Self],
    ) -> Result<Self, CrlFileError> {
        let octets = file_read::read(path, FileKind::RevocationList).map_err(|source| {
            CrlFileError::Unreadable {
                path: path.to_owned(),
                source,
            }
        })?;
        let mut digest_octets = [0; 32];
        digest_octets
            .iter_mut()
            .zip(digest(&SHA256, &octets).as_ref())
            .for_each(|(to, from)| *to = *from);
        let same = before.iter().find(|file| {
            file.content.digest == digest_octets
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
        let crls = read_all(&octets, authorities).map_err(|reason| CrlFileError::Unusable {
            path: path.to_owned(),
            reason,
        })?;
        if crls.is_empty() {
            return Err(CrlFileError::NoCrl(path.to_owned()));
        }
        Ok(Self {
            path: path.to_owned(),
            content: Arc::new(CrlFileContent {
                digest: digest_octets,
                crls,
            }),
        })
    }
}

/// Its signature was checked by this key, which may still sign.
fn is_still_of(crl: &Crl, authorities: &Authorities) -> bool {
    authorities
        .all()
        .any(|authority| authority.key == crl.issuer && authority.may_sign_crls)
}

fn read_all(octets: &[u8], authorities: &Authorities) -> Result<Vec<Arc<Crl>>, CrlError> {
    let now = seconds(UnixTime::now());
    lists(octets)?
        .iter()
        .map(|der| Crl::read(der, authorities.all(), now).map(Arc::new))
        .collect()
}

/// The lists in a text or, in DER, the one that it is.
pub(super) fn lists(octets: &[u8]) -> Result<Vec<CertificateRevocationListDer<'_>>, CrlError> {
    /// How a list begins in DER, and PEM never.
    const DER: u8 = 0x30;
    if octets.first() == Some(&DER) {
        return Ok(vec![CertificateRevocationListDer::from(octets)]);
    }
    let lists: Vec<_> = CertificateRevocationListDer::pem_slice_iter(octets)
        .map(|der| der.map_err(|_| CrlError::NotACrl))
        .collect::<Result<_, _>>()?;
    // What has another label is passed over by the library; it may be a list all the same.
    let begun = octets
        .split(|octet| *octet == b'\n')
        .filter(|line| line.trim_ascii_start().starts_with(b"-----BEGIN"));
    if !lists.is_empty() && begun.count() != lists.len() {
        return Err(CrlError::NotAlone);
    }
    Ok(lists)
}
