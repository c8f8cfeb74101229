//! Stop accepting, finish, then close: what a draining gateway tells its parts. Knows no sockets.

use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// Told to everything that runs; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Drain {
    announced: CancellationToken,
    begun: CancellationToken,
    running: TaskTracker,
}

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Everything finished.
    Complete,
    /// The deadline passed first.
    DeadlinePassed,
}

/// What a drain waits for.
pub struct Held {
    _running: TaskTrackerToken,
}

impl Drain {
    /// Makes readiness fail, so that load balancers look elsewhere, while all goes on.
    pub fn announce(&self) {
        self.announced.cancel();
    }

    /// Whether readiness has failed.
    pub fn is_announced(&self) -> bool {
        self.announced.is_cancelled()
    }

    /// Asks everything to finish: listeners close, connections take no further request.
    pub fn begin(&self) {
        self.announced.cancel();
        self.begun.cancel();
        self.running.close();
    }

    /// Whether everything is to finish.
    pub fn has_begun(&self) -> bool {
        self.begun.is_cancelled()
    }

    /// Waits until everything is to finish.
    pub async fn begun(&self) {
        self.begun.cancelled().await;
    }

    /// A drain that begins with this one, or earlier on its own: for one listener.
    pub fn child(&self) -> Self {
        Self { announced: self.announced.clone(), begun: self.begun.child_token(), running: self.running.clone() }
    }

    /// Begins this drain alone, without waiting for others.
    pub fn begin_alone(&self) {
        self.begun.cancel();
    }

    /// A drain that has not begun, and begins `grace` from now: for what came at the last moment. Needs a runtime of
    /// this thread alone.
    pub fn later(&self, grace: Duration) -> Self {
        let begun = CancellationToken::new();
        let later = Self { announced: self.announced.clone(), begun: begun.clone(), running: self.running.clone() };
        tokio::task::spawn_local(async move {
            tokio::time::sleep(grace).await;
            begun.cancel();
        });
        later
    }

    /// Runs a task that a drain waits for.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.running.spawn(task);
    }

    /// Runs a task that a drain waits for on this thread, whose runtime must be its own.
    pub fn spawn_local(&self, task: impl Future<Output = ()> + 'static) {
        self.running.spawn_local(task);
    }

    /// A drain waits until this is dropped, as for a task: for one that is under way to another thread.
    pub fn hold(&self) -> Held {
        Held { _running: self.running.token() }
    }

    /// Waits for all tasks, at most `deadline`. Call [`Self::begin`] before.
    pub async fn finished(&self, deadline: Duration) -> Drained {
        match tokio::time::timeout(deadline, self.running.wait()).await {
            Ok(()) => Drained::Complete,
            Err(_) => Drained::DeadlinePassed,
        }
    }
}
