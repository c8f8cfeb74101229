//! Reading of a request body before the decision, which depends on it. Sends nothing but the 100 that the client waits for.

use super::Connection;
use crate::buffer_pool::PooledBuffer;
use crate::forward::{ChunkPart, ChunkScanner, ExpectHeader, Framing};
use crate::limit::BodyEnd;
use crate::proxy::whole_body::{BodyFault, BodySource};
use crate::tls::record::{FillOutcome, ReceiveBuffer, Records, count_copied};
use std::future::poll_fn;

/// The body of a request whose decision may depend on it.
pub(super) enum WholeBody {
    /// Not needed, or not yet.
    Unread,
    /// Read completely.
    Read(PooledBuffer),
    /// Incomplete. The request is denied.
    Failed(BodyFault),
}

impl<R: Records> Connection<R> {
    /// Reads the body at the front of the input completely. Trailers are dropped.
    pub(super) async fn read_body(
        &mut self,
        framing: Framing,
        expectation: ExpectHeader,
        source: &BodySource,
    ) -> WholeBody {
        let mut reader = match BodyReader::new(framing, source.max_length) {
            Ok(reader) => reader,
            Err(fault) => return WholeBody::Failed(fault),
        };
        // A body that is in the input needs no place.
        match reader.take(&mut self.input) {
            Ok(BodyProgress::Complete) => return WholeBody::Read(reader.bytes),
            Ok(BodyProgress::Incomplete) => {}
            Err(fault) => return WholeBody::Failed(fault),
        }
        let read = source.read_in_time(async {
            if expectation == ExpectHeader::Continue && reader.bytes.is_empty() {
                let sent = self.send(b"HTTP/1.1 100 Continue\r\n\r\n").await;
                sent.map_err(|_| BodyEnd::Broken)?;
            }
            while reader.take(&mut self.input)? == BodyProgress::Incomplete {
                let filled = poll_fn(|context| self.records.poll_fill(context, &mut self.input));
                match filled.await {
                    Ok(FillOutcome::Some) => {}
                    Ok(FillOutcome::Closed | FillOutcome::Cut) | Err(_) => {
                        return Err(BodyFault::Ended(BodyEnd::Broken));
                    }
                }
            }
            Ok(reader.bytes)
        });
        match read.await {
            Ok(bytes) => WholeBody::Read(bytes),
            Err(fault) => WholeBody::Failed(fault),
        }
    }
}

/// Takes a body from the input.
struct BodyReader {
    rest: Rest,
    bytes: PooledBuffer,
    max_length: usize,
}

/// The part of the body that is not taken yet.
enum Rest {
    Length(usize),
    Chunked(ChunkScanner),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BodyProgress {
    Complete,
    Incomplete,
}

impl BodyReader {
    fn new(framing: Framing, max_length: u64) -> Result<Self, BodyFault> {
        let max_length = usize::try_from(max_length).unwrap_or(usize::MAX);
        let rest = match framing {
            Framing::Chunked => Rest::Chunked(ChunkScanner::default()),
            Framing::Length(length) => match usize::try_from(length) {
                Ok(length) if length <= max_length => Rest::Length(length),
                _ => return Err(BodyFault::Ended(BodyEnd::TooLarge)),
            },
        };
        Ok(Self {
            rest,
            bytes: PooledBuffer::take(),
            max_length,
        })
    }

    /// Takes all bytes of the body that are in the input.
    fn take(&mut self, input: &mut ReceiveBuffer) -> Result<BodyProgress, BodyFault> {
        loop {
            let piece = input.first();
            let taken = match &mut self.rest {
                Rest::Length(0) => return Ok(BodyProgress::Complete),
                Rest::Chunked(scanner) if scanner.is_complete() => {
                    return Ok(BodyProgress::Complete);
                }
                _ if piece.is_empty() => return Ok(BodyProgress::Incomplete),
                Rest::Length(left) => {
                    let taken = piece.len().min(*left);
                    self.bytes
                        .extend_from_slice(piece.get(..taken).unwrap_or_default());
                    *left -= taken;
                    taken
                }
                Rest::Chunked(scanner) => {
                    let (part, length) = scanner.part(piece).map_err(BodyFault::Framing)?;
                    if part == ChunkPart::Data {
                        if self.bytes.len() + length > self.max_length {
                            return Err(BodyFault::Ended(BodyEnd::TooLarge));
                        }
                        self.bytes
                            .extend_from_slice(piece.get(..length).unwrap_or_default());
                    }
                    length
                }
            };
            count_copied(taken);
            input.consume(taken);
        }
    }
}
