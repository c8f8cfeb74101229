//! A connection to an endpoint, plain or TLS, as both HTTP engines read and write it: straight from and into memory that
//! the caller gives. Parses nothing.

mod vectored_read;

use super::link_stream::LinkStream;
use super::manners::Manners;
use crate::config::{LengthlessRedirect, QuickAck};
use crate::endpoint::EndpointStream;
use crate::forward::Reuse;
use crate::here::Mark;
use crate::pool::{self, PoolId};
use bytes::BytesMut;
use socket2::SockRef;
use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use vectored_read::read_spaces;

/// Reads of at most this many bytes go by way of memory of the thread: most responses are shorter by far.
const SCRATCH: usize = 16 * 1024;

thread_local! {
    static SPACE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Where a connection came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It was made for this request.
    New,
    /// It has carried others, and may turn out to be closed.
    Pooled,
}

/// A connection to an endpoint. Dropping it closes it.
#[derive(Debug)]
pub struct Link {
    stream: EndpointStream,
    /// Where it is kept.
    pool: PoolId,
    endpoint: usize,
    origin: Origin,
    quick_ack: QuickAck,
    lengthless_redirect: LengthlessRedirect,
    /// Whose requests it carries, where it has been shown who that is.
    pub(super) owner: Option<Box<Mark>>,
    /// Whether it may carry another request after the present one.
    reuse: Reuse,
    progress: Progress,
}

/// How far an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// Nothing of it has come.
    Awaited,
    /// Some of it has come, and whoever reads on waits for more.
    Begun,
}

impl Link {
    pub(super) fn new(
        stream: EndpointStream,
        (pool, endpoint): (PoolId, usize),
        manners: &Manners,
        owner: Option<Mark>,
    ) -> Self {
        let Manners {
            quick_ack,
            lengthless_redirect,
            ..
        } = *manners;
        Self {
            stream,
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

    /// The next request on it says whether another may follow. Once it may not, it never may: a user has logged in on the
    /// connection itself, and the next request could be another user's.
    pub fn carry(&mut self, reuse: Reuse) {
        if reuse == Reuse::Close {
            self.reuse = Reuse::Close;
        }
    }

    /// Keeps it for another request on this thread, of the same owner, if one may follow; else closes it. Only when both
    /// messages on it are whole.
    pub fn keep(self) {
        match self.reuse {
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

    /// How redirects without a length are read that come on it.
    pub fn lengthless_redirect(&self) -> LengthlessRedirect {
        self.lengthless_redirect
    }

    /// Where it came from.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// Its endpoint, by number.
    pub fn endpoint(&self) -> usize {
        self.endpoint
    }

    /// Whether it is open, and has nothing to say that nobody asked for.
    pub(super) fn is_quiet(&mut self) -> bool {
        let mut context = Context::from_waker(std::task::Waker::noop());
        match &mut self.stream {
            EndpointStream::Plain(stream, _) => {
                if stream.poll_read_ready(&mut context).is_pending() {
                    return true;
                }
                // What the system said last may be old news; only a read tells.
                matches!(stream.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
            }
            // What TLS itself has to say (tickets, new keys) is taken on the way.
            EndpointStream::Tls(stream, _) => Pin::new(stream)
                .poll_read(&mut context, &mut ReadBuf::new(&mut [0]))
                .is_pending(),
        }
    }

    /// Whether a write that fails says that nothing of it was sent. TLS may have sent some records before.
    pub fn says_what_it_sent(&self) -> bool {
        matches!(self.stream, EndpointStream::Plain(..))
    }

    /// What TLS holds back goes out with the next look for an answer; an error shows there, too.
    fn flush(&mut self, context: &mut Context<'_>) {
        if let EndpointStream::Tls(stream, _) = &mut self.stream
            && stream.get_ref().1.wants_write()
        {
            let _ = Pin::new(stream).poll_flush(context);
        }
    }

    /// Some upstreams write small pieces and let the system gather them (Nagle), which holds back the second until the first
    /// is acknowledged; and that is late by 40 ms where nobody answers (delayed acknowledgement). So where more of an answer
    /// is waited for, what has come is acknowledged now. An answer that comes in one piece costs nothing more.
    fn read<T>(
        &mut self,
        polled: Poll<io::Result<T>>,
        count: impl FnOnce(&T) -> usize,
    ) -> Poll<io::Result<T>> {
        match &polled {
            Poll::Ready(Ok(read)) if count(read) > 0 => self.progress = Progress::Begun,
            Poll::Pending if self.acknowledges() => {
                let socket = match &self.stream {
                    EndpointStream::Plain(stream, _) => stream,
                    EndpointStream::Tls(stream, _) => stream.get_ref().0,
                };
                // At worst the answer is as late as it would have been.
                let _ = SockRef::from(socket).set_tcp_quickack(true);
            }
            _ => {}
        }
        polled
    }

    fn acknowledges(&self) -> bool {
        self.quick_ack == QuickAck::Adaptive && self.progress == Progress::Begun
    }

    /// Writes as much of `slices` as goes at once.
    ///
    /// # Errors
    /// Of the socket.
    pub fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.progress = Progress::Awaited;
        match slices {
            // A plain send costs the system less.
            [only] => Pin::new(&mut self.stream).poll_write(context, only),
            several => Pin::new(&mut self.stream).poll_write_vectored(context, several),
        }
    }

    /// Reads into `space`. No bytes is the end.
    ///
    /// # Errors
    /// Of the socket.
    pub fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        space: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.flush(context);
        let mut read = ReadBuf::new(space);
        let polled = Pin::new(&mut self.stream).poll_read(context, &mut read);
        let polled = polled.map_ok(|()| read.filled().len());
        self.read(polled, |count| *count)
    }

    /// Reads behind what is in `buffer`, where room for `room` bytes is made once there is something to read. No bytes is
    /// the end.
    ///
    /// # Errors
    /// Of the socket.
    pub(super) fn poll_read_behind(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut BytesMut,
        room: usize,
    ) -> Poll<io::Result<usize>> {
        self.flush(context);
        if let EndpointStream::Plain(stream, _) = &self.stream {
            let readable = stream.poll_read_ready(context);
            ready!(self.read(readable, |()| 0))?;
        }
        if buffer.is_empty() && room <= SCRATCH {
            let stream = Pin::new(&mut self.stream);
            let polled = SPACE
                .with_borrow_mut(|space| read_by_scratch(stream, context, space, buffer, room));
            return self.read(polled, |count| *count);
        }
        buffer.reserve(room);
        let polled = std::pin::pin!(self.stream.read_buf(buffer)).poll(context);
        self.read(polled, |count| *count)
    }

    /// Reads into these ranges of `memory`, one after the other, which must be in order and apart; TLS, one record at a
    /// time, fills only the first. No bytes is the end.
    ///
    /// # Errors
    /// Of the socket.
    pub fn poll_read_spaces(
        &mut self,
        context: &mut Context<'_>,
        memory: &mut [u8],
        spaces: &[Range<usize>],
    ) -> Poll<io::Result<usize>> {
        let stream = match (&self.stream, spaces) {
            (EndpointStream::Plain(stream, _), [_, _, ..]) => stream,
            _ => {
                let first = spaces.first().cloned().unwrap_or_default();
                return self.poll_read(context, memory.get_mut(first).unwrap_or_default());
            }
        };
        let polled = read_spaces(stream, context, memory, spaces);
        self.read(polled, |count| *count)
    }

    /// The connection as a stream that begins with bytes that were read already.
    pub fn into_stream(self, begun: Vec<u8>) -> LinkStream {
        LinkStream::new(self.stream, begun)
    }
}

/// Reads by way of memory of this thread, so that `buffer` becomes as large as what came.
fn read_by_scratch(
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
