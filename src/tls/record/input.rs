//! What has been received and not yet taken, in one slab: segments of plaintext in their order, behind them records that
//! are not opened yet. Opens nothing itself.

use super::slab::Slab;
use super::{RECORD_PLAINTEXT, RECORD_WIRE, count_copied};
use std::io::IoSlice;
use std::ops::Range;

/// Decrypted and not yet taken. Holds no slab while it holds no octet.
#[derive(Debug, Default)]
pub struct Input {
    slab: Option<Slab>,
    segments: [Segment; Self::SEGMENTS],
    /// How many of the segments are in use.
    count: usize,
    /// Received and not opened.
    sealed: Segment,
    /// The same without a slab, while nothing else is here and nothing comes: a client that stops in the middle of a record
    /// costs what it has sent.
    kept: Option<Box<[u8]>>,
}

/// Part of a slab.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Segment {
    start: usize,
    end: usize,
}

impl Segment {
    fn len(self) -> usize {
        self.end - self.start
    }

    fn range(self) -> Range<usize> {
        self.start..self.end
    }
}

impl Input {
    /// How many pieces the plaintext may be in.
    pub const SEGMENTS: usize = 8;

    /// Nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there is no plaintext.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Octets of plaintext.
    pub fn len(&self) -> usize {
        self.used().iter().map(|segment| segment.len()).sum()
    }

    /// The first piece of plaintext; empty if there is none.
    pub fn first(&self) -> &[u8] {
        self.used()
            .first()
            .map_or(&[], |segment| self.octets(*segment))
    }

    /// Moves the first segment up against the second, so that a head which came in several records lies in one piece.
    /// The second, which may hold body, stays where it is. Whether there was something to do.
    pub fn join(&mut self) -> bool {
        let &[first, second, ..] = self.used() else {
            return false;
        };
        let start = second.start.saturating_sub(first.len());
        if let Some(slab) = self.slab.as_deref_mut() {
            slab.copy_within(first.range(), start);
        }
        self.remove_first();
        self.set_first(Segment {
            start,
            end: second.end,
        });
        true
    }

    /// Takes octets away from the front.
    pub fn consume(&mut self, octets: usize) {
        let mut left = octets;
        while left > 0
            && let Some(&first) = self.used().first()
        {
            if left < first.len() {
                self.set_first(Segment {
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

    /// The first pieces of plaintext, at most `most` octets, for a vectored write. How many there are in `out`.
    pub fn slices<'a>(&'a self, most: u64, out: &mut [IoSlice<'a>; Self::SEGMENTS]) -> usize {
        let (mut left, mut count) = (usize::try_from(most).unwrap_or(usize::MAX), 0);
        for (segment, slot) in self.used().iter().zip(out) {
            let octets = self.octets(*segment);
            let piece = octets.get(..left).unwrap_or(octets);
            if piece.is_empty() {
                break;
            }
            left -= piece.len();
            *slot = IoSlice::new(piece);
            count += 1;
        }
        count
    }

    /// Whether plaintext is here and no more can be taken before some of it is consumed or joined.
    pub fn is_full(&self) -> bool {
        let Some(first) = self.used().first() else {
            return false;
        };
        let has_room = Slab::SIZE - (self.end() - first.start) >= RECORD_WIRE;
        !self.can_be_opened_into() || !(has_room || self.holds_whole_record())
    }

    /// Whether the plaintext of one more record can be noted. To open it where it lies needs no room.
    pub(super) fn can_be_opened_into(&self) -> bool {
        self.count < Self::SEGMENTS
    }

    /// Whether a received record waits only for being opened.
    fn holds_whole_record(&self) -> bool {
        let sealed = self.octets(self.sealed);
        match sealed {
            [_, _, _, high, low, rest @ ..] => {
                rest.len() >= usize::from(u16::from_be_bytes([*high, *low]))
            }
            _ => false,
        }
    }

    /// What was received behind a handshake, not opened.
    pub(in crate::tls) fn begin_with(&mut self, sealed: &[u8]) {
        if sealed.is_empty() {
            return;
        }
        let length = self
            .room(sealed.len())
            .get_mut(..sealed.len())
            .map_or(0, |place| {
                place.copy_from_slice(sealed);
                sealed.len()
            });
        self.add_sealed(length);
    }

    /// Room behind all that is here, at least `least` octets if what was consumed is enough for that.
    pub(super) fn room(&mut self, least: usize) -> &mut [u8] {
        if let Some(kept) = self.kept.take() {
            let mut slab = Slab::take();
            if let Some(place) = slab.get_mut(..kept.len()) {
                place.copy_from_slice(&kept);
            }
            (self.slab, self.sealed) = (
                Some(slab),
                Segment {
                    start: 0,
                    end: kept.len(),
                },
            );
        }
        if Slab::SIZE - self.end() < least {
            self.move_to_front();
        }
        let end = self.end();
        self.slab
            .get_or_insert_with(Slab::take)
            .get_mut(end..)
            .unwrap_or_default()
    }

    /// Whether the plaintext of one more record fits behind all that is here. What was consumed is made room of only if that
    /// is a whole record's worth: moving everything for a head's few octets would cost more than it gains.
    pub(super) fn has_room_for_record(&self) -> bool {
        let is_free_behind = Slab::SIZE - self.end() >= RECORD_PLAINTEXT;
        let can_be_freed = Slab::SIZE - (self.end() - self.front()) >= RECORD_WIRE;
        self.can_be_opened_into() && (is_free_behind || can_be_freed)
    }

    /// Copies the plaintext of a record behind all that is here. `false` if there is no room for it.
    pub(super) fn append(&mut self, plaintext: &[u8]) -> bool {
        if plaintext.is_empty() {
            return true;
        }
        let length = plaintext.len();
        let Some(place) = self.room(length).get_mut(..length) else {
            return false;
        };
        place.copy_from_slice(plaintext);
        let start = self.end();
        self.push(Segment {
            start,
            end: start + length,
        });
        true
    }

    /// So many octets of the room are received records, or parts of them, now.
    pub(super) fn add_sealed(&mut self, octets: usize) {
        let end = self.end();
        let start = if self.sealed.len() == 0 {
            end
        } else {
            self.sealed.start
        };
        self.sealed = Segment {
            start,
            end: end + octets,
        };
    }

    /// What is received and not opened.
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

    /// The first `record` octets of what was sealed are opened; its plaintext lies in `plaintext` of them.
    pub(super) fn open(&mut self, record: usize, plaintext: Range<usize>) {
        let start = self.sealed.start;
        self.sealed.start = (start + record).min(self.sealed.end);
        self.push(Segment {
            start: start + plaintext.start,
            end: start + plaintext.end,
        });
        self.release();
    }

    /// Forgets what is not opened.
    pub(super) fn forget_sealed(&mut self) {
        self.sealed = Segment::default();
        self.kept = None;
        self.release();
    }

    /// Gives the slab back while nothing comes, if there is no plaintext in it.
    pub(super) fn keep_without_slab(&mut self) {
        if self.count == 0 && self.sealed.len() > 0 {
            self.kept = Some(self.octets(self.sealed).into());
            self.sealed = Segment::default();
        }
        self.release();
    }

    /// Gives the slab back if nothing is in it.
    pub(super) fn release(&mut self) {
        if self.count == 0 && self.sealed.len() == 0 {
            self.sealed = Segment::default();
            self.slab = None;
        }
    }

    fn used(&self) -> &[Segment] {
        self.segments.get(..self.count).unwrap_or_default()
    }

    fn octets(&self, segment: Segment) -> &[u8] {
        self.slab
            .as_deref()
            .and_then(|slab| slab.get(segment.range()))
            .unwrap_or_default()
    }

    fn remove_first(&mut self) {
        self.segments.copy_within(1..self.count, 0);
        self.count -= 1;
    }

    fn set_first(&mut self, segment: Segment) {
        if let Some(first) = self.segments.first_mut() {
            *first = segment;
        }
    }

    fn push(&mut self, segment: Segment) {
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

    /// Where the next received octet goes.
    fn end(&self) -> usize {
        match self.used().last() {
            _ if self.sealed.len() > 0 => self.sealed.end,
            Some(last) => last.end,
            None => 0,
        }
    }

    /// Where the first octet that was not taken lies.
    fn front(&self) -> usize {
        self.used()
            .first()
            .map_or(self.sealed.start, |first| first.start)
    }

    /// Moves all to the front of the slab, and what is not opened right behind the plaintext: records without content leave
    /// a gap there.
    fn move_to_front(&mut self) {
        let front = self.front();
        let plaintext = Segment {
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
            *segment = Segment {
                start: segment.start.saturating_sub(front),
                end: segment.end.saturating_sub(front),
            };
        }
        self.sealed = Segment {
            start: plaintext.len(),
            end: plaintext.len() + sealed.len(),
        };
    }
}
