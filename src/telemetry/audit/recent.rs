//! The recent decisions of one thread, as audit log lines. A ring that drops the oldest when it is
//! full or their time has passed.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Limits per thread: lines and bytes.
const MAX_LINES: usize = 4096;
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// The lines, oldest first.
#[derive(Default)]
pub(in crate::telemetry) struct RecentDecisions {
    lines: VecDeque<(Instant, Vec<u8>)>,
    bytes: usize,
}

impl RecentDecisions {
    /// Adds a line. Reuses the memory of a dropped one.
    pub(in crate::telemetry) fn add(&mut self, line: &[u8], now: Instant) {
        let mut space = Vec::new();
        while self.lines.len() >= MAX_LINES
            || (self.bytes + line.len() > MAX_BYTES && !self.lines.is_empty())
        {
            space = self.forget_oldest().unwrap_or_default();
        }
        space.clear();
        space.extend_from_slice(line);
        self.bytes += line.len();
        self.lines.push_back((now, space));
    }

    fn forget_oldest(&mut self) -> Option<Vec<u8>> {
        let (_, line) = self.lines.pop_front()?;
        self.bytes = self.bytes.saturating_sub(line.len());
        Some(line)
    }

    /// Drops lines older than `age`. A zero age drops all, and frees the memory.
    pub(in crate::telemetry) fn forget_older_than(&mut self, age: Duration, now: Instant) {
        if age.is_zero() {
            *self = Self::default();
        }
        while self
            .lines
            .front()
            .is_some_and(|(at, _)| now.saturating_duration_since(*at) > age)
        {
            self.forget_oldest();
        }
    }

    /// All lines.
    pub(in crate::telemetry) fn lines(&self) -> Vec<Vec<u8>> {
        self.lines.iter().map(|(_, line)| line.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_when_there_are_too_many_or_time_has_passed() {
        let mut recent = RecentDecisions::default();
        let now = Instant::now();
        for number in 0..MAX_LINES + 10 {
            recent.add(
                number.to_string().as_bytes(),
                now + Duration::from_secs(number as u64),
            );
        }
        assert_eq!(
            (recent.lines.len(), recent.lines()[0].as_slice()),
            (MAX_LINES, b"10".as_slice())
        );
        recent.forget_older_than(
            Duration::from_secs(1),
            now + Duration::from_secs(MAX_LINES as u64 + 9),
        );
        assert_eq!(
            recent.lines(),
            [
                (MAX_LINES + 8).to_string().as_bytes(),
                (MAX_LINES + 9).to_string().as_bytes()
            ]
        );
        recent.add(
            &vec![b'x'; MAX_BYTES],
            now + Duration::from_secs(MAX_LINES as u64 + 9),
        );
        assert_eq!((recent.lines.len(), recent.bytes), (1, MAX_BYTES));
        recent.forget_older_than(Duration::ZERO, now);
        assert_eq!((recent.lines.capacity(), recent.bytes), (0, 0));
    }
}
