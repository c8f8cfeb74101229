//! How much of what was received rustls may see. It gets records one by one, so that none is opened before there is room for
//! its plaintext, or after the keys were taken over. Opens nothing itself.

use super::RECORD_HEADER;

/// The front part of received bytes that an unbuffered connection of rustls has seen and not yet told to discard.
#[derive(Debug, Default)]
pub(in crate::tls) struct ShownRecords {
    /// How many bytes.
    length: usize,
    /// How many of them are whole records.
    whole: usize,
    /// Where the record begins that was shown last.
    latest: usize,
}

impl ShownRecords {
    /// How many bytes rustls sees. It must see them until it says otherwise: it may have to join a message of several
    /// records, and keeps only where the parts lie.
    pub(in crate::tls) fn length(&self) -> usize {
        self.length
    }

    /// Where the record begins that was shown last.
    pub(in crate::tls) fn latest(&self) -> usize {
        self.latest
    }

    /// Shows the next record, or what is here of it, so that rustls can reject its header. `false` if there is nothing new.
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

    /// Rustls is done with so many bytes, which are gone now.
    pub(in crate::tls) fn discard(&mut self, bytes: usize) {
        self.length = self.length.saturating_sub(bytes);
        self.whole = self.whole.saturating_sub(bytes);
        self.latest = self.latest.saturating_sub(bytes);
    }

    /// How many bytes are missing of the first record that is not shown whole. `None` if its length is not known yet.
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
        let mut shown = ShownRecords::default();
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
        assert_eq!(ShownRecords::default().missing(&received[..4]), None);
        assert!(!ShownRecords::default().extend(&[]));
    }
}
