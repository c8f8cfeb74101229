//! Limits which received bytes rustls may process. It gets records one by one, so that none is decrypted before there is
//! room for its plaintext, or after the keys were extracted. Decrypts nothing itself.

use super::RECORD_HEADER;

/// The prefix of the received bytes that rustls may process and has not yet discarded.
#[derive(Debug, Default)]
pub(in crate::tls) struct ReleasedRecords {
    /// The length of the prefix in bytes.
    length: usize,
    /// The length of the complete records in it.
    whole: usize,
    /// The offset of the last shown record.
    latest: usize,
}

impl ReleasedRecords {
    /// The number of bytes that rustls may process. It must see them until it discards them: it may join a message of
    /// several records, and stores only the positions of the parts.
    pub(in crate::tls) fn length(&self) -> usize {
        self.length
    }

    /// The offset of the last shown record.
    pub(in crate::tls) fn latest(&self) -> usize {
        self.latest
    }

    /// Shows the next record, or the received part of it, so that rustls can reject its header. `false` if there are no
    /// more bytes.
    pub(in crate::tls) fn extend(&mut self, received: &[u8]) -> bool {
        let before = self.length;
        self.length = received.len();
        self.latest = self.whole;
        let next = received.get(self.whole..).unwrap_or_default();
        if let Some(record) = record_length(next)
            && next.len() >= record
        {
            self.whole += record;
            self.length = self.whole;
        }
        self.length > before
    }

    /// Records that `bytes` bytes were removed from the front.
    pub(in crate::tls) fn discard(&mut self, bytes: usize) {
        self.length = self.length.saturating_sub(bytes);
        self.whole = self.whole.saturating_sub(bytes);
        self.latest = self.latest.saturating_sub(bytes);
    }

    /// The number of missing bytes of the first record that is not shown completely. `None` if its length is not known
    /// yet.
    pub(in crate::tls) fn missing(&self, received: &[u8]) -> Option<usize> {
        let next = received.get(self.whole..).unwrap_or_default();
        record_length(next).map(|record| record.saturating_sub(next.len()))
    }
}

/// The length of the first record, with its header.
fn record_length(received: &[u8]) -> Option<usize> {
    match received {
        [_, _, _, high, low, ..] => {
            Some(RECORD_HEADER + usize::from(u16::from_be_bytes([*high, *low])))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_shown_one_by_one() {
        let received = [
            &[22, 3, 3, 0, 3, 1, 2, 3][..],
            &[22, 3, 3, 0, 1, 1],
            &[22, 3, 3, 0, 9, 1],
        ]
        .concat();
        let mut shown = ReleasedRecords::default();
        assert_eq!(shown.missing(&received), Some(0));
        assert!(shown.extend(&received));
        assert_eq!(shown.length(), 8);
        // Part of a message: nothing is discarded.
        assert!(shown.extend(&received));
        assert_eq!(shown.length(), 14);
        shown.discard(14);
        let rest = &received[14..];
        assert!(shown.extend(rest));
        assert_eq!((shown.length(), shown.missing(rest)), (6, Some(8)));
        assert!(!shown.extend(rest), "nothing new");
        let whole = [rest, &[0; 20]].concat();
        assert!(shown.extend(&whole));
        assert_eq!((shown.length(), shown.missing(&whole)), (14, Some(0)));
        assert_eq!(ReleasedRecords::default().missing(&received[..4]), None);
        assert!(!ReleasedRecords::default().extend(&[]));
    }
}
