//! A request on its way up: its head and what is there of its body in one write, then the rest as it comes. Body bytes
//! go to the socket from where they were decrypted. Reads no answer.

use super::body::{Body, Chunk, LINE_END, Unsent};
use super::render::Forwarding;
use crate::forward::{ChunkPart, Expectation, Framing, field_space, parse_head, write_trailers};
use crate::limit::BodyEnd;
use crate::recycled::Recycled;
use crate::respond::Slow;
use crate::tls::record::{Filled, Input, Records, count_copied};
use crate::upstream::{Failure, Link};
use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};
use tokio::time::Instant;

/// How far a request has gone up.
pub(super) struct Upload {
    head: Recycled,
    head_sent: usize,
    body: Body,
    /// Behind a chunked body: the last chunk and the trailers.
    tail: Recycled,
    tail_sent: usize,
    expectation: Expectation,
    limit: Option<u64>,
    /// Bytes of the body that were taken from the client.
    pub(super) taken: u64,
    /// Whether a byte went to the upstream.
    begun: bool,
    /// What was sent of the body, if that may be needed again.
    kept: Option<Vec<u8>>,
    pub(super) state: State,
    /// When a byte last moved.
    pub(super) progress: Instant,
}

/// For whom a request waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Client,
    Upstream,
    /// All of it is sent.
    Whole,
    /// The upstream takes no more of it; it may have answered.
    Refused,
}

/// What an upload came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Uploaded {
    /// All of it is sent.
    Whole,
    /// The client waits for a 100.
    WantsContinue,
}

impl Upload {
    pub(super) fn new(forwarding: &mut Forwarding, now: Instant) -> Self {
        let Unsent { body, tail, taken } = forwarding.unsent.take().unwrap_or_else(|| {
            let body = match forwarding.framing {
                Framing::Length(0) => Body::Tail,
                Framing::Length(length) => Body::Length(length),
                Framing::Chunked => Body::Chunked(Box::default()),
            };
            Unsent {
                body,
                tail: Recycled::default(),
                taken: 0,
            }
        });
        Self {
            head: std::mem::take(&mut forwarding.head),
            head_sent: 0,
            body,
            tail,
            tail_sent: 0,
            expectation: forwarding.expectation,
            limit: forwarding.limits.body_size,
            taken,
            begun: false,
            kept: forwarding.repeat.keeps_body().then(Vec::new),
            state: State::Upstream,
            progress: now,
        }
    }

    /// Gives the head back, for sending it once more; and if nothing at all was sent, what has become of the body so
    /// far: the framing of its first chunk is not in the input any more. What was kept of the body goes with the head.
    pub(super) fn give_back(self, forwarding: &mut Forwarding) {
        forwarding.head = self.head;
        if let Some(kept) = &self.kept {
            count_copied(kept.len());
            forwarding.head.extend_from_slice(kept);
        }
        if !self.begun || self.kept.is_some() {
            forwarding.unsent = Some(Unsent {
                body: self.body,
                tail: self.tail,
                taken: self.taken,
            });
        }
    }

    pub(super) fn is_whole(&self) -> bool {
        self.state == State::Whole
    }

    /// For whom the request waits.
    pub(super) fn waits_for(&self) -> Slow {
        if self.state == State::Client {
            Slow::Client
        } else {
            Slow::Upstream
        }
    }

    /// Sends as much as can be sent.
    pub(super) fn poll<R: Records>(
        &mut self,
        context: &mut Context<'_>,
        records: &mut R,
        input: &mut Input,
        link: &mut Link,
    ) -> Poll<Result<Uploaded, Failure>> {
        loop {
            match self.state {
                State::Whole => return Poll::Ready(Ok(Uploaded::Whole)),
                State::Refused => return Poll::Pending,
                State::Client | State::Upstream => {}
            }
            self.prepare(input)?;
            match self.poll_write(context, input, link) {
                Some(written) => self.written(ready!(written), input, link)?,
                None if matches!(self.body, Body::Tail) => self.state = State::Whole,
                None => {
                    if self.expectation == Expectation::Continue && input.is_empty() {
                        self.expectation = Expectation::None;
                        return Poll::Ready(Ok(Uploaded::WantsContinue));
                    }
                    self.state = State::Client;
                    ready!(self.poll_more(context, records, input))?;
                }
            }
        }
    }

    fn poll_more<R: Records>(
        &mut self,
        context: &mut Context<'_>,
        records: &mut R,
        input: &mut Input,
    ) -> Poll<Result<(), Failure>> {
        match ready!(records.poll_fill(context, input)) {
            Ok(Filled::Some) => {
                (self.expectation, self.progress) = (Expectation::None, Instant::now());
                Poll::Ready(Ok(()))
            }
            Ok(Filled::Closed) => Poll::Ready(Err(Failure::Body(BodyEnd::Broken))),
            Ok(Filled::Cut) | Err(_) => Poll::Ready(Err(Failure::ClientGone)),
        }
    }

    /// Takes what is framing, until there is data to write or none is here.
    fn prepare(&mut self, input: &mut Input) -> Result<(), Failure> {
        while let Body::Chunked(chunked) = &mut self.body
            && chunked.chunk.is_none()
        {
            let (kind, length) = chunked
                .scanner
                .part(input.first())
                .map_err(Failure::Framing)?;
            match kind {
                _ if length == 0 => return Ok(()),
                ChunkPart::Framing => input.consume(length),
                ChunkPart::Data => {
                    chunked.chunk = Some(Chunk::new(length));
                    self.take(length);
                    if self.limit.is_some_and(|limit| self.taken > limit) {
                        return Err(Failure::Body(BodyEnd::TooLarge));
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

    /// All data is sent; behind it go the last chunk and those trailers that may.
    fn end_chunks(&mut self, trailers: &[u8]) -> Result<(), Failure> {
        self.tail.extend_from_slice(b"0\r\n");
        let mut space = field_space();
        if trailers != LINE_END
            && let Ok(Some(head)) = parse_head(&self.head, &mut space)
        {
            write_trailers(trailers, head.fields, &mut self.tail).map_err(Failure::Framing)?;
        }
        self.tail.extend_from_slice(LINE_END);
        self.body = Body::Tail;
        Ok(())
    }

    /// `None` if nothing is here to be written.
    fn poll_write(
        &self,
        context: &mut Context<'_>,
        input: &Input,
        link: &mut Link,
    ) -> Option<Poll<io::Result<usize>>> {
        let (line, left, end): (&[u8], u64, &[u8]) = match &self.body {
            Body::Length(left) => (&[], *left, &[]),
            Body::Chunked(chunked) => match &chunked.chunk {
                Some(chunk) => (
                    chunk.line(),
                    u64::try_from(chunk.data).unwrap_or(u64::MAX),
                    chunk.end(),
                ),
                None => (&[], 0, &[]),
            },
            Body::Tail => (&[], 0, &[]),
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

    fn written(
        &mut self,
        written: io::Result<usize>,
        input: &mut Input,
        link: &Link,
    ) -> Result<(), Failure> {
        match written {
            Ok(count @ 1..) => {
                (self.begun, self.state) = (true, State::Upstream);
                self.advance(count, input);
                // What goes in one write needs no second look at the clock.
                if !matches!(self.body, Body::Tail) {
                    self.progress = Instant::now();
                }
                Ok(())
            }
            Err(error) if !self.begun && link.says_what_it_sent() => Err(Failure::Unsent(error)),
            // It may have answered before it closed.
            Ok(_) | Err(_) => {
                self.state = State::Refused;
                Ok(())
            }
        }
    }

    fn advance(&mut self, mut count: usize, input: &mut Input) {
        let head = (self.head.len() - self.head_sent).min(count);
        self.head_sent += head;
        count -= head;
        match &mut self.body {
            Body::Length(left) => {
                let data = u64::try_from(count).unwrap_or(u64::MAX).min(*left);
                *left -= data;
                if *left == 0 {
                    self.body = Body::Tail;
                }
                if let Some(kept) = &mut self.kept {
                    keep(kept, input, count);
                }
                input.consume(count);
                self.take(count);
            }
            Body::Chunked(chunked) => {
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
            Body::Tail => self.tail_sent += count,
        }
    }

    fn take(&mut self, count: usize) {
        self.taken += u64::try_from(count).unwrap_or(u64::MAX);
    }
}

/// Copies the first bytes of the input.
fn keep(kept: &mut Vec<u8>, input: &Input, count: usize) {
    let mut pieces = [IoSlice::new(&[]); 8];
    let number = input.slices(u64::try_from(count).unwrap_or(u64::MAX), &mut pieces);
    count_copied(count);
    pieces
        .iter()
        .take(number)
        .for_each(|piece| kept.extend_from_slice(piece));
}
