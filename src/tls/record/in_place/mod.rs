//! The in-place record layer: decrypts and encrypts records in place with keys negotiated by rustls. TLS 1.3 only.
//! Strict: a record that is not allowed after the handshake ends the connection with an alert.

mod error;
mod extract;
mod keys;
mod protection;

pub use error::RecordError;

use super::outgoing::OutgoingRecords;
use super::{
    FillOutcome, READ_RECORDS, RECORD_HEADER, RECORD_PLAINTEXT, RECORD_TRAILER, RECORD_WIRE,
    ReadState, ReceiveBuffer, Records, Slab, Spaces, TlsFailure, WriteState,
};
use extract::TrafficKeys;
use keys::{Frame, frame};
use protection::{Protection, RecordContent};
use rustls::server::UnbufferedServerConnection;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;

/// The record layer of a TLS 1.3 connection, in place.
pub struct InPlaceRecords {
    socket: TcpStream,
    protection: Box<Protection>,
    outgoing: OutgoingRecords,
    reading: ReadState<RecordError>,
    writing: WriteState,
}

/// The size of the largest record that clients send, with header and trailer.
const FULL_RECORD: usize = RECORD_HEADER + RECORD_PLAINTEXT + RECORD_TRAILER;

impl InPlaceRecords {
    /// Takes over a TLS 1.3 connection after its handshake is completed and sent.
    ///
    /// # Errors
    /// If the handshake is not complete, or the configuration does not allow key extraction.
    pub fn new(
        socket: TcpStream,
        connection: UnbufferedServerConnection,
    ) -> Result<Self, rustls::Error> {
        let protection = Box::new(Protection::new(TrafficKeys::extract(connection)?));
        let outgoing = OutgoingRecords::default();
        Ok(Self {
            socket,
            protection,
            outgoing,
            reading: ReadState::Open,
            writing: WriteState::Open,
        })
    }

    /// Sets the number of decrypted and encrypted records.
    #[cfg(test)]
    pub(super) fn set_sequences(&mut self, opener: u64, sealer: u64) {
        let keys = self.protection.keys();
        keys.opener.set_sequence(opener);
        keys.sealer.set_sequence(sealer);
    }

    /// Decrypts the received records, as far as segments are free.
    fn open(&mut self, input: &mut ReceiveBuffer) -> Result<OpenResult, RecordError> {
        loop {
            if !input.has_free_segment() {
                return Ok(OpenResult::Enough);
            }
            let sealed = input.sealed();
            let length = match frame(sealed)? {
                Frame::Whole(length) => length,
                Frame::Missing(missing) => return Ok(OpenResult::Missing(Some(missing))),
                Frame::Unknown => return Ok(OpenResult::Missing(None)),
            };
            let record = sealed.get_mut(..length).unwrap_or_default();
            match self.protection.open(record)? {
                RecordContent::Application(range) => input.open(length, range),
                RecordContent::Nothing => input.open(length, 0..0),
                RecordContent::Close => return Ok(OpenResult::Close),
            }
        }
    }

    /// Receives the rest of a record and, if all are of full size, more whole ones. So the next read begins at a record,
    /// and none has to be moved.
    fn poll_receive(
        &mut self,
        context: &mut Context<'_>,
        input: &mut ReceiveBuffer,
        missing: Option<usize>,
    ) -> Poll<io::Result<usize>> {
        let wanted = missing.unwrap_or(FULL_RECORD) + (READ_RECORDS - 1) * FULL_RECORD;
        let room = input.room(missing.unwrap_or(RECORD_WIRE));
        let wanted = wanted.min(room.len());
        if wanted == 0 {
            // The caller must consume input first and poll again. A read of zero bytes would look like the end.
            return Poll::Pending;
        }
        let mut buffer = ReadBuf::new(room.get_mut(..wanted).unwrap_or_default());
        let polled = Pin::new(&mut self.socket).poll_read(context, &mut buffer);
        let length = buffer.filled().len();
        input.add_sealed(length);
        if length == 0 {
            input.keep_without_slab();
        }
        ready!(polled)?;
        Poll::Ready(Ok(length))
    }

    /// Ends reading with an error, and sends an alert if there is room.
    fn fail(&mut self, error: RecordError, input: &mut ReceiveBuffer, context: &mut Context<'_>) {
        input.forget_sealed();
        self.reading = ReadState::Failed(error);
        if self.writing == WriteState::Open {
            self.writing = WriteState::Closed;
            if let Some(alert) = error.alert()
                && let Ok(record) = self.protection.seal_alert(alert)
            {
                self.outgoing.put_record(&record);
            }
        }
        let _ = self.outgoing.poll_send(&mut self.socket, context);
    }

    /// The final result of `poll_fill`, if reading has ended.
    fn final_result(&self) -> Option<io::Result<FillOutcome>> {
        match self.reading {
            ReadState::Open => None,
            ReadState::Ended(end) => Some(Ok(end)),
            ReadState::Failed(error) => Some(Err(error.into())),
        }
    }
}

/// Why no more records are decrypted.
enum OpenResult {
    /// All segments are in use.
    Enough,
    /// All complete records are decrypted. The number of missing bytes of the next record, if known.
    Missing(Option<usize>),
    /// The client has sent `close_notify`.
    Close,
}

impl Records for InPlaceRecords {
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
            let mut missing = None;
            match self.open(input) {
                Ok(OpenResult::Enough) => {}
                Ok(OpenResult::Missing(count)) => missing = count,
                Ok(OpenResult::Close) => {
                    input.forget_sealed();
                    self.reading = ReadState::Ended(FillOutcome::Closed);
                }
                Err(error) => self.fail(error, input, context),
            }
            // Plaintext is returned before the end that follows it.
            if input.len() > initial_length {
                return Poll::Ready(Ok(FillOutcome::Some));
            }
            if let Some(ended) = self.final_result() {
                return Poll::Ready(ended);
            }
            if ready!(self.poll_receive(context, input, missing))? == 0 {
                input.forget_sealed();
                self.reading = ReadState::Ended(FillOutcome::Cut);
            }
        }
    }

    fn failure(&self) -> Option<TlsFailure> {
        match self.reading {
            ReadState::Failed(error) => TlsFailure::among(&error),
            ReadState::Open | ReadState::Ended(_) => None,
        }
    }

    fn spaces(records: usize) -> Spaces {
        Spaces::apart(records)
    }

    fn start_send(&mut self, mut slab: Slab, pieces: &[Range<usize>]) -> io::Result<()> {
        if self.writing == WriteState::Closed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if self.outgoing.holds_slab() || !can_be_sealed(pieces) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        if let Some(update) = self.protection.update_before(pieces.len())? {
            self.outgoing.put_record(&update);
        }
        let mut records = [const { 0..0 }; Slab::RECORDS];
        for (piece, record) in pieces.iter().zip(&mut records) {
            *record = self.protection.seal(&mut slab, piece.clone())?;
        }
        self.outgoing.put_slab(slab, records);
        Ok(())
    }

    fn poll_sent(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing.poll_send(&mut self.socket, context)
    }

    fn poll_close(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.writing == WriteState::Open {
            self.writing = WriteState::Closed;
            let record = self.protection.seal_close()?;
            self.outgoing.put_record(&record);
        }
        self.poll_sent(context)
    }
}

/// Whether these ranges leave room for the headers and trailers of their records.
fn can_be_sealed(pieces: &[Range<usize>]) -> bool {
    let mut free = 0;
    let is_spaced = pieces.iter().all(|piece| {
        let fits =
            piece.start >= free + RECORD_HEADER && (1..=RECORD_PLAINTEXT).contains(&piece.len());
        free = piece.end.saturating_add(RECORD_TRAILER);
        fits && free <= Slab::SIZE
    });
    is_spaced && (1..=Slab::RECORDS).contains(&pieces.len())
}

impl std::fmt::Debug for InPlaceRecords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Debug output must not contain keys.
        f.debug_struct("InPlaceRecords")
            .field("socket", &self.socket)
            .finish_non_exhaustive()
    }
}
