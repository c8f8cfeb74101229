//! Sending of a request to the upstream: head and available part of the body in one write, then the rest as it arrives. Body
//! bytes are written from where they were decrypted, without a copy. Reads no response.

use super::body::{Chunk, LINE_END, UnsentBody, UploadBody};
use super::forwarded::ForwardedRequest;
use crate::buffer_pool::PooledBuffer;
use crate::forward::{ChunkPart, ExpectHeader, Framing, field_space, parse_head, write_trailers};
use crate::limit::BodyEnd;
use crate::respond::SlowPeer;
use crate::tls::record::{FillOutcome, ReceiveBuffer, Records, count_copied};
use crate::upstream::{AttemptFailure, Link, UploadState};
use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};
use tokio::time::Instant;

/// Progress of a request on its way to the upstream.
pub(super) struct RequestUpload {
    head: PooledBuffer,
    head_sent: usize,
    body: UploadBody,
    /// End of a chunked body: last chunk and trailers.
    tail: PooledBuffer,
    tail_sent: usize,
    expectation: ExpectHeader,
    limit: Option<u64>,
    /// Bytes of the body that were read from the client.
    pub(super) body_bytes: u64,
    /// Whether a byte was written to the upstream.
    has_sent: bool,
    /// A copy of the body bytes that were sent, if a retry may need them.
    kept: Option<Vec<u8>>,
    pub(super) state: UploadState,
    /// When a byte last moved.
    pub(super) progress: Instant,
}

/// How polling an upload ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UploadEvent {
    /// The request is sent completely.
    Complete,
    /// The client expects a 100 before it sends the body.
    ExpectsContinue,
}

impl RequestUpload {
    pub(super) fn new(request: &mut ForwardedRequest, now: Instant) -> Self {
        let UnsentBody {
            body,
            tail,
            body_bytes,
        } = request.unsent.take().unwrap_or_else(|| {
            let body = match request.framing {
                Framing::Length(0) => UploadBody::Tail,
                Framing::Length(length) => UploadBody::Length(length),
                Framing::Chunked => UploadBody::Chunked(Box::default()),
            };
            UnsentBody {
                body,
                tail: PooledBuffer::default(),
                body_bytes: 0,
            }
        });
        Self {
            head: std::mem::take(&mut request.outgoing.head),
            head_sent: 0,
            body,
            tail,
            tail_sent: 0,
            expectation: request.expectation,
            limit: request.limits.body_size,
            body_bytes,
            has_sent: false,
            kept: request.outgoing.retry_policy.keeps_body().then(Vec::new),
            state: UploadState::WaitsForUpstream,
            progress: now,
        }
    }

    /// Restores the request for a retry. The head is reusable, with the kept copy of the body behind it. If nothing was sent, the
    /// body's state is reusable too: the framing of its first chunk is no longer in the input.
    pub(super) fn restore(self, request: &mut ForwardedRequest) {
        request.outgoing.head = self.head;
        if let Some(kept) = &self.kept {
            count_copied(kept.len());
            request.outgoing.head.extend_from_slice(kept);
        }
        if !self.has_sent || self.kept.is_some() {
            request.unsent = Some(UnsentBody {
                body: self.body,
                tail: self.tail,
                body_bytes: self.body_bytes,
            });
        }
    }

    pub(super) fn is_complete(&self) -> bool {
        self.state == UploadState::Complete
    }

    /// Frees a body that was sent completely. Only for a request with a response: no further attempt can follow.
    pub(super) fn free_sent_body(&mut self) {
        if self.is_complete() && (self.kept.is_some() || !self.tail.is_empty()) {
            self.tail = PooledBuffer::default();
            self.kept = None;
        }
    }

    /// The side that the upload waits for.
    pub(super) fn waits_for(&self) -> SlowPeer {
        if self.state == UploadState::WaitsForClient {
            SlowPeer::Client
        } else {
            SlowPeer::Upstream
        }
    }

    /// Sends as many bytes as possible.
    pub(super) fn poll<R: Records>(
        &mut self,
        context: &mut Context<'_>,
        records: &mut R,
        input: &mut ReceiveBuffer,
        link: &mut Link,
    ) -> Poll<Result<UploadEvent, AttemptFailure>> {
        loop {
            match self.state {
                UploadState::Complete => return Poll::Ready(Ok(UploadEvent::Complete)),
                UploadState::Stopped => return Poll::Pending,
                UploadState::WaitsForClient | UploadState::WaitsForUpstream => {}
            }
            self.consume_framing(input)?;
            match self.poll_write(context, input, link) {
                Some(written) => self.handle_write(ready!(written), input, link)?,
                None if matches!(self.body, UploadBody::Tail) => self.state = UploadState::Complete,
                None => {
                    if self.expectation == ExpectHeader::Continue && input.is_empty() {
                        self.expectation = ExpectHeader::None;
                        return Poll::Ready(Ok(UploadEvent::ExpectsContinue));
                    }
                    self.state = UploadState::WaitsForClient;
                    ready!(self.poll_client(context, records, input))?;
                }
            }
        }
    }

    fn poll_client<R: Records>(
        &mut self,
        context: &mut Context<'_>,
        records: &mut R,
        input: &mut ReceiveBuffer,
    ) -> Poll<Result<(), AttemptFailure>> {
        match ready!(records.poll_fill(context, input)) {
            Ok(FillOutcome::Some) => {
                self.expectation = ExpectHeader::None;
                self.progress = Instant::now();
                Poll::Ready(Ok(()))
            }
            Ok(FillOutcome::Closed) => Poll::Ready(Err(AttemptFailure::Body(BodyEnd::Broken))),
            Ok(FillOutcome::Cut) | Err(_) => Poll::Ready(Err(AttemptFailure::ClientGone)),
        }
    }

    /// Consumes chunk framing until there is data to write or the input is empty.
    fn consume_framing(&mut self, input: &mut ReceiveBuffer) -> Result<(), AttemptFailure> {
        while let UploadBody::Chunked(chunked) = &mut self.body
            && chunked.chunk.is_none()
        {
            let (kind, length) = chunked
                .scanner
                .part(input.first())
                .map_err(AttemptFailure::Framing)?;
            match kind {
                _ if length == 0 => return Ok(()),
                ChunkPart::Framing => input.consume(length),
                ChunkPart::Data => {
                    chunked.chunk = Some(Chunk::new(length));
                    self.count_body(length);
                    if self.limit.is_some_and(|limit| self.body_bytes > limit) {
                        return Err(AttemptFailure::Body(BodyEnd::TooLarge));
                    }
                }
                ChunkPart::Trailers => {
                    chunked
                        .trailers
                        .extend_from_slice(input.first().get(..length).unwrap_or_default());
                    input.consume(length);
                    if chunked.scanner.is_complete() {
                        let trailers = std::mem::take(&mut chunked.trailers);
                        self.end_chunks(&trailers)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Ends a chunked body: prepares the last chunk and the permitted trailers.
    fn end_chunks(&mut self, trailers: &[u8]) -> Result<(), AttemptFailure> {
        self.tail.extend_from_slice(b"0\r\n");
        let mut space = field_space();
        if trailers != LINE_END
            && let Ok(Some(head)) = parse_head(&self.head, &mut space)
        {
            write_trailers(trailers, head.fields, &mut self.tail)
                .map_err(AttemptFailure::Framing)?;
        }
        self.tail.extend_from_slice(LINE_END);
        self.body = UploadBody::Tail;
        Ok(())
    }

    /// `None` if there is nothing to write.
    fn poll_write(
        &self,
        context: &mut Context<'_>,
        input: &ReceiveBuffer,
        link: &mut Link,
    ) -> Option<Poll<io::Result<usize>>> {
        let (line, left, end): (&[u8], u64, &[u8]) = match &self.body {
            UploadBody::Length(left) => (&[], *left, &[]),
            UploadBody::Chunked(chunked) => match &chunked.chunk {
                Some(chunk) => (
                    chunk.line(),
                    u64::try_from(chunk.data).unwrap_or(u64::MAX),
                    chunk.end(),
                ),
                None => (&[], 0, &[]),
            },
            UploadBody::Tail => (&[], 0, &[]),
        };
        let mut data = [IoSlice::new(&[]); 8];
        let pieces = input.slices(left, &mut data);
        let head = self.head.get(self.head_sent..).unwrap_or_default();
        let tail = self.tail.get(self.tail_sent..).unwrap_or_default();
        let before = [head, line].map(IoSlice::new);
        let after = [end, tail].map(IoSlice::new);
        let all = before.iter().chain(data.iter().take(pieces)).chain(&after);
        let mut slices = [IoSlice::new(&[]); 12];
        let mut count = 0;
        for (place, slice) in slices.iter_mut().zip(all.filter(|slice| !slice.is_empty())) {
            *place = *slice;
            count += 1;
        }
        let slices = slices.get(..count).filter(|slices| !slices.is_empty())?;
        Some(link.poll_write(context, slices))
    }

    fn handle_write(
        &mut self,
        written: io::Result<usize>,
        input: &mut ReceiveBuffer,
        link: &Link,
    ) -> Result<(), AttemptFailure> {
        let Some(count) = link.bytes_written(written, self.has_sent)? else {
            self.state = UploadState::Stopped;
            return Ok(());
        };
        self.has_sent = true;
        self.state = UploadState::WaitsForUpstream;
        self.advance(count, input);
        // A request that fits one write needs no second clock reading.
        if !matches!(self.body, UploadBody::Tail) || self.tail_sent < self.tail.len() {
            self.progress = Instant::now();
        }
        Ok(())
    }

    fn advance(&mut self, mut count: usize, input: &mut ReceiveBuffer) {
        let head = (self.head.len() - self.head_sent).min(count);
        self.head_sent += head;
        count -= head;
        match &mut self.body {
            UploadBody::Length(left) => {
                let data = u64::try_from(count).unwrap_or(u64::MAX).min(*left);
                *left -= data;
                if *left == 0 {
                    self.body = UploadBody::Tail;
                }
                if let Some(kept) = &mut self.kept {
                    copy_input(kept, input, count);
                }
                input.consume(count);
                self.count_body(count);
            }
            UploadBody::Chunked(chunked) => {
                if let Some(chunk) = &mut chunked.chunk {
                    let line = chunk.line().len().min(count);
                    chunk.line_sent += line;
                    let data = chunk.data.min(count - line);
                    chunk.data -= data;
                    input.consume(data);
                    chunk.end_sent += count - line - data;
                    if chunk.end().is_empty() {
                        chunked.chunk = None;
                    }
                }
            }
            UploadBody::Tail => self.tail_sent += count,
        }
    }

    fn count_body(&mut self, count: usize) {
        self.body_bytes += u64::try_from(count).unwrap_or(u64::MAX);
    }
}

/// Appends a copy of the first bytes of the input.
fn copy_input(kept: &mut Vec<u8>, input: &ReceiveBuffer, count: usize) {
    let mut pieces = [IoSlice::new(&[]); 8];
    let number = input.slices(u64::try_from(count).unwrap_or(u64::MAX), &mut pieces);
    count_copied(count);
    pieces
        .iter()
        .take(number)
        .for_each(|piece| kept.extend_from_slice(piece));
}
