//! Whether requests are under way on a connection, and since when not. Closes nothing itself.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// See the module.
pub(super) struct Activity {
    under_way: AtomicUsize,
    begun: Instant,
    /// Milliseconds from `begun` to the end of the last request.
    idle_since: AtomicU64,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self { under_way: AtomicUsize::new(0), begun: Instant::now(), idle_since: AtomicU64::new(0) }
    }

    pub(super) fn request_begins(&self) {
        self.under_way.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn request_ends(&self) {
        let elapsed = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.idle_since.store(elapsed, Ordering::Relaxed);
        self.under_way.fetch_sub(1, Ordering::Release);
    }

    /// Ends when no request has been under way for the timeout.
    pub(super) async fn idle_for(&self, timeout: Duration) {
        loop {
            let now = Instant::now();
            let since = match self.under_way.load(Ordering::Acquire) {
                0 => self.begun + Duration::from_millis(self.idle_since.load(Ordering::Relaxed)),
                _ => now,
            };
            if since + timeout <= now {
                return;
            }
            sleep_until(since + timeout).await;
        }
    }
}
