//! The guard's writing half: interim answers go first, a client that takes nothing is cut, and last words arrive.

use super::{Closing, Guard, State};
use std::io;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// For the last words and TLS's goodbye together. They are few bytes, and fixed because the idle timeout may be off.
const CLOSING: Duration = Duration::from_secs(10);

impl<S: AsyncRead + AsyncWrite + Unpin> Guard<S> {
    fn poll_before_write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Said first: hyper has something to write, even if it must wait.
        self.unflushed = true;
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

    /// Whether the client has sent, or may still be sending, what nobody will read.
    fn has_unread(&self) -> bool {
        let between_requests = matches!(self.state, State::Idle) && self.buffer.is_empty();
        !between_requests && !self.control.tunnel.load(Ordering::Acquire)
    }

    /// A client that takes nothing for the idle timeout is cut.
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

    fn poll_farewell(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.farewell.is_empty() {
            let written = ready!(Pin::new(&mut self.inner).poll_write(context, &self.farewell))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.farewell.drain(..written);
        }
        Pin::new(&mut self.inner).poll_flush(context)
    }

    /// A client that takes nothing while its connection closes would hold it for ever: it is cut.
    fn poll_closing(
        &mut self,
        context: &mut Context<'_>,
        polled: Poll<io::Result<()>>,
    ) -> Poll<io::Result<()>> {
        if polled.is_pending() {
            let timer = self
                .closing_timer
                .get_or_insert_with(|| Box::pin(tokio::time::sleep(CLOSING)));
            ready!(timer.as_mut().poll(context));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        polled
    }

    /// Closing with unread bytes would reset the connection and could take the answer with it; so read a little.
    fn poll_linger(&mut self, mut left: usize, context: &mut Context<'_>) -> Poll<()> {
        const LINGER: Duration = Duration::from_secs(2);
        loop {
            let mut scratch = [0; 4096];
            let mut read = ReadBuf::new(&mut scratch);
            match Pin::new(&mut self.inner).poll_read(context, &mut read) {
                Poll::Ready(Ok(())) if !read.filled().is_empty() => {
                    left = left.saturating_sub(read.filled().len());
                    self.closing = Closing::Lingering { left };
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
        if matches!(polled, Poll::Ready(Ok(()))) && std::mem::take(&mut this.unflushed) {
            // A head may have been waiting for this.
            context.waker().wake_by_ref();
        }
        this.poll_stall(context, polled)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        /// What can be in flight when the answer goes out: the buffers of both sockets and of all between.
        const MOST_LINGERED: usize = 16 * 1024 * 1024;
        let this = self.get_mut();
        loop {
            match this.closing {
                Closing::Open => {
                    let polled = this.poll_farewell(context);
                    ready!(this.poll_closing(context, polled))?;
                    this.closing = Closing::ShutDown;
                }
                Closing::ShutDown => {
                    let polled = Pin::new(&mut this.inner).poll_shutdown(context);
                    ready!(this.poll_closing(context, polled))?;
                    this.timer = None;
                    this.closing = if this.has_unread() {
                        Closing::Lingering {
                            left: MOST_LINGERED,
                        }
                    } else {
                        Closing::Done
                    };
                }
                Closing::Lingering { left } => {
                    ready!(this.poll_linger(left, context));
                    this.closing = Closing::Done;
                }
                Closing::Done => return Poll::Ready(Ok(())),
            }
        }
    }
}
