//! The TLS record layer: a trait and its two implementations. Plaintext is decrypted into a slab and forwarded from
//! there; an idle connection holds no slab. Knows no HTTP.

mod corked;
mod failure;
mod gathered;
mod in_place;
mod input;
mod lingering_close;
mod outgoing;
mod received;
mod rustls;
mod released;
mod slab;
mod stream;
mod unbuffered;
#[cfg(test)]
mod tests;

pub use corked::{Cork, CorkedStream};
pub use failure::{TlsFailure, TlsFailureReason};
pub use in_place::{InPlaceRecords, RecordError};
pub use input::ReceiveBuffer;
pub use lingering_close::LingeringClose;
pub(in crate::tls) use received::ReceivedRecords;
pub(in crate::tls) use released::ReleasedRecords;
pub use rustls::RustlsRecords;
pub use slab::Slab;
pub use stream::RecordStream;
pub(in crate::tls) use unbuffered::{encode_record, queued_records};

use std::cell::Cell;
use std::io;
use std::ops::Range;
use std::task::{Context, Poll};
use tokio::net::TcpStream;

/// Bytes of the record header (RFC 8446 section 5.1).
pub const RECORD_HEADER: usize = 5;
/// Bytes after the plaintext of a record: the content type and the AEAD tag (section 5.2).
pub const RECORD_TRAILER: usize = 17;
/// Maximum number of plaintext bytes in a record (section 5.1).
pub const RECORD_PLAINTEXT: usize = 16384;
/// Free bytes before the first space of a slab, for a head that grows.
pub const HEADROOM: usize = 2048;
/// Maximum size of a TLS 1.3 record with its header (section 5.2).
const RECORD_WIRE: usize = RECORD_HEADER + RECORD_PLAINTEXT + 256;

/// Full records per read, about 64 KiB. A larger read than the available bytes costs nothing.
const READ_RECORDS: usize = 4;

/// The result of [`Records::poll_fill`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FillOutcome {
    /// Plaintext was added.
    Some,
    /// `close_notify`: the client sends no more data, but may still read.
    Closed,
    /// The socket ended without `close_notify`: the data may be truncated.
    Cut,
}

/// A TLS connection after its handshake, record by record.
pub trait Records: Unpin {
    /// The socket, for its options and addresses. Callers must not read or write it.
    fn socket(&self) -> &TcpStream;

    /// Appends available plaintext to `input`, as far as it fits, with a bounded number of reads. If this is pending and
    /// `input` is empty, no slab is held unless part of a record was received.
    ///
    /// # Errors
    /// Errors of the socket, and protocol violations of the client; nothing is read after an error. Also if `input`
    /// [is full](ReceiveBuffer::is_full).
    fn poll_fill(
        &mut self,
        context: &mut Context<'_>,
        input: &mut ReceiveBuffer,
    ) -> Poll<io::Result<FillOutcome>>;

    /// The protocol violation or alert of the client that ended the connection. An alert was sent if there was room.
    fn failure(&self) -> Option<TlsFailure>;

    /// The ranges of a slab for the plaintext of up to `records` full records, for [`start_send`](Self::start_send). The
    /// first one begins at [`HEADROOM`].
    fn spaces(records: usize) -> Spaces;

    /// Encrypts the plaintext in these ranges of `slab` in order. Each range has 1 to [`RECORD_PLAINTEXT`] bytes, with
    /// [`RECORD_HEADER`] free bytes before and [`RECORD_TRAILER`] after it. Call it only when all earlier data is sent.
    ///
    /// # Errors
    /// For invalid ranges, and after the connection is closed.
    fn start_send(&mut self, slab: Slab, pieces: &[Range<usize>]) -> io::Result<()>;

    /// Sends pending data; tries the socket at once. Ready when all is sent.
    ///
    /// # Errors
    /// Errors of the socket.
    fn poll_sent(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Sends pending data and `close_notify`. The socket stays open.
    ///
    /// # Errors
    /// Errors of the socket.
    fn poll_close(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// The receiving side of a connection.
#[derive(Clone, Copy, Debug)]
enum ReadState<E> {
    Open,
    Ended(FillOutcome),
    /// The client violated the protocol or sent an alert.
    Failed(E),
}

/// The sending side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WriteState {
    Open,
    /// The last record is encrypted.
    Closed,
}

/// The record layer of a connection, by implementation.
#[derive(Debug)]
pub enum Transport {
    /// rustls decrypts and encrypts.
    Rustls(RustlsRecords),
    /// Portcullis decrypts and encrypts in place.
    InPlace(InPlaceRecords),
}

/// The ranges of a slab for plaintext.
#[derive(Clone, Copy, Debug)]
pub struct Spaces {
    bounds: [(usize, usize); Slab::RECORDS],
    count: usize,
}

impl Spaces {
    /// One range as long as `records` records, without gaps.
    fn joined(records: usize) -> Self {
        let records = records.clamp(1, Slab::RECORDS);
        Self {
            bounds: [(HEADROOM, HEADROOM + records * RECORD_PLAINTEXT); Slab::RECORDS],
            count: 1,
        }
    }

    /// One range for each record, with gaps for headers and trailers.
    fn apart(records: usize) -> Self {
        const STEP: usize = RECORD_HEADER + RECORD_PLAINTEXT + RECORD_TRAILER;
        let bounds = |record: usize| {
            let start = HEADROOM + record * STEP;
            (start, start + RECORD_PLAINTEXT)
        };
        Self {
            bounds: std::array::from_fn(bounds),
            count: records.clamp(1, Slab::RECORDS),
        }
    }

    /// The number of ranges.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Always `false`: there is at least one range.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The ranges, in order.
    pub fn iter(&self) -> impl Iterator<Item = Range<usize>> {
        self.bounds
            .into_iter()
            .take(self.count)
            .map(|(start, end)| start..end)
    }
}

thread_local! {
    static COPIED: Cell<u64> = const { Cell::new(0) };
}

/// Number of plaintext bytes that this crate has copied on this thread, except heads by [`ReceiveBuffer::join`].
pub fn copied_bytes() -> u64 {
    COPIED.get()
}

/// As [`copied_bytes`], since the last call of this function.
pub fn take_copied_bytes() -> u64 {
    COPIED.replace(0)
}

/// Counts copied plaintext bytes.
pub fn count_copied(bytes: usize) {
    COPIED.set(COPIED.get().wrapping_add(bytes as u64));
}
