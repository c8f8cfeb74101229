//! Detects changes of files that were read: system notifications for their folders, and polling.

use crate::config::WatchedFile;
use crate::error_text::with_causes;
use crate::file_read::{self, FileThread};
use notify::event::ModifyKind;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

/// Polling interval, for file systems without notifications (network file systems, bind mounts).
const POLL: Duration = Duration::from_secs(5);

/// Watches files and their folders. All file operations run on a separate thread, since they may hang.
pub struct FileWatch {
    folders: Arc<Mutex<Folders>>,
    events: mpsc::UnboundedReceiver<()>,
    files: Vec<WatchedFile>,
    thread: FileThread,
    pace: Pace,
    /// Time of a notification, or of a change found by polling, that was not reported yet. Kept here, since the future
    /// that received it may be dropped.
    pending_since: Option<Instant>,
    /// Time of the next poll. Stored as an instant: a timer inside a future that is dropped often would never expire.
    next_poll: Instant,
}

/// What ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wakeup {
    /// A system notification, followed by a quiet period.
    Notification,
    /// The time limit.
    Due,
}

/// Time limits of a watch.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// A period without notifications that ends a series of changes.
    quiet: Duration,
    /// Maximum wait for a quiet period, for folders that are never quiet.
    at_most: Duration,
    /// Maximum time without progress of file operations.
    patience: Duration,
    /// Polling interval.
    poll: Duration,
}

struct Folders {
    watcher: Option<RecommendedWatcher>,
    watched: BTreeSet<PathBuf>,
    names: WatchedNames,
}

/// Paths of the watched files, as configured and with links resolved, since notifications contain either.
type WatchedNames = Arc<Mutex<HashSet<PathBuf>>>;

impl Default for FileWatch {
    fn default() -> Self {
        Self::new()
    }
}

impl FileWatch {
    /// Creates a watch without files. Its quiet period suits editors and certificate renewals, which write several
    /// files.
    pub fn new() -> Self {
        Self::with_pace(Pace {
            quiet: Duration::from_millis(150),
            at_most: Duration::from_secs(2),
            patience: file_read::PATIENCE,
            poll: POLL,
        })
    }

    /// Creates a watch without files, with short delays for revocation files.
    pub fn of_revocations() -> Self {
        Self::with_pace(Pace {
            quiet: Duration::from_millis(50),
            at_most: Duration::from_millis(150),
            patience: Duration::from_millis(500),
            poll: POLL,
        })
    }

    fn with_pace(pace: Pace) -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        let names = WatchedNames::default();
        let watched_names = names.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.map_or(true, |event| is_relevant(&event, &watched_names)) {
                let _ = sender.send(());
            }
        });
        if let Err(error) = &watcher {
            tracing::warn!(%error, "cannot watch files; they are looked at every few seconds instead");
        }
        let folders = Folders {
            watcher: watcher.ok(),
            watched: BTreeSet::new(),
            names,
        };
        Self {
            folders: Arc::new(Mutex::new(folders)),
            events,
            files: Vec::new(),
            thread: FileThread::default(),
            pace,
            pending_since: None,
            next_poll: Instant::now() + pace.poll,
        }
    }

    /// Watches these files and no others, after a successful load. Polls at once, since changes between the read and
    /// now cause no notification.
    pub async fn watch_only(&mut self, files: Vec<WatchedFile>) {
        self.files = files;
        self.watch_folders().await;
        self.next_poll = Instant::now();
    }

    /// Adds files, after a failed load, which may have read only a part of its files.
    pub async fn watch_also(&mut self, files: &[WatchedFile]) {
        let newer: HashSet<&Path> = files.iter().map(|file| file.path.as_path()).collect();
        self.files
            .retain(|file| !newer.contains(file.path.as_path()));
        self.files.extend_from_slice(files);
        self.watch_folders().await;
        self.next_poll = Instant::now();
    }

    /// Watches the files that `find` returns, and no others. If `find` fails, nothing changes. Does not poll at once:
    /// the caller reads the files itself.
    pub async fn watch_found(&mut self, find: impl FnOnce() -> Vec<WatchedFile> + Send + 'static) {
        if let Some(files) = self.off_thread(find).await {
            self.files = files;
            self.watch_folders().await;
        }
    }

    /// Restarts the polling interval, after the files were checked or read.
    pub fn restart_poll(&mut self) {
        self.next_poll = Instant::now() + self.pace.poll;
    }

    /// Takes new stamps of all files, so that only later changes are reported. Call this before the files are read.
    pub async fn restamp(&mut self) {
        let files = self.files.clone();
        let stamped = move || {
            files
                .into_iter()
                .map(|file| WatchedFile::new(file.path))
                .collect()
        };
        if let Some(files) = self.off_thread(stamped).await {
            self.files = files;
        }
    }

    /// Waits until a file differs from its last stamp. Cancel-safe.
    pub async fn changed(&mut self) {
        loop {
            let wakeup = self.due().await;
            let files = self.files.clone();
            let has_changed = self
                .off_thread(move || files.iter().any(WatchedFile::has_changed))
                .await;
            match (has_changed, wakeup) {
                // The change may be incomplete, such as a temporary file that is about to be renamed.
                (Some(true), Wakeup::Due) => self.pending_since = Some(Instant::now()),
                (Some(true), Wakeup::Notification) => return self.restart_poll(),
                (Some(false) | None, _) => self.restart_poll(),
            }
        }
    }

    /// Waits for a notification and a quiet period, or for the next poll. Repeats at once until [`Self::restart_poll`].
    /// Cancel-safe.
    pub async fn due(&mut self) -> Wakeup {
        let at_most = self.next_poll.saturating_duration_since(Instant::now());
        let wakeup = self.notified(at_most).await;
        self.next_poll = Instant::now();
        wakeup
    }

    /// Waits for a notification and a quiet period, or until `at_most` has passed. Cancel-safe.
    pub async fn notified(&mut self, at_most: Duration) -> Wakeup {
        if self.pending_since.is_none() {
            match timeout(at_most, self.events.recv()).await {
                Ok(Some(())) => self.pending_since = Some(Instant::now()),
                Ok(None) => {
                    // The system has no notifications.
                    tokio::time::sleep(at_most).await;
                    return Wakeup::Due;
                }
                Err(_) => return Wakeup::Due,
            }
        }
        let deadline = self.pending_since.unwrap_or_else(Instant::now) + self.pace.at_most;
        let quiet = self.pace.quiet;
        let until_quiet =
            async { while let Ok(Some(())) = timeout(quiet, self.events.recv()).await {} };
        let _ = timeout_at(deadline, until_quiet).await;
        self.pending_since = None;
        Wakeup::Notification
    }

    /// The paths of the watched files.
    #[cfg(test)]
    pub fn paths(&self) -> HashSet<PathBuf> {
        self.files.iter().map(|file| file.path.clone()).collect()
    }

    async fn watch_folders(&mut self) {
        let folders = self.folders.clone();
        let files = self.files.clone();
        self.off_thread(move || {
            folders
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .watch(&files)
        })
        .await;
    }

    async fn off_thread<T: Send + 'static>(
        &mut self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let result = self.thread.run(self.pace.patience, work).await;
        result
            .map_err(|error| {
                tracing::warn!(error = with_causes(&error), "files cannot be looked at")
            })
            .ok()
    }
}

impl Folders {
    fn watch(&mut self, files: &[WatchedFile]) {
        let folders: BTreeSet<PathBuf> = files
            .iter()
            .flat_map(|file| folders_of(&file.path))
            .collect();
        let names = files.iter().flat_map(|file| names_of(&file.path)).collect();
        *self.names.lock().unwrap_or_else(PoisonError::into_inner) = names;
        let Some(watcher) = &mut self.watcher else {
            return;
        };
        for unused in self.watched.difference(&folders) {
            let _ = watcher.unwatch(unused);
        }
        for folder in &folders {
            // Also for known folders: a folder that was replaced needs a new watch.
            let watched = file_read::during(folder, || {
                watcher.watch(folder, RecursiveMode::NonRecursive)
            });
            if let Err(error) = watched {
                tracing::debug!(folder = %folder.display(), %error, "cannot watch a folder");
            }
        }
        self.watched = folders;
    }
}

/// Whether a notification may concern a watched file. Created, removed and renamed entries may be links on its path, as
/// when Kubernetes swaps `..data`. Writes to other files, such as logs, are irrelevant.
fn is_relevant(event: &Event, names: &WatchedNames) -> bool {
    match event.kind {
        // Our own reads cause these events, and would cause an endless loop.
        EventKind::Access(_) => false,
        EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Metadata(_)) => {
            let names = names.lock().unwrap_or_else(PoisonError::into_inner);
            event.paths.is_empty() || event.paths.iter().any(|path| names.contains(path))
        }
        _ => true,
    }
}

/// The absolute path of a file, and the path with links resolved.
fn names_of(path: &Path) -> Vec<PathBuf> {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let real = file_read::during(&absolute, || absolute.canonicalize()).ok();
    std::iter::once(absolute).chain(real).collect()
}

/// The folders of both paths of a file, since Kubernetes swaps a link between them.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A watch without notifications, as on a network file system, and its file.
    fn without_notices(folder: &tempfile::TempDir) -> (FileWatch, PathBuf) {
        let file = folder.path().join("gateway.toml");
        std::fs::write(&file, "one").unwrap();
        let mut watch = FileWatch::new();
        watch.pace.poll = Duration::from_millis(200);
        watch.restart_poll();
        watch.folders.lock().unwrap().watcher = None;
        (watch, file)
    }

    /// Drops the future again and again, as `select` does when something else happens.
    async fn is_noticed(watch: &mut FileWatch, within: Duration) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < within {
            if timeout(Duration::from_millis(20), watch.changed())
                .await
                .is_ok()
            {
                return true;
            }
        }
        false
    }

    fn run(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(test);
    }

    #[test]
    fn a_change_without_notice_is_seen_however_often_the_future_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        run(async {
            let (mut watch, file) = without_notices(&folder);
            watch.files = vec![WatchedFile::new(&file)];
            assert!(!is_noticed(&mut watch, Duration::from_millis(500)).await);
            std::fs::write(&file, "three").unwrap();
            assert!(is_noticed(&mut watch, Duration::from_secs(30)).await);
        });
    }

    #[test]
    fn a_change_before_the_watch_is_seen_at_once() {
        let folder = tempfile::tempdir().unwrap();
        run(async {
            let (mut watch, file) = without_notices(&folder);
            watch.pace.poll = Duration::from_secs(600);
            watch.restart_poll();
            let files = vec![WatchedFile::new(&file)];
            std::fs::write(&file, "three").unwrap();
            watch.watch_only(files).await;
            assert!(is_noticed(&mut watch, Duration::from_secs(30)).await);
        });
    }
}
