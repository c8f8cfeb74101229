//! The receive buffer for records that rustls has not decrypted yet. Holds a slab only while it contains data, and less
//! memory while the connection waits. Decrypts nothing itself.

use super::{ReleasedRecords, Slab};
use std::ops::Range;

/// The received bytes that rustls still needs.
#[derive(Debug, Default)]
pub(in crate::tls) struct ReceivedRecords {
    memory: Buffer,
    rest: Range<usize>,
    released: ReleasedRecords,
}

#[derive(Debug, Default)]
enum Buffer {
    #[default]
    None,
    Slab(Slab),
    /// Exactly the received bytes.
    Exact(Box<[u8]>),
}

impl Buffer {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::None => &[],
            Self::Slab(slab) => slab,
            Self::Exact(bytes) => bytes,
        }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Self::None => &mut [],
            Self::Slab(slab) => slab,
            Self::Exact(bytes) => bytes,
        }
    }
}

impl ReceivedRecords {
    /// The bytes received after a handshake, and how many of them rustls has seen.
    pub(in crate::tls) fn new(received: Vec<u8>, released: ReleasedRecords) -> Self {
        let rest = 0..received.len();
        let memory = if received.is_empty() {
            Buffer::None
        } else {
            Buffer::Exact(received.into())
        };
        Self {
            memory,
            rest,
            released,
        }
    }

    fn rest(&self) -> &[u8] {
        self.memory
            .bytes()
            .get(self.rest.clone())
            .unwrap_or_default()
    }

    /// The bytes that rustls may process.
    pub(super) fn released(&mut self) -> &mut [u8] {
        let end = self.rest.end.min(self.rest.start + self.released.length());
        self.memory
            .bytes_mut()
            .get_mut(self.rest.start..end)
            .unwrap_or_default()
    }

    /// Shows one more record, or the received part of it. `false` if there are no more bytes.
    pub(super) fn show_more(&mut self) -> bool {
        let received = self
            .memory
            .bytes()
            .get(self.rest.clone())
            .unwrap_or_default();
        self.released.extend(received)
    }

    /// Makes the last shown record look incomplete, so that rustls does not process it again.
    pub(super) fn hide_latest(&mut self) {
        /// The header of application data longer than any decrypted record.
        const HEADER: [u8; 5] = [23, 3, 3, 0x47, 0xff];
        let latest = self.released.latest();
        if let Some(header) = self
            .released()
            .get_mut(latest..)
            .and_then(|record| record.first_chunk_mut())
        {
            *header = HEADER;
        }
    }

    /// Removes bytes that rustls has processed.
    pub(super) fn discard(&mut self, bytes: usize) {
        self.rest.start = self.rest.end.min(self.rest.start + bytes);
        self.released.discard(bytes);
        if self.rest.is_empty() {
            self.clear();
        }
    }

    /// Discards all bytes.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The number of missing bytes of the next record, if known.
    pub(super) fn missing(&self) -> Option<usize> {
        self.released.missing(self.rest())
    }

    /// Free memory after the received bytes, at most `limit` bytes. Empty if the buffer is full.
    pub(super) fn room(&mut self, limit: usize) -> &mut [u8] {
        let length = self.rest.len();
        if let Buffer::Slab(slab) = &mut self.memory {
            // At most part of a record, since complete records were decrypted.
            slab.copy_within(self.rest.clone(), 0);
        } else {
            let mut slab = Slab::take();
            if let Some(target) = slab.get_mut(..length) {
                target.copy_from_slice(self.rest());
            }
            self.memory = Buffer::Slab(slab);
        }
        self.rest = 0..length;
        let end = Slab::SIZE.min(length.saturating_add(limit));
        self.memory
            .bytes_mut()
            .get_mut(length..end)
            .unwrap_or_default()
    }

    /// Adds `bytes` bytes that were received into [`Self::room`].
    pub(super) fn add(&mut self, bytes: usize) {
        self.rest.end += bytes;
    }

    /// Returns the slab while the socket has no data: a client that stops in the middle of a record occupies only the
    /// bytes that it sent.
    pub(super) fn release_slab(&mut self) {
        if let Buffer::Slab(_) = self.memory {
            let rest = self.rest();
            let memory = if rest.is_empty() {
                Buffer::None
            } else {
                Buffer::Exact(rest.into())
            };
            self.rest = 0..self.rest.len();
            self.memory = memory;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(records: &mut ReceivedRecords, bytes: &[u8]) {
        records.room(bytes.len()).copy_from_slice(bytes);
        records.add(bytes.len());
    }

    #[test]
    fn part_of_a_record_holds_no_slab_while_waiting() {
        let mut records = ReceivedRecords::default();
        for round in 0..3 {
            receive(&mut records, &[23, 3, 3, 0, 4, 1, 2]);
            assert!(records.show_more());
            assert_eq!(records.released(), [23, 3, 3, 0, 4, 1, 2]);
            assert_eq!(records.missing(), Some(2));
            let free = Slab::free();
            records.release_slab();
            assert_eq!(Slab::free(), free + 1, "{round}");
            assert!(!records.show_more());
            receive(&mut records, &[3, 4, 23]);
            assert!(records.show_more());
            assert_eq!(records.released(), [23, 3, 3, 0, 4, 1, 2, 3, 4]);
            records.discard(9);
            assert_eq!(records.missing(), None);
            records.discard(1);
            assert!(
                matches!(records.memory, Buffer::None),
                "nothing is held for nothing"
            );
        }
    }

    #[test]
    fn what_is_kept_stays_in_front() {
        let mut records = ReceivedRecords::new(vec![22, 3, 3, 0, 1, 7], ReleasedRecords::default());
        assert!(records.show_more());
        // Part of a message: rustls keeps it.
        receive(&mut records, &[22, 3, 3, 0, 2, 8, 9]);
        assert!(records.show_more());
        assert_eq!(
            records.released(),
            [22, 3, 3, 0, 1, 7, 22, 3, 3, 0, 2, 8, 9]
        );
        records.hide_latest();
        assert_eq!(
            records.released(),
            [22, 3, 3, 0, 1, 7, 23, 3, 3, 0x47, 0xff, 8, 9]
        );
    }

    #[test]
    fn no_more_than_a_slab_is_held() {
        let mut records = ReceivedRecords::default();
        let room = records.room(usize::MAX).len();
        assert_eq!(room, Slab::SIZE);
        records.add(room);
        assert!(records.room(1).is_empty());
    }
}
