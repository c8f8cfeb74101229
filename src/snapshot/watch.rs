//! Notices that a file which was read may have changed: `notify` on its folders, and a look at the files themselves
//! now and then. Reads no config and decides nothing.

use crate::config::WatchedFile;
use crate::file_read::{self, FileThread};
use crate::respond::with_causes;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// How often files are looked at, in case the system's notices do not arrive (network file systems, bind mounts).
const POLL: Duration = Duration::from_secs(5);

/// Watches files and their folders. All that touches them is done on a thread that may hang.
pub struct FileWatch {
    folders: Arc<Mutex<Folders>>,
    events: mpsc::UnboundedReceiver<()>,
    files: Vec<WatchedFile>,
    thread: FileThread,
}

struct Folders {
    watcher: Option<RecommendedWatcher>,
    watched: BTreeSet<PathBuf>,
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
        let folders = Folders { watcher: watcher.ok(), watched: BTreeSet::new() };
        Self { folders: Arc::new(Mutex::new(folders)), events, files: Vec::new(), thread: FileThread::default() }
    }

    /// Watches these files from now on, and no others: after a load that succeeded.
    pub async fn watch_only(&mut self, files: Vec<WatchedFile>) {
        self.files = files;
        self.watch_folders().await;
    }

    /// Watches these files, too: after a load that failed, which may have got no farther than to some of its files.
    pub async fn watch_also(&mut self, files: &[WatchedFile]) {
        let newer: HashSet<&Path> = files.iter().map(|file| file.path.as_path()).collect();
        self.files.retain(|file| !newer.contains(file.path.as_path()));
        self.files.extend_from_slice(files);
        self.watch_folders().await;
    }

    /// Notes how all files look now, so that only later changes count. To be called before they are read.
    pub async fn look_again(&mut self) {
        let files = self.files.clone();
        let looked = move || files.into_iter().map(|file| WatchedFile::new(file.path)).collect();
        if let Some(files) = self.off_thread(looked).await {
            self.files = files;
        }
    }

    /// Waits until a file looks different than when it was last looked at or read.
    pub async fn changed(&mut self) {
        loop {
            self.stirred(POLL).await;
            let files = self.files.clone();
            if self.off_thread(move || files.iter().any(WatchedFile::has_changed)).await == Some(true) {
                return;
            }
        }
    }

    /// Waits until something happens in a watched folder and then is quiet, or until `at_most` has passed.
    pub async fn stirred(&mut self, at_most: Duration) {
        /// Editors and renewals write several files; this is long enough for them and short for people.
        const QUIET: Duration = Duration::from_millis(150);
        /// A folder that is never quiet must not keep a change waiting.
        const PATIENCE: Duration = Duration::from_secs(2);
        match timeout(at_most, self.events.recv()).await {
            Ok(Some(())) => {}
            // Nobody watches folders.
            Ok(None) => return tokio::time::sleep(at_most).await,
            Err(_) => return,
        }
        let _ = timeout(PATIENCE, async { while let Ok(Some(())) = timeout(QUIET, self.events.recv()).await {} }).await;
    }

    async fn watch_folders(&mut self) {
        let (folders, files) = (self.folders.clone(), self.files.clone());
        self.off_thread(move || folders.lock().unwrap_or_else(PoisonError::into_inner).watch(&files)).await;
    }

    async fn off_thread<T: Send + 'static>(&mut self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let done = self.thread.run(file_read::PATIENCE, work).await;
        done.map_err(|error| tracing::warn!(error = with_causes(&error), "files cannot be looked at")).ok()
    }
}

impl Folders {
    fn watch(&mut self, files: &[WatchedFile]) {
        let wanted: BTreeSet<PathBuf> = files.iter().flat_map(|file| folders_of(&file.path)).collect();
        let Some(watcher) = &mut self.watcher else { return };
        for gone in self.watched.difference(&wanted) {
            let _ = watcher.unwatch(gone);
        }
        for folder in &wanted {
            // Again also for known ones: a folder that was replaced has a new watch only if asked for.
            let watched = file_read::during(folder, || watcher.watch(folder, RecursiveMode::NonRecursive));
            if let Err(error) = watched {
                tracing::debug!(folder = %folder.display(), %error, "cannot watch a folder");
            }
        }
        self.watched = wanted;
    }
}

/// The folder of a file as named, and as it really is: Kubernetes swaps a link between the two.
fn folders_of(path: &Path) -> Vec<PathBuf> {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut folders = vec![parent(&absolute)];
    if let Ok(real) = file_read::during(&absolute, || absolute.canonicalize()) {
        folders.push(parent(&real));
    }
    if file_read::is_folder(&absolute) {
        folders.push(absolute);
    }
    folders
}

fn parent(path: &Path) -> PathBuf {
    path.parent().unwrap_or(path).to_owned()
}
