//! The guard's reading half: strict parsing of heads, their timeouts, and the framing of bodies.

use super::{Guard, GuardState, ReadOutcome};
use crate::forward::{ChunkScanner, Framing, HeadSummary, read_head};
use crate::respond::Refusal;
use std::io;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

impl<S: AsyncRead + AsyncWrite + Unpin> Guard<S> {
    /// Reads more of a head.
    pub(super) fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<ReadOutcome>> {
        let mut chunk = [0; 4096];
        // One byte beyond the limit is enough to see that it is exceeded.
        let room = (self.limits.head_size + 1)
            .saturating_sub(self.buffer.len())
            .min(chunk.len());
        let Some(space) = chunk.get_mut(..room).filter(|space| !space.is_empty()) else {
            return Poll::Pending;
        };
        let mut read = ReadBuf::new(space);
        ready!(Pin::new(&mut self.inner).poll_read(context, &mut read))?;
        self.buffer.extend_from_slice(read.filled());
        Poll::Ready(Ok(if read.filled().is_empty() {
            ReadOutcome::End
        } else {
            ReadOutcome::Bytes
        }))
    }

    /// Ready when the timer of the current state has expired.
    pub(super) fn poll_timer(&mut self, after: Duration, context: &mut Context<'_>) -> Poll<()> {
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(after)));
        timer.as_mut().poll(context)
    }

    /// The head at the front of the buffer, if it is complete.
    pub(super) fn head(&mut self) -> Result<Option<HeadSummary>, Refusal<'static>> {
        let is_complete = self.find_end();
        if !is_complete && self.buffer.len() > self.limits.head_size {
            return Err(Refusal::HeadTooLarge);
        }
        if !is_complete && self.buffer.len() < self.next_check {
            return Ok(None);
        }
        self.next_check = self.buffer.len().saturating_mul(2);
        match read_head(&self.buffer) {
            // Bytes after a chunked body can be longer than the limit for heads.
            Ok(Some(head)) if head.length > self.limits.head_size => Err(Refusal::HeadTooLarge),
            read => read.map_err(Refusal::Framing),
        }
    }

    pub(super) fn find_end(&mut self) -> bool {
        const END: &[u8] = b"\r\n\r\n";
        let from = self.search_start.saturating_sub(END.len() - 1);
        self.search_start = self.buffer.len();
        self.buffer
            .get(from..)
            .is_some_and(|tail| tail.windows(END.len()).any(|window| window == END))
    }

    /// Skips one empty line before a request (RFC 9112 section 2.2).
    pub(super) fn skip_empty_line(&mut self) {
        if self.buffer.starts_with(b"\r\n") {
            self.buffer.drain(..2);
            self.search_start = 0;
        }
    }

    pub(super) fn begin_head(&mut self) {
        self.state = GuardState::Head;
        self.search_start = 0;
        self.next_check = 0;
        self.timer = None;
    }

    /// Waits for the next request. `Ready(Ok(false))` is a clean end.
    pub(super) fn poll_idle(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if self.buffer.is_empty() {
            match self.poll_fill(context)? {
                Poll::Ready(ReadOutcome::End) => return Poll::Ready(Ok(false)),
                Poll::Ready(ReadOutcome::Bytes) => {}
                Poll::Pending => {
                    // The client may be silent while its request is open.
                    if self.control.busy.load(Ordering::Acquire) {
                        self.timer = None;
                        return Poll::Pending;
                    }
                    let closing = self.control.closing.load(Ordering::Acquire);
                    if closing
                        || self
                            .poll_timer(self.limits.keep_alive_timeout, context)
                            .is_ready()
                    {
                        return Poll::Ready(Ok(false));
                    }
                    return Poll::Pending;
                }
            }
        }
        self.begin_head();
        Poll::Ready(Ok(true))
    }

    /// Reads a head until it is complete and may be forwarded. `Ready(Ok(false))` ends the connection.
    pub(super) fn poll_head(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        // Not parsed before the previous response is sent: these may be the first bytes of a tunnel.
        if self.control.busy.load(Ordering::Acquire) || self.has_unflushed {
            return self.poll_while_busy(context);
        }
        self.control.head.store(true, Ordering::Release);
        self.skip_empty_line();
        loop {
            match self.head() {
                Err(refusal) => {
                    self.fail(&refusal);
                    return Poll::Ready(Ok(false));
                }
                Ok(Some(HeadSummary { length, framing })) => {
                    self.control.busy.store(true, Ordering::Release);
                    self.timer = None;
                    self.state = GuardState::Release(length, framing);
                    return Poll::Ready(Ok(true));
                }
                Ok(None) => {}
            }
            match self.poll_fill(context)? {
                Poll::Ready(ReadOutcome::End) => return Poll::Ready(Ok(false)),
                Poll::Ready(ReadOutcome::Bytes) => {}
                Poll::Pending => {
                    ready!(self.poll_timer(self.limits.head_timeout, context));
                    self.fail(&Refusal::HeadTimeout);
                    return Poll::Ready(Ok(false));
                }
            }
        }
    }

    /// Buffers bytes that arrive while a response is being sent, to notice the end of the stream.
    pub(super) fn poll_while_busy(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        match self.poll_fill(context)? {
            Poll::Ready(ReadOutcome::End) => Poll::Ready(Ok(false)),
            // Poll again until the buffer is full.
            Poll::Ready(ReadOutcome::Bytes) => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Pending => Poll::Pending,
        }
    }

    pub(super) fn after_head(framing: Framing) -> GuardState {
        match framing {
            Framing::Length(0) => GuardState::Idle,
            Framing::Length(length) => GuardState::Length(length),
            Framing::Chunked => GuardState::Chunked(ChunkScanner::default()),
        }
    }

    /// Forwards bytes of the buffer, or reads new ones, at most `max_length`. Returns their number.
    pub(super) fn poll_forward(
        &mut self,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
        max_length: usize,
    ) -> Poll<io::Result<usize>> {
        let max_length = max_length.min(out.remaining());
        if !self.buffer.is_empty() {
            let length = max_length.min(self.buffer.len());
            out.put_slice(self.buffer.get(..length).unwrap_or_default());
            self.buffer.drain(..length);
            return Poll::Ready(Ok(length));
        }
        let before = out.filled().len();
        if max_length == out.remaining() {
            ready!(Pin::new(&mut self.inner).poll_read(context, out))?;
            return Poll::Ready(Ok(out.filled().len() - before));
        }
        // The end of a body: bytes after it belong to the next request.
        let mut part = ReadBuf::new(out.initialize_unfilled_to(max_length));
        ready!(Pin::new(&mut self.inner).poll_read(context, &mut part))?;
        let length = part.filled().len();
        out.advance(length);
        Poll::Ready(Ok(length))
    }

    pub(super) fn poll_chunked(
        &mut self,
        mut scanner: ChunkScanner,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = out.filled().len();
        let length = ready!(self.poll_forward(context, out, usize::MAX))?;
        let bytes = out.filled().get(before..).unwrap_or_default();
        match scanner.scan(bytes) {
            Ok(taken) => {
                if taken < length {
                    // Bytes after the body belong to the next request.
                    let mut rest = bytes.get(taken..).unwrap_or_default().to_vec();
                    rest.append(&mut self.buffer);
                    self.buffer = rest;
                    out.set_filled(before + taken);
                }
                self.state = if scanner.is_complete() {
                    GuardState::Idle
                } else {
                    GuardState::Chunked(scanner)
                };
                Poll::Ready(Ok(()))
            }
            Err(error) => {
                out.set_filled(before);
                self.control.lock().broken_body = Some(error);
                self.state = GuardState::Failed;
                Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error)))
            }
        }
    }
}
