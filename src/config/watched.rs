//! Files of a load, each with a stamp from before the read, so that no change is missed.

use crate::file_read;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A file or folder that the result of a load depends on.
#[derive(Clone, Debug)]
pub struct WatchedFile {
    /// Path of the file or folder.
    pub path: PathBuf,
    stamp: u64,
}

impl WatchedFile {
    /// Takes a stamp. Call this before the file is read.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let stamp = stamp(&path);
        Self { path, stamp }
    }

    /// The stamp, which can only be compared for equality.
    pub fn stamp(&self) -> u64 {
        self.stamp
    }

    /// Whether the stamp differs now.
    pub fn has_changed(&self) -> bool {
        stamp(&self.path) != self.stamp
    }
}

/// Hash of the metadata of a file. Follows symbolic links, so that a swap of a link on the path is detected.
fn stamp(path: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    if let Ok(metadata) = file_read::metadata(path) {
        (metadata.dev(), metadata.ino()).hash(&mut hasher);
        // The times of a folder change with unrelated files such as logs, so its list of names is used instead.
        if metadata.is_dir() {
            names_in(path).hash(&mut hasher);
        } else {
            let times = (
                metadata.mtime(),
                metadata.mtime_nsec(),
                metadata.ctime(),
                metadata.ctime_nsec(),
            );
            (metadata.len(), times).hash(&mut hasher);
        }
    }
    hasher.finish()
}

fn names_in(folder: &Path) -> BTreeSet<PathBuf> {
    file_read::entries(folder).into_iter().flatten().collect()
}
