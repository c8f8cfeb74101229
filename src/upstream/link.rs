//! A connection to an endpoint, plain or TLS, as both HTTP engines read and write it: straight from and into memory that
//! the caller gives. Parses nothing.

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
use std::io::{self, IoSlice, IoSliceMut, Read};
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

/// The most ranges that one read fills.
const MOST_SPACES: usize = 8;
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
        let Manners { quick_ack, lengthless_redirect, .. } = *manners;
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
            Reuse::Keep => pool::put(self.pool, Self { origin: Origin::Pooled, ..self }),
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
            EndpointStream::Tls(stream, _) => {
                Pin::new(stream).poll_read(&mut context, &mut ReadBuf::new(&mut [0])).is_pending()
            }
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
    fn read<T>(&mut self, polled: Poll<io::Result<T>>, count: impl FnOnce(&T) -> usize) -> Poll<io::Result<T>> {
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
    pub fn poll_write(&mut self, context: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
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
    pub fn poll_read(&mut self, context: &mut Context<'_>, space: &mut [u8]) -> Poll<io::Result<usize>> {
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
            let polled = SPACE.with_borrow_mut(|space| read_by_scratch(stream, context, space, buffer, room));
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

fn read_spaces(
    stream: &TcpStream,
    context: &mut Context<'_>,
    memory: &mut [u8],
    spaces: &[Range<usize>],
) -> Poll<io::Result<usize>> {
    loop {
        ready!(stream.poll_read_ready(context))?;
        let mut count = 0;
        let read = stream.try_io(Interest::READABLE, || {
            let mut slices = [const { None }; MOST_SPACES].map(|_: Option<()>| IoSliceMut::new(&mut []));
            let (used, room) = cut(memory, spaces, &mut slices);
            count = (&*SockRef::from(stream)).read_vectored(slices.get_mut(..used).unwrap_or_default())?;
            // A short read means that nothing is left: the runtime is told so, which saves asking the system again.
            if count > 0 && count < room { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        });
        match read {
            Ok(()) => return Poll::Ready(Ok(count)),
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Poll::Ready(Err(error)),
            Err(_) if count > 0 => return Poll::Ready(Ok(count)),
            Err(_) => {}
        }
    }
}

/// Cuts ranges out of memory. Gives how many there are, and how long they are together.
fn cut<'m>(mut memory: &'m mut [u8], spaces: &[Range<usize>], slices: &mut [IoSliceMut<'m>]) -> (usize, usize) {
    let (mut at, mut used, mut room) = (0, 0, 0);
    for (space, slice) in spaces.iter().zip(slices) {
        let (Some(skip), rest) = (space.start.checked_sub(at), std::mem::take(&mut memory)) else { break };
        let Some((_, rest)) = rest.split_at_mut_checked(skip) else { break };
        let Some((piece, rest)) = rest.split_at_mut_checked(space.len()) else { break };
        room += piece.len();
        *slice = IoSliceMut::new(piece);
        (memory, at, used) = (rest, space.end, used + 1);
    }
    (used, room)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::future::poll_fn;
    use std::time::Duration;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    /// A link with this setting, and the other end of it.
    async fn link(quick_ack: QuickAck) -> (Link, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let manners = Manners { quick_ack, ..Manners::default() };
        let descriptor = pool::descriptor().await.unwrap();
        let pool = pool::PoolKey::new(pool::Capacity::AtMost(1), Duration::ZERO);
        let link = Link::new(EndpointStream::Plain(stream, descriptor), (pool.id(), 0), &manners, None);
        (link, listener.accept().await.unwrap().0)
    }

    impl Link {
        /// Asks, as each request does.
        async fn ask(&mut self) {
            assert_eq!(poll_fn(|context| self.poll_write(context, &[IoSlice::new(b"?")])).await.unwrap(), 1);
        }

        /// Looks for more of an answer where there is none yet, and says whether the system acknowledges at once from then on.
        async fn acknowledges_while_it_waits(&mut self) -> bool {
            let EndpointStream::Plain(stream, _) = &self.stream else { panic!("plain") };
            SockRef::from(stream).set_tcp_quickack(false).unwrap();
            assert!(!SockRef::from(stream).tcp_quickack().unwrap());
            let spaces = [0..1, 1..2];
            for way in 0..3 {
                let (mut memory, mut buffer) = ([0; 2], BytesMut::new());
                let nothing = poll_fn(|context| {
                    Poll::Ready(match way {
                        0 => self.poll_read(context, &mut memory).is_pending(),
                        1 => self.poll_read_behind(context, &mut buffer, 1).is_pending(),
                        _ => self.poll_read_spaces(context, &mut memory, &spaces).is_pending(),
                    })
                });
                assert!(nothing.await);
            }
            let EndpointStream::Plain(stream, _) = &self.stream else { panic!("plain") };
            SockRef::from(stream).tcp_quickack().unwrap()
        }
    }

    #[tokio::test]
    async fn only_in_the_middle_of_an_answer_is_acknowledged_at_once_and_only_where_that_is_wanted() {
        for (quick_ack, wanted) in [(QuickAck::Adaptive, true), (QuickAck::Off, false)] {
            let (mut link, mut upstream) = link(quick_ack).await;
            for _ in 0..2 {
                link.ask().await;
                assert!(!link.acknowledges_while_it_waits().await, "nothing has come");
                upstream.write_all(b"x").await.unwrap();
                assert_eq!(poll_fn(|context| link.poll_read(context, &mut [0; 1])).await.unwrap(), 1);
                assert_eq!(link.acknowledges_while_it_waits().await, wanted);
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_cut_out_of_memory_is_what_was_asked_for(
            gaps in proptest::collection::vec((0usize..9, 0usize..9), 0..MOST_SPACES),
            length in 0usize..200,
        ) {
            let mut at = 0;
            let spaces: Vec<_> = gaps.iter().map(|(gap, length)| {
                let space = at + gap..at + gap + length;
                at = space.end;
                space
            }).collect();
            let mut memory: Vec<u8> = (0..length).map(|at| at as u8).collect();
            let copy = memory.clone();
            let mut slices = [const { None }; MOST_SPACES].map(|_: Option<()>| IoSliceMut::new(&mut []));
            let (used, room) = cut(&mut memory, &spaces, &mut slices);
            let fitting: Vec<_> = spaces.iter().take_while(|space| space.end <= length).collect();
            prop_assert_eq!(used, fitting.len());
            prop_assert_eq!(room, fitting.iter().map(|space| space.len()).sum::<usize>());
            for (slice, space) in slices.iter().zip(fitting) {
                prop_assert_eq!(&slice[..], &copy[space.clone()]);
            }
        }
    }
}
