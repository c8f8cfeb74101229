//! Records as a stream of octets, for hyper and for tunnels. Copies, and counts what it copies.

use super::{Filled, Input, RECORD_PLAINTEXT, Records, Slab, count_copied};
use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream that begins with the plaintext already in its input.
#[derive(Debug)]
pub struct RecordStream<R: Records> {
    records: R,
    input: Input,
    shutdown: Progress,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Open,
    Done,
}

impl<R: Records> RecordStream<R> {
    /// A stream over these records.
    pub fn new(records: R, input: Input) -> Self {
        Self { records, input, shutdown: Progress::Open }
    }

    /// The records below.
    pub fn records(&self) -> &R {
        &self.records
    }

    /// The same, to send.
    pub(super) fn records_mut(&mut self) -> &mut R {
        &mut self.records
    }

    /// Back to the parts. What was written may not be sent yet.
    pub fn into_parts(self) -> (R, Input) {
        (self.records, self.input)
    }

    fn take(&mut self, out: &mut ReadBuf<'_>) {
        while out.remaining() > 0 && !self.input.is_empty() {
            let first = self.input.first();
            let length = first.len().min(out.remaining());
            out.put_slice(first.get(..length).unwrap_or_default());
            count_copied(length);
            self.input.consume(length);
        }
    }
}

impl<R: Records> AsyncRead for RecordStream<R> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.input.is_empty() && out.remaining() > 0 {
            match ready!(this.records.poll_fill(context, &mut this.input))? {
                Filled::Some => {}
                Filled::Closed => return Poll::Ready(Ok(())),
                Filled::Cut => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
            }
        }
        this.take(out);
        Poll::Ready(Ok(()))
    }
}

impl<R: Records> AsyncWrite for RecordStream<R> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(octets)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.records.poll_sent(context))?;
        let mut slab = Slab::take();
        let gathered = gather::<R>(&mut slab, slices);
        if gathered.octets > 0 {
            count_copied(gathered.octets);
            this.records.start_send(slab, gathered.pieces.get(..gathered.count).unwrap_or_default())?;
            if let Poll::Ready(outcome) = this.records.poll_sent(context) {
                outcome?;
            }
        }
        Poll::Ready(Ok(gathered.octets))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().records.poll_sent(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.shutdown == Progress::Open {
            ready!(this.records.poll_close(context))?;
            this.shutdown = Progress::Done;
            match socket2::SockRef::from(this.records.socket()).shutdown(Shutdown::Write) {
                // The client was faster.
                Err(error) if error.kind() == io::ErrorKind::NotConnected => {}
                outcome => outcome?,
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Plaintext in a slab.
struct Gathered {
    pieces: [Range<usize>; Slab::RECORDS],
    count: usize,
    octets: usize,
}

/// Copies as much of `slices` as fits, record by record.
fn gather<R: Records>(slab: &mut Slab, slices: &[IoSlice<'_>]) -> Gathered {
    let mut gathered = Gathered { pieces: [const { 0..0 }; Slab::RECORDS], count: 0, octets: 0 };
    let mut slices = slices.iter().map(|slice| &**slice).filter(|slice| !slice.is_empty());
    let mut rest: &[u8] = &[];
    let spaces = R::spaces(Slab::RECORDS);
    let records = spaces.iter().flat_map(|space| {
        let end = space.end;
        space.step_by(RECORD_PLAINTEXT).map(move |start| start..end.min(start + RECORD_PLAINTEXT))
    });
    for (mut room, piece) in records.zip(&mut gathered.pieces) {
        let start = room.start;
        while !room.is_empty() {
            if rest.is_empty() {
                let Some(next) = slices.next() else { break };
                rest = next;
            }
            let length = rest.len().min(room.len());
            let (now, later) = rest.split_at_checked(length).unwrap_or_default();
            if let Some(place) = slab.get_mut(room.start..room.start + length) {
                place.copy_from_slice(now);
            }
            rest = later;
            room.start += length;
        }
        if room.start == start {
            break;
        }
        *piece = start..room.start;
        gathered.count += 1;
        gathered.octets += room.start - start;
    }
    gathered
}
