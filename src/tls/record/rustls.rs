//! The record layer on rustls' unbuffered connection. The buffers belong to this file, so that reads are large and an
//! idle connection holds none. rustls returns plaintext and encrypted records in its own memory, so each is copied once.

use super::outgoing::OutgoingRecords;
use super::received::ReceivedRecords;
use super::unbuffered::{encode_record, queued_records, take_plaintext};
use super::{
    FillOutcome, READ_RECORDS, RECORD_HEADER, RECORD_PLAINTEXT, RECORD_TRAILER, ReadState,
    ReceiveBuffer, Records, Slab, Spaces, TlsFailure, WriteState,
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
    outgoing: OutgoingRecords,
    reading: ReadState<Box<Error>>,
    writing: WriteState,
}

/// Maximum size in bytes of an alert or key update together with `close_notify`, as records of any version.
const CONTROL_RECORDS: usize = 256;

/// The next action after rustls has processed received bytes.
enum SessionStep {
    /// Call rustls again.
    Again,
    /// All shown bytes are processed.
    Done,
    /// The client has sent `close_notify`.
    Close,
}

/// Why no more records are decrypted.
enum OpenOutcome {
    /// The input is full.
    Enough,
    /// More bytes must be received.
    Missing,
    /// The client has sent `close_notify`.
    Close,
}

impl RustlsRecords {
    /// The record layer after a completed handshake; `received` are the bytes after it.
    pub(in crate::tls) fn new(
        socket: TcpStream,
        session: UnbufferedServerConnection,
        received: ReceivedRecords,
    ) -> Self {
        Self {
            socket,
            session: Box::new(session),
            received,
            outgoing: OutgoingRecords::default(),
            reading: ReadState::Open,
            writing: WriteState::Open,
        }
    }

    /// Decrypts the received records, as far as the plaintext fits.
    fn open(&mut self, input: &mut ReceiveBuffer) -> Result<OpenOutcome, Error> {
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

    /// Lets rustls process the shown bytes.
    fn step(&mut self, input: &mut ReceiveBuffer) -> Result<SessionStep, Error> {
        let UnbufferedStatus {
            mut discard, state, ..
        } = self.session.process_tls_records(self.received.released());
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
            // Early data and handshakes are impossible here.
            Ok(_) => Err(Error::HandshakeNotComplete),
            Err(error) => Err(error),
        };
        self.received.discard(discard);
        step
    }

    /// Receives the rest of a record and, if all are of full size, more whole ones. So the next read begins at a record.
    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<Result<usize, ReceiveError>> {
        let full = match self.session.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => RECORD_HEADER + RECORD_PLAINTEXT + RECORD_TRAILER,
            // The explicit nonce and the tag of AES-GCM (RFC 5288 section 3).
            _ => RECORD_HEADER + RECORD_PLAINTEXT + 8 + 16,
        };
        let wanted = self.received.missing().unwrap_or(full) + (READ_RECORDS - 1) * full;
        let room = self.received.room(wanted);
        if room.is_empty() {
            return Poll::Ready(Err(ReceiveError::BufferFull));
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

    /// Ends reading with an error, and sends an alert if there is room.
    fn fail(&mut self, error: Error, context: &mut Context<'_>) -> io::Error {
        if self.writing == WriteState::Open {
            self.put_alert(&error);
            self.writing = WriteState::Closed;
        }
        self.received.clear();
        self.reading = ReadState::Failed(Box::new(error.clone()));
        // The rest is sent when the connection closes.
        let _ = self.outgoing.poll_send(&mut self.socket, context);
        invalid(error)
    }

    /// Queues the alert for an error, or `close_notify` if rustls has none.
    fn put_alert(&mut self, error: &Error) {
        let has_alert = self.session.wants_write();
        self.outgoing.put_record(&queued_records(&mut self.session));
        if !has_alert && !matches!(error, Error::AlertReceived(_)) {
            // rustls has no alert for some errors, such as a flood of key updates. `close_notify` is an alert, too.
            self.received.hide_latest();
            self.put_close_notify();
        }
    }

    fn put_close_notify(&mut self) {
        let mut record = [0; CONTROL_RECORDS];
        // If rustls makes no `close_notify` any more, the client sees only the end of the socket.
        if let Ok(length) = self.seal(&mut record, |traffic, target| {
            traffic.queue_close_notify(target)
        }) {
            self.outgoing
                .put_record(record.get(..length).unwrap_or_default());
        }
    }

    /// Writes pending records of rustls to `target`, then those of `seal`. Returns the length of both.
    fn seal(
        &mut self,
        target: &mut [u8],
        seal: impl FnOnce(
            &mut WriteTraffic<'_, ServerConnectionData>,
            &mut [u8],
        ) -> Result<usize, EncryptError>,
    ) -> io::Result<usize> {
        let mut length = 0;
        loop {
            let UnbufferedStatus { discard, state, .. } =
                self.session.process_tls_records(self.received.released());
            let rest = target.get_mut(length..).unwrap_or_default();
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

    /// The final result of `poll_fill`, if reading has ended.
    fn final_result(&self) -> Option<io::Result<FillOutcome>> {
        match &self.reading {
            ReadState::Open => None,
            ReadState::Ended(end) => Some(Ok(*end)),
            ReadState::Failed(error) => Some(Err(invalid((**error).clone()))),
        }
    }
}

/// Why nothing was received.
enum ReceiveError {
    Socket(io::Error),
    /// A message is longer than the buffer.
    BufferFull,
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
        input: &mut ReceiveBuffer,
    ) -> Poll<io::Result<FillOutcome>> {
        if let Some(ended) = self.final_result() {
            return Poll::Ready(ended);
        }
        if input.is_full() {
            return Poll::Ready(Err(io::Error::other("the input is full")));
        }
        let initial_length = input.len();
        loop {
            let outcome = self.open(input);
            // Records that rustls makes itself, such as the rejection of a renegotiation: the client may wait for this. If
            // the socket has no room now, they are sent with the next response.
            if self.outgoing.holds_only_records() {
                let _ = self.outgoing.poll_send(&mut self.socket, context);
            }
            let failed = match outcome {
                Ok(OpenOutcome::Close) => {
                    self.received.clear();
                    self.reading = ReadState::Ended(FillOutcome::Closed);
                    None
                }
                Ok(OpenOutcome::Enough | OpenOutcome::Missing) => None,
                Err(error) => Some(self.fail(error, context)),
            };
            // Plaintext is returned before the end that follows it.
            if input.len() > initial_length {
                return Poll::Ready(Ok(FillOutcome::Some));
            }
            if let Some(error) = failed {
                return Poll::Ready(Err(error));
            }
            if let Some(ended) = self.final_result() {
                return Poll::Ready(ended);
            }
            match ready!(self.poll_receive(context)) {
                Ok(0) => self.reading = ReadState::Ended(FillOutcome::Cut),
                Ok(_) => {}
                Err(ReceiveError::Socket(error)) => return Poll::Ready(Err(error)),
                Err(ReceiveError::BufferFull) => {
                    let error = Error::InvalidMessage(InvalidMessage::HandshakePayloadTooLarge);
                    return Poll::Ready(Err(self.fail(error, context)));
                }
            }
        }
    }

    fn failure(&self) -> Option<TlsFailure> {
        match &self.reading {
            ReadState::Failed(error) => TlsFailure::among(&**error),
            ReadState::Open | ReadState::Ended(_) => None,
        }
    }

    fn spaces(records: usize) -> Spaces {
        Spaces::joined(records)
    }

    fn start_send(&mut self, slab: Slab, pieces: &[Range<usize>]) -> io::Result<()> {
        if self.writing == WriteState::Closed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if self.outgoing.holds_slab() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut sealed = Slab::take();
        let mut length = 0;
        for piece in pieces {
            let plaintext = slab.get(piece.clone()).ok_or(io::ErrorKind::InvalidInput)?;
            let target = sealed.get_mut(length..).unwrap_or_default();
            match self.seal(target, |traffic, target| traffic.encrypt(plaintext, target)) {
                Ok(more) => length += more,
                Err(error) => {
                    // Encrypted records that are not sent leave a gap in the sequence, which clients reject.
                    self.writing = WriteState::Closed;
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
        if self.writing == WriteState::Open {
            self.put_close_notify();
            self.writing = WriteState::Closed;
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
