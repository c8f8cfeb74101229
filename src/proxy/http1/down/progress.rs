//! How far an answer has come down: how much of what came goes on as it is, and how it ends. Sends nothing.

use crate::forward::{AnswerError, AnswerFraming, ChunkPart, ChunkScanner, write_trailers};
use crate::proxy::http1::own::SendFailure;
use crate::proxy::http1::render::Rendered;
use crate::respond::Withdrawal;
use crate::tls::record::Slab;
use std::io::Write;
use std::ops::Range;
use tokio::time::Instant;

/// How many records are filled by one read, at first and when the upstream keeps them full.
pub(super) const FEW_RECORDS: usize = 2;
pub(super) const MANY_RECORDS: usize = 4;

/// `4000 CR LF`: what stands before the data of one chunk in one record.
pub(super) const LINE_ROOM: usize = 6;
pub(super) const LINE_END: &[u8] = b"\r\n";

/// How far an answer has come down.
pub(super) struct Down {
    pub(super) body: Body,
    /// Bytes of the body.
    pub(super) passed: u64,
    /// Bytes behind the answer: nobody asked for them.
    pub(super) surplus: bool,
    /// Ours, behind the body.
    pub(super) tail: Vec<u8>,
    /// The value of the answer's `Trailer`.
    announced: Vec<u8>,
    /// Something is being sent, and not yet gone.
    pub(super) sending: bool,
    pub(super) records: usize,
    pub(super) progress: Instant,
}

pub(super) enum Body {
    Done,
    Length(u64),
    Chunked(Box<(ChunkScanner, Vec<u8>)>),
    UntilClose,
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Complete,
    BrokeOff,
    Stalled,
    ClientGone,
    /// It may not go on.
    Withdrawn(Withdrawal),
}

impl From<SendFailure> for End {
    fn from(failure: SendFailure) -> Self {
        match failure {
            SendFailure::ClientGone => Self::ClientGone,
            SendFailure::Withdrawn(withdrawal) => Self::Withdrawn(withdrawal),
        }
    }
}

impl Down {
    pub(super) fn new(answer: &mut Rendered, now: Instant) -> Self {
        let body = match answer.framing {
            AnswerFraming::None | AnswerFraming::Length(0) => Body::Done,
            AnswerFraming::Length(length) => Body::Length(length),
            AnswerFraming::Chunked => Body::Chunked(Box::default()),
            AnswerFraming::UntilClose => Body::UntilClose,
        };
        Self {
            body,
            passed: 0,
            surplus: false,
            tail: Vec::new(),
            announced: std::mem::take(&mut answer.announced),
            sending: false,
            records: FEW_RECORDS,
            progress: now,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.body, Body::Done) && self.tail.is_empty() && !self.sending
    }

    /// Looks at what has come. Gives how much of it goes on as it is.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<usize, AnswerError> {
        let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
        match &mut self.body {
            Body::Done => {
                self.surplus |= !bytes.is_empty();
                Ok(0)
            }
            Body::UntilClose => {
                self.passed += count(bytes.len());
                Ok(bytes.len())
            }
            Body::Length(left) => {
                let taken = bytes
                    .len()
                    .min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= count(taken);
                self.passed += count(taken);
                self.surplus |= taken < bytes.len();
                if *left == 0 {
                    self.body = Body::Done;
                }
                Ok(taken)
            }
            Body::Chunked(_) => self.take_chunks(bytes),
        }
    }

    /// Chunks go on as they are; what follows the last one is written anew, unless it is an empty line.
    fn take_chunks(&mut self, bytes: &[u8]) -> Result<usize, AnswerError> {
        let Body::Chunked(chunked) = &mut self.body else {
            return Ok(0);
        };
        let (scanner, section) = &mut **chunked;
        let (mut at, mut pass) = (0, 0);
        while !scanner.is_complete() && at < bytes.len() {
            let rest = bytes.get(at..).unwrap_or_default();
            let (kind, length) = scanner.part(rest).map_err(|_| AnswerError::BadChunk)?;
            at += length;
            match kind {
                ChunkPart::Framing => pass = at,
                ChunkPart::Data => {
                    pass = at;
                    self.passed += u64::try_from(length).unwrap_or(u64::MAX);
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
        self.body = Body::Done;
        self.surplus |= at < bytes.len();
        if section == LINE_END && at == pass + LINE_END.len() {
            return Ok(at);
        }
        let announced: [(&str, &[u8]); 1] = [("trailer", &self.announced)];
        write_trailers(&section, &announced[..], &mut self.tail)
            .map_err(|_| AnswerError::BadChunk)?;
        self.tail.extend_from_slice(LINE_END);
        Ok(pass)
    }

    /// The upstream has closed.
    pub(super) fn closed(&mut self) -> Result<(), End> {
        match self.body {
            Body::UntilClose => {
                self.tail.extend_from_slice(b"0\r\n\r\n");
                self.body = Body::Done;
                Ok(())
            }
            _ => Err(End::BrokeOff),
        }
    }
}

/// Puts data that ends with the upstream's connection into a chunk. There is room before and behind it.
pub(super) fn in_chunk(slab: &mut Slab, data: Range<usize>) -> Range<usize> {
    let mut line = [0; LINE_ROOM];
    let mut space = line.as_mut_slice();
    // A record has at most four hexadecimal digits.
    let _ = write!(space, "{:x}\r\n", data.len());
    let length = LINE_ROOM - space.len();
    let from = data.start.saturating_sub(length);
    let (before, behind) = (from..data.start, data.end..data.end + LINE_END.len());
    if let (Some(place), Some(line)) = (slab.get_mut(before), line.get(..length)) {
        place.copy_from_slice(line);
    }
    if let Some(place) = slab.get_mut(behind.clone()) {
        place.copy_from_slice(LINE_END);
    }
    from..behind.end
}
