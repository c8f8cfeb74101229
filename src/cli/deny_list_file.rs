//! Changes a deny list on disk: one at a time, and the file is replaced as a whole, so that a gateway that reads it in
//! between never sees half a list. Knows no entries.

use crate::file_read::{self, FileKind};
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A deny list that nobody else of us changes until this is dropped.
pub(super) struct LockedList {
    /// Behind all links.
    file: PathBuf,
    /// The lock is on the folder: a lock on a file that is replaced is soon one on nothing.
    folder: File,
}

impl LockedList {
    /// Waits until nobody else changes the list.
    ///
    /// # Errors
    /// If there is no such file, or somebody else holds it for very long.
    pub(super) fn lock(file: &Path) -> io::Result<Self> {
        const PATIENCE: Duration = Duration::from_secs(10);
        const PAUSE: Duration = Duration::from_millis(20);
        let file = fs::canonicalize(file)?;
        let folder = File::open(file.parent().unwrap_or(Path::new("/")))?;
        let began = Instant::now();
        loop {
            match folder.try_lock() {
                Ok(()) => return Ok(Self { file, folder }),
                Err(TryLockError::WouldBlock) if began.elapsed() < PATIENCE => sleep(PAUSE),
                Err(TryLockError::WouldBlock) => {
                    let message = "another program has locked its folder for more than ten seconds";
                    return Err(io::Error::new(io::ErrorKind::TimedOut, message));
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }

    /// The text.
    ///
    /// # Errors
    /// Those of the operating system; also for what is no regular file, too long or not UTF-8.
    pub(super) fn read(&self) -> io::Result<String> {
        file_read::read_text(&self.file, FileKind::DenyList)
    }

    /// A new file, with mode and owner of the old one, takes its place.
    ///
    /// # Errors
    /// Those of the operating system; the file is then as it was.
    pub(super) fn replace(&self, text: &str) -> io::Result<()> {
        let old = fs::metadata(&self.file)?;
        let name = self.file.file_name().unwrap_or_default().to_string_lossy();
        let new = self
            .file
            .with_file_name(format!(".{name}.portcullis-{}", std::process::id()));
        let written = File::create_new(&new).and_then(|mut open| {
            let made = open.metadata()?;
            if (made.uid(), made.gid()) != (old.uid(), old.gid()) {
                chown(&new, Some(old.uid()), Some(old.gid()))?;
            }
            open.set_permissions(old.permissions())?;
            open.write_all(text.as_bytes())?;
            open.sync_all()?;
            fs::rename(&new, &self.file)
        });
        match written {
            // Without this, a power failure could bring the old list back.
            Ok(()) => self.folder.sync_all(),
            Err(error) => {
                // Nothing of it may stay; if it cannot be removed, the error at hand says enough.
                let _ = fs::remove_file(&new);
                Err(error)
            }
        }
    }
}

/// A list with these lines at its end, whether or not its last line had one.
pub(super) fn with_lines(before: &str, lines: &str) -> String {
    let gap = if before.is_empty() || before.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    format!("{before}{gap}{lines}")
}
