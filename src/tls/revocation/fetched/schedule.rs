//! When a URL is asked again: regularly, before its list is due, and soon after a failure, each a little at random, so that
//! many gateways do not ask at once. Fetches nothing.

use crate::config::WatchedFile;
use crate::fetch::Validators;
use crate::tls::random;
use std::time::{Duration, Instant};

const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(600);
/// Before a list is due, however soon that is.
const SHORTEST_REFRESH: Duration = Duration::from_secs(5);

/// One URL.
#[derive(Debug, Default)]
pub(super) struct Source {
    running: bool,
    /// `None`: at once.
    next: Option<Instant>,
    failures: u32,
    validators: Option<Validators>,
    /// What its last answer has put, or found, on disk.
    files: Vec<WatchedFile>,
    /// Seconds since 1970.
    next_update: Option<i64>,
    /// Seconds since 1970.
    pub(super) last_success: Option<i64>,
    pub(super) last_result: Option<&'static str>,
}

impl Source {
    pub(super) fn is_running(&self) -> bool {
        self.running
    }

    /// Whether it is time; also if somebody has taken away what was fetched.
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

    /// What the server may compare with: only as long as we still have it.
    pub(super) fn known(&self) -> Option<Validators> {
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
        (self.validators, self.files, self.next_update) = (Some(validators), files, next_update);
    }

    /// A fetch has ended; `now` in seconds since 1970.
    pub(super) fn ended(&mut self, word: &'static str, is_good: bool, refresh: Duration, now: i64) {
        (self.running, self.last_result) = (false, Some(word));
        let is_stale = self.next_update.is_some_and(|due| due <= now);
        if is_good {
            self.last_success = Some(now);
        }
        // A list that is too old already is no better than none.
        self.failures = if is_good && !is_stale {
            0
        } else {
            self.failures.saturating_add(1)
        };
        self.next =
            Instant::now().checked_add(self.pause(refresh, now).mul_f64(0.9 + 0.1 * fraction()));
    }

    fn pause(&self, refresh: Duration, now: i64) -> Duration {
        if let Some(times) = self.failures.checked_sub(1) {
            let pause = SHORTEST_PAUSE
                .saturating_mul(1 << times.min(16))
                .min(LONGEST_PAUSE.min(refresh));
            return pause.max(SHORTEST_PAUSE);
        }
        // Half of what is left: if that fails, there is time to try again.
        let left = self
            .next_update
            .and_then(|due| u64::try_from(due.saturating_sub(now)).ok());
        let half = left.map_or(refresh, |left| {
            Duration::from_secs(left / 2).max(SHORTEST_REFRESH)
        });
        refresh.min(half)
    }
}

/// From 0 to 1, at random.
fn fraction() -> f64 {
    let [octet] = random::<1>();
    f64::from(octet) / 255.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_asked_before_the_list_is_due_and_soon_after_a_failure() {
        const HOUR: Duration = Duration::from_secs(3600);
        let pause = |next_update, failures| {
            Source {
                next_update,
                failures,
                ..Source::default()
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
    fn one_fetch_at_a_time_and_a_list_that_is_too_old_counts_as_a_failure() {
        let (mut source, now) = (Source::default(), Instant::now());
        assert!(source.is_due(now));
        source.begin();
        assert!(!source.is_due(now));
        source.ended("new", true, Duration::from_secs(60), 5);
        assert!(!source.is_due(Instant::now()) && source.is_due(now + Duration::from_secs(61)));
        source.next_update = Some(4);
        source.ended("unchanged", true, Duration::from_secs(60), 5);
        assert_eq!((source.failures, source.last_success), (1, Some(5)));
        source.ended("timeout", false, Duration::from_secs(60), 9);
        assert_eq!(
            (source.failures, source.last_success, source.last_result),
            (2, Some(5), Some("timeout"))
        );
    }
}
