//! Notices that a file which was read may have changed: `notify` on its folders, and a look at the files themselves
//! now and then. Reads no config and decides nothing.

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// How the watched files look from outside. Equal as long as nothing was replaced, changed, added or removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(u64);

impl Fingerprint {
    /// Looks at files and folders, through symbolic links, so that a swap of a link farther up is seen, too.
    pub fn of(paths: &[PathBuf]) -> Self {
        use std::os::unix::fs::MetadataExt;
        let mut hasher = DefaultHasher::new();
        for path in paths {
            path.hash(&mut hasher);
            let Ok(metadata) = std::fs::metadata(path) else {
                0_u8.hash(&mut hasher);
                continue;
            };
            let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            (metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec()).hash(&mut hasher);
            // A folder's size and times change with files that are not ours (logs); its list of names is what counts.
            if metadata.is_dir() { names_in(path).hash(&mut hasher) } else { (metadata.len(), modified).hash(&mut hasher) }
        }
        Self(hasher.finish())
    }
}

fn names_in(folder: &Path) -> BTreeSet<PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path()).collect()
}

/// Watches the folders of files.
pub struct FileWatch {
    watcher: Option<RecommendedWatcher>,
    folders: BTreeSet<PathBuf>,
    events: mpsc::UnboundedReceiver<()>,
}

impl Default for FileWatch {
    fn default() -> Self {
        Self::new()
    }
}

impl FileWatch {
    /// Begins with nothing to watch.
    pub fn new() -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Our own reads are events as well, and would go round for ever.
            if !event.is_ok_and(|event| event.kind.is_access()) {
                let _ = sender.send(());
            }
        });
        if let Err(error) = &watcher {
            tracing::warn!(%error, "cannot watch files; they are looked at every few seconds instead");
        }
        Self { watcher: watcher.ok(), folders: BTreeSet::new(), events }
    }

    /// Watches these files from now on, and no others.
    pub fn watch(&mut self, paths: &[PathBuf]) {
        let wanted: BTreeSet<PathBuf> = paths.iter().flat_map(|path| folders_of(path)).collect();
        let Some(watcher) = &mut self.watcher else { return };
        for gone in self.folders.difference(&wanted) {
            let _ = watcher.unwatch(gone);
        }
        for folder in &wanted {
            // Again also for known ones: a folder that was replaced has a new watch only if asked for.
            if let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive) {
                tracing::debug!(folder = %folder.display(), %error, "cannot watch a folder");
            }
        }
        self.folders = wanted;
    }

    /// Waits until something happens in a watched folder and then is quiet, or until `at_most` has passed.
    pub async fn changed(&mut self, at_most: Duration) {
        /// Editors and renewals write several files; this is long enough for them and short for people.
        const QUIET: Duration = Duration::from_millis(150);
        /// A folder that is never quiet must not keep a change waiting.
        const PATIENCE: Duration = Duration::from_secs(2);
        if !matches!(timeout(at_most, self.events.recv()).await, Ok(Some(()))) {
            if self.watcher.is_none() {
                tokio::time::sleep(at_most).await;
            }
            return;
        }
        let _ = timeout(PATIENCE, async { while let Ok(Some(())) = timeout(QUIET, self.events.recv()).await {} }).await;
    }
}

/// The folder of a file as named, and as it really is: Kubernetes swaps a link between the two.
fn folders_of(path: &Path) -> Vec<PathBuf> {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut folders = vec![parent(&absolute)];
    if let Ok(real) = absolute.canonicalize() {
        folders.push(parent(&real));
    }
    if absolute.is_dir() {
        folders.push(absolute);
    }
    folders
}

fn parent(path: &Path) -> PathBuf {
    path.parent().unwrap_or(path).to_owned()
}
