//! The records of a connection that rustls opens and seals. Reads the socket in large pieces, because rustls by itself
//! asks for 4 KiB at a time.

use super::{Filled, Input, RECORD_HEADER, RECORD_PLAINTEXT, RECORD_TRAILER, Records, Slab, Spaces, TlsFailure};
use std::io::{self, BufRead, IoSlice, Read, Write};
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// See the module.
#[derive(Debug)]
pub struct RustlsRecords {
    stream: Box<TlsStream<TcpStream>>,
    /// Received and not yet given to rustls.
    received: Option<Received>,
    /// rustls' own buffer has grown.
    has_grown: bool,
    /// What the client did that it may not. Nothing more is read then.
    broken: Option<rustls::Error>,
    /// `close_notify` is queued or sent.
    is_closed: bool,
}

#[derive(Debug)]
struct Received {
    slab: Slab,
    rest: Range<usize>,
}

/// Two full records, so that reads of a stream of full records end where a record ends.
const RECEIVE: usize = 2 * (RECORD_HEADER + RECORD_PLAINTEXT + RECORD_TRAILER);
/// What rustls keeps at least.
const SMALL: usize = 4096;

impl RustlsRecords {
    /// The records of a stream whose handshake is done.
    pub fn new(mut stream: TlsStream<TcpStream>) -> Self {
        // What is sealed at once is bounded by the slab already, and may not be taken in part.
        stream.get_mut().1.set_buffer_limit(None);
        Self { stream: Box::new(stream), received: None, has_grown: false, broken: None, is_closed: false }
    }

    /// Moves what rustls has decrypted to `input`.
    fn drain(&mut self, input: &mut Input) -> io::Result<Drained> {
        let mut reader = self.stream.get_mut().1.reader();
        let mut drained = Drained::Nothing;
        loop {
            match reader.fill_buf() {
                Ok([]) => return Ok(drained.or(Drained::End(Filled::Closed))),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(drained),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Ok(drained.or(Drained::End(Filled::Cut)));
                }
                Err(error) => return Err(error),
            }
            let room = input.spare();
            if room.is_empty() {
                return Ok(Drained::NoRoom);
            }
            let length = reader.read(room)?;
            input.add_plaintext(length);
            drained = Drained::Some;
        }
    }

    /// Gives rustls the next piece of what was received. `false` if there is none.
    fn decrypt(&mut self, context: &mut Context<'_>) -> io::Result<bool> {
        let Some(received) = &mut self.received else { return Ok(false) };
        let (socket, session) = self.stream.get_mut();
        let mut rest = received.slab.get(received.rest.clone()).unwrap_or_default();
        received.rest.start += session.read_tls(&mut rest)?;
        if received.rest.is_empty() {
            self.received = None;
        }
        if let Err(error) = session.process_new_packets() {
            self.received = None;
            // rustls has an alert for most errors, but for a flood of key updates; a goodbye is one, too. If there is no room for
            // it now, it is sent with what is sent last.
            if !matches!(error, rustls::Error::AlertReceived(_)) {
                session.send_close_notify();
            }
            while session.wants_write() && session.write_tls(&mut Socket { socket, context }).is_ok() {}
            (self.is_closed, self.broken) = (true, Some(error.clone()));
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        if session.wants_write() {
            // What it says by itself, as that it does not negotiate anew; a client that waits for this sends nothing else. If
            // there is no room for it now, it goes with the next answer.
            let _ = session.write_tls(&mut Socket { socket, context });
        }
        Ok(true)
    }

    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut slab = Slab::take();
        let mut buffer = ReadBuf::new(slab.get_mut(..RECEIVE).unwrap_or_default());
        let polled = Pin::new(&mut self.stream.get_mut().0).poll_read(context, &mut buffer);
        let length = buffer.filled().len();
        if polled.is_pending() {
            self.shrink();
        }
        ready!(polled)?;
        if length > 0 {
            self.has_grown |= length > SMALL;
            self.received = Some(Received { slab, rest: 0..length });
        }
        Poll::Ready(Ok(length))
    }

    /// A connection that waits keeps no buffer of a former upload: rustls shrinks it when it is about to read.
    fn shrink(&mut self) {
        if std::mem::take(&mut self.has_grown) {
            let _ = self.stream.get_mut().1.read_tls(&mut NothingThere);
        }
    }
}

/// What rustls had.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Drained {
    Some,
    Nothing,
    /// More is there than fits.
    NoRoom,
    End(Filled),
}

impl Drained {
    /// Plaintext goes before the end that follows it.
    fn or(self, end: Self) -> Self {
        if self == Self::Some { self } else { end }
    }
}

impl Records for RustlsRecords {
    fn socket(&self) -> &TcpStream {
        self.stream.get_ref().0
    }

    fn poll_fill(&mut self, context: &mut Context<'_>, input: &mut Input) -> Poll<io::Result<Filled>> {
        if let Some(error) = &self.broken {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error.clone())));
        }
        let before = input.len();
        loop {
            match self.drain(input)? {
                Drained::NoRoom if input.len() == before => {
                    return Poll::Ready(Err(io::Error::other("the input is full")));
                }
                Drained::NoRoom => return Poll::Ready(Ok(Filled::Some)),
                Drained::End(end) if input.len() == before => return Poll::Ready(Ok(end)),
                Drained::Some | Drained::Nothing | Drained::End(_) => {}
            }
            if self.decrypt(context)? {
                continue;
            }
            if input.len() > before {
                return Poll::Ready(Ok(Filled::Some));
            }
            if ready!(self.poll_receive(context))? == 0 {
                return Poll::Ready(Ok(Filled::Cut));
            }
        }
    }

    fn failure(&self) -> Option<TlsFailure> {
        self.broken.as_ref().and_then(|error| TlsFailure::among(error))
    }

    fn spaces(records: usize) -> Spaces {
        Spaces::joined(records)
    }

    fn start_send(&mut self, slab: Slab, pieces: &[Range<usize>]) -> io::Result<()> {
        if self.is_closed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let mut writer = self.stream.get_mut().1.writer();
        for piece in pieces {
            let plaintext = slab.get(piece.clone()).ok_or(io::ErrorKind::InvalidInput)?;
            writer.write_all(plaintext)?;
        }
        Ok(())
    }

    fn poll_sent(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (socket, session) = self.stream.get_mut();
        while session.wants_write() {
            match session.write_tls(&mut Socket { socket, context }) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_close(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !std::mem::replace(&mut self.is_closed, true) {
            self.stream.get_mut().1.send_close_notify();
        }
        self.poll_sent(context)
    }
}

/// The socket as rustls writes to it. A write that would block has left its waker.
struct Socket<'a, 'c> {
    socket: &'a mut TcpStream,
    context: &'a mut Context<'c>,
}

impl Socket<'_, '_> {
    fn now(polled: Poll<io::Result<usize>>) -> io::Result<usize> {
        match polled {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl Write for Socket<'_, '_> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        Self::now(Pin::new(&mut *self.socket).poll_write(self.context, octets))
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        Self::now(Pin::new(&mut *self.socket).poll_write_vectored(self.context, pieces))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// For a read that is made for what rustls does before it.
struct NothingThere;

impl Read for NothingThere {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}
