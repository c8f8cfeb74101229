//! The last decisions of one thread, as the lines that the audit log has. A ring: when it is full, or time has passed,
//! the oldest goes. Shares nothing with other threads.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// So many are remembered by a thread, and so many bytes of them.
const MOST: usize = 4096;
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// The lines, the oldest first.
#[derive(Default)]
pub(in crate::telemetry) struct Recent {
    lines: VecDeque<(Instant, Vec<u8>)>,
    bytes: usize,
}

impl Recent {
    /// Remembers one more. The memory of one that goes is used again.
    pub(in crate::telemetry) fn add(&mut self, line: &[u8], now: Instant) {
        let mut room = Vec::new();
        while self.lines.len() >= MOST
            || (self.bytes + line.len() > MOST_BYTES && !self.lines.is_empty())
        {
            room = self.forget_oldest().unwrap_or_default();
        }
        room.clear();
        room.extend_from_slice(line);
        self.bytes += line.len();
        self.lines.push_back((now, room));
    }

    fn forget_oldest(&mut self) -> Option<Vec<u8>> {
        let (_, line) = self.lines.pop_front()?;
        self.bytes = self.bytes.saturating_sub(line.len());
        Some(line)
    }

    /// Forgets what is older than this; all of it, and its memory, if that is nothing.
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

    /// What is remembered.
    pub(in crate::telemetry) fn lines(&self) -> Vec<Vec<u8>> {
        self.lines.iter().map(|(_, line)| line.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_when_there_are_too_many_or_time_has_passed() {
        let (mut recent, now) = (Recent::default(), Instant::now());
        for number in 0..MOST + 10 {
            recent.add(
                number.to_string().as_bytes(),
                now + Duration::from_secs(number as u64),
            );
        }
        assert_eq!(
            (recent.lines.len(), recent.lines()[0].as_slice()),
            (MOST, b"10".as_slice())
        );
        recent.forget_older_than(
            Duration::from_secs(1),
            now + Duration::from_secs(MOST as u64 + 9),
        );
        assert_eq!(
            recent.lines(),
            [
                (MOST + 8).to_string().as_bytes(),
                (MOST + 9).to_string().as_bytes()
            ]
        );
        recent.add(
            &vec![b'x'; MOST_BYTES],
            now + Duration::from_secs(MOST as u64 + 9),
        );
        assert_eq!((recent.lines.len(), recent.bytes), (1, MOST_BYTES));
        recent.forget_older_than(Duration::ZERO, now);
        assert_eq!((recent.lines.capacity(), recent.bytes), (0, 0));
    }
}
