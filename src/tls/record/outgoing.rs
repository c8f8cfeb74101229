//! The send buffer: encrypted records in a slab, and single records before and after them.

use super::Slab;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;

/// Encrypted records in sequence order, not yet sent.
#[derive(Debug, Default)]
pub(super) struct OutgoingRecords {
    before: Vec<u8>,
    slab: Option<Slab>,
    ranges: [Range<usize>; Slab::RECORDS],
    after: Vec<u8>,
}

impl OutgoingRecords {
    /// Appends a record after all data, and before the next slab.
    pub(super) fn put_record(&mut self, record: &[u8]) {
        let records = if self.holds_slab() {
            &mut self.after
        } else {
            &mut self.before
        };
        records.extend_from_slice(record);
    }

    /// Appends a slab after all data. Call it only when it [holds none](Self::holds_slab).
    pub(super) fn put_slab(&mut self, slab: Slab, ranges: [Range<usize>; Slab::RECORDS]) {
        self.slab = Some(slab);
        self.ranges = ranges;
        self.merge();
    }

    pub(super) fn holds_slab(&self) -> bool {
        self.slab.is_some()
    }

    /// Whether only single records are pending, which no caller waits for.
    pub(super) fn holds_only_records(&self) -> bool {
        !self.holds_slab() && !self.before.is_empty()
    }

    /// Merges contiguous records into one slice for the socket.
    fn merge(&mut self) {
        let [first, rest @ ..] = &mut self.ranges;
        for range in rest {
            if range.start != first.end {
                return;
            }
            first.end = range.end;
            *range = 0..0;
        }
    }

    pub(super) fn poll_send(
        &mut self,
        socket: &mut TcpStream,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let mut slices = [IoSlice::new(&[]); Slab::RECORDS + 2];
            let count = self.slices(&mut slices);
            let socket = Pin::new(&mut *socket);
            let sent = match slices.get(..count).unwrap_or_default() {
                [] => break,
                [one] => ready!(socket.poll_write(context, one))?,
                several => ready!(socket.poll_write_vectored(context, several))?,
            };
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(sent);
        }
        self.slab = None;
        if self.before.capacity() + self.after.capacity() > 0 {
            // An idle connection holds no send buffers.
            self.before = Vec::new();
            self.after = Vec::new();
        }
        Poll::Ready(Ok(()))
    }

    fn slices<'a>(&'a self, out: &mut [IoSlice<'a>]) -> usize {
        let slab = self.slab.as_deref().unwrap_or_default();
        let ranges = self
            .ranges
            .iter()
            .map(|range| slab.get(range.clone()).unwrap_or_default());
        let all = [&*self.before]
            .into_iter()
            .chain(ranges)
            .chain([&*self.after]);
        let mut count = 0;
        for (slot, bytes) in out.iter_mut().zip(all.filter(|bytes| !bytes.is_empty())) {
            *slot = IoSlice::new(bytes);
            count += 1;
        }
        count
    }

    fn advance(&mut self, mut sent: usize) {
        let length = sent.min(self.before.len());
        self.before.drain(..length);
        sent -= length;
        for range in &mut self.ranges {
            let length = sent.min(range.len());
            range.start += length;
            sent -= length;
        }
        self.after.drain(..sent.min(self.after.len()));
    }
}
