//! The receive buffer, in one slab: segments of plaintext in order, and after them records that are not decrypted yet.
//! Decrypts nothing itself.

use super::slab::Slab;
use super::{RECORD_PLAINTEXT, RECORD_WIRE, count_copied};
use std::io::IoSlice;
use std::ops::Range;

/// The receive buffer of a connection. Holds no slab while it is empty.
#[derive(Debug, Default)]
pub struct ReceiveBuffer {
    slab: Option<Slab>,
    segments: [BufferSegment; Self::SEGMENTS],
    /// The number of segments in use.
    count: usize,
    /// The received and still encrypted bytes.
    sealed: BufferSegment,
    /// A copy of `sealed` outside a slab, while there is no plaintext and the socket has no data. So a client that stops
    /// in the middle of a record occupies only the bytes that it sent.
    kept: Option<Box<[u8]>>,
}

/// A range of the slab.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct BufferSegment {
    start: usize,
    end: usize,
}

impl BufferSegment {
    fn len(self) -> usize {
        self.end - self.start
    }

    fn range(self) -> Range<usize> {
        self.start..self.end
    }
}

impl ReceiveBuffer {
    /// Maximum number of plaintext segments.
    pub const SEGMENTS: usize = 8;

    /// An empty buffer.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there is no plaintext.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The number of plaintext bytes.
    pub fn len(&self) -> usize {
        self.used().iter().map(|segment| segment.len()).sum()
    }

    /// The first segment of plaintext; empty if there is none.
    pub fn first(&self) -> &[u8] {
        self.used()
            .first()
            .map_or(&[], |segment| self.bytes(*segment))
    }

    /// Moves the first segment directly before the second, so that a head from several records is contiguous. The second
    /// segment, which may contain body, is not moved. Returns `false` if there is only one segment.
    pub fn join(&mut self) -> bool {
        let &[first, second, ..] = self.used() else {
            return false;
        };
        let start = second.start.saturating_sub(first.len());
        if let Some(slab) = self.slab.as_deref_mut() {
            slab.copy_within(first.range(), start);
        }
        self.remove_first();
        self.set_first(BufferSegment {
            start,
            end: second.end,
        });
        true
    }

    /// Removes bytes from the front.
    pub fn consume(&mut self, count: usize) {
        let mut left = count;
        while left > 0
            && let Some(&first) = self.used().first()
        {
            if left < first.len() {
                self.set_first(BufferSegment {
                    start: first.start + left,
                    end: first.end,
                });
                return;
            }
            left -= first.len();
            self.remove_first();
        }
        self.release();
    }

    /// The first segments of plaintext, at most `limit` bytes, for a vectored write. Returns their number in `out`.
    pub fn slices<'a>(&'a self, limit: u64, out: &mut [IoSlice<'a>; Self::SEGMENTS]) -> usize {
        let mut left = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut count = 0;
        for (segment, slot) in self.used().iter().zip(out) {
            let bytes = self.bytes(*segment);
            let piece = bytes.get(..left).unwrap_or(bytes);
            if piece.is_empty() {
                break;
            }
            left -= piece.len();
            *slot = IoSlice::new(piece);
            count += 1;
        }
        count
    }

    /// Whether there is plaintext, and no more can be added before some of it is consumed or joined.
    pub fn is_full(&self) -> bool {
        let Some(first) = self.used().first() else {
            return false;
        };
        // The received part of a record has its room already. If it counted, a record would lose its room by arriving.
        let record_start = match self.sealed.len() {
            0 => self.end(),
            _ => self.sealed.start,
        };
        let has_room = Slab::SIZE - (record_start - first.start) >= RECORD_WIRE;
        !self.has_free_segment() || !(has_room || self.holds_whole_record())
    }

    /// Whether there is a segment for the plaintext of one more record. Decrypting in place needs no other room.
    pub(super) fn has_free_segment(&self) -> bool {
        self.count < Self::SEGMENTS
    }

    /// Whether a complete record is received and not decrypted.
    fn holds_whole_record(&self) -> bool {
        let sealed = self.bytes(self.sealed);
        match sealed {
            [_, _, _, high, low, rest @ ..] => {
                rest.len() >= usize::from(u16::from_be_bytes([*high, *low]))
            }
            _ => false,
        }
    }

    /// Adds the bytes received after a handshake, not decrypted.
    pub(in crate::tls) fn begin_with(&mut self, sealed: &[u8]) {
        if sealed.is_empty() {
            return;
        }
        let length = self
            .room(sealed.len())
            .get_mut(..sealed.len())
            .map_or(0, |target| {
                target.copy_from_slice(sealed);
                sealed.len()
            });
        self.add_sealed(length);
    }

    /// The free memory after all data, at least `min` bytes if consumed bytes can be reused for that.
    pub(super) fn room(&mut self, min: usize) -> &mut [u8] {
        if let Some(kept) = self.kept.take() {
            let mut slab = Slab::take();
            if let Some(target) = slab.get_mut(..kept.len()) {
                target.copy_from_slice(&kept);
            }
            self.slab = Some(slab);
            self.sealed = BufferSegment {
                start: 0,
                end: kept.len(),
            };
        }
        if Slab::SIZE - self.end() < min {
            self.move_to_front();
        }
        let end = self.end();
        self.slab
            .get_or_insert_with(Slab::take)
            .get_mut(end..)
            .unwrap_or_default()
    }

    /// Whether the plaintext of one more record fits after all data. Consumed bytes are reused only if they make room for
    /// a full record: moving all data to reclaim the few bytes of a head would cost more than it saves.
    pub(super) fn has_room_for_record(&self) -> bool {
        let is_free_after = Slab::SIZE - self.end() >= RECORD_PLAINTEXT;
        let can_be_freed = Slab::SIZE - (self.end() - self.front()) >= RECORD_WIRE;
        self.has_free_segment() && (is_free_after || can_be_freed)
    }

    /// Copies the plaintext of a record after all data. `false` if it does not fit.
    pub(super) fn append(&mut self, plaintext: &[u8]) -> bool {
        if plaintext.is_empty() {
            return true;
        }
        let length = plaintext.len();
        let Some(target) = self.room(length).get_mut(..length) else {
            return false;
        };
        target.copy_from_slice(plaintext);
        let start = self.end();
        self.push(BufferSegment {
            start,
            end: start + length,
        });
        true
    }

    /// Adds `count` bytes that were received into [`Self::room`].
    pub(super) fn add_sealed(&mut self, count: usize) {
        let end = self.end();
        let start = if self.sealed.len() == 0 {
            end
        } else {
            self.sealed.start
        };
        self.sealed = BufferSegment {
            start,
            end: end + count,
        };
    }

    /// The received and still encrypted bytes.
    pub(super) fn sealed(&mut self) -> &mut [u8] {
        if let Some(kept) = &mut self.kept {
            return kept;
        }
        let sealed = self.sealed.range();
        self.slab
            .as_deref_mut()
            .and_then(|slab| slab.get_mut(sealed))
            .unwrap_or_default()
    }

    /// Marks the first `record` sealed bytes as decrypted. `plaintext` is the range of the plaintext in them.
    pub(super) fn open(&mut self, record: usize, plaintext: Range<usize>) {
        let start = self.sealed.start;
        self.sealed.start = (start + record).min(self.sealed.end);
        self.push(BufferSegment {
            start: start + plaintext.start,
            end: start + plaintext.end,
        });
        self.release();
    }

    /// Discards the bytes that are not decrypted.
    pub(super) fn forget_sealed(&mut self) {
        self.sealed = BufferSegment::default();
        self.kept = None;
        self.release();
    }

    /// Returns the slab while the socket has no data, if it contains no plaintext.
    pub(super) fn keep_without_slab(&mut self) {
        if self.count == 0 && self.sealed.len() > 0 {
            self.kept = Some(self.bytes(self.sealed).into());
            self.sealed = BufferSegment::default();
        }
        self.release();
    }

    /// Returns the slab if it is empty.
    pub(super) fn release(&mut self) {
        if self.count == 0 && self.sealed.len() == 0 {
            self.sealed = BufferSegment::default();
            self.slab = None;
        }
    }

    fn used(&self) -> &[BufferSegment] {
        self.segments.get(..self.count).unwrap_or_default()
    }

    fn bytes(&self, segment: BufferSegment) -> &[u8] {
        self.slab
            .as_deref()
            .and_then(|slab| slab.get(segment.range()))
            .unwrap_or_default()
    }

    fn remove_first(&mut self) {
        self.segments.copy_within(1..self.count, 0);
        self.count -= 1;
    }

    fn set_first(&mut self, segment: BufferSegment) {
        if let Some(first) = self.segments.first_mut() {
            *first = segment;
        }
    }

    fn push(&mut self, segment: BufferSegment) {
        if segment.len() == 0 {
            return;
        }
        let count = self.count;
        let last = count
            .checked_sub(1)
            .and_then(|last| self.segments.get_mut(last));
        if let Some(last) = last
            && last.end == segment.start
        {
            last.end = segment.end;
        } else if let Some(next) = self.segments.get_mut(count) {
            *next = segment;
            self.count += 1;
        }
    }

    /// The offset for the next received byte.
    fn end(&self) -> usize {
        match self.used().last() {
            _ if self.sealed.len() > 0 => self.sealed.end,
            Some(last) => last.end,
            None => 0,
        }
    }

    /// The offset of the first byte that is not consumed.
    fn front(&self) -> usize {
        self.used()
            .first()
            .map_or(self.sealed.start, |first| first.start)
    }

    /// Moves all data to the front of the slab. Closes the gap between plaintext and sealed bytes that records without
    /// content leave.
    fn move_to_front(&mut self) {
        let front = self.front();
        let plaintext = BufferSegment {
            start: front,
            end: self.used().last().map_or(front, |last| last.end),
        };
        let sealed = self.sealed;
        let has_gap = sealed.len() > 0 && sealed.start > plaintext.end;
        if front == 0 && !has_gap || self.end() == 0 {
            return;
        }
        count_copied(self.len());
        if let Some(slab) = self.slab.as_deref_mut() {
            slab.copy_within(plaintext.range(), 0);
            slab.copy_within(sealed.range(), plaintext.len());
        }
        for segment in self.segments.iter_mut().take(self.count) {
            *segment = BufferSegment {
                start: segment.start.saturating_sub(front),
                end: segment.end.saturating_sub(front),
            };
        }
        self.sealed = BufferSegment {
            start: plaintext.len(),
            end: plaintext.len() + sealed.len(),
        };
    }
}
