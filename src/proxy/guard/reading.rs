//! The guard's reading half: heads, strictly and in time, and the framing of bodies.

use super::{Filled, Guard, State};
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
    pub(super) fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Filled>> {
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
            Filled::End
        } else {
            Filled::Some
        }))
    }

    /// Ready when the timer for the present state has run out.
    pub(super) fn poll_timer(&mut self, after: Duration, context: &mut Context<'_>) -> Poll<()> {
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(after)));
        timer.as_mut().poll(context)
    }

    /// The head at the front of the buffer, if it is whole.
    pub(super) fn head(&mut self) -> Result<Option<HeadSummary>, Refusal<'static>> {
        let whole = self.find_end();
        if !whole && self.buffer.len() > self.limits.head_size {
            return Err(Refusal::HeadTooLarge);
        }
        if !whole && self.buffer.len() < self.next_check {
            return Ok(None);
        }
        self.next_check = self.buffer.len().saturating_mul(2);
        match read_head(&self.buffer) {
            // What followed a chunked body can be longer than what is read at once for a head.
            Ok(Some(head)) if head.length > self.limits.head_size => Err(Refusal::HeadTooLarge),
            read => read.map_err(Refusal::Framing),
        }
    }

    pub(super) fn find_end(&mut self) -> bool {
        const END: &[u8] = b"\r\n\r\n";
        let from = self.searched.saturating_sub(END.len() - 1);
        self.searched = self.buffer.len();
        self.buffer
            .get(from..)
            .is_some_and(|tail| tail.windows(END.len()).any(|window| window == END))
    }

    /// One empty line before a request is forgiven (RFC 9112 section 2.2).
    pub(super) fn skip_empty_line(&mut self) {
        if self.buffer.starts_with(b"\r\n") {
            self.buffer.drain(..2);
            self.searched = 0;
        }
    }

    pub(super) fn begin_head(&mut self) {
        self.state = State::Head;
        (self.searched, self.next_check, self.timer) = (0, 0, None);
    }

    /// Waits for the next request. `Ready(Ok(false))` is a clean end.
    pub(super) fn poll_idle(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if self.buffer.is_empty() {
            match self.poll_fill(context)? {
                Poll::Ready(Filled::End) => return Poll::Ready(Ok(false)),
                Poll::Ready(Filled::Some) => {}
                Poll::Pending => {
                    // While a request is answered, silence is what is expected of the client.
                    if self.control.busy.load(Ordering::Acquire) {
                        self.timer = None;
                        return Poll::Pending;
                    }
                    let told_to_end = self.control.closing.load(Ordering::Acquire);
                    if told_to_end
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

    /// Collects a head until it may be handed on. `Ready(Ok(false))` ends the connection.
    pub(super) fn poll_head(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        // Not even looked at before the answer to the request before is out: it may be the first bytes of a tunnel.
        if self.control.busy.load(Ordering::Acquire) || self.unflushed {
            return self.poll_behind_answer(context);
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
                    self.state = State::Release(length, framing);
                    return Poll::Ready(Ok(true));
                }
                Ok(None) => {}
            }
            match self.poll_fill(context)? {
                Poll::Ready(Filled::End) => return Poll::Ready(Ok(false)),
                Poll::Ready(Filled::Some) => {}
                Poll::Pending => {
                    ready!(self.poll_timer(self.limits.head_timeout, context));
                    self.fail(&Refusal::HeadTimeout);
                    return Poll::Ready(Ok(false));
                }
            }
        }
    }

    /// Bytes are here while an answer is still on its way. They wait, but an end of the stream is noticed.
    pub(super) fn poll_behind_answer(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<bool>> {
        match self.poll_fill(context)? {
            Poll::Ready(Filled::End) => Poll::Ready(Ok(false)),
            // More came; look again at once, until the buffer is full.
            Poll::Ready(Filled::Some) => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Pending => Poll::Pending,
        }
    }

    pub(super) fn after_head(framing: Framing) -> State {
        match framing {
            Framing::Length(0) => State::Idle,
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::Chunked(ChunkScanner::default()),
        }
    }

    /// Hands on bytes of the buffer, or reads new ones, at most `most`.
    pub(super) fn poll_pass(
        &mut self,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        let most = most.min(out.remaining());
        if !self.buffer.is_empty() {
            let length = most.min(self.buffer.len());
            out.put_slice(self.buffer.get(..length).unwrap_or_default());
            self.buffer.drain(..length);
            return Poll::Ready(Ok(length));
        }
        let before = out.filled().len();
        if most == out.remaining() {
            ready!(Pin::new(&mut self.inner).poll_read(context, out))?;
            return Poll::Ready(Ok(out.filled().len() - before));
        }
        // Only the last part of a body: what follows it belongs to the next request.
        let mut part = ReadBuf::new(out.initialize_unfilled_to(most));
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
        let length = ready!(self.poll_pass(context, out, usize::MAX))?;
        let bytes = out.filled().get(before..).unwrap_or_default();
        match scanner.scan(bytes) {
            Ok(taken) => {
                if taken < length {
                    // What follows is the next request.
                    let mut rest = bytes.get(taken..).unwrap_or_default().to_vec();
                    rest.append(&mut self.buffer);
                    self.buffer = rest;
                    out.set_filled(before + taken);
                }
                self.state = if scanner.is_complete() {
                    State::Idle
                } else {
                    State::Chunked(scanner)
                };
                Poll::Ready(Ok(()))
            }
            Err(error) => {
                out.set_filled(before);
                self.control.lock().broken_body = Some(error);
                self.state = State::Failed;
                Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error)))
            }
        }
    }
}
