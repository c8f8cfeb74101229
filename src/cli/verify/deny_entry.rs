//! A temporary entry on a deny list during an attempt. Each change replaces the file atomically, so a gateway never reads half
//! a list.

use super::super::deny_list_file::{LockedList, with_lines};
use crate::tls::sha256_text;
use rustls::pki_types::CertificateDer;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use tokio::signal::unix::{SignalKind, signal};

/// A certificate on a deny list; at most one at a time. Dropping it removes the entry, and so does a signal that ends the
/// process.
pub(super) struct DenyEntry(());

struct ListedEntry {
    file: PathBuf,
    lines: String,
}

impl DenyEntry {
    /// Puts a certificate on the list.
    ///
    /// # Errors
    /// If the file cannot be read or replaced. It is unchanged then.
    pub(super) fn put(file: &Path, certificate: &CertificateDer<'_>) -> io::Result<Self> {
        let fingerprint = sha256_text(certificate);
        let lines = format!(
            "# Made by `portcullis verify`, and harmless: the certificate lasts an hour.\nfingerprint {fingerprint}\n"
        );
        let list = LockedList::lock(file)?;
        let before = list.read()?;
        watch_for_signals()?;
        let mut on_list = on_list();
        list.replace(&with_lines(&before, &lines))?;
        *on_list = Some(ListedEntry {
            file: file.to_owned(),
            lines,
        });
        Ok(Self(()))
    }

    /// Removes the entry. Changes of other programs are kept.
    ///
    /// # Errors
    /// If the file cannot be read or replaced.
    pub(super) fn remove(&self) -> io::Result<()> {
        let mut on_list = on_list();
        on_list.as_ref().map_or(Ok(()), ListedEntry::remove)?;
        *on_list = None;
        Ok(())
    }
}

/// The entry on a list now. Locked during a change of a list, since a signal may arrive at any time.
fn on_list() -> MutexGuard<'static, Option<ListedEntry>> {
    static ON_LIST: Mutex<Option<ListedEntry>> = Mutex::new(None);
    ON_LIST.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ListedEntry {
    fn remove(&self) -> io::Result<()> {
        let list = LockedList::lock(&self.file)?;
        let text = list.read()?;
        match text.contains(&self.lines) {
            true => list.replace(&text.replace(&self.lines, "")),
            false => Ok(()),
        }
    }
}

/// From now on SIGINT, SIGTERM and SIGHUP remove the entry before they end the process.
fn watch_for_signals() -> io::Result<()> {
    static WATCHING: OnceLock<()> = OnceLock::new();
    if WATCHING.get().is_some() {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let [mut interrupt, mut terminate, mut hangup] = {
        let _entered = runtime.enter();
        [
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        ]
    };
    std::thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
        });
        // Locked until the end, so that no other entry is added.
        let on_list = on_list();
        let _ = on_list.as_ref().map(ListedEntry::remove);
        std::process::exit(super::NOT_RUN.into());
    });
    let _ = WATCHING.set(());
    Ok(())
}

impl Drop for DenyEntry {
    fn drop(&mut self) {
        // `remove` was called before if its error matters.
        let _ = self.remove();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn an_entry_is_there_until_it_is_dropped_and_nothing_else_changes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("denied");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let certificate = CertificateDer::from(vec![1, 2, 3]);
        for before in ["", "# nobody\n", "user alice"] {
            fs::write(&file, before).unwrap();
            let entry = DenyEntry::put(&link, &certificate).unwrap();
            let during = fs::read_to_string(&file).unwrap();
            assert!(during.starts_with(before), "{during}");
            let last = during.lines().last().unwrap();
            assert_eq!(
                last.split(' ').map(str::len).collect::<Vec<_>>(),
                [11, 64],
                "{last}"
            );
            fs::write(&file, during + "user bob\n").unwrap();
            drop(entry);
            let gap = if before.is_empty() || before.ends_with('\n') {
                ""
            } else {
                "\n"
            };
            assert_eq!(
                fs::read_to_string(&file).unwrap(),
                format!("{before}{gap}user bob\n")
            );
            assert!(link.is_symlink());
            assert_eq!(
                fs::read_dir(folder.path()).unwrap().count(),
                2,
                "nothing is left behind"
            );
        }
        assert!(DenyEntry::put(&folder.path().join("missing"), &certificate).is_err());
    }
}
