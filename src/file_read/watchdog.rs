//! File work on a thread of its own, abandoned when one operation makes no progress. An unreachable network file system blocks
//! its readers forever, and no signal or deadline can interrupt them.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

/// The current file operation of a thread, if any.
#[derive(Debug, Default)]
struct ReadProgress(Mutex<Option<Operation>>);

#[derive(Clone, Debug)]
struct Operation {
    path: PathBuf,
    /// Time of its start or of its last progress.
    at: Instant,
}

thread_local! {
    static PROGRESS: RefCell<Option<Arc<ReadProgress>>> = const { RefCell::new(None) };
}

/// Why file work failed.
#[derive(Debug, thiserror::Error)]
pub enum FileWorkError {
    /// An operation makes no progress; its thread is still blocked.
    #[error("{} has not been read for {} seconds; is its file system away?", path.display(), after.as_secs())]
    Stalled {
        /// The file or folder.
        path: PathBuf,
        /// Time without progress.
        after: Duration,
    },
    /// It panicked; the log has the details.
    #[error("reading files panicked")]
    Panicked,
    /// The thread cannot be started.
    #[error("no thread can be started to read files")]
    NoThread(#[source] std::io::Error),
}

/// Runs at most one thread at a time, so that stalled files do not accumulate threads.
#[derive(Debug, Default)]
pub struct FileThread(Weak<ReadProgress>);

impl FileThread {
    /// Runs file work on a detached thread; the end of the process does not wait for it. If the future is dropped or the work is
    /// abandoned, the thread continues, and the next work waits for its end.
    ///
    /// # Errors
    /// [`FileWorkError`], if one operation makes no progress for `patience`, or if the work panics.
    pub async fn run<T: Send + 'static>(
        &mut self,
        patience: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, FileWorkError> {
        const BUSY_POLL: Duration = Duration::from_millis(10);
        const PROGRESS_POLL: Duration = Duration::from_millis(100);
        while self.is_busy() {
            self.check(patience)?;
            sleep(BUSY_POLL).await;
        }
        let mut result = self.start(work)?;
        loop {
            if let Ok(received) = timeout(PROGRESS_POLL, &mut result).await {
                return received.map_err(|_| FileWorkError::Panicked);
            }
            self.check(patience)?;
        }
    }

    /// Whether earlier work is still running.
    pub fn is_busy(&self) -> bool {
        self.0.strong_count() > 0
    }

    fn start<T: Send + 'static>(
        &mut self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<oneshot::Receiver<T>, FileWorkError> {
        let progress = Arc::new(ReadProgress::default());
        self.0 = Arc::downgrade(&progress);
        let (sender, result) = oneshot::channel();
        let work = move || {
            PROGRESS.set(Some(progress));
            let value = work();
            PROGRESS.set(None);
            // The receiver is gone if the work was abandoned.
            let _ = sender.send(value);
        };
        let thread = std::thread::Builder::new().name("portcullis-file".to_owned());
        thread.spawn(work).map_err(FileWorkError::NoThread)?;
        Ok(result)
    }

    fn check(&self, patience: Duration) -> Result<(), FileWorkError> {
        let operation = self
            .0
            .upgrade()
            .and_then(|progress| progress.lock().clone());
        match operation.map(|Operation { path, at }| (path, at.elapsed())) {
            Some((path, after)) if after >= patience => Err(FileWorkError::Stalled { path, after }),
            _ => Ok(()),
        }
    }
}

impl ReadProgress {
    fn lock(&self) -> MutexGuard<'_, Option<Operation>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs a file operation that may block forever, and records its path for the error of the watchdog.
pub fn during<T>(path: &Path, operation: impl FnOnce() -> T) -> T {
    note(|_| {
        Some(Operation {
            path: path.to_owned(),
            at: Instant::now(),
        })
    });
    let value = operation();
    note(|_| None);
    value
}

/// Records progress of the current operation.
pub(super) fn progressed() {
    note(|operation| {
        operation.map(|operation| Operation {
            at: Instant::now(),
            ..operation
        })
    });
}

/// Changes the record of the current operation, if this thread is watched.
fn note(change: impl FnOnce(Option<Operation>) -> Option<Operation>) {
    PROGRESS.with_borrow(|progress| {
        if let Some(progress) = progress {
            let mut operation = progress.lock();
            *operation = change(operation.take());
        }
    });
}
