//! The ID of one request, also of its decision: unique over threads and restarts, and no secret.

use std::cell::RefCell;
use std::fmt;
use std::ops::Deref;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// 16 digits for the process, 8 for the thread, 16 for the count, and the dashes between them.
const LONGEST: usize = 16 + 1 + 8 + 1 + 16;

/// The ID of one request, as text without an allocation.
#[derive(Clone, Copy)]
pub(super) struct RequestId {
    text: [u8; LONGEST],
    length: u8,
}

/// A new unique ID.
pub(super) fn request_id() -> RequestId {
    thread_local! {
        static GENERATOR: RefCell<IdGenerator> = RefCell::new(IdGenerator::new());
    }
    GENERATOR.with_borrow_mut(IdGenerator::next)
}

/// Generates the IDs of one thread, so that threads share nothing.
struct IdGenerator {
    /// `process-thread-`
    prefix: RequestId,
    count: u64,
}

impl IdGenerator {
    fn new() -> Self {
        static PROCESS: OnceLock<u64> = OnceLock::new();
        static THREADS: AtomicU32 = AtomicU32::new(0);
        let process = *PROCESS.get_or_init(|| u64::from_le_bytes(crate::tls::random()));
        let mut prefix = RequestId {
            text: [0; LONGEST],
            length: 0,
        };
        for nibble in (0..16).rev() {
            prefix.push(hex(process >> (4 * nibble)));
        }
        prefix.push(b'-');
        prefix.push_number(u64::from(THREADS.fetch_add(1, Ordering::Relaxed)));
        prefix.push(b'-');
        Self { prefix, count: 0 }
    }

    fn next(&mut self) -> RequestId {
        let mut id = self.prefix;
        id.push_number(self.count);
        self.count += 1;
        id
    }
}

impl RequestId {
    fn push(&mut self, byte: u8) {
        if let Some(place) = self.text.get_mut(usize::from(self.length)) {
            *place = byte;
            self.length += 1;
        }
    }

    /// In hexadecimal, without leading zeros.
    fn push_number(&mut self, number: u64) {
        let digits = (u64::BITS - number.leading_zeros()).div_ceil(4).max(1);
        for nibble in (0..digits).rev() {
            self.push(hex(number >> (4 * nibble)));
        }
    }
}

/// The lowest four bits.
fn hex(number: u64) -> u8 {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let nibble = usize::try_from(number & 0xf).unwrap_or(0);
    DIGITS.get(nibble).copied().unwrap_or(b'0')
}

impl Deref for RequestId {
    type Target = str;

    fn deref(&self) -> &str {
        let text = self
            .text
            .get(..usize::from(self.length))
            .and_then(|text| std::str::from_utf8(text).ok());
        // The text has only digits and dashes.
        text.unwrap_or_default()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique_over_threads() {
        let threads: Vec<_> = (0..4)
            .map(|_| std::thread::spawn(|| (0..1000).map(|_| request_id().to_string()).collect()))
            .collect();
        let names: Vec<Vec<String>> = threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .collect();
        let unique: HashSet<&String> = names.iter().flatten().collect();
        assert_eq!(unique.len(), 4000);
        let processes: HashSet<&str> = names
            .iter()
            .flatten()
            .filter_map(|name| name.get(..16))
            .collect();
        assert_eq!(processes.len(), 1, "one process");
    }

    #[test]
    fn the_longest_name_has_its_place() {
        let mut names = IdGenerator::new();
        names.prefix.length = 17;
        names.prefix.push_number(u64::from(u32::MAX));
        names.prefix.push(b'-');
        names.count = u64::MAX - 1;
        assert!(names.next().ends_with("-ffffffff-fffffffffffffffe"));
    }

    proptest! {
        #[test]
        fn numbers_are_written_as_the_library_writes_them(number: u64) {
            let mut id = RequestId { text: [0; LONGEST], length: 0 };
            id.push_number(number);
            prop_assert_eq!(id.to_string(), format!("{number:x}"));
        }
    }
}
