//! A byte stream over records, for hyper and for tunnels. Copies, and counts the copied bytes.

use super::gathered::GatheredRecords;
use super::{FillOutcome, ReceiveBuffer, Records, count_copied};
use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A byte stream that begins with the plaintext already in its input.
#[derive(Debug)]
pub struct RecordStream<R: Records> {
    records: R,
    input: ReceiveBuffer,
    shutdown: ShutdownState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ShutdownState {
    Open,
    Done,
}

impl<R: Records> RecordStream<R> {
    /// A stream over these records.
    pub fn new(records: R, input: ReceiveBuffer) -> Self {
        Self {
            records,
            input,
            shutdown: ShutdownState::Open,
        }
    }

    /// The record layer.
    pub fn records(&self) -> &R {
        &self.records
    }

    /// The record layer, for sending.
    pub(super) fn records_mut(&mut self) -> &mut R {
        &mut self.records
    }

    /// The record layer and the unread input. Written data may not be sent yet.
    pub fn into_parts(self) -> (R, ReceiveBuffer) {
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
                FillOutcome::Some => {}
                FillOutcome::Closed => return Poll::Ready(Ok(())),
                FillOutcome::Cut => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
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
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.records.poll_sent(context))?;
        let mut gathered = GatheredRecords::new();
        let bytes = gathered.append::<R>(slices, GatheredRecords::CAPACITY);
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
        if this.shutdown == ShutdownState::Open {
            ready!(this.records.poll_close(context))?;
            this.shutdown = ShutdownState::Done;
            match socket2::SockRef::from(this.records.socket()).shutdown(Shutdown::Write) {
                // The client has already closed.
                Err(error) if error.kind() == io::ErrorKind::NotConnected => {}
                outcome => outcome?,
            }
        }
        Poll::Ready(Ok(()))
    }
}
