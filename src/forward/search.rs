//! Decides when a partial head is parsed again. Parses no head.

/// Progress of the search for the end of a head. Prevents a parse per piece of a head in many small
/// pieces.
#[derive(Debug, Default)]
pub struct HeadSearch {
    searched: usize,
    next_check: usize,
}

impl HeadSearch {
    /// Whether no bytes were searched yet.
    pub fn is_new(&self) -> bool {
        self.searched == 0
    }

    /// Whether to parse the head: it may be complete, or it has doubled since the last parse (so
    /// that garbage is rejected before the timeout).
    pub fn is_worth_reading(&mut self, bytes: &[u8]) -> bool {
        const END: &[u8] = b"\r\n\r\n";
        let from = self.searched.saturating_sub(END.len() - 1);
        self.searched = bytes.len();
        // The first call does not search: most heads are complete by then.
        let complete = || {
            bytes
                .get(from..)
                .is_some_and(|tail| memchr::memmem::find(tail, END).is_some())
        };
        let worth = bytes.len() >= self.next_check || complete();
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
