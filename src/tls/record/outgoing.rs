//! Sealed and not yet sent: records in a slab, and single ones before and behind them.

use super::Slab;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;

/// In the order in which it was sealed, which is the only one in which a client can open it.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    before: Vec<u8>,
    slab: Option<Slab>,
    ranges: [Range<usize>; Slab::RECORDS],
    behind: Vec<u8>,
}

impl Outgoing {
    /// Puts a record behind all that is here, and before a slab that comes next.
    pub(super) fn put_record(&mut self, record: &[u8]) {
        let place = if self.holds_slab() {
            &mut self.behind
        } else {
            &mut self.before
        };
        place.extend_from_slice(record);
    }

    /// Puts a slab behind all that is here. Only when it [holds none](Self::holds_slab).
    pub(super) fn put_slab(&mut self, slab: Slab, ranges: [Range<usize>; Slab::RECORDS]) {
        self.slab = Some(slab);
        self.ranges = ranges;
        self.merge();
    }

    pub(super) fn holds_slab(&self) -> bool {
        self.slab.is_some()
    }

    /// Whether what is not sent yet is single records alone, for which nobody waits.
    pub(super) fn holds_only_records(&self) -> bool {
        !self.holds_slab() && !self.before.is_empty()
    }

    /// Records that lie one behind another are one piece for the socket.
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
        if self.before.capacity() + self.behind.capacity() > 0 {
            // An idle connection holds no memory of what it has sent.
            (self.before, self.behind) = (Vec::new(), Vec::new());
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
            .chain([&*self.behind]);
        let mut count = 0;
        for (slot, octets) in out.iter_mut().zip(all.filter(|octets| !octets.is_empty())) {
            *slot = IoSlice::new(octets);
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
        self.behind.drain(..sent.min(self.behind.len()));
    }
}
