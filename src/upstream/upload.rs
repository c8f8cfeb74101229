//! Sends a request of an HTTP/2 client to the upstream: head and body frames as they arrive, without a copy
//! of the body. Reads no response.

use super::{AttemptFailure, Link, OutgoingRequest, UploadState};
use crate::buffer_pool::PooledBuffer;
use crate::clock;
use crate::forward::{Framing, field_space, parse_head, replace_host, write_trailer_map};
use crate::limit::{BodyEnd, BodyFailure, BodyMeter};
use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::Body;
use std::io::{self, IoSlice, Write};
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

/// The upload of one request.
pub(super) struct Upload<B> {
    /// The head, and later the framing between chunk data.
    before: PooledBuffer,
    before_sent: usize,
    /// Position of the host in the head.
    host: Range<usize>,
    /// Data of the current frame.
    data: Bytes,
    /// Bytes after the data.
    after: &'static [u8],
    body: B,
    framing: Framing,
    /// Names of announced trailers.
    announced: Vec<u8>,
    meter: Arc<BodyMeter>,
    ended: bool,
    /// Whether a byte was sent to the upstream.
    started: bool,
    /// The body read so far, if a retry may need it.
    kept: Option<Vec<u8>>,
    state: UploadState,
    /// Time of the last progress.
    pub(super) progress: Instant,
}

const LINE_END: &[u8] = b"\r\n";

impl<B: Body<Data = Bytes, Error = BodyFailure> + Unpin> Upload<B> {
    /// The upload of a request, whose head is taken.
    pub(super) fn new(outgoing: &mut OutgoingRequest, body: B, meter: Arc<BodyMeter>) -> Self {
        let head = std::mem::take(&mut outgoing.head);
        let framing = outgoing.framing;
        let announced = if framing == Framing::Chunked {
            announced(&head)
        } else {
            Vec::new()
        };
        Self {
            before: head,
            before_sent: 0,
            host: outgoing.host.clone(),
            data: Bytes::new(),
            after: b"",
            body,
            framing,
            announced,
            meter,
            ended: framing == Framing::Length(0),
            started: false,
            kept: outgoing.retry_policy.keeps_body().then(Vec::new),
            state: UploadState::WaitsForUpstream,
            progress: clock::now(),
        }
    }

    /// Replaces the host. Call before anything is sent.
    pub(super) fn set_host(&mut self, host: &str) {
        replace_host(&mut self.before, &mut self.host, host);
    }

    /// Restarts on another connection: nothing was sent, or all sent bytes are kept.
    pub(super) fn restart(&mut self) {
        if let Some(kept) = &mut self.kept {
            // The kept bytes include the unsent ones.
            self.data = Bytes::new();
            self.before.append(kept);
        }
        self.before_sent = 0;
        self.started = false;
        self.state = UploadState::WaitsForUpstream;
        self.progress = clock::now();
    }

    pub(super) fn is_complete(&self) -> bool {
        self.state == UploadState::Complete
    }

    /// Whether the upstream has all available bytes, and the client will send more.
    pub(super) fn waits_for_client(&self) -> bool {
        self.state == UploadState::WaitsForClient
    }

    /// Drops the unsent rest.
    pub(super) fn abandon(&mut self) {
        if !self.is_complete() {
            self.state = UploadState::Stopped;
        }
    }

    /// The failure of the body, if any.
    pub(super) fn body_failure(&self) -> Option<BodyEnd> {
        match self.meter.end() {
            BodyEnd::Complete | BodyEnd::Unfinished => None,
            end => Some(end),
        }
    }

    /// Sends as much as possible. Ready when all is sent.
    pub(super) fn poll(
        &mut self,
        context: &mut Context<'_>,
        link: &mut Link,
    ) -> Poll<Result<(), AttemptFailure>> {
        loop {
            match self.state {
                UploadState::Complete => return Poll::Ready(Ok(())),
                UploadState::Stopped => return Poll::Pending,
                UploadState::WaitsForClient | UploadState::WaitsForUpstream => {}
            }
            let mut is_pending = false;
            if !self.ended && self.data.is_empty() && self.after.is_empty() {
                match self.poll_frame(context) {
                    Poll::Ready(taken) => taken?,
                    Poll::Pending => is_pending = true,
                }
            }
            if self.has_nothing_to_write() {
                if self.ended {
                    self.state = UploadState::Complete;
                } else if is_pending {
                    self.state = UploadState::WaitsForClient;
                    return Poll::Pending;
                }
                continue;
            }
            self.state = UploadState::WaitsForUpstream;
            let written = ready!(self.poll_write(context, link));
            self.written(written, link)?;
        }
    }

    fn has_nothing_to_write(&self) -> bool {
        self.before_sent >= self.before.len() && self.data.is_empty() && self.after.is_empty()
    }

    fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Result<(), AttemptFailure>> {
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

    fn take(&mut self, data: Bytes) -> Result<(), AttemptFailure> {
        if data.is_empty() {
            return Ok(());
        }
        match &mut self.framing {
            Framing::Length(left) => {
                let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
                // The upstream would parse excess bytes as another request.
                *left = left
                    .checked_sub(length)
                    .ok_or(AttemptFailure::Body(BodyEnd::Broken))?;
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

    /// Finishes the body after the last data.
    fn end(&mut self, trailers: Option<&HeaderMap>) -> Result<(), AttemptFailure> {
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
        const WITHOUT_TRAILERS: &[u8] = b"\r\n0\r\n\r\n";
        if !self.data.is_empty() && trailers.is_empty() {
            self.after = WITHOUT_TRAILERS;
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

    fn broken(&self) -> AttemptFailure {
        AttemptFailure::Body(self.body_failure().unwrap_or(BodyEnd::Broken))
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

    fn written(&mut self, written: io::Result<usize>, link: &Link) -> Result<(), AttemptFailure> {
        let Some(count) = link.bytes_written(written, self.started)? else {
            self.state = UploadState::Stopped;
            return Ok(());
        };
        self.started = true;
        self.progress = clock::now();
        let before = (self.before.len() - self.before_sent).min(count);
        self.before_sent += before;
        let data = self.data.len().min(count - before);
        self.data.advance(data);
        self.after = self.after.get(count - before - data..).unwrap_or_default();
        Ok(())
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
