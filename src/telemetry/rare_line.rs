//! Limits the rate of a log line.

use crate::clock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Seconds between two lines.
const INTERVAL: u64 = 10;

/// Decides when a line is due, and counts the suppressed events.
#[derive(Debug, Default)]
pub struct RareLine {
    /// Time of the last line, in seconds since 1970; 0 is never.
    last: AtomicU64,
    /// Events since the last line.
    since: AtomicU64,
}

impl RareLine {
    /// A line that was never written.
    pub const fn new() -> Self {
        Self {
            last: AtomicU64::new(0),
            since: AtomicU64::new(0),
        }
    }

    /// Counts one event. If a line is due, returns the number of events since the last line,
    /// including this one.
    pub fn due(&self) -> Option<u64> {
        self.due_at(clock::seconds())
    }

    fn due_at(&self, now: u64) -> Option<u64> {
        self.since.fetch_add(1, Ordering::Relaxed);
        let last = self.last.load(Ordering::Relaxed);
        // A clock that was set back must not suppress the line.
        if last != 0 && (last..last.saturating_add(INTERVAL)).contains(&now) {
            return None;
        }
        // Only one of several threads writes.
        self.last
            .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
            .ok()?;
        Some(self.since.swap(0, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_due_at_once_and_then_every_ten_seconds_with_what_came_between() {
        let line = RareLine::default();
        let due = [100, 101, 109, 110, 115, 90].map(|now| line.due_at(now));
        assert_eq!(due, [Some(1), None, None, Some(3), None, Some(2)]);
    }
}
