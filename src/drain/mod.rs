//! Draining: listeners stop accepting, requests finish, connections close.

mod watch;

pub use watch::DrainWatch;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// The drain state, shared with all tasks; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Drain {
    announced: CancellationToken,
    start: DrainStart,
    running: TaskTracker,
    /// For connections accepted at the last moment: the drain starts at this time at the earliest.
    not_before: Option<Instant>,
}

/// The start signal of a drain, with a process-wide unique number.
#[derive(Clone, Debug)]
struct DrainStart {
    token: CancellationToken,
    id: u64,
}

impl Default for DrainStart {
    fn default() -> Self {
        Self::of(CancellationToken::new())
    }
}

impl DrainStart {
    fn of(token: CancellationToken) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        Self {
            token,
            id: COUNT.fetch_add(1, Ordering::Relaxed),
        }
    }
}

/// The result of a drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DrainOutcome {
    /// Everything finished.
    Complete,
    /// The deadline passed first.
    DeadlinePassed,
}

/// A drain waits until this is dropped.
pub struct DrainHold {
    _running: TaskTrackerToken,
}

impl Drain {
    /// Makes the readiness probe fail, so that load balancers choose another gateway. Requests are still served.
    pub fn announce(&self) {
        self.announced.cancel();
    }

    /// Whether the readiness probe fails.
    pub fn is_announced(&self) -> bool {
        self.announced.is_cancelled()
    }

    /// Starts the drain: listeners close, connections take no further request.
    pub fn begin(&self) {
        self.announced.cancel();
        self.start.token.cancel();
        self.running.close();
    }

    /// Whether the drain has started.
    pub fn has_begun(&self) -> bool {
        self.start.token.is_cancelled() && self.not_before.is_none_or(|at| at <= Instant::now())
    }

    /// Waits for the start of the drain.
    pub async fn begun(&self) {
        self.start.token.cancelled().await;
        if let Some(at) = self.not_before {
            tokio::time::sleep_until(at).await;
        }
    }

    /// A drain that starts with this one, or earlier by [`Self::begin_alone`]: for one listener.
    pub fn child(&self) -> Self {
        Self {
            start: DrainStart::of(self.start.token.child_token()),
            ..self.clone()
        }
    }

    /// Starts this child drain alone.
    pub fn begin_alone(&self) {
        self.start.token.cancel();
    }

    /// The same drain for a connection accepted at the last moment: it starts no sooner than `grace` from now.
    pub fn later(&self, grace: Duration) -> Self {
        let start = DrainStart::of(self.start.token.clone());
        Self {
            start,
            not_before: Some(Instant::now() + grace),
            ..self.clone()
        }
    }

    /// Spawns a task that the drain waits for.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.running.spawn(task);
    }

    /// Spawns a task on this thread that the drain waits for. The runtime must be a `LocalRuntime`.
    pub fn spawn_local(&self, task: impl Future<Output = ()> + 'static) {
        self.running.spawn_local(task);
    }

    /// Makes the drain wait until the result is dropped, for a connection that is being moved to another thread.
    pub fn hold(&self) -> DrainHold {
        DrainHold {
            _running: self.running.token(),
        }
    }

    /// Waits for all tasks, at most `deadline`. Call [`Self::begin`] first.
    pub async fn finished(&self, deadline: Duration) -> DrainOutcome {
        match tokio::time::timeout(deadline, self.running.wait()).await {
            Ok(()) => DrainOutcome::Complete,
            Err(_) => DrainOutcome::DeadlinePassed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn a_drain_begins_later_for_connections_accepted_last() {
        let drain = Drain::default();
        let (soon, late) = (drain.later(Duration::ZERO), drain.later(LONG));
        assert!(!soon.has_begun() && !late.has_begun());
        drain.begin();
        assert!(drain.has_begun() && soon.has_begun() && soon.child().has_begun());
        assert!(!late.has_begun() && !late.child().has_begun());
        soon.begun().await;
    }

    #[tokio::test]
    async fn a_drain_waits_for_what_is_held() {
        let drain = Drain::default();
        let held = drain.child().hold();
        drain.begin();
        assert_eq!(
            drain.finished(Duration::ZERO).await,
            DrainOutcome::DeadlinePassed
        );
        drop(held);
        assert_eq!(drain.finished(LONG).await, DrainOutcome::Complete);
    }
}
