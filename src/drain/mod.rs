//! Stop accepting, finish, then close: what a draining gateway tells its parts. Knows no sockets.

mod watch;

pub use watch::DrainWatch;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// Told to everything that runs; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Drain {
    announced: CancellationToken,
    begun: Beginning,
    running: TaskTracker,
    /// For whom it begins later than for others.
    not_before: Option<Instant>,
}

/// When a drain begins, and a number that no other has.
#[derive(Clone, Debug)]
struct Beginning {
    token: CancellationToken,
    id: u64,
}

impl Default for Beginning {
    fn default() -> Self {
        Self::of(CancellationToken::new())
    }
}

impl Beginning {
    fn of(token: CancellationToken) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        Self {
            token,
            id: COUNT.fetch_add(1, Ordering::Relaxed),
        }
    }
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
        self.begun.token.cancel();
        self.running.close();
    }

    /// Whether everything is to finish.
    pub fn has_begun(&self) -> bool {
        self.begun.token.is_cancelled() && self.not_before.is_none_or(|at| at <= Instant::now())
    }

    /// Waits until everything is to finish.
    pub async fn begun(&self) {
        self.begun.token.cancelled().await;
        if let Some(at) = self.not_before {
            tokio::time::sleep_until(at).await;
        }
    }

    /// A drain that begins with this one, or earlier on its own: for one listener.
    pub fn child(&self) -> Self {
        Self {
            begun: Beginning::of(self.begun.token.child_token()),
            ..self.clone()
        }
    }

    /// Begins this drain alone, without waiting for others.
    pub fn begin_alone(&self) {
        self.begun.token.cancel();
    }

    /// The same drain, as those see it who came at the last moment: it begins no sooner than `grace` from now.
    pub fn later(&self, grace: Duration) -> Self {
        let begun = Beginning::of(self.begun.token.clone());
        Self {
            begun,
            not_before: Some(Instant::now() + grace),
            ..self.clone()
        }
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
        Held {
            _running: self.running.token(),
        }
    }

    /// Waits for all tasks, at most `deadline`. Call [`Self::begin`] before.
    pub async fn finished(&self, deadline: Duration) -> Drained {
        match tokio::time::timeout(deadline, self.running.wait()).await {
            Ok(()) => Drained::Complete,
            Err(_) => Drained::DeadlinePassed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn a_drain_begins_later_for_those_who_came_at_the_last_moment() {
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
            Drained::DeadlinePassed
        );
        drop(held);
        assert_eq!(drain.finished(LONG).await, Drained::Complete);
    }
}
