//! A log line that may be due very often, and is written rarely. Writes nothing itself.

use crate::clock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Seconds between two lines.
const INTERVAL: u64 = 10;

/// Says when a line is due, and how often it would have been.
#[derive(Debug, Default)]
pub struct RareLine {
    /// When the last line was written, in seconds since 1970; 0 is never.
    last: AtomicU64,
    since: AtomicU64,
}

impl RareLine {
    /// One that was never written.
    pub const fn new() -> Self {
        Self {
            last: AtomicU64::new(0),
            since: AtomicU64::new(0),
        }
    }

    /// Counts one event. If a line is due, gives how many events there were since the last one, this one included.
    pub fn due(&self) -> Option<u64> {
        self.due_at(clock::seconds())
    }

    fn due_at(&self, now: u64) -> Option<u64> {
        self.since.fetch_add(1, Ordering::Relaxed);
        let last = self.last.load(Ordering::Relaxed);
        // A clock that was set back must not silence it.
        if last != 0 && (last..last.saturating_add(INTERVAL)).contains(&now) {
            return None;
        }
        // Of several threads one writes.
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
