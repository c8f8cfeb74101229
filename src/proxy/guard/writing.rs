//! The guard's writing half: interim responses are written first, a stalled client is disconnected, and a final response is
//! delivered before the close.

use super::{CloseState, Guard, GuardState};
use std::io;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Timeout for the final response and close_notify together. Fixed, because they are few bytes and the idle timeout may be off.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

impl<S: AsyncRead + AsyncWrite + Unpin> Guard<S> {
    fn poll_before_write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Set first: hyper has bytes to write, even if they must wait.
        self.has_unflushed = true;
        match self.poll_write_interim(context)? {
            Poll::Ready(()) => Poll::Ready(Ok(())),
            Poll::Pending => self.poll_stall(context, Poll::Pending),
        }
    }

    fn poll_write_interim(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let pending = std::mem::take(&mut self.control.lock().interim);
            if pending.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let written = match Pin::new(&mut self.inner).poll_write(context, &pending) {
                Poll::Ready(outcome) => outcome?,
                Poll::Pending => 0,
            };
            let mut rest = pending.get(written..).unwrap_or_default().to_vec();
            let blocked = written == 0;
            let mut shared = self.control.lock();
            rest.append(&mut shared.interim);
            shared.interim = rest;
            if blocked {
                return Poll::Pending;
            }
        }
    }

    /// Whether the client has sent, or may still be sending, bytes that are not read.
    fn has_unread(&self) -> bool {
        let between_requests = matches!(self.state, GuardState::Idle) && self.buffer.is_empty();
        !between_requests && !self.control.tunnel.load(Ordering::Acquire)
    }

    /// Fails if the client takes no byte for the idle timeout.
    fn poll_stall<T>(
        &mut self,
        context: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.write_timer = None;
            return polled;
        }
        if let Some(timeout) = self.limits.idle_timeout {
            let timer = self
                .write_timer
                .get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
            if timer.as_mut().poll(context).is_ready() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        Poll::Pending
    }

    fn poll_final_response(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.final_response.is_empty() {
            let written =
                ready!(Pin::new(&mut self.inner).poll_write(context, &self.final_response))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.final_response.drain(..written);
        }
        Pin::new(&mut self.inner).poll_flush(context)
    }

    /// Fails if the client takes no byte while its connection closes. It would hold the connection for ever.
    fn poll_closing(
        &mut self,
        context: &mut Context<'_>,
        polled: Poll<io::Result<()>>,
    ) -> Poll<io::Result<()>> {
        if polled.is_pending() {
            let timer = self
                .closing_timer
                .get_or_insert_with(|| Box::pin(tokio::time::sleep(CLOSE_TIMEOUT)));
            ready!(timer.as_mut().poll(context));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        polled
    }

    /// Reads a limited number of bytes. Closing a socket with unread bytes resets the connection, which can destroy the response.
    fn poll_linger(&mut self, mut left: usize, context: &mut Context<'_>) -> Poll<()> {
        const LINGER: Duration = Duration::from_secs(2);
        loop {
            let mut scratch = [0; 4096];
            let mut read = ReadBuf::new(&mut scratch);
            match Pin::new(&mut self.inner).poll_read(context, &mut read) {
                Poll::Ready(Ok(())) if !read.filled().is_empty() => {
                    left = left.saturating_sub(read.filled().len());
                    self.closing = CloseState::Lingering { left };
                    if left == 0 {
                        return Poll::Ready(());
                    }
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return self.poll_timer(LINGER, context),
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guard<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_before_write(context))?;
        let polled = Pin::new(&mut this.inner).poll_write(context, bytes);
        this.poll_stall(context, polled)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_before_write(context))?;
        let polled = Pin::new(&mut this.inner).poll_write_vectored(context, pieces);
        this.poll_stall(context, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.poll_write_interim(context)?.is_pending() {
            return this.poll_stall(context, Poll::Pending);
        }
        let polled = Pin::new(&mut this.inner).poll_flush(context);
        if matches!(polled, Poll::Ready(Ok(()))) && std::mem::take(&mut this.has_unflushed) {
            // A head may be waiting for the flush.
            context.waker().wake_by_ref();
        }
        this.poll_stall(context, polled)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        /// What the buffers of both sockets and of all hops between can hold, in bytes.
        const MAX_LINGER_BYTES: usize = 16 * 1024 * 1024;
        let this = self.get_mut();
        loop {
            match this.closing {
                CloseState::Open => {
                    let polled = this.poll_final_response(context);
                    ready!(this.poll_closing(context, polled))?;
                    this.closing = CloseState::ShutDown;
                }
                CloseState::ShutDown => {
                    let polled = Pin::new(&mut this.inner).poll_shutdown(context);
                    ready!(this.poll_closing(context, polled))?;
                    this.timer = None;
                    this.closing = if this.has_unread() {
                        CloseState::Lingering {
                            left: MAX_LINGER_BYTES,
                        }
                    } else {
                        CloseState::Done
                    };
                }
                CloseState::Lingering { left } => {
                    ready!(this.poll_linger(left, context));
                    this.closing = CloseState::Done;
                }
                CloseState::Done => return Poll::Ready(Ok(())),
            }
        }
    }
}
