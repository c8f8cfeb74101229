//! Progress of a response: which of the received bytes are sent unchanged, and how the response ends. Sends nothing.

use crate::forward::{ChunkPart, ChunkScanner, ResponseFraming, ResponseHeadError, write_trailers};
use crate::proxy::http1::gateway_response::SendFailure;
use crate::proxy::http1::render::RenderedResponse;
use crate::respond::Withdrawal;
use crate::tls::record::Slab;
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
    pub(super) body: DownloadBody,
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

/// The part of a response body that is to come.
pub(super) enum DownloadBody {
    Done,
    Length(u64),
    Chunked(Box<(ChunkScanner, Vec<u8>)>),
    UntilClose,
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
        let body = match response.framing {
            ResponseFraming::None | ResponseFraming::Length(0) => DownloadBody::Done,
            ResponseFraming::Length(length) => DownloadBody::Length(length),
            ResponseFraming::Chunked => DownloadBody::Chunked(Box::default()),
            ResponseFraming::UntilClose => DownloadBody::UntilClose,
        };
        Self {
            body,
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
        matches!(self.body, DownloadBody::Done) && self.tail.is_empty() && !self.sending
    }

    /// Accounts for received bytes. Returns how many of them are sent to the client unchanged.
    pub(super) fn accept(&mut self, bytes: &[u8]) -> Result<usize, ResponseHeadError> {
        let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
        match &mut self.body {
            DownloadBody::Done => {
                self.has_surplus |= !bytes.is_empty();
                Ok(0)
            }
            DownloadBody::UntilClose => {
                self.body_bytes += count(bytes.len());
                Ok(bytes.len())
            }
            DownloadBody::Length(left) => {
                let taken = bytes
                    .len()
                    .min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= count(taken);
                self.body_bytes += count(taken);
                self.has_surplus |= taken < bytes.len();
                if *left == 0 {
                    self.body = DownloadBody::Done;
                }
                Ok(taken)
            }
            DownloadBody::Chunked(_) => self.accept_chunks(bytes),
        }
    }

    /// Chunks are sent unchanged. The trailer section is rendered again, unless it is empty.
    fn accept_chunks(&mut self, bytes: &[u8]) -> Result<usize, ResponseHeadError> {
        let DownloadBody::Chunked(chunked) = &mut self.body else {
            return Ok(0);
        };
        let (scanner, section) = &mut **chunked;
        let mut at = 0;
        let mut pass = 0;
        while !scanner.is_complete() && at < bytes.len() {
            let rest = bytes.get(at..).unwrap_or_default();
            let (kind, length) = scanner
                .part(rest)
                .map_err(|_| ResponseHeadError::BadChunk)?;
            at += length;
            match kind {
                ChunkPart::Framing => pass = at,
                ChunkPart::Data => {
                    pass = at;
                    self.body_bytes += u64::try_from(length).unwrap_or(u64::MAX);
                }
                ChunkPart::Trailers => {
                    section.extend_from_slice(rest.get(..length).unwrap_or_default())
                }
            }
        }
        if !scanner.is_complete() {
            return Ok(pass);
        }
        let section = std::mem::take(section);
        self.body = DownloadBody::Done;
        self.has_surplus |= at < bytes.len();
        if section == LINE_END && at == pass + LINE_END.len() {
            return Ok(at);
        }
        let allowed: [(&str, &[u8]); 1] = [("trailer", &self.trailer_names)];
        write_trailers(&section, &allowed[..], &mut self.tail)
            .map_err(|_| ResponseHeadError::BadChunk)?;
        self.tail.extend_from_slice(LINE_END);
        Ok(pass)
    }

    /// Handles the upstream's end of stream.
    pub(super) fn closed(&mut self) -> Result<(), ResponseEnd> {
        match self.body {
            DownloadBody::UntilClose => {
                self.tail.extend_from_slice(b"0\r\n\r\n");
                self.body = DownloadBody::Done;
                Ok(())
            }
            _ => Err(ResponseEnd::BrokeOff),
        }
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
