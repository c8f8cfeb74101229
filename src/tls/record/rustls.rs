//! The records of a connection that rustls opens and seals, through its unbuffered connection. All buffers are ours, so that
//! reads are large and an idle connection holds none. rustls gives plaintext and sealed records in memory of its own, which
//! its API does not promise to change: each is copied once from or to there.

use super::outgoing::Outgoing;
use super::received::ReceivedRecords;
use super::unbuffered::{encode_record, queued_records, take_plaintext};
use super::{
    Filled, Input, READ_RECORDS, RECORD_HEADER, RECORD_PLAINTEXT, RECORD_TRAILER, Reading, Records,
    Slab, Spaces, TlsFailure, Writing,
};
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{ConnectionState, EncryptError, UnbufferedStatus, WriteTraffic};
use rustls::{Error, InvalidMessage, ProtocolVersion};
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;

/// Records of TLS 1.2 and 1.3.
pub struct RustlsRecords {
    socket: TcpStream,
    session: Box<UnbufferedServerConnection>,
    received: ReceivedRecords,
    outgoing: Outgoing,
    reading: Reading<Box<Error>>,
    writing: Writing,
}

/// An alert or a key update, and a goodbye, as records of any version.
const CONTROL_RECORDS: usize = 256;

/// What the connection does after rustls has looked at what was received.
enum SessionStep {
    /// Ask rustls again.
    Again,
    /// All is done with what it has seen.
    Done,
    /// The client has sent `close_notify`.
    Close,
}

/// Why no more records are opened.
enum OpenOutcome {
    /// No more fits.
    Enough,
    /// More must be received.
    Missing,
    Close,
}

impl RustlsRecords {
    /// The records of a connection whose handshake is done and sent; `received` came behind it.
    pub(in crate::tls) fn new(
        socket: TcpStream,
        session: UnbufferedServerConnection,
        received: ReceivedRecords,
    ) -> Self {
        Self {
            socket,
            session: Box::new(session),
            received,
            outgoing: Outgoing::default(),
            reading: Reading::Open,
            writing: Writing::Open,
        }
    }

    /// Opens what is here, as far as it fits.
    fn open(&mut self, input: &mut Input) -> Result<OpenOutcome, Error> {
        loop {
            if !input.has_room_for_record() {
                return Ok(OpenOutcome::Enough);
            }
            if !self.received.show_more() {
                return Ok(OpenOutcome::Missing);
            }
            loop {
                match self.step(input)? {
                    SessionStep::Again => {}
                    SessionStep::Done => break,
                    SessionStep::Close => return Ok(OpenOutcome::Close),
                }
            }
        }
    }

    /// Has rustls look at what it may see.
    fn step(&mut self, input: &mut Input) -> Result<SessionStep, Error> {
        let UnbufferedStatus {
            mut discard, state, ..
        } = self.session.process_tls_records(self.received.shown());
        let step = match state {
            Ok(ConnectionState::ReadTraffic(traffic)) => {
                take_plaintext(traffic, input).map(|more| {
                    discard += more;
                    SessionStep::Again
                })
            }
            Ok(ConnectionState::EncodeTlsData(data)) => {
                let mut record = Vec::new();
                encode_record(data, &mut record).map(|()| {
                    self.outgoing.put_record(&record);
                    SessionStep::Again
                })
            }
            Ok(ConnectionState::TransmitTlsData(data)) => {
                data.done();
                Ok(SessionStep::Again)
            }
            Ok(ConnectionState::PeerClosed | ConnectionState::Closed) => Ok(SessionStep::Close),
            Ok(ConnectionState::WriteTraffic(_)) => Ok(SessionStep::Done),
            // There is no early data here, and no handshake.
            Ok(_) => Err(Error::HandshakeNotComplete),
            Err(error) => Err(error),
        };
        self.received.discard(discard);
        step
    }

    /// Receives what completes a record, and some more if they are full ones: so the next read begins where a record does.
    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<Result<usize, ReceiveError>> {
        let full = match self.session.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => RECORD_HEADER + RECORD_PLAINTEXT + RECORD_TRAILER,
            // An explicit nonce, and the tag of AES-GCM (RFC 5288 section 3).
            _ => RECORD_HEADER + RECORD_PLAINTEXT + 8 + 16,
        };
        let wanted = self.received.missing().unwrap_or(full) + (READ_RECORDS - 1) * full;
        let room = self.received.room(wanted);
        if room.is_empty() {
            return Poll::Ready(Err(ReceiveError::TooMuch));
        }
        let mut buffer = ReadBuf::new(room);
        let polled = Pin::new(&mut self.socket).poll_read(context, &mut buffer);
        let length = buffer.filled().len();
        self.received.add(length);
        if length == 0 {
            self.received.release_slab();
        }
        ready!(polled).map_err(ReceiveError::Socket)?;
        Poll::Ready(Ok(length))
    }

    /// Nothing more is read; the client learns why, if there is room for that.
    fn fail(&mut self, error: Error, context: &mut Context<'_>) -> io::Error {
        if self.writing == Writing::Open {
            self.put_reason(&error);
            self.writing = Writing::Closed;
        }
        self.received.clear();
        self.reading = Reading::Failed(Box::new(error.clone()));
        // What cannot be sent now goes when the connection closes.
        let _ = self.outgoing.poll_send(&mut self.socket, context);
        invalid(error)
    }

    /// The alert, or what comes close to it.
    fn put_reason(&mut self, error: &Error) {
        let has_alert = self.session.wants_write();
        self.outgoing.put_record(&queued_records(&mut self.session));
        if !has_alert && !matches!(error, Error::AlertReceived(_)) {
            // rustls has no alert for a few errors, as a flood of key updates. A goodbye is one, too.
            self.received.hide_latest();
            self.put_goodbye();
        }
    }

    fn put_goodbye(&mut self) {
        let mut record = [0; CONTROL_RECORDS];
        // If rustls has no goodbye any more, the end of the socket must do.
        if let Ok(length) = self.seal(&mut record, |traffic, place| {
            traffic.queue_close_notify(place)
        }) {
            self.outgoing
                .put_record(record.get(..length).unwrap_or_default());
        }
    }

    /// Seals what `seal` asks for, behind what rustls has to say before it. Gives the length of both.
    fn seal(
        &mut self,
        place: &mut [u8],
        seal: impl FnOnce(
            &mut WriteTraffic<'_, ServerConnectionData>,
            &mut [u8],
        ) -> Result<usize, EncryptError>,
    ) -> io::Result<usize> {
        let mut length = 0;
        loop {
            let UnbufferedStatus { discard, state, .. } =
                self.session.process_tls_records(self.received.shown());
            let rest = place.get_mut(length..).unwrap_or_default();
            match state.map_err(invalid)? {
                ConnectionState::WriteTraffic(mut traffic) => {
                    return Ok(length
                        + seal(&mut traffic, rest)
                            .map_err(|error| io::Error::other(error.to_string()))?);
                }
                ConnectionState::EncodeTlsData(mut data) => {
                    length += data.encode(rest).map_err(io::Error::other)?
                }
                ConnectionState::TransmitTlsData(data) => data.done(),
                _ => return Err(io::ErrorKind::BrokenPipe.into()),
            }
            self.received.discard(discard);
        }
    }

    fn ended(&self) -> Option<io::Result<Filled>> {
        match &self.reading {
            Reading::Open => None,
            Reading::Ended(end) => Some(Ok(*end)),
            Reading::Failed(error) => Some(Err(invalid((**error).clone()))),
        }
    }
}

/// Why nothing was received.
enum ReceiveError {
    Socket(io::Error),
    /// A message is longer than what can be held of it.
    TooMuch,
}

fn invalid(error: Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

impl Records for RustlsRecords {
    fn socket(&self) -> &TcpStream {
        &self.socket
    }

    fn poll_fill(
        &mut self,
        context: &mut Context<'_>,
        input: &mut Input,
    ) -> Poll<io::Result<Filled>> {
        if let Some(ended) = self.ended() {
            return Poll::Ready(ended);
        }
        if input.is_full() {
            return Poll::Ready(Err(io::Error::other("the input is full")));
        }
        let before = input.len();
        loop {
            let opened = self.open(input);
            // What rustls says by itself, as that it does not negotiate anew: a client that waits for this sends nothing else.
            // If there is no room for it now, it goes with the next answer.
            if self.outgoing.holds_only_records() {
                let _ = self.outgoing.poll_send(&mut self.socket, context);
            }
            let failed = match opened {
                Ok(OpenOutcome::Close) => {
                    self.received.clear();
                    self.reading = Reading::Ended(Filled::Closed);
                    None
                }
                Ok(OpenOutcome::Enough | OpenOutcome::Missing) => None,
                Err(error) => Some(self.fail(error, context)),
            };
            // Content goes before the end that follows it.
            if input.len() > before {
                return Poll::Ready(Ok(Filled::Some));
            }
            if let Some(error) = failed {
                return Poll::Ready(Err(error));
            }
            if let Some(ended) = self.ended() {
                return Poll::Ready(ended);
            }
            match ready!(self.poll_receive(context)) {
                Ok(0) => self.reading = Reading::Ended(Filled::Cut),
                Ok(_) => {}
                Err(ReceiveError::Socket(error)) => return Poll::Ready(Err(error)),
                Err(ReceiveError::TooMuch) => {
                    let error = Error::InvalidMessage(InvalidMessage::HandshakePayloadTooLarge);
                    return Poll::Ready(Err(self.fail(error, context)));
                }
            }
        }
    }

    fn failure(&self) -> Option<TlsFailure> {
        match &self.reading {
            Reading::Failed(error) => TlsFailure::among(&**error),
            Reading::Open | Reading::Ended(_) => None,
        }
    }

    fn spaces(records: usize) -> Spaces {
        Spaces::joined(records)
    }

    fn start_send(&mut self, slab: Slab, pieces: &[Range<usize>]) -> io::Result<()> {
        if self.writing == Writing::Closed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if self.outgoing.holds_slab() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut sealed = Slab::take();
        let mut length = 0;
        for piece in pieces {
            let plaintext = slab.get(piece.clone()).ok_or(io::ErrorKind::InvalidInput)?;
            let place = sealed.get_mut(length..).unwrap_or_default();
            match self.seal(place, |traffic, place| traffic.encrypt(plaintext, place)) {
                Ok(more) => length += more,
                Err(error) => {
                    // Records that are sealed and not sent leave a gap that no client gets over.
                    self.writing = Writing::Closed;
                    return Err(error);
                }
            }
        }
        let mut ranges = [const { 0..0 }; Slab::RECORDS];
        if let Some(first) = ranges.first_mut() {
            *first = 0..length;
        }
        self.outgoing.put_slab(sealed, ranges);
        Ok(())
    }

    fn poll_sent(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing.poll_send(&mut self.socket, context)
    }

    fn poll_close(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.writing == Writing::Open {
            self.put_goodbye();
            self.writing = Writing::Closed;
        }
        self.poll_sent(context)
    }
}

impl std::fmt::Debug for RustlsRecords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RustlsRecords")
            .field("socket", &self.socket)
            .finish_non_exhaustive()
    }
}
