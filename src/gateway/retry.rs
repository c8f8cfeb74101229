//! When a load that failed is tried again: whatever its reason was, it may have passed. Loads nothing.

use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// The wait for the next attempt, which grows with each failure.
#[derive(Debug, Default)]
pub(super) struct Retry {
    failures: u32,
    at: Option<Instant>,
}

impl Retry {
    const FIRST: Duration = Duration::from_secs(1);
    const LONGEST: Duration = Duration::from_secs(30);

    /// A load has failed.
    pub(super) fn failed(&mut self) {
        self.at = Some(Instant::now() + self.pause());
        self.failures = self.failures.saturating_add(1);
    }

    /// A load has succeeded, or what is wrong may be another thing now: the next failure is the first again.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// Ends when it is time to try again; never, if nothing has failed.
    pub(super) async fn due(&self) {
        match self.at {
            Some(at) => sleep_until(at).await,
            None => std::future::pending().await,
        }
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
        assert!(retry.at.is_none() && retry.pause().as_secs() == 1);
    }
}
