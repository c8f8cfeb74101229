//! Files that a load reads, each with how it looked just before it was read, so that no change is ever missed.

use crate::file_read;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A file or folder whose change could change the outcome of a load.
#[derive(Clone, Debug)]
pub struct WatchedFile {
    /// Where it is.
    pub path: PathBuf,
    stamp: u64,
}

impl WatchedFile {
    /// Call this before reading.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let stamp = stamp(&path);
        Self { path, stamp }
    }

    /// How it looked, as a number that says no more than whether it is the same.
    pub fn stamp(&self) -> u64 {
        self.stamp
    }

    /// Whether it looks different now.
    pub fn has_changed(&self) -> bool {
        stamp(&self.path) != self.stamp
    }
}

/// How a file looks from outside, through symbolic links, so that a swap of a link farther up is seen, too.
fn stamp(path: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    if let Ok(metadata) = file_read::metadata(path) {
        (metadata.dev(), metadata.ino()).hash(&mut hasher);
        // A folder's times change with files that are not ours (logs); its list of names is what counts.
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
