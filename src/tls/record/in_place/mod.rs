//! Records opened and sealed where they lie, with keys that rustls has negotiated. TLS 1.3 only. Strict: whatever has no
//! place after a handshake ends the connection with its alert.

mod error;
mod extract;
mod keys;
mod protection;

pub use error::RecordError;

use super::outgoing::Outgoing;
use super::{
    Filled, Input, READ_RECORDS, RECORD_HEADER, RECORD_PLAINTEXT, RECORD_TRAILER, RECORD_WIRE,
    Reading, Records, Slab, Spaces, TlsFailure, Writing,
};
use extract::Keys;
use keys::{Frame, frame};
use protection::{Content, Protection};
use rustls::server::UnbufferedServerConnection;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;

/// See the module.
pub struct InPlaceRecords {
    socket: TcpStream,
    protection: Box<Protection>,
    outgoing: Outgoing,
    reading: Reading<RecordError>,
    writing: Writing,
}

/// A record of the largest size that clients make, with all that is around it.
const FULL_RECORD: usize = RECORD_HEADER + RECORD_PLAINTEXT + RECORD_TRAILER;

impl InPlaceRecords {
    /// Takes over a TLS 1.3 connection whose handshake is done and sent.
    ///
    /// # Errors
    /// If it is not done, or its configuration does not allow it.
    pub fn new(
        socket: TcpStream,
        connection: UnbufferedServerConnection,
    ) -> Result<Self, rustls::Error> {
        let protection = Box::new(Protection::new(Keys::extract(connection)?));
        let outgoing = Outgoing::default();
        Ok(Self {
            socket,
            protection,
            outgoing,
            reading: Reading::Open,
            writing: Writing::Open,
        })
    }

    /// As if so many records had been opened and sealed.
    #[cfg(test)]
    pub(super) fn set_sequences(&mut self, opener: u64, sealer: u64) {
        let keys = self.protection.keys();
        keys.opener.set_sequence(opener);
        keys.sealer.set_sequence(sealer);
    }

    /// Opens what is here, as far as it fits.
    fn open(&mut self, input: &mut Input) -> Result<Opened, RecordError> {
        loop {
            if !input.can_be_opened_into() {
                return Ok(Opened::Enough);
            }
            let sealed = input.sealed();
            let length = match frame(sealed)? {
                Frame::Whole(length) => length,
                Frame::Missing(missing) => return Ok(Opened::Missing(Some(missing))),
                Frame::Unknown => return Ok(Opened::Missing(None)),
            };
            let record = sealed.get_mut(..length).unwrap_or_default();
            match self.protection.open(record)? {
                Content::Application(range) => input.open(length, range),
                Content::Nothing => input.open(length, 0..0),
                Content::Close => return Ok(Opened::Close),
            }
        }
    }

    /// Receives what completes a record, and some more if they are full ones: so the next read begins where a record does,
    /// and none has to be moved.
    fn poll_receive(
        &mut self,
        context: &mut Context<'_>,
        input: &mut Input,
        missing: Option<usize>,
    ) -> Poll<io::Result<usize>> {
        let wanted = missing.unwrap_or(FULL_RECORD) + (READ_RECORDS - 1) * FULL_RECORD;
        let room = input.room(missing.unwrap_or(RECORD_WIRE));
        let wanted = wanted.min(room.len());
        if wanted == 0 {
            // What is here must be consumed first, and then this is polled again. A read of no bytes would look like an end.
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

    /// Nothing more is read; the client learns why, if there is room for that.
    fn fail(&mut self, error: RecordError, input: &mut Input, context: &mut Context<'_>) {
        input.forget_sealed();
        self.reading = Reading::Failed(error);
        if self.writing == Writing::Open {
            self.writing = Writing::Closed;
            if let Some(alert) = error.alert()
                && let Ok(record) = self.protection.seal_alert(alert)
            {
                self.outgoing.put_record(&record);
            }
        }
        let _ = self.outgoing.poll_send(&mut self.socket, context);
    }

    fn ended(&self) -> Option<io::Result<Filled>> {
        match self.reading {
            Reading::Open => None,
            Reading::Ended(end) => Some(Ok(end)),
            Reading::Failed(error) => Some(Err(error.into())),
        }
    }
}

enum Opened {
    /// No more fits.
    Enough,
    /// All is open that is here whole; so much of the next record is missing, if that is known.
    Missing(Option<usize>),
    Close,
}

impl Records for InPlaceRecords {
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
            let mut missing = None;
            match self.open(input) {
                Ok(Opened::Enough) => {}
                Ok(Opened::Missing(octets)) => missing = octets,
                Ok(Opened::Close) => {
                    input.forget_sealed();
                    self.reading = Reading::Ended(Filled::Closed);
                }
                Err(error) => self.fail(error, input, context),
            }
            // Content goes before the end that follows it.
            if input.len() > before {
                return Poll::Ready(Ok(Filled::Some));
            }
            if let Some(ended) = self.ended() {
                return Poll::Ready(ended);
            }
            if ready!(self.poll_receive(context, input, missing))? == 0 {
                input.forget_sealed();
                self.reading = Reading::Ended(Filled::Cut);
            }
        }
    }

    fn failure(&self) -> Option<TlsFailure> {
        match self.reading {
            Reading::Failed(error) => TlsFailure::among(&error),
            Reading::Open | Reading::Ended(_) => None,
        }
    }

    fn spaces(records: usize) -> Spaces {
        Spaces::apart(records)
    }

    fn start_send(&mut self, mut slab: Slab, pieces: &[Range<usize>]) -> io::Result<()> {
        if self.writing == Writing::Closed {
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
        if self.writing == Writing::Open {
            self.writing = Writing::Closed;
            let record = self.protection.seal_close()?;
            self.outgoing.put_record(&record);
        }
        self.poll_sent(context)
    }
}

/// Whether these ranges are records that do not touch each other's headers and trailers.
fn can_be_sealed(pieces: &[Range<usize>]) -> bool {
    let mut free = 0;
    let apart = pieces.iter().all(|piece| {
        let fits =
            piece.start >= free + RECORD_HEADER && (1..=RECORD_PLAINTEXT).contains(&piece.len());
        free = piece.end.saturating_add(RECORD_TRAILER);
        fits && free <= Slab::SIZE
    });
    apart && (1..=Slab::RECORDS).contains(&pieces.len())
}

impl std::fmt::Debug for InPlaceRecords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not even a debugger's line shows keys.
        f.debug_struct("InPlaceRecords")
            .field("socket", &self.socket)
            .finish_non_exhaustive()
    }
}
