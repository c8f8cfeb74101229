//! Backoff for retries after a failed load: its cause may be temporary.

use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Exponential backoff: 1 s, doubled with each failure, at most 30 s.
#[derive(Debug, Default)]
pub(super) struct Retry {
    failures: u32,
    next_attempt: Option<Instant>,
}

impl Retry {
    const FIRST: Duration = Duration::from_secs(1);
    const LONGEST: Duration = Duration::from_secs(30);

    /// Schedules the next attempt after a failure.
    pub(super) fn failed(&mut self) {
        self.next_attempt = Some(Instant::now() + self.pause());
        self.failures = self.failures.saturating_add(1);
    }

    /// Resets the backoff, after a success or a new cause for a load.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// Waits for the next attempt. Pending forever if none is scheduled.
    pub(super) async fn due(&self) {
        match self.next_attempt {
            Some(time) => sleep_until(time).await,
            None => std::future::pending().await,
        }
    }

    /// Whether an attempt is scheduled.
    #[cfg(test)]
    pub(super) fn is_scheduled(&self) -> bool {
        self.next_attempt.is_some()
    }

    /// Number of failures since the last success or new cause.
    #[cfg(test)]
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    fn pause(&self) -> Duration {
        Self::FIRST
            .saturating_mul(2u32.saturating_pow(self.failures))
            .min(Self::LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_grows_to_a_bound_and_begins_anew() {
        let mut retry = Retry::default();
        let mut pauses = Vec::new();
        for _ in 0..40 {
            pauses.push(retry.pause().as_secs());
            retry.failed();
        }
        assert_eq!(pauses.get(..7), Some([1, 2, 4, 8, 16, 30, 30].as_slice()));
        assert_eq!(pauses.last(), Some(&30));
        retry.reset();
        assert!(retry.next_attempt.is_none() && retry.pause().as_secs() == 1);
    }
    #[tokio::test]
    async fn nothing_is_due_before_a_failure_and_after_a_reset() {
        let mut retry = Retry::default();
        let is_due = async |retry: &Retry| {
            tokio::select! {
                biased;
                () = retry.due() => true,
                () = std::future::ready(()) => false,
            }
        };
        assert!(!is_due(&retry).await);
        retry.failed();
        assert!(!is_due(&retry).await, "not at once");
        // As if the pause were over.
        retry.next_attempt = Some(Instant::now());
        retry.due().await;
        retry.reset();
        assert!(!is_due(&retry).await);
    }
}
