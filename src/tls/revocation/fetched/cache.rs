//! The folder of fetched lists: one file per issuer and scope, which only a newer list of the same replaces. So a server
//! that sends the list of another CA, or an old one, cannot remove revocations. Fetches nothing.

use super::super::crl::Crl;
use super::super::crl_error::CrlError;
use super::super::extensions::CrlScope;
use super::super::files::lists;
use crate::config::WatchedFile;
use crate::tls::authority::AuthorityFacts;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The result of storing the lists of a URL.
#[derive(Debug)]
pub(super) struct StoreReport {
    pub(super) outcome: StoreOutcome,
    /// The files with their current state, to detect their removal.
    pub(super) files: Vec<WatchedFile>,
    /// The earliest next update of the lists, in seconds since 1970.
    pub(super) next_update: Option<i64>,
}

/// The outcome for a list. The order is that of precedence for several lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum StoreOutcome {
    /// The list is not newer than the stored one.
    Older,
    /// The list is the stored one.
    Same,
    /// The list was written to disk.
    New,
}

/// Why lists cannot be stored.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A list cannot be used in this domain.
    #[error(transparent)]
    Unusable(#[from] CrlError),
    /// The folder or a file in it cannot be written.
    #[error("cannot write into {0}")]
    Unwritable(PathBuf, #[source] io::Error),
}

/// Verifies lists and writes those that are newer than the stored ones. If one is invalid, none is written.
pub(super) fn store(
    folder: &Path,
    bytes: &[u8],
    authorities: &[AuthorityFacts],
    now: i64,
) -> Result<StoreReport, StoreError> {
    let ders = lists(bytes)?;
    let crls = ders
        .iter()
        .map(|der| Crl::read(der, authorities.iter(), now))
        .collect::<Result<Vec<_>, _>>()?;
    if crls.is_empty() {
        return Err(CrlError::NotACrl.into());
    }
    let unwritable = |error| StoreError::Unwritable(folder.to_owned(), error);
    // Several gateways may share a folder, and several URLs a file. Dropping the handle unlocks.
    let locked_folder = File::open(folder).map_err(unwritable)?;
    locked_folder.lock().map_err(unwritable)?;
    let mut stored = StoreReport {
        outcome: StoreOutcome::Older,
        files: Vec::new(),
        next_update: None,
    };
    for (der, crl) in ders.iter().zip(crls) {
        let path = folder.join(file_name(&crl));
        let different = fs::read(&path).ok().filter(|file| file[..] != der[..]);
        let previous = different
            .as_ref()
            .and_then(|file| Crl::read(file, authorities.iter(), now).ok());
        let outcome = match (&previous, path.exists() && different.is_none()) {
            (_, true) => StoreOutcome::Same,
            // Signed again, with the same content.
            (Some(previous), _) if previous.replaces(&crl) && crl.replaces(previous) => {
                StoreOutcome::Same
            }
            // Also if number and date contradict each other: entries of the stored list must not be lost.
            (Some(previous), _) if !crl.replaces(previous) => StoreOutcome::Older,
            _ => {
                replace(&path, der, &locked_folder).map_err(unwritable)?;
                StoreOutcome::New
            }
        };
        stored.outcome = stored.outcome.max(outcome);
        stored.files.push(WatchedFile::new(&path));
        let due = if outcome == StoreOutcome::New {
            crl.next_update
        } else {
            previous.unwrap_or(crl).next_update
        };
        stored.next_update = stored.next_update.into_iter().chain(due).min();
    }
    Ok(stored)
}

/// The file name from issuer and scope, so that a list replaces only those of the same issuer and scope.
fn file_name(crl: &Crl) -> String {
    let scope = match crl.scope {
        CrlScope::All => "all",
        CrlScope::Leaves => "leaves",
        CrlScope::Authorities => "authorities",
    };
    format!("{}-{scope}.crl", crl.issuer.hexadecimal())
}

fn replace(path: &Path, bytes: &[u8], folder: &File) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // The folder is locked, so an existing file is left over from a killed process.
    let new = path.with_file_name(format!(".{name}.new"));
    let written = File::create(&new).and_then(|mut open| {
        open.write_all(bytes)?;
        open.sync_all()?;
        fs::rename(&new, path)?;
        folder.sync_all()
    });
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written
}
