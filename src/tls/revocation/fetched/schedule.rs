//! When a URL is fetched: regularly, before its list is due, and soon after a failure. With random jitter, so that many
//! gateways do not fetch at once. Fetches nothing.

use crate::config::WatchedFile;
use crate::fetch::Validators;
use crate::tls::random;
use std::time::{Duration, Instant};

/// Minimum pause after a failure.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
/// Maximum pause after a failure.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);
/// Minimum pause before a list is due.
const SHORTEST_REFRESH: Duration = Duration::from_secs(5);

/// The fetch state of one URL.
#[derive(Debug, Default)]
pub(super) struct CrlSource {
    running: bool,
    /// The time of the next fetch; `None` means at once.
    next: Option<Instant>,
    /// Consecutive failures.
    failures: u32,
    /// For a conditional request.
    validators: Option<Validators>,
    /// The files on disk with the lists of its last response.
    files: Vec<WatchedFile>,
    /// Seconds since 1970.
    next_update: Option<i64>,
    /// Seconds since 1970.
    pub(super) last_success: Option<i64>,
    pub(super) last_result: Option<&'static str>,
}

impl CrlSource {
    pub(super) fn is_running(&self) -> bool {
        self.running
    }

    /// Whether a fetch is due, also because fetched files were removed or changed.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        let is_time = self.next.is_none_or(|next| next <= now);
        !self.running && (is_time || (self.failures == 0 && self.has_lost_files()))
    }

    pub(super) fn begin(&mut self) {
        self.running = true;
    }

    fn has_lost_files(&self) -> bool {
        self.files.iter().any(WatchedFile::has_changed)
    }

    /// The validators for a conditional request, only while the fetched files exist.
    pub(super) fn current_validators(&self) -> Option<Validators> {
        self.validators
            .clone()
            .filter(|_| !self.files.is_empty() && !self.has_lost_files())
    }

    pub(super) fn keep(
        &mut self,
        validators: Validators,
        files: Vec<WatchedFile>,
        next_update: Option<i64>,
    ) {
        self.validators = Some(validators);
        self.files = files;
        self.next_update = next_update;
    }

    /// Records the end of a fetch; `now` in seconds since 1970.
    pub(super) fn end(
        &mut self,
        word: &'static str,
        is_success: bool,
        refresh: Duration,
        now: i64,
    ) {
        self.running = false;
        self.last_result = Some(word);
        let is_stale = self.next_update.is_some_and(|due| due <= now);
        if is_success {
            self.last_success = Some(now);
        }
        // A list that is already past its next update counts as a failure.
        self.failures = if is_success && !is_stale {
            0
        } else {
            self.failures.saturating_add(1)
        };
        self.next =
            Instant::now().checked_add(self.pause(refresh, now).mul_f64(0.9 + 0.1 * fraction()));
    }

    fn pause(&self, refresh: Duration, now: i64) -> Duration {
        if let Some(doublings) = self.failures.checked_sub(1) {
            let pause = SHORTEST_PAUSE
                .saturating_mul(1 << doublings.min(16))
                .min(LONGEST_PAUSE.min(refresh));
            return pause.max(SHORTEST_PAUSE);
        }
        // Half of the remaining time, so that there is time for retries.
        let remaining = self
            .next_update
            .and_then(|due| u64::try_from(due.saturating_sub(now)).ok());
        let half = remaining.map_or(refresh, |seconds| {
            Duration::from_secs(seconds / 2).max(SHORTEST_REFRESH)
        });
        refresh.min(half)
    }
}

/// A random number from 0 to 1.
fn fraction() -> f64 {
    let [byte] = random::<1>();
    f64::from(byte) / 255.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_asked_before_the_list_is_due_and_soon_after_a_failure() {
        const HOUR: Duration = Duration::from_secs(3600);
        let pause = |next_update, failures| {
            CrlSource {
                next_update,
                failures,
                ..CrlSource::default()
            }
            .pause(HOUR, 1000)
        };
        assert_eq!(pause(None, 0), HOUR);
        assert_eq!(pause(Some(1000 + 86_400), 0), HOUR);
        assert_eq!(pause(Some(1000 + 600), 0), Duration::from_secs(300));
        assert_eq!(pause(Some(1001), 0), SHORTEST_REFRESH);
        assert_eq!(
            [1, 2, 3, 40].map(|failures| pause(None, failures).as_secs()),
            [1, 2, 4, 600]
        );
    }

    #[test]
    fn one_fetch_runs_at_a_time_and_an_overdue_list_is_a_failure() {
        let mut source = CrlSource::default();
        let now = Instant::now();
        assert!(source.is_due(now));
        source.begin();
        assert!(!source.is_due(now));
        source.end("new", true, Duration::from_secs(60), 5);
        assert!(!source.is_due(Instant::now()) && source.is_due(now + Duration::from_secs(61)));
        source.next_update = Some(4);
        source.end("unchanged", true, Duration::from_secs(60), 5);
        assert_eq!((source.failures, source.last_success), (1, Some(5)));
        source.end("timeout", false, Duration::from_secs(60), 9);
        assert_eq!(
            (source.failures, source.last_success, source.last_result),
            (2, Some(5), Some("timeout"))
        );
    }
}
