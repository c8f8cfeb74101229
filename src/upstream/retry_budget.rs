//! The budget of one worker for retries on another endpoint, so that retries do not multiply the load of an upstream that
//! fails. Reads no clock.

use std::time::{Duration, Instant};

/// The cost of one retry. A request adds its share in percent.
const RETRY: u32 = 100;
/// Retries that the budget begins with.
const FIRST: u32 = 10 * RETRY;
/// Retries that the budget can hold.
const MAX: u32 = 20 * RETRY;
/// Retries that are added per second even without requests.
const PER_SECOND: u32 = RETRY;

/// A token bucket.
#[derive(Debug)]
pub(super) struct RetryBudget {
    credit: u32,
    /// When retries were last added by time.
    refilled: Option<Instant>,
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self {
            credit: FIRST,
            refilled: None,
        }
    }
}

impl RetryBudget {
    /// Adds the share of one request.
    pub(super) fn add_request(&mut self, percent: u32) {
        self.credit = self.credit.saturating_add(percent).min(MAX);
    }

    /// Takes a retry if there is one left.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let since = now.saturating_duration_since(*self.refilled.get_or_insert(now));
        if since >= Duration::from_secs(1) {
            let seconds = u32::try_from(since.as_secs()).unwrap_or(u32::MAX);
            let added = PER_SECOND.saturating_mul(seconds);
            self.credit = self.credit.saturating_add(added).min(MAX);
            self.refilled = Some(now);
        }
        match self.credit.checked_sub(RETRY) {
            Some(left) => {
                self.credit = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(budget: &mut RetryBudget, now: Instant) -> usize {
        std::iter::from_fn(|| budget.take(now).then_some(())).count()
    }

    #[test]
    fn requests_and_time_add_retries_up_to_a_maximum() {
        let start = Instant::now();
        let mut budget = RetryBudget::default();
        assert_eq!(taken(&mut budget, start), 10);
        for _ in 0..4 {
            budget.add_request(20);
        }
        assert_eq!(taken(&mut budget, start), 0);
        budget.add_request(20);
        assert_eq!(taken(&mut budget, start), 1, "one for five requests");
        assert_eq!(taken(&mut budget, start + Duration::from_millis(999)), 0);
        assert_eq!(taken(&mut budget, start + Duration::from_secs(2)), 2);
        assert_eq!(taken(&mut budget, start + Duration::from_secs(3600)), 20);
        for _ in 0..1000 {
            budget.add_request(20);
        }
        assert_eq!(taken(&mut budget, start + Duration::from_secs(3600)), 20);
    }
}
