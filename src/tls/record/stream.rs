//! Records as a stream of octets, for hyper and for tunnels. Copies, and counts what it copies.

use super::gathered::GatheredRecords;
use super::{Filled, Input, Records, count_copied};
use std::io::{self, IoSlice};
use std::net::Shutdown;
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
        Self {
            records,
            input,
            shutdown: Progress::Open,
        }
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
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
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
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(octets)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.records.poll_sent(context))?;
        let mut gathered = GatheredRecords::new();
        let bytes = gathered.append::<R>(slices, GatheredRecords::MOST);
        if bytes > 0 {
            gathered.start_send(&mut this.records)?;
            if let Poll::Ready(outcome) = this.records.poll_sent(context) {
                outcome?;
            }
        }
        Poll::Ready(Ok(bytes))
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
