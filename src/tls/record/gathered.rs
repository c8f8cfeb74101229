//! Plaintext of byte streams, copied into a slab for encryption there. Sends nothing by itself.

use super::{RECORD_PLAINTEXT, Records, Slab, count_copied};
use std::io::{self, IoSlice};
use std::ops::Range;

/// Plaintext in the spaces of a slab, record by record.
#[derive(Debug)]
pub(super) struct GatheredRecords {
    slab: Slab,
    bytes: usize,
}

impl GatheredRecords {
    /// Maximum number of bytes.
    pub(super) const CAPACITY: usize = Slab::RECORDS * RECORD_PLAINTEXT;

    pub(super) fn new() -> Self {
        Self {
            slab: Slab::take(),
            bytes: 0,
        }
    }

    /// The number of bytes.
    pub(super) fn len(&self) -> usize {
        self.bytes
    }

    /// Copies from the slices until `self` has `limit` bytes. Counts and returns the copied bytes.
    pub(super) fn append<R: Records>(&mut self, slices: &[IoSlice<'_>], limit: usize) -> usize {
        let before = self.bytes;
        for slice in slices {
            self.append_slice::<R>(slice, limit);
        }
        count_copied(self.bytes - before);
        self.bytes - before
    }

    fn append_slice<R: Records>(&mut self, mut slice: &[u8], limit: usize) {
        let starts = starts::<R>();
        while !slice.is_empty() && self.bytes < limit {
            let Some(start) = starts.get(self.bytes / RECORD_PLAINTEXT) else {
                return;
            };
            let within = self.bytes % RECORD_PLAINTEXT;
            let length = slice
                .len()
                .min(RECORD_PLAINTEXT - within)
                .min(limit - self.bytes);
            let Some(target) = self.slab.get_mut(start + within..start + within + length) else {
                return;
            };
            let Some((part, rest)) = slice.split_at_checked(length) else {
                return;
            };
            target.copy_from_slice(part);
            self.bytes += length;
            slice = rest;
        }
    }

    /// Passes the records to the record layer. There must be at least one byte.
    pub(super) fn start_send<R: Records>(self, records: &mut R) -> io::Result<()> {
        let mut pieces = [const { 0..0 }; Slab::RECORDS];
        let count = self.bytes.div_ceil(RECORD_PLAINTEXT).min(Slab::RECORDS);
        for (number, (piece, start)) in pieces.iter_mut().zip(starts::<R>()).take(count).enumerate()
        {
            *piece = start..start + (self.bytes - number * RECORD_PLAINTEXT).min(RECORD_PLAINTEXT);
        }
        let pieces: &[Range<usize>] = pieces.get(..count).unwrap_or_default();
        records.start_send(self.slab, pieces)
    }
}

/// The offset of the plaintext of each record in a slab.
fn starts<R: Records>() -> [usize; Slab::RECORDS] {
    let mut starts = [0; Slab::RECORDS];
    let spaces = R::spaces(Slab::RECORDS);
    let all = spaces
        .iter()
        .flat_map(|space| space.step_by(RECORD_PLAINTEXT));
    starts
        .iter_mut()
        .zip(all)
        .for_each(|(slot, start)| *slot = start);
    starts
}
