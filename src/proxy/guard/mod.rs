//! Stands between TLS and hyper's HTTP/1.1: each request head and the framing of each body are read strictly before
//! hyper sees them, heads and silence are timed, and interim answers (1xx) are slipped in. Judges no request.

mod control;
mod reading;
mod writing;

pub(super) use control::GuardControl;

use super::{RequestId, request_id};
use crate::forward::{ChunkScanner, Framing};
use crate::respond::{Form, Refusal, refuse};
use crate::snapshot::ConnectionLimits;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// Told when a connection ends because of what the client sent, before there was a request to judge.
pub(super) type OnRefusal = Box<dyn Fn(&Refusal<'_>, RequestId) + Send>;

/// A guarded stream.
pub(super) struct Guard<S> {
    inner: S,
    control: Arc<GuardControl>,
    limits: ConnectionLimits,
    on_refusal: OnRefusal,
    state: State,
    /// Read, but not yet handed on. Bounded by the head's limit.
    buffer: Vec<u8>,
    /// Looking for the end of the head goes on here.
    searched: usize,
    /// A head without end is read strictly now and then, so that garbage is refused before it times out.
    next_check: usize,
    timer: Option<Pin<Box<Sleep>>>,
    write_timer: Option<Pin<Box<Sleep>>>,
    /// hyper has written what is not flushed.
    unflushed: bool,
    /// The last words on this connection.
    farewell: Vec<u8>,
    closing: Closing,
    closing_timer: Option<Pin<Box<Sleep>>>,
}

enum State {
    /// Between requests.
    Idle,
    /// Some bytes of a head are there.
    Head,
    /// A head is being handed on; so many bytes are left.
    Release(usize, Framing),
    /// Body bytes still to come.
    Length(u64),
    Chunked(ChunkScanner),
    /// Nothing more is read.
    Failed,
}

/// What a read gave.
enum Filled {
    Some,
    /// The end of the stream.
    End,
}

enum Closing {
    Open,
    ShutDown,
    Lingering { left: usize },
    Done,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Guard<S> {
    pub(super) fn new(inner: S, limits: ConnectionLimits, on_refusal: OnRefusal) -> Self {
        Self {
            inner,
            control: Arc::default(),
            limits,
            on_refusal,
            state: State::Idle,
            buffer: Vec::new(),
            searched: 0,
            next_check: 0,
            timer: None,
            write_timer: None,
            unflushed: false,
            farewell: Vec::new(),
            closing: Closing::Open,
            closing_timer: None,
        }
    }

    pub(super) fn control(&self) -> Arc<GuardControl> {
        self.control.clone()
    }

    /// Refuses the connection: an answer, and then the end.
    fn fail(&mut self, refusal: &Refusal<'_>) {
        let id = request_id();
        (self.on_refusal)(refusal, id);
        let answer = refuse(refusal, Form::Json, &id);
        let reason = answer.status.canonical_reason().unwrap_or("Error");
        self.farewell = format!(
            "HTTP/1.1 {} {reason}\r\ncontent-type: {}\r\ncontent-length: {}\r\nx-request-id: {id}\r\n\
             connection: close\r\n\r\n{}",
            answer.status.as_u16(),
            answer.content_type,
            answer.body.len(),
            answer.body
        )
        .into_bytes();
        self.state = State::Failed;
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Guard<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = this.control.lock().task.replace(context.waker().clone());
        drop(before);
        loop {
            if this.control.tunnel.load(Ordering::Acquire) {
                return this.poll_pass(context, out, usize::MAX).map_ok(drop);
            }
            match std::mem::replace(&mut this.state, State::Failed) {
                State::Idle => {
                    this.state = State::Idle;
                    if !ready!(this.poll_idle(context))? {
                        return Poll::Ready(Ok(()));
                    }
                }
                State::Head => {
                    this.state = State::Head;
                    if !ready!(this.poll_head(context))? {
                        return Poll::Ready(Ok(()));
                    }
                }
                State::Release(left, framing) => {
                    let length = left.min(out.remaining());
                    out.put_slice(this.buffer.get(..length).unwrap_or_default());
                    this.buffer.drain(..length);
                    let rest = left - length;
                    this.state = if rest == 0 {
                        Self::after_head(framing)
                    } else {
                        State::Release(rest, framing)
                    };
                    return Poll::Ready(Ok(()));
                }
                State::Length(left) => {
                    this.state = State::Length(left);
                    let most = usize::try_from(left).unwrap_or(usize::MAX);
                    let length = ready!(this.poll_pass(context, out, most))?;
                    let rest = left.saturating_sub(u64::try_from(length).unwrap_or(u64::MAX));
                    this.state = if rest == 0 {
                        State::Idle
                    } else {
                        State::Length(rest)
                    };
                    return Poll::Ready(Ok(()));
                }
                State::Chunked(scanner) => {
                    this.state = State::Chunked(scanner.clone());
                    return this.poll_chunked(scanner, context, out);
                }
                // The end of the stream, as far as hyper is concerned.
                State::Failed => return Poll::Ready(Ok(())),
            }
        }
    }
}
