//! Stop accepting, finish, then close: what a draining gateway tells its parts. Knows no sockets.

use std::pin::Pin;
use std::task::{Context};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

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

    /// Watches for the beginning from one task.
    pub fn watch(&self) -> DrainWatch {
        let drain = self.clone();
        DrainWatch { drain: self.clone(), begun: Box::pin(async move { drain.begun().await }) }
    }

    /// A drain that begins with this one, or earlier on its own: for one listener.
    pub fn child(&self) -> Self {
        Self { announced: self.announced.clone(), begun: self.begun.child_token(), running: self.running.clone() }
    }

    /// Begins this drain alone, without waiting for others.
    pub fn begin_alone(&self) {
        self.begun.cancel();
    }

    /// Runs a task that a drain waits for.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.running.spawn(task);
    }

    /// Waits for all tasks, at most `deadline`. Call [`Self::begin`] before.
    pub async fn finished(&self, deadline: Duration) -> Drained {
        match tokio::time::timeout(deadline, self.running.wait()).await {
            Ok(()) => Drained::Complete,
            Err(_) => Drained::DeadlinePassed,
        }
    }
}

/// Watches for the beginning of a drain from one task.
pub struct DrainWatch {
    drain: Drain,
    begun: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl DrainWatch {
    /// Whether the drain has begun; if not, the task is woken when it does.
    pub fn poll_begun(&mut self, context: &mut Context<'_>) -> bool {
        self.begun.as_mut().poll(context).is_ready()
    }

    /// Whether the drain has begun.
    pub fn has_begun(&self) -> bool {
        self.drain.has_begun()
    }
}
