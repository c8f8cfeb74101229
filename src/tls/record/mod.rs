//! Records: a small trait of operations, and the backends behind it. What is decrypted lies in a slab and is sent on from
//! there; an idle connection holds none. Knows no HTTP.

mod corked;
mod failure;
mod gathered;
mod in_place;
mod input;
mod lingering_close;
mod outgoing;
mod received;
mod rustls;
mod shown;
mod slab;
mod stream;
mod unbuffered;
#[cfg(test)]
mod tests;

pub use corked::{Cork, CorkedStream};
pub use failure::{TlsFailure, TlsFailureReason};
pub use in_place::{InPlaceRecords, RecordError};
pub use input::Input;
pub use lingering_close::LingeringClose;
pub(in crate::tls) use received::ReceivedRecords;
pub use rustls::RustlsRecords;
pub(in crate::tls) use shown::ShownRecords;
pub use slab::Slab;
pub use stream::RecordStream;
pub(in crate::tls) use unbuffered::{encode_record, queued_records};

use std::cell::Cell;
use std::io;
use std::ops::Range;
use std::task::{Context, Poll};
use tokio::net::TcpStream;

/// Octets before the payload of a record (RFC 8446 section 5.1).
pub const RECORD_HEADER: usize = 5;
/// Octets behind the plaintext of a record: its content type and the AEAD's tag (section 5.2).
pub const RECORD_TRAILER: usize = 17;
/// The most plaintext in a record (section 5.1).
pub const RECORD_PLAINTEXT: usize = 16384;
/// Free octets in front of the first space of a slab, for a head that grows.
pub const HEADROOM: usize = 2048;
/// The largest record of TLS 1.3 with its header (section 5.2).
const RECORD_WIRE: usize = RECORD_HEADER + RECORD_PLAINTEXT + 256;

/// How many full records are read at once, if so many are there: about 64 KiB. To ask for more than comes costs nothing.
const READ_RECORDS: usize = 4;

/// What [`Records::poll_fill`] brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filled {
    /// Plaintext was added.
    Some,
    /// `close_notify`: the client sends no more, but may still read.
    Closed,
    /// The socket ended without `close_notify`: what came last may be cut off.
    Cut,
}

/// A TLS connection after its handshake, record by record.
pub trait Records: Unpin {
    /// The socket, for its options and addresses. Nobody else reads or writes it.
    fn socket(&self) -> &TcpStream;

    /// Appends to `input` what is there, as far as it fits, with a bounded number of reads. When it is pending and
    /// `input` is empty, no slab is held unless part of a record is here.
    ///
    /// # Errors
    /// Of the socket, and of the TLS library for what the client may not send; nothing is read after one. Also if
    /// `input` [is full](Input::is_full).
    fn poll_fill(
        &mut self,
        context: &mut Context<'_>,
        input: &mut Input,
    ) -> Poll<io::Result<Filled>>;

    /// What the client did that ended the connection, if TLS is the reason. It has been told, as far as there was room.
    fn failure(&self) -> Option<TlsFailure>;

    /// Where plaintext for up to `records` full records belongs in a slab for [`start_send`](Self::start_send). The first
    /// space begins at [`HEADROOM`].
    fn spaces(records: usize) -> Spaces;

    /// Encrypts the plaintext in these ranges of `slab` in their order, each 1 to [`RECORD_PLAINTEXT`] octets with
    /// [`RECORD_HEADER`] free octets before and [`RECORD_TRAILER`] behind it. Only when all of the last call is sent.
    ///
    /// # Errors
    /// For ranges that cannot be, and after the connection is closed.
    fn start_send(&mut self, slab: Slab, pieces: &[Range<usize>]) -> io::Result<()>;

    /// Sends what is left; tries the socket at once. Ready when nothing is left.
    ///
    /// # Errors
    /// Of the socket.
    fn poll_sent(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Sends what is left and `close_notify`. The socket stays open.
    ///
    /// # Errors
    /// Of the socket.
    fn poll_close(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// Whether more can be received on a connection.
#[derive(Clone, Copy, Debug)]
enum Reading<E> {
    Open,
    Ended(Filled),
    /// The client has broken TLS, or has sent an alert.
    Failed(E),
}

/// Whether more can be sent on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writing {
    Open,
    /// The last record is sealed.
    Closed,
}

/// The records of a connection, by backend.
#[derive(Debug)]
pub enum Transport {
    /// rustls opens and seals.
    Rustls(RustlsRecords),
    /// We do, where they lie.
    InPlace(InPlaceRecords),
}

/// Ranges of a slab for plaintext.
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
        let place = |record: usize| {
            (
                HEADROOM + record * STEP,
                HEADROOM + record * STEP + RECORD_PLAINTEXT,
            )
        };
        Self {
            bounds: std::array::from_fn(place),
            count: records.clamp(1, Slab::RECORDS),
        }
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Never.
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

/// How many octets of plaintext our own code has moved in memory on this thread, other than heads by [`Input::join`].
pub fn copied_octets() -> u64 {
    COPIED.get()
}

/// As [`copied_octets`], since this was last asked.
pub fn take_copied_octets() -> u64 {
    COPIED.replace(0)
}

/// Notes that octets of plaintext were moved in memory.
pub fn count_copied(octets: usize) {
    COPIED.set(COPIED.get().wrapping_add(octets as u64));
}
