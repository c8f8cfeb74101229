//! A connection to an endpoint for both HTTP engines: plain, TLS, or a stream of an HTTP/2 connection. Reads and writes
//! directly to the caller's memory; parses nothing.

mod vectored_read;

use super::http2::Http2Stream;
use super::quirks::Quirks;
use crate::config::{LengthlessRedirect, QuickAck};
use crate::endpoint::EndpointStream;
use crate::forward::Reuse;
use crate::pool::{self, PoolId};
use crate::thread_state::WeakStateKey;
use bytes::BytesMut;
use socket2::SockRef;
use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use vectored_read::read_spaces;

/// Reads up to this size use a buffer of the thread: most responses are much shorter.
const SCRATCH: usize = 16 * 1024;

thread_local! {
    static READ_BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The origin of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A new connection for this request.
    New,
    /// A pooled connection; it may be closed already.
    Pooled,
}

/// A connection to an endpoint. Dropping it closes it.
#[derive(Debug)]
pub struct Link {
    stream: Transport,
    /// The pool that it returns to.
    pool: PoolId,
    endpoint: usize,
    origin: Origin,
    quick_ack: QuickAck,
    lengthless_redirect: LengthlessRedirect,
    /// The account that authenticated on it. `None` for the gateway's own connections.
    pub(super) owner: Option<Box<WeakStateKey>>,
    /// Whether it may carry another request after the current one.
    reuse: Reuse,
    progress: Progress,
}

/// What carries the messages.
#[derive(Debug)]
enum Transport {
    /// An HTTP/1.1 connection.
    Bytes(EndpointStream),
    /// A stream that reads and writes HTTP/1.1.
    Http2(Box<Http2Stream>),
}

/// Progress of the current response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// No byte has arrived.
    Awaited,
    /// Some bytes have arrived; more are expected.
    Started,
}

impl Link {
    pub(super) fn new(
        stream: EndpointStream,
        pool: PoolId,
        endpoint: usize,
        quirks: &Quirks,
        owner: Option<WeakStateKey>,
    ) -> Self {
        let Quirks {
            quick_ack,
            lengthless_redirect,
            ..
        } = *quirks;
        Self {
            stream: Transport::Bytes(stream),
            pool,
            endpoint,
            origin: Origin::New,
            quick_ack,
            lengthless_redirect,
            owner: owner.map(Box::new),
            reuse: Reuse::Keep,
            progress: Progress::Awaited,
        }
    }

    /// A link over a stream, on a connection of this origin.
    pub(super) fn over_http2(
        stream: Http2Stream,
        pool: PoolId,
        endpoint: usize,
        origin: Origin,
    ) -> Self {
        Self {
            stream: Transport::Http2(Box::new(stream)),
            pool,
            endpoint,
            origin,
            quick_ack: QuickAck::Off,
            lengthless_redirect: LengthlessRedirect::UntilClose,
            owner: None,
            reuse: Reuse::Keep,
            progress: Progress::Awaited,
        }
    }

    /// Records whether another request may follow the next one. `Close` is permanent: a user is
    /// authenticated on the connection itself, and the next request could be another user's.
    pub fn carry(&mut self, reuse: Reuse) {
        if reuse == Reuse::Close {
            self.reuse = Reuse::Close;
        }
    }

    /// Returns it to the pool of this thread, for requests of the same owner, if another request
    /// may follow; otherwise closes it. Call only when both messages are complete.
    pub fn keep(self) {
        match self.reuse {
            // The connection is shared, and the stream has ended.
            _ if matches!(self.stream, Transport::Http2(_)) => {}
            Reuse::Keep => pool::put(
                self.pool,
                Self {
                    origin: Origin::Pooled,
                    ..self
                },
            ),
            Reuse::Close => {
                tracing::debug!(
                    endpoint = self.endpoint,
                    "upstream connection closed: a login on it belongs to the connection"
                )
            }
        }
    }

    /// How redirects without a length are interpreted.
    pub fn lengthless_redirect(&self) -> LengthlessRedirect {
        self.lengthless_redirect
    }

    /// Its origin.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// The endpoint, by number.
    pub fn endpoint(&self) -> usize {
        self.endpoint
    }

    /// Whether it is open and has no unsolicited data.
    pub(super) fn is_quiet(&mut self) -> bool {
        let mut context = Context::from_waker(std::task::Waker::noop());
        match &mut self.stream {
            Transport::Http2(_) => false,
            Transport::Bytes(EndpointStream::Plain(stream, _)) => {
                if stream.poll_read_ready(&mut context).is_pending() {
                    return true;
                }
                // The cached readiness may be outdated; only a read is certain.
                matches!(stream.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
            }
            // Reads TLS messages (tickets, key updates) as a side effect.
            Transport::Bytes(EndpointStream::Tls(stream, _)) => Pin::new(stream)
                .poll_read(&mut context, &mut ReadBuf::new(&mut [0]))
                .is_pending(),
        }
    }

    /// Whether a failed write means that no byte was sent. TLS may have sent some records before.
    pub fn says_what_it_sent(&self) -> bool {
        !matches!(self.stream, Transport::Bytes(EndpointStream::Tls(..)))
    }

    /// Flushes buffered TLS records before the next read. The read also reports an error.
    fn flush(&mut self, context: &mut Context<'_>) {
        if let Transport::Bytes(EndpointStream::Tls(stream, _)) = &mut self.stream
            && stream.get_ref().1.wants_write()
        {
            let _ = Pin::new(stream).poll_flush(context);
        }
    }

    /// Acknowledges received bytes at once while more of a response is expected. Some upstreams
    /// write small pieces with Nagle's algorithm, which holds back the second piece until the first
    /// is acknowledged. Delayed acknowledgement adds up to 40 ms. A response in one piece has no
    /// extra cost.
    fn read<T>(
        &mut self,
        polled: Poll<io::Result<T>>,
        count: impl FnOnce(&T) -> usize,
    ) -> Poll<io::Result<T>> {
        match &polled {
            Poll::Ready(Ok(read)) if count(read) > 0 => self.progress = Progress::Started,
            Poll::Pending if self.acknowledges() => {
                let socket = match &self.stream {
                    Transport::Http2(_) => return polled,
                    Transport::Bytes(EndpointStream::Plain(stream, _)) => stream,
                    Transport::Bytes(EndpointStream::Tls(stream, _)) => stream.get_ref().0,
                };
                // On an error the response is only as late as without it.
                let _ = SockRef::from(socket).set_tcp_quickack(true);
            }
            _ => {}
        }
        polled
    }

    fn acknowledges(&self) -> bool {
        self.quick_ack == QuickAck::Adaptive && self.progress == Progress::Started
    }

    /// Writes as much of `slices` as possible in one call.
    ///
    /// # Errors
    /// Socket errors.
    pub fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.progress = Progress::Awaited;
        match (&mut self.stream, slices) {
            (Transport::Http2(stream), slices) => stream.poll_write(context, slices),
            // A plain send is cheaper.
            (Transport::Bytes(stream), [only]) => Pin::new(stream).poll_write(context, only),
            (Transport::Bytes(stream), several) => {
                Pin::new(stream).poll_write_vectored(context, several)
            }
        }
    }

    /// Reads into `space`. Returns 0 at the end of the stream.
    ///
    /// # Errors
    /// Socket errors.
    pub fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        space: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.flush(context);
        let stream = match &mut self.stream {
            Transport::Http2(stream) => return stream.poll_read(context, space),
            Transport::Bytes(stream) => stream,
        };
        let mut read = ReadBuf::new(space);
        let polled = Pin::new(stream).poll_read(context, &mut read);
        let polled = polled.map_ok(|()| read.filled().len());
        self.read(polled, |count| *count)
    }

    /// Appends to `buffer`. Reserves `room` bytes once data is available. Returns 0 at the end of
    /// the stream.
    ///
    /// # Errors
    /// Socket errors.
    pub(super) fn poll_append(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut BytesMut,
        room: usize,
    ) -> Poll<io::Result<usize>> {
        self.flush(context);
        if let Transport::Bytes(EndpointStream::Plain(stream, _)) = &self.stream {
            let readable = stream.poll_read_ready(context);
            ready!(self.read(readable, |()| 0))?;
        }
        let stream = match &mut self.stream {
            Transport::Http2(stream) => return stream.poll_append(context, buffer, room),
            Transport::Bytes(stream) => stream,
        };
        if buffer.is_empty() && room <= SCRATCH {
            let stream = Pin::new(stream);
            let polled = READ_BUFFER.with_borrow_mut(|space| {
                read_through_scratch(stream, context, space, buffer, room)
            });
            return self.read(polled, |count| *count);
        }
        buffer.reserve(room);
        let polled = std::pin::pin!(stream.read_buf(buffer)).poll(context);
        self.read(polled, |count| *count)
    }

    /// Reads into ranges of `memory`, which must be in order and disjoint. TLS returns one record
    /// at a time and fills only the first range. Returns 0 at the end of the stream.
    ///
    /// # Errors
    /// Socket errors.
    pub fn poll_read_spaces(
        &mut self,
        context: &mut Context<'_>,
        memory: &mut [u8],
        spaces: &[Range<usize>],
    ) -> Poll<io::Result<usize>> {
        let stream = match (&self.stream, spaces) {
            (Transport::Bytes(EndpointStream::Plain(stream, _)), [_, _, ..]) => stream,
            _ => {
                let first = spaces.first().cloned().unwrap_or_default();
                return self.poll_read(context, memory.get_mut(first).unwrap_or_default());
            }
        };
        let polled = read_spaces(stream, context, memory, spaces);
        self.read(polled, |count| *count)
    }

    /// The connection after an upgrade. `None` for a stream of HTTP/2, which cannot be upgraded.
    pub fn into_upgraded(self) -> Option<EndpointStream> {
        match self.stream {
            Transport::Bytes(stream) => Some(stream),
            Transport::Http2(_) => None,
        }
    }
}

/// Reads through a buffer of this thread, so that `buffer` only grows by the received bytes.
fn read_through_scratch(
    stream: Pin<&mut EndpointStream>,
    context: &mut Context<'_>,
    space: &mut Vec<u8>,
    buffer: &mut BytesMut,
    room: usize,
) -> Poll<io::Result<usize>> {
    space.resize(SCRATCH, 0);
    let mut read = ReadBuf::new(space.get_mut(..room).unwrap_or_default());
    ready!(stream.poll_read(context, &mut read))?;
    buffer.extend_from_slice(read.filled());
    Poll::Ready(Ok(read.filled().len()))
}

#[cfg(test)]
mod tests;
