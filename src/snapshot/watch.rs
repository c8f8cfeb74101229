//! Notices that a file which was read may have changed: `notify` on its folders, and a look at the files themselves
//! now and then. Reads no config and decides nothing.

use crate::config::WatchedFile;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

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
    pub fn watch(&mut self, files: &[WatchedFile]) {
        let wanted: BTreeSet<PathBuf> = files.iter().flat_map(|file| folders_of(&file.path)).collect();
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
