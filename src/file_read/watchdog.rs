//! File work on a thread of its own, given up when one operation makes no progress: a network file system that is away
//! blocks its readers for ever, and no signal or deadline reaches them there. Reads nothing itself.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

/// The operation on a file that is under way on a thread, if any.
#[derive(Debug, Default)]
struct ReadProgress(Mutex<Option<Operation>>);

#[derive(Clone, Debug)]
struct Operation {
    path: PathBuf,
    /// When it began, or last got something.
    at: Instant,
}

thread_local! {
    static PROGRESS: RefCell<Option<Arc<ReadProgress>>> = const { RefCell::new(None) };
}

/// Why file work gave no result.
#[derive(Debug, thiserror::Error)]
pub enum FileWorkError {
    /// An operation on a file makes no progress; its thread still waits.
    #[error("{} has not been read for {} seconds; is its file system away?", path.display(), after.as_secs())]
    Stalled {
        /// The file or folder.
        path: PathBuf,
        /// For how long.
        after: Duration,
    },
    /// It panicked; the log says more.
    #[error("reading files panicked")]
    Panicked,
    /// There is no thread for it.
    #[error("no thread can be started to read files")]
    NoThread(#[source] std::io::Error),
}

/// A place for one thread at a time, so that files that hang never gather threads.
#[derive(Debug, Default)]
pub struct FileThread(Weak<ReadProgress>);

impl FileThread {
    /// Does file work on a thread that no end of the process waits for. If the future is dropped or the work gives
    /// up, the thread goes on alone, and the next work waits for its end.
    ///
    /// # Errors
    /// [`FileWorkError`], where one operation takes `patience` without progress, or the work panics.
    pub async fn run<T: Send + 'static>(
        &mut self,
        patience: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, FileWorkError> {
        const LOOK: Duration = Duration::from_millis(10);
        const LATER_LOOKS: Duration = Duration::from_millis(100);
        while self.is_busy() {
            self.check(patience)?;
            sleep(LOOK).await;
        }
        let mut result = self.start(work)?;
        loop {
            if let Ok(done) = timeout(LATER_LOOKS, &mut result).await {
                return done.map_err(|_| FileWorkError::Panicked);
            }
            self.check(patience)?;
        }
    }

    /// Whether earlier work goes on.
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
            let done = work();
            PROGRESS.set(None);
            // Nobody waits any more if it was given up.
            let _ = sender.send(done);
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

/// Does something with a file that may take for ever, so that whoever waits knows the file.
pub fn during<T>(path: &Path, operation: impl FnOnce() -> T) -> T {
    note(|_| {
        Some(Operation {
            path: path.to_owned(),
            at: Instant::now(),
        })
    });
    let done = operation();
    note(|_| None);
    done
}

/// The operation under way has got something.
pub(super) fn progressed() {
    note(|operation| {
        operation.map(|operation| Operation {
            at: Instant::now(),
            ..operation
        })
    });
}

/// Changes what is known of the operation under way, where anybody watches.
fn note(change: impl FnOnce(Option<Operation>) -> Option<Operation>) {
    PROGRESS.with_borrow(|progress| {
        if let Some(progress) = progress {
            let mut operation = progress.lock();
            *operation = change(operation.take());
        }
    });
}
