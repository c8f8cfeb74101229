//! When a head that comes in pieces is worth reading. Reads none itself.

/// How far the end of a head was looked for, so that a head in many small pieces is not read anew for each.
#[derive(Debug, Default)]
pub struct HeadSearch {
    searched: usize,
    next_check: usize,
}

impl HeadSearch {
    /// Whether nothing was looked at yet.
    pub fn is_new(&self) -> bool {
        self.searched == 0
    }

    /// Whether reading the head is worth it: it may be whole, or is twice as long as when it was last read (so that
    /// garbage is refused before it times out).
    pub fn is_worth_reading(&mut self, bytes: &[u8]) -> bool {
        const END: &[u8] = b"\r\n\r\n";
        let from = self.searched.saturating_sub(END.len() - 1);
        self.searched = bytes.len();
        // At the first look nothing is searched: nearly all heads are whole by then.
        let whole = || {
            bytes
                .get(from..)
                .is_some_and(|tail| memchr::memmem::find(tail, END).is_some())
        };
        let worth = bytes.len() >= self.next_check || whole();
        if worth {
            self.next_check = bytes.len().saturating_mul(2);
        }
        worth
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_when_it_is_whole_or_has_grown_much() {
        let mut search = HeadSearch::default();
        assert!(search.is_new() && search.is_worth_reading(b"GET /"));
        assert!(!search.is_new() && !search.is_worth_reading(b"GET / HT"));
        assert!(search.is_worth_reading(b"GET / HTTP"), "twice as long");
        assert!(!search.is_worth_reading(b"GET / HTTP/1.1\r\n\r"));
        assert!(
            search.is_worth_reading(b"GET / HTTP/1.1\r\n\r\n"),
            "an end in two pieces"
        );
    }
}
