//! A request on its way up from hyper: head and body frames, written as they come, without a copy of the body. Reads no
//! answer.

use super::{Failure, Link};
use crate::clock;
use crate::forward::{Framing, field_space, parse_head, replace_host, write_trailer_map};
use crate::limit::{BodyEnd, BodyFailure, Meter};
use crate::recycled::Recycled;
use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::Body;
use std::io::{self, IoSlice, Write};
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

/// How far a request has gone up.
pub(super) struct Upload<B> {
    /// The head, and later what stands between the data of chunks.
    before: Recycled,
    before_sent: usize,
    /// Where in the head the host's name stands.
    host: Range<usize>,
    /// Of the frame that is on its way.
    data: Bytes,
    /// Behind the data.
    after: &'static [u8],
    body: B,
    framing: Framing,
    /// Names of trailers, where there may be some.
    announced: Vec<u8>,
    meter: Arc<Meter>,
    ended: bool,
    /// Whether a byte went to the upstream.
    begun: bool,
    /// What was taken of the body, if that may be needed again.
    kept: Option<Vec<u8>>,
    state: State,
    /// When a byte last moved.
    pub(super) progress: Instant,
}

/// For whom a request waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Client,
    Upstream,
    /// All of it is sent.
    Whole,
    /// The upstream takes no more of it; it may have answered.
    Refused,
}

const LINE_END: &[u8] = b"\r\n";

impl<B: Body<Data = Bytes, Error = BodyFailure> + Unpin> Upload<B> {
    pub(super) fn new(
        head: Recycled,
        host: Range<usize>,
        (framing, body): (Framing, B),
        meter: Arc<Meter>,
    ) -> Self {
        let announced = if framing == Framing::Chunked {
            announced(&head)
        } else {
            Vec::new()
        };
        Self {
            before: head,
            before_sent: 0,
            host,
            data: Bytes::new(),
            after: b"",
            body,
            framing,
            announced,
            meter,
            ended: framing == Framing::Length(0),
            begun: false,
            kept: None,
            state: State::Upstream,
            progress: clock::now(),
        }
    }

    /// Names another host than the client did. Only before anything is sent.
    pub(super) fn set_host(&mut self, host: &str) {
        replace_host(&mut self.before, &mut self.host, host);
    }

    /// From now on the body is kept. Only one whose length is known.
    pub(super) fn keep_body(&mut self) {
        self.kept.get_or_insert_default();
    }

    /// From the beginning, on another connection: nothing was sent, or all that was is here.
    pub(super) fn again(&mut self) {
        if let Some(kept) = &mut self.kept {
            // What of it is not sent yet is there, too.
            self.data = Bytes::new();
            self.before.append(kept);
        }
        (self.before_sent, self.begun, self.state) = (0, false, State::Upstream);
        self.progress = clock::now();
    }

    pub(super) fn is_whole(&self) -> bool {
        self.state == State::Whole
    }

    /// Whether the upstream has all that there is of it, and more is to come from the client.
    pub(super) fn waits_for_client(&self) -> bool {
        self.state == State::Client
    }

    /// Gives up what was not sent.
    pub(super) fn refuse(&mut self) {
        if !self.is_whole() {
            self.state = State::Refused;
        }
    }

    /// What is wrong with the body, if anything is.
    pub(super) fn body_failure(&self) -> Option<BodyEnd> {
        match self.meter.end() {
            BodyEnd::Complete | BodyEnd::Unfinished => None,
            end => Some(end),
        }
    }

    /// Sends as much as can be sent. Ready when all of it is.
    pub(super) fn poll(
        &mut self,
        context: &mut Context<'_>,
        link: &mut Link,
    ) -> Poll<Result<(), Failure>> {
        loop {
            match self.state {
                State::Whole => return Poll::Ready(Ok(())),
                State::Refused => return Poll::Pending,
                State::Client | State::Upstream => {}
            }
            let mut waits = false;
            if !self.ended && self.data.is_empty() && self.after.is_empty() {
                match self.poll_frame(context) {
                    Poll::Ready(taken) => taken?,
                    Poll::Pending => waits = true,
                }
            }
            if self.has_nothing_to_write() {
                if self.ended {
                    self.state = State::Whole;
                } else if waits {
                    self.state = State::Client;
                    return Poll::Pending;
                }
                continue;
            }
            self.state = State::Upstream;
            let written = ready!(self.poll_write(context, link));
            self.written(written, link)?;
        }
    }

    fn has_nothing_to_write(&self) -> bool {
        self.before_sent >= self.before.len() && self.data.is_empty() && self.after.is_empty()
    }

    fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        let frame = match ready!(Pin::new(&mut self.body).poll_frame(context)) {
            None => return Poll::Ready(self.end(None)),
            Some(Ok(frame)) => frame,
            Some(Err(_)) => return Poll::Ready(Err(self.broken())),
        };
        self.progress = clock::now();
        Poll::Ready(match frame.into_data() {
            Ok(data) => self.take(data),
            Err(frame) => self.end(frame.into_trailers().ok().as_ref()),
        })
    }

    fn take(&mut self, data: Bytes) -> Result<(), Failure> {
        if data.is_empty() {
            return Ok(());
        }
        match &mut self.framing {
            Framing::Length(left) => {
                let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
                // A body that is longer than was said would be read as another request.
                *left = left
                    .checked_sub(length)
                    .ok_or(Failure::Body(BodyEnd::Broken))?;
                if let Some(kept) = &mut self.kept {
                    kept.extend_from_slice(&data);
                }
            }
            Framing::Chunked => {
                self.drop_sent();
                // Writing to a vector cannot fail.
                let _ = write!(*self.before, "{:x}\r\n", data.len());
                self.after = LINE_END;
            }
        }
        self.data = data;
        if self.body.is_end_stream() {
            self.end(None)
        } else {
            Ok(())
        }
    }

    /// Behind the last data.
    fn end(&mut self, trailers: Option<&HeaderMap>) -> Result<(), Failure> {
        self.ended = true;
        match self.framing {
            Framing::Length(0) => Ok(()),
            Framing::Length(_) => Err(self.broken()),
            Framing::Chunked => {
                let mut tail = Vec::new();
                if let Some(trailers) = trailers {
                    let announced: [(&str, &[u8]); 1] = [("trailer", &self.announced)];
                    write_trailer_map(trailers, &announced[..], &mut tail);
                }
                self.end_chunks(&tail);
                Ok(())
            }
        }
    }

    fn end_chunks(&mut self, trailers: &[u8]) {
        const BARE: &[u8] = b"\r\n0\r\n\r\n";
        if !self.data.is_empty() && trailers.is_empty() {
            self.after = BARE;
            return;
        }
        self.drop_sent();
        for part in [b"0\r\n", trailers, LINE_END] {
            self.before.extend_from_slice(part);
        }
    }

    fn drop_sent(&mut self) {
        if self.before_sent >= self.before.len() {
            self.before.clear();
            self.before_sent = 0;
        }
    }

    fn broken(&self) -> Failure {
        Failure::Body(self.body_failure().unwrap_or(BodyEnd::Broken))
    }

    fn poll_write(&self, context: &mut Context<'_>, link: &mut Link) -> Poll<io::Result<usize>> {
        let before = self.before.get(self.before_sent..).unwrap_or_default();
        let all = [before, &self.data, self.after];
        let mut slices = [IoSlice::new(&[]); 3];
        let mut count = 0;
        for (place, slice) in slices
            .iter_mut()
            .zip(all.iter().filter(|slice| !slice.is_empty()))
        {
            *place = IoSlice::new(slice);
            count += 1;
        }
        link.poll_write(context, slices.get(..count).unwrap_or_default())
    }

    fn written(&mut self, written: io::Result<usize>, link: &Link) -> Result<(), Failure> {
        match written {
            Ok(count @ 1..) => {
                (self.begun, self.progress) = (true, clock::now());
                let before = (self.before.len() - self.before_sent).min(count);
                self.before_sent += before;
                let data = self.data.len().min(count - before);
                self.data.advance(data);
                self.after = self.after.get(count - before - data..).unwrap_or_default();
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
}

/// The names that a head's `Trailer` fields list.
fn announced(head: &[u8]) -> Vec<u8> {
    let mut space = field_space();
    let Ok(Some(head)) = parse_head(head, &mut space) else {
        return Vec::new();
    };
    let listed = head
        .fields
        .iter()
        .filter(|field| field.name.eq_ignore_ascii_case("trailer"));
    listed
        .map(|field| field.value)
        .collect::<Vec<_>>()
        .join(&b","[..])
}
