//! Plaintext that is copied into a slab to be sealed there: what streams of bytes write. Sends nothing by itself.

use super::{RECORD_PLAINTEXT, Records, Slab, count_copied};
use std::io::{self, IoSlice};
use std::ops::Range;

/// Plaintext at its places in a slab, record by record.
#[derive(Debug)]
pub(super) struct GatheredRecords {
    slab: Slab,
    bytes: usize,
}

impl GatheredRecords {
    /// The most bytes that fit.
    pub(super) const MOST: usize = Slab::RECORDS * RECORD_PLAINTEXT;

    pub(super) fn new() -> Self {
        Self {
            slab: Slab::take(),
            bytes: 0,
        }
    }

    /// How many bytes are here.
    pub(super) fn len(&self) -> usize {
        self.bytes
    }

    /// Copies and counts what fits of the slices, so that at most `most` bytes are here. Gives how many were copied.
    pub(super) fn append<R: Records>(&mut self, slices: &[IoSlice<'_>], most: usize) -> usize {
        let before = self.bytes;
        for slice in slices {
            self.append_slice::<R>(slice, most);
        }
        count_copied(self.bytes - before);
        self.bytes - before
    }

    fn append_slice<R: Records>(&mut self, mut slice: &[u8], most: usize) {
        let starts = starts::<R>();
        while !slice.is_empty() && self.bytes < most {
            let Some(start) = starts.get(self.bytes / RECORD_PLAINTEXT) else {
                return;
            };
            let within = self.bytes % RECORD_PLAINTEXT;
            let length = slice
                .len()
                .min(RECORD_PLAINTEXT - within)
                .min(most - self.bytes);
            let place = self.slab.get_mut(start + within..start + within + length);
            let (Some(place), Some((now, later))) = (place, slice.split_at_checked(length)) else {
                return;
            };
            place.copy_from_slice(now);
            self.bytes += length;
            slice = later;
        }
    }

    /// Hands the records over. There must be at least one byte.
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

/// Where the plaintext of each record begins in a slab.
fn starts<R: Records>() -> [usize; Slab::RECORDS] {
    let mut starts = [0; Slab::RECORDS];
    let spaces = R::spaces(Slab::RECORDS);
    let all = spaces
        .iter()
        .flat_map(|space| space.step_by(RECORD_PLAINTEXT));
    starts
        .iter_mut()
        .zip(all)
        .for_each(|(place, start)| *place = start);
    starts
}
