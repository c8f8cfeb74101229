//! Notices that a file which was read may have changed: `notify` on its folders, and a look at the files themselves
//! now and then. Reads no config and decides nothing.

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

/// How often files are looked at, in case the system's notices do not arrive (network file systems, bind mounts).
const POLL: Duration = Duration::from_secs(5);

/// Watches files and their folders. All that touches them is done on a thread that may hang.
pub struct FileWatch {
    folders: Arc<Mutex<Folders>>,
    events: mpsc::UnboundedReceiver<()>,
    files: Vec<WatchedFile>,
    thread: FileThread,
    pace: Pace,
    /// Since a notice arrived, or a look found a change, that was not acted on: the future that took it may have been dropped.
    stirred_since: Option<Instant>,
    /// When files are due to be looked at, without a notice. A time, not a wait: a wait begins anew with each future that is
    /// dropped, and futures that are dropped often would never come to look.
    look_at: Instant,
}

/// What ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wakeup {
    /// A notice of the system, after which the folders were quiet.
    Notice,
    /// The time.
    Due,
}

/// How long to wait for more of what belongs together.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// So long without a notice ends it.
    quiet: Duration,
    /// A folder that is never quiet must not keep a change waiting.
    at_most: Duration,
    /// How long work on folders may make no progress.
    patience: Duration,
    /// How often files are looked at without a notice.
    poll: Duration,
}

struct Folders {
    watcher: Option<RecommendedWatcher>,
    watched: BTreeSet<PathBuf>,
    names: WatchedNames,
}

/// The watched files, as named and as they really are: the names that notices have for them.
type WatchedNames = Arc<Mutex<HashSet<PathBuf>>>;

impl Default for FileWatch {
    fn default() -> Self {
        Self::new()
    }
}

impl FileWatch {
    /// Begins with nothing to watch. Editors and renewals write several files; the pace is long enough for them and short
    /// for people.
    pub fn new() -> Self {
        Self::with_pace(Pace {
            quiet: Duration::from_millis(150),
            at_most: Duration::from_secs(2),
            patience: file_read::PATIENCE,
            poll: POLL,
        })
    }

    /// Begins with nothing to watch, for files that revoke: these are one file each, and must not be late.
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
        let wanted = names.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.map_or(true, |event| is_relevant(&event, &wanted)) {
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
            stirred_since: None,
            look_at: Instant::now() + pace.poll,
        }
    }

    /// Watches these files from now on, and no others: after a load that succeeded. They are due to be looked at: what
    /// changed since they were read, but before they were watched, has no notice.
    pub async fn watch_only(&mut self, files: Vec<WatchedFile>) {
        self.files = files;
        self.watch_folders().await;
        self.look_at = Instant::now();
    }

    /// Watches these files, too: after a load that failed, which may have got no farther than to some of its files.
    pub async fn watch_also(&mut self, files: &[WatchedFile]) {
        let newer: HashSet<&Path> = files.iter().map(|file| file.path.as_path()).collect();
        self.files
            .retain(|file| !newer.contains(file.path.as_path()));
        self.files.extend_from_slice(files);
        self.watch_folders().await;
        self.look_at = Instant::now();
    }

    /// Watches the files that are found from now on, and no others. Where they cannot be found, all stays as it is. For who
    /// reads the files whenever they are due: they are due again after a while.
    pub async fn watch_found(&mut self, find: impl FnOnce() -> Vec<WatchedFile> + Send + 'static) {
        if let Some(files) = self.off_thread(find).await {
            self.files = files;
            self.watch_folders().await;
        }
    }

    /// The files were looked at or read: they are due again after a while.
    pub fn looked(&mut self) {
        self.look_at = Instant::now() + self.pace.poll;
    }

    /// Notes how all files look now, so that only later changes count. To be called before they are read.
    pub async fn look_again(&mut self) {
        let files = self.files.clone();
        let looked = move || {
            files
                .into_iter()
                .map(|file| WatchedFile::new(file.path))
                .collect()
        };
        if let Some(files) = self.off_thread(looked).await {
            self.files = files;
        }
    }

    /// Waits until a file looks different than when it was last looked at or read. Nothing is lost if this is dropped.
    pub async fn changed(&mut self) {
        loop {
            let wakeup = self.due().await;
            let files = self.files.clone();
            let has_changed = self
                .off_thread(move || files.iter().any(WatchedFile::has_changed))
                .await;
            match (has_changed, wakeup) {
                // The change may be under way, such as a temporary file that is about to be renamed.
                (Some(true), Wakeup::Due) => self.stirred_since = Some(Instant::now()),
                (Some(true), Wakeup::Notice) => return self.looked(),
                (Some(false) | None, _) => self.looked(),
            }
        }
    }

    /// Waits until something happens to a watched file and then is quiet, or until files are due to be looked at. They stay
    /// due until [`Self::looked`], also if this is dropped.
    pub async fn due(&mut self) -> Wakeup {
        let at_most = self.look_at.saturating_duration_since(Instant::now());
        let wakeup = self.stirred(at_most).await;
        self.look_at = Instant::now();
        wakeup
    }

    /// Waits until something happens to a watched file and then is quiet, or until `at_most` has passed. Nothing is lost if
    /// this is dropped.
    pub async fn stirred(&mut self, at_most: Duration) -> Wakeup {
        if self.stirred_since.is_none() {
            match timeout(at_most, self.events.recv()).await {
                Ok(Some(())) => self.stirred_since = Some(Instant::now()),
                Ok(None) => {
                    // Folders cannot be watched.
                    tokio::time::sleep(at_most).await;
                    return Wakeup::Due;
                }
                Err(_) => return Wakeup::Due,
            }
        }
        let deadline = self.stirred_since.unwrap_or_else(Instant::now) + self.pace.at_most;
        let quiet = self.pace.quiet;
        let until_quiet =
            async { while let Ok(Some(())) = timeout(quiet, self.events.recv()).await {} };
        let _ = timeout_at(deadline, until_quiet).await;
        self.stirred_since = None;
        Wakeup::Notice
    }

    async fn watch_folders(&mut self) {
        let (folders, files) = (self.folders.clone(), self.files.clone());
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
        let done = self.thread.run(self.pace.patience, work).await;
        done.map_err(|error| {
            tracing::warn!(error = with_causes(&error), "files cannot be looked at")
        })
        .ok()
    }
}

impl Folders {
    fn watch(&mut self, files: &[WatchedFile]) {
        let wanted: BTreeSet<PathBuf> = files
            .iter()
            .flat_map(|file| folders_of(&file.path))
            .collect();
        let names = files.iter().flat_map(|file| names_of(&file.path)).collect();
        *self.names.lock().unwrap_or_else(PoisonError::into_inner) = names;
        let Some(watcher) = &mut self.watcher else {
            return;
        };
        for gone in self.watched.difference(&wanted) {
            let _ = watcher.unwatch(gone);
        }
        for folder in &wanted {
            // Again also for known ones: a folder that was replaced has a new watch only if asked for.
            let watched = file_read::during(folder, || {
                watcher.watch(folder, RecursiveMode::NonRecursive)
            });
            if let Err(error) = watched {
                tracing::debug!(folder = %folder.display(), %error, "cannot watch a folder");
            }
        }
        self.watched = wanted;
    }
}

/// Whether a notice may be about a watched file. What appears, goes or is renamed may be a link on the way to one, as when
/// Kubernetes swaps `..data`; what is written to another file (a log) is not.
fn is_relevant(event: &Event, names: &WatchedNames) -> bool {
    match event.kind {
        // Our own reads are events as well, and would go round for ever.
        EventKind::Access(_) => false,
        EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Metadata(_)) => {
            let names = names.lock().unwrap_or_else(PoisonError::into_inner);
            event.paths.is_empty() || event.paths.iter().any(|path| names.contains(path))
        }
        _ => true,
    }
}

/// A file as named, and as it really is.
fn names_of(path: &Path) -> Vec<PathBuf> {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let real = file_read::during(&absolute, || absolute.canonicalize()).ok();
    std::iter::once(absolute).chain(real).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A watch without notices, as on a network file system, and its file.
    fn without_notices(folder: &tempfile::TempDir) -> (FileWatch, PathBuf) {
        let file = folder.path().join("gateway.toml");
        std::fs::write(&file, "one").unwrap();
        let mut watch = FileWatch::new();
        watch.pace.poll = Duration::from_millis(200);
        watch.looked();
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
            watch.looked();
            let files = vec![WatchedFile::new(&file)];
            std::fs::write(&file, "three").unwrap();
            watch.watch_only(files).await;
            assert!(is_noticed(&mut watch, Duration::from_secs(30)).await);
        });
    }
}
