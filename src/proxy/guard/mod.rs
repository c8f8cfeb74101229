//! A stream between TLS and hyper's HTTP/1.1. It parses each request head and the framing of each body strictly before hyper
//! gets them, enforces the timeouts for heads and idle clients, and inserts interim responses (1xx). Decides on no request.

mod control;
mod reading;
mod writing;

pub(super) use control::GuardControl;

use super::{RequestId, request_id};
use crate::forward::{ChunkScanner, Framing};
use crate::respond::{Refusal, ResponseFormat, refuse};
use crate::snapshot::ConnectionLimits;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// Called when a connection ends because of its input, before there was a request to decide on.
pub(super) type RefusalHandler = Box<dyn Fn(&Refusal<'_>, RequestId) + Send>;

/// A guarded stream.
pub(super) struct Guard<S> {
    inner: S,
    control: Arc<GuardControl>,
    limits: ConnectionLimits,
    on_refusal: RefusalHandler,
    state: GuardState,
    /// Bytes that were read and not forwarded yet. Bounded by the limit for heads.
    buffer: Vec<u8>,
    /// Position where the search for the end of the head continues.
    search_start: usize,
    /// Length at which an incomplete head is parsed again, so that garbage is rejected before the timeout.
    next_check: usize,
    timer: Option<Pin<Box<Sleep>>>,
    write_timer: Option<Pin<Box<Sleep>>>,
    /// hyper has written bytes that are not flushed.
    has_unflushed: bool,
    /// The response to a protocol error, sent before the connection closes.
    final_response: Vec<u8>,
    closing: CloseState,
    closing_timer: Option<Pin<Box<Sleep>>>,
}

/// What the guard reads.
enum GuardState {
    /// Between requests.
    Idle,
    /// A part of a head was read.
    Head,
    /// A complete head is being forwarded: number of bytes left, and framing of the body.
    Release(usize, Framing),
    /// Number of body bytes left.
    Length(u64),
    Chunked(ChunkScanner),
    /// No more bytes are read.
    Failed,
}

/// The result of a read.
enum ReadOutcome {
    Bytes,
    /// The end of the stream.
    End,
}

/// Progress of closing the connection.
enum CloseState {
    Open,
    ShutDown,
    Lingering { left: usize },
    Done,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Guard<S> {
    pub(super) fn new(inner: S, limits: ConnectionLimits, on_refusal: RefusalHandler) -> Self {
        Self {
            inner,
            control: Arc::default(),
            limits,
            on_refusal,
            state: GuardState::Idle,
            buffer: Vec::new(),
            search_start: 0,
            next_check: 0,
            timer: None,
            write_timer: None,
            has_unflushed: false,
            final_response: Vec::new(),
            closing: CloseState::Open,
            closing_timer: None,
        }
    }

    pub(super) fn control(&self) -> Arc<GuardControl> {
        self.control.clone()
    }

    /// Rejects the input: prepares the final response, and stops reading.
    fn fail(&mut self, refusal: &Refusal<'_>) {
        let id = request_id();
        (self.on_refusal)(refusal, id);
        let response = refuse(refusal, ResponseFormat::Json, &id);
        let reason = response.status.canonical_reason().unwrap_or("Error");
        self.final_response = format!(
            "HTTP/1.1 {} {reason}\r\ncontent-type: {}\r\ncontent-length: {}\r\nx-request-id: {id}\r\n\
             connection: close\r\n\r\n{}",
            response.status.as_u16(),
            response.content_type,
            response.body.len(),
            response.body
        )
        .into_bytes();
        self.state = GuardState::Failed;
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Guard<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let previous_waker = this.control.lock().task.replace(context.waker().clone());
        drop(previous_waker);
        loop {
            if this.control.tunnel.load(Ordering::Acquire) {
                return this.poll_forward(context, out, usize::MAX).map_ok(drop);
            }
            match std::mem::replace(&mut this.state, GuardState::Failed) {
                GuardState::Idle => {
                    this.state = GuardState::Idle;
                    if !ready!(this.poll_idle(context))? {
                        return Poll::Ready(Ok(()));
                    }
                }
                GuardState::Head => {
                    this.state = GuardState::Head;
                    if !ready!(this.poll_head(context))? {
                        return Poll::Ready(Ok(()));
                    }
                }
                GuardState::Release(left, framing) => {
                    let length = left.min(out.remaining());
                    out.put_slice(this.buffer.get(..length).unwrap_or_default());
                    this.buffer.drain(..length);
                    let rest = left - length;
                    this.state = if rest == 0 {
                        Self::after_head(framing)
                    } else {
                        GuardState::Release(rest, framing)
                    };
                    return Poll::Ready(Ok(()));
                }
                GuardState::Length(left) => {
                    this.state = GuardState::Length(left);
                    let max_length = usize::try_from(left).unwrap_or(usize::MAX);
                    let length = ready!(this.poll_forward(context, out, max_length))?;
                    let rest = left.saturating_sub(u64::try_from(length).unwrap_or(u64::MAX));
                    this.state = if rest == 0 {
                        GuardState::Idle
                    } else {
                        GuardState::Length(rest)
                    };
                    return Poll::Ready(Ok(()));
                }
                GuardState::Chunked(scanner) => {
                    this.state = GuardState::Chunked(scanner.clone());
                    return this.poll_chunked(scanner, context, out);
                }
                // hyper gets the end of the stream.
                GuardState::Failed => return Poll::Ready(Ok(())),
            }
        }
    }
}
