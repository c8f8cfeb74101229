//! A connection to an endpoint, plain or TLS, as both HTTP engines read and write it: straight from and into memory that
//! the caller gives. Parses nothing.

use crate::endpoint::EndpointStream;
use crate::pool::{self, PoolId};
use bytes::BytesMut;
use socket2::SockRef;
use std::io::{self, IoSlice, IoSliceMut, Read};
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, Interest, ReadBuf};

/// The most ranges that one read fills.
const MOST_SPACES: usize = 8;

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
}

impl Link {
    pub(super) fn new(stream: EndpointStream, pool: PoolId, endpoint: usize) -> Self {
        Self { stream, pool, endpoint, origin: Origin::New }
    }

    /// Keeps it for another request on this thread. Only when both messages on it are whole.
    pub fn keep(self) {
        pool::put(self.pool, Self { origin: Origin::Pooled, ..self });
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
            EndpointStream::Plain(stream) => {
                if stream.poll_read_ready(&mut context).is_pending() {
                    return true;
                }
                // What the system said last may be old news; only a read tells.
                matches!(stream.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
            }
            // What TLS itself has to say (tickets, new keys) is taken on the way.
            EndpointStream::Tls(stream) => {
                Pin::new(stream).poll_read(&mut context, &mut ReadBuf::new(&mut [0])).is_pending()
            }
        }
    }

    /// Whether a write that fails says that nothing of it was sent. TLS may have sent some records before.
    pub fn says_what_it_sent(&self) -> bool {
        matches!(self.stream, EndpointStream::Plain(_))
    }

    /// What TLS holds back goes out with the next look for an answer; an error shows there, too.
    fn flush(&mut self, context: &mut Context<'_>) {
        if let EndpointStream::Tls(stream) = &mut self.stream
            && stream.get_ref().1.wants_write()
        {
            let _ = Pin::new(stream).poll_flush(context);
        }
    }

    /// Writes as much of `slices` as goes at once.
    ///
    /// # Errors
    /// Of the socket.
    pub fn poll_write(&mut self, context: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
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
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut read))?;
        Poll::Ready(Ok(read.filled().len()))
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
        if let EndpointStream::Plain(stream) = &self.stream {
            ready!(stream.poll_read_ready(context))?;
        }
        buffer.reserve(room);
        std::pin::pin!(self.stream.read_buf(buffer)).poll(context)
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
            (EndpointStream::Plain(stream), [_, _, ..]) => stream,
            _ => {
                let first = spaces.first().cloned().unwrap_or_default();
                return self.poll_read(context, memory.get_mut(first).unwrap_or_default());
            }
        };
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

    /// The connection as a stream that begins with bytes that were read already.
    pub fn into_stream(self, begun: Vec<u8>) -> LinkStream {
        LinkStream { stream: self.stream, begun, given: 0 }
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

/// A connection that has left HTTP.
#[derive(Debug)]
pub struct LinkStream {
    stream: EndpointStream,
    begun: Vec<u8>,
    given: usize,
}

impl AsyncRead for LinkStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let rest = self.begun.get(self.given..).unwrap_or_default();
        if rest.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let count = rest.len().min(buffer.remaining());
        buffer.put_slice(rest.get(..count).unwrap_or_default());
        self.given += count;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for LinkStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
