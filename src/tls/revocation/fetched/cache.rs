//! The folder of fetched lists: one file for each issuer and scope, which only a newer list of the same replaces. So
//! whoever serves the list of another CA, or an old one, takes nothing away. Fetches nothing.

use super::super::crl::Crl;
use super::super::crl_error::CrlError;
use super::super::extensions::Scope;
use super::super::files::lists;
use crate::config::WatchedFile;
use crate::tls::authority::Authority;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What became of the lists that a URL gave.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) outcome: StoreOutcome,
    /// As they look now, to notice if somebody takes them away.
    pub(super) files: Vec<WatchedFile>,
    /// The first that is due, in seconds since 1970.
    pub(super) next_update: Option<i64>,
}

/// From the least to the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum StoreOutcome {
    /// It is not newer than the one that is here.
    Older,
    /// It is the one that was here.
    Same,
    /// It is on disk now.
    New,
}

/// Why lists do not get into the folder.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Not a list that counts here.
    #[error(transparent)]
    Unusable(#[from] CrlError),
    /// The folder or a file in it.
    #[error("cannot write into {0}")]
    Unwritable(PathBuf, #[source] io::Error),
}

/// Verifies what came, and writes what is newer than what is there. All of it counts, or nothing.
pub(super) fn store(
    folder: &Path,
    octets: &[u8],
    authorities: &[Authority],
    now: i64,
) -> Result<Stored, StoreError> {
    let ders = lists(octets)?;
    let crls = ders
        .iter()
        .map(|der| Crl::read(der, authorities.iter(), now))
        .collect::<Result<Vec<_>, _>>()?;
    if crls.is_empty() {
        return Err(CrlError::NotACrl.into());
    }
    let unwritable = |error| StoreError::Unwritable(folder.to_owned(), error);
    // Several gateways may share a folder, and several URLs a file. Dropping the file unlocks.
    let locked = File::open(folder).map_err(unwritable)?;
    locked.lock().map_err(unwritable)?;
    let mut stored = Stored {
        outcome: StoreOutcome::Older,
        files: Vec::new(),
        next_update: None,
    };
    for (der, crl) in ders.iter().zip(crls) {
        let path = folder.join(file_name(&crl));
        let there = fs::read(&path).ok().filter(|there| there[..] != der[..]);
        let before = there
            .as_ref()
            .and_then(|there| Crl::read(there, authorities.iter(), now).ok());
        let outcome = match (&before, path.exists() && there.is_none()) {
            (_, true) => StoreOutcome::Same,
            // Signed once more: it says the same.
            (Some(before), _) if before.replaces(&crl) && crl.replaces(before) => {
                StoreOutcome::Same
            }
            // Also where number and time contradict each other: what the one that is here says must not be lost.
            (Some(before), _) if !crl.replaces(before) => StoreOutcome::Older,
            _ => {
                replace(&path, der, &locked).map_err(unwritable)?;
                StoreOutcome::New
            }
        };
        stored.outcome = stored.outcome.max(outcome);
        stored.files.push(WatchedFile::new(&path));
        let due = if outcome == StoreOutcome::New {
            crl.next_update
        } else {
            before.unwrap_or(crl).next_update
        };
        stored.next_update = stored.next_update.into_iter().chain(due).min();
    }
    Ok(stored)
}

/// Issuer and scope, so that no list ever takes the place of another one's.
fn file_name(crl: &Crl) -> String {
    let scope = match crl.scope {
        Scope::All => "all",
        Scope::Leaves => "leaves",
        Scope::Authorities => "authorities",
    };
    format!("{}-{scope}.crl", crl.issuer.hexadecimal())
}

fn replace(path: &Path, octets: &[u8], folder: &File) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // The folder is locked, so this is our own, or of one who died.
    let new = path.with_file_name(format!(".{name}.new"));
    let written = File::create(&new).and_then(|mut open| {
        open.write_all(octets)?;
        open.sync_all()?;
        fs::rename(&new, path)?;
        folder.sync_all()
    });
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written
}
