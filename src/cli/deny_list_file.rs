//! Changes a deny list on disk: under a lock, and the file is replaced atomically, so that a gateway never reads half a list.

use crate::file_read::{self, FileKind};
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A deny list, locked against other `portcullis` commands until this is dropped.
pub(super) struct LockedList {
    /// The path with all links resolved.
    file: PathBuf,
    /// The lock is on the folder, since the file itself is replaced.
    folder: File,
}

impl LockedList {
    /// Waits for the lock.
    ///
    /// # Errors
    /// If the file does not exist, or another program holds the lock for more than ten seconds.
    pub(super) fn lock(file: &Path) -> io::Result<Self> {
        const LOCK_TIMEOUT: Duration = Duration::from_secs(10);
        const RETRY_DELAY: Duration = Duration::from_millis(20);
        let file = fs::canonicalize(file)?;
        let folder = File::open(file.parent().unwrap_or(Path::new("/")))?;
        let start = Instant::now();
        loop {
            match folder.try_lock() {
                Ok(()) => return Ok(Self { file, folder }),
                Err(TryLockError::WouldBlock) if start.elapsed() < LOCK_TIMEOUT => {
                    sleep(RETRY_DELAY)
                }
                Err(TryLockError::WouldBlock) => {
                    let message = "another program has locked its folder for more than ten seconds";
                    return Err(io::Error::new(io::ErrorKind::TimedOut, message));
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }

    /// Reads the text of the list.
    ///
    /// # Errors
    /// I/O errors of the operating system; also if it is not a regular file, too long, or not UTF-8.
    pub(super) fn read(&self) -> io::Result<String> {
        file_read::read_text(&self.file, FileKind::DenyList)
    }

    /// Replaces the file by a new one with the same mode and owner.
    ///
    /// # Errors
    /// I/O errors of the operating system; the file is unchanged then.
    pub(super) fn replace(&self, text: &str) -> io::Result<()> {
        let old = fs::metadata(&self.file)?;
        let name = self.file.file_name().unwrap_or_default().to_string_lossy();
        let new = self
            .file
            .with_file_name(format!(".{name}.portcullis-{}", std::process::id()));
        let written = File::create_new(&new).and_then(|mut open| {
            let created = open.metadata()?;
            if (created.uid(), created.gid()) != (old.uid(), old.gid()) {
                chown(&new, Some(old.uid()), Some(old.gid()))?;
            }
            open.set_permissions(old.permissions())?;
            open.write_all(text.as_bytes())?;
            open.sync_all()?;
            fs::rename(&new, &self.file)
        });
        match written {
            // Without this, the old list could return after a power failure.
            Ok(()) => self.folder.sync_all(),
            Err(error) => {
                // Removes the temporary file. An error here is ignored; the first error is returned.
                let _ = fs::remove_file(&new);
                Err(error)
            }
        }
    }
}

/// Appends lines to a list. Adds a missing final line end.
pub(super) fn with_lines(before: &str, lines: &str) -> String {
    let gap = if before.is_empty() || before.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    format!("{before}{gap}{lines}")
}
