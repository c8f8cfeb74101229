//! Progress of a response: which of the received bytes are sent unchanged, and how the response ends. Sends nothing.

use crate::forward::{
    BodyPart, IncompleteBody, ResponseBodyScanner, ResponseHeadError, write_trailers,
};
use crate::proxy::http1::gateway_response::SendFailure;
use crate::proxy::http1::rendered_response::{BodyDelimiter, RenderedResponse};
use crate::respond::Withdrawal;
use crate::tls::record::{Slab, count_copied};
use std::io::Write;
use std::ops::Range;
use tokio::time::Instant;

/// Number of records that one read fills: at first, and while the upstream fills all of them.
pub(super) const FEW_RECORDS: usize = 2;
pub(super) const MANY_RECORDS: usize = 4;

/// Length of a chunk's size line in a record, such as `4000 CR LF`.
pub(super) const LINE_ROOM: usize = 6;
pub(super) const LINE_END: &[u8] = b"\r\n";

/// Progress of a response on its way to the client.
pub(super) struct Download {
    body: ResponseBodyScanner,
    delimiter: BodyDelimiter,
    /// Bytes of the body that were sent.
    pub(super) body_bytes: u64,
    /// The upstream sent bytes after the end of the response.
    pub(super) has_surplus: bool,
    /// Bytes that the gateway adds after the body: last chunk and trailers.
    pub(super) tail: Vec<u8>,
    /// Value of the response's `Trailer` field.
    trailer_names: Vec<u8>,
    /// A write to the client is incomplete.
    pub(super) sending: bool,
    /// Number of records that the next read fills.
    pub(super) records: usize,
    /// When a byte last moved.
    pub(super) progress: Instant,
}

/// How a response ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ResponseEnd {
    Complete,
    BrokeOff,
    Stalled,
    ClientGone,
    /// The permit of the request was withdrawn.
    Withdrawn(Withdrawal),
}

impl From<SendFailure> for ResponseEnd {
    fn from(failure: SendFailure) -> Self {
        match failure {
            SendFailure::ClientGone => Self::ClientGone,
            SendFailure::Withdrawn(withdrawal) => Self::Withdrawn(withdrawal),
        }
    }
}

impl Download {
    pub(super) fn new(response: &mut RenderedResponse, now: Instant) -> Self {
        Self {
            body: ResponseBodyScanner::new(response.framing),
            delimiter: response.delimiter,
            body_bytes: 0,
            has_surplus: false,
            tail: Vec::new(),
            trailer_names: std::mem::take(&mut response.trailer_names),
            sending: false,
            records: FEW_RECORDS,
            progress: now,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.body.is_complete() && self.tail.is_empty() && !self.sending
    }

    /// Whether the data of a body without length is wrapped in chunks.
    pub(super) fn wraps_in_chunks(&self) -> bool {
        self.body.ends_with_connection() && self.delimiter == BodyDelimiter::Framing
    }

    /// Accounts for received bytes. Returns how many bytes at the front are sent to the client.
    pub(super) fn accept(&mut self, bytes: &mut [u8]) -> Result<usize, ResponseHeadError> {
        if self.body.is_chunked() && self.delimiter == BodyDelimiter::Close {
            return self.unwrap_chunks(bytes);
        }
        // Chunks are sent unchanged. The trailer section is rendered again, unless it is empty.
        let mut at = 0;
        let mut passing = 0;
        while at < bytes.len() {
            let (part, length) = self.body.part(bytes.get(at..).unwrap_or_default())?;
            at += length;
            match part {
                BodyPart::Framing => passing = at,
                BodyPart::Data => {
                    passing = at;
                    self.count(length);
                }
                BodyPart::Trailers => {}
                BodyPart::End => {
                    self.has_surplus = true;
                    break;
                }
            }
        }
        let trailers = self.complete_trailers();
        if trailers == LINE_END && at == passing + LINE_END.len() {
            return Ok(at);
        }
        if !trailers.is_empty() {
            let allowed: [(&str, &[u8]); 1] = [("trailer", &self.trailer_names)];
            write_trailers(&trailers, &allowed[..], &mut self.tail)
                .map_err(|_| ResponseHeadError::BadChunk)?;
            self.tail.extend_from_slice(LINE_END);
        }
        Ok(passing)
    }

    /// The trailer section, once the body is complete. Empty for a body that is not in chunks.
    fn complete_trailers(&mut self) -> Vec<u8> {
        if self.body.is_complete() {
            self.body.take_trailers()
        } else {
            Vec::new()
        }
    }

    /// Moves the data of chunks together, for a client that knows no chunks. Trailers are dropped.
    fn unwrap_chunks(&mut self, bytes: &mut [u8]) -> Result<usize, ResponseHeadError> {
        let mut at = 0;
        let mut data = 0;
        while at < bytes.len() {
            let (part, length) = self.body.part(bytes.get(at..).unwrap_or_default())?;
            match part {
                BodyPart::Data => {
                    bytes.copy_within(at..at + length, data);
                    count_copied(length);
                    self.count(length);
                    data += length;
                }
                BodyPart::Framing | BodyPart::Trailers => {}
                BodyPart::End => {
                    self.has_surplus = true;
                    break;
                }
            }
            at += length;
        }
        Ok(data)
    }

    fn count(&mut self, length: usize) {
        self.body_bytes += u64::try_from(length).unwrap_or(u64::MAX);
    }

    /// Handles the upstream's end of stream.
    pub(super) fn closed(&mut self) -> Result<(), ResponseEnd> {
        let ends_here = self.wraps_in_chunks();
        self.body
            .connection_ended()
            .map_err(|IncompleteBody| ResponseEnd::BrokeOff)?;
        if ends_here {
            self.tail.extend_from_slice(b"0\r\n\r\n");
        }
        Ok(())
    }
}

/// Wraps data of a body without length in a chunk. The slab has room before and after the data.
pub(super) fn wrap_in_chunk(slab: &mut Slab, data: Range<usize>) -> Range<usize> {
    let mut line = [0; LINE_ROOM];
    let mut space = line.as_mut_slice();
    // A record has at most four hexadecimal digits.
    let _ = write!(space, "{:x}\r\n", data.len());
    let length = LINE_ROOM - space.len();
    let from = data.start.saturating_sub(length);
    let before = from..data.start;
    let after = data.end..data.end + LINE_END.len();
    if let (Some(place), Some(line)) = (slab.get_mut(before), line.get(..length)) {
        place.copy_from_slice(line);
    }
    if let Some(place) = slab.get_mut(after.clone()) {
        place.copy_from_slice(LINE_END);
    }
    from..after.end
}
