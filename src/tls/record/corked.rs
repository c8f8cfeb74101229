//! A byte stream for HTTP/2 that sends all writes of one wake-up together. h2 flushes after each DATA frame, which would
//! cost a record and a system call each. Bounded by one slab; an idle stream holds none.

use super::gathered::GatheredRecords;
use super::{RECORD_PLAINTEXT, RecordStream, Records, Slab};
use crate::clock::one_moment;
use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A stream that ignores flushes. [`Cork::drive`] sends what was written; a full slab is sent at once.
#[derive(Debug)]
pub struct CorkedStream<R: Records>(Rc<RefCell<CorkState<R>>>);

/// Sends the buffered data of a [`CorkedStream`].
#[derive(Debug)]
pub struct Cork<R: Records>(Rc<RefCell<CorkState<R>>>);

#[derive(Debug)]
struct CorkState<R: Records> {
    stream: RecordStream<R>,
    /// Buffered plaintext; `None` if there is none. Filled only while the record layer has nothing to send.
    gathered: Option<GatheredRecords>,
    /// Maximum number of records to gather: [`Slab::RECORDS`] while the socket accepts all at once, 1 after it did not. A
    /// slow client then frees room record by record, so the writer makes progress as often as without a cork.
    allowed: usize,
    /// A socket error that was not returned to the owner of the stream yet.
    failed: Option<io::Error>,
}

impl<R: Records> CorkedStream<R> {
    /// The stream for HTTP/2, and the cork for the task that polls it.
    pub fn new(stream: RecordStream<R>) -> (Self, Cork<R>) {
        let corked = CorkState {
            stream,
            gathered: None,
            allowed: Slab::RECORDS,
            failed: None,
        };
        let shared = Rc::new(RefCell::new(corked));
        (Self(shared.clone()), Cork(shared))
    }

    /// Gives access to the socket, for its options and addresses.
    pub fn with_socket<T>(&self, act: impl FnOnce(&TcpStream) -> T) -> T {
        act(self.0.borrow().stream.records().socket())
    }
}

impl<R: Records> Cork<R> {
    /// Polls a connection that writes to the stream, and sends the data of each poll. Returns with the connection. The
    /// cached clock is constant during a poll.
    pub async fn drive<F: Future>(&self, mut connection: Pin<&mut F>) -> F::Output {
        poll_fn(|context| one_moment(|| self.poll_and_send(connection.as_mut(), context))).await
    }

    fn poll_and_send<F: Future>(
        &self,
        mut connection: Pin<&mut F>,
        context: &mut Context<'_>,
    ) -> Poll<F::Output> {
        let polled = connection.as_mut().poll(context);
        if polled.is_pending() && matches!(self.poll_out(context), Poll::Ready(Err(SendFailed))) {
            // h2 flushes at each poll, so it gets the error.
            return connection.poll(context);
        }
        polled
    }

    /// Sends the data written since the last call. Ready when all is sent; until then the task is woken when the socket
    /// accepts more. The next write or flush of the stream returns the error itself.
    pub(super) fn poll_out(&self, context: &mut Context<'_>) -> Poll<Result<(), SendFailed>> {
        let mut corked = self.0.borrow_mut();
        corked.poll_out(context).map_err(|error| {
            corked.failed = Some(error);
            SendFailed
        })
    }
}

/// The socket failed. The stream stores the error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SendFailed;

impl<R: Records> CorkState<R> {
    fn poll_out(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.stream.records().failure().is_some() {
            // The client violated the protocol: no record may follow the alert.
            self.gathered = None;
        }
        let records = self.stream.records_mut();
        ready!(records.poll_sent(context))?;
        let Some(gathered) = self.gathered.take() else {
            return Poll::Ready(Ok(()));
        };
        gathered.start_send(records)?;
        let sent = records.poll_sent(context);
        self.allowed = if sent.is_pending() {
            1
        } else {
            Slab::RECORDS.min(self.allowed + 1)
        };
        sent
    }

    /// Ready when at least one byte can be gathered.
    fn poll_room(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.gathered {
            Some(gathered) if gathered.len() >= self.allowed * RECORD_PLAINTEXT => {
                self.poll_out(context)
            }
            Some(_) => Poll::Ready(Ok(())),
            // Encrypted records are sent before more is gathered, so one slab suffices.
            None => self.stream.records_mut().poll_sent(context),
        }
    }

    fn gather(&mut self, slices: &[IoSlice<'_>]) -> usize {
        let gathered = self.gathered.get_or_insert_with(GatheredRecords::new);
        gathered.append::<R>(slices, self.allowed * RECORD_PLAINTEXT)
    }
}

impl<R: Records> AsyncRead for CorkedStream<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.borrow_mut().stream).poll_read(context, out)
    }
}

impl<R: Records> AsyncWrite for CorkedStream<R> {
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
        let mut corked = self.0.borrow_mut();
        if let Some(error) = corked.failed.take() {
            return Poll::Ready(Err(error));
        }
        if slices.iter().all(|slice| slice.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        ready!(corked.poll_room(context))?;
        Poll::Ready(Ok(corked.gather(slices)))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Sends nothing; returns an error of `Cork::poll_out`.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.borrow_mut().failed.take().map_or(Ok(()), Err))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut corked = self.0.borrow_mut();
        if let Some(error) = corked.failed.take() {
            return Poll::Ready(Err(error));
        }
        ready!(corked.poll_out(context))?;
        Pin::new(&mut corked.stream).poll_shutdown(context)
    }
}
