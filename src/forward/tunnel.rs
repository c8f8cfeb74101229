//! Copies bytes in both directions after an upgrade, until one side ends or the idle timeout.
//! Interprets none of them.

use crate::reason::EndReason;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional};
use tokio::time::{Instant, sleep_until};

/// How a tunnel ended.
#[derive(Debug)]
pub struct TunnelEnd {
    /// Bytes from the client.
    pub sent: u64,
    /// Bytes to the client.
    pub received: u64,
    /// `Complete`, `Idle`, `Broken`, or the value of `stop`.
    pub reason: EndReason,
}

/// Connects a client and an upstream until both are finished, `stop` returns a reason, or no byte
/// was transferred for `idle_timeout`.
pub async fn tunnel<C, U>(
    client: C,
    upstream: U,
    idle_timeout: Option<Duration>,
    stop: impl Future<Output = EndReason>,
) -> TunnelEnd
where
    C: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    let activity = TunnelActivity::new();
    let mut client = CountedStream {
        inner: client,
        activity: &activity,
        bytes: &activity.sent,
    };
    let mut upstream = CountedStream {
        inner: upstream,
        activity: &activity,
        bytes: &activity.received,
    };
    let reason = tokio::select! {
        outcome = copy_bidirectional(&mut client, &mut upstream) => match outcome {
            Ok(_) => EndReason::Complete,
            Err(_) => EndReason::Broken,
        },
        () = activity.idle(idle_timeout) => EndReason::Idle,
        reason = stop => reason,
    };
    let count = |bytes: &AtomicU64| bytes.load(Ordering::Relaxed);
    TunnelEnd {
        sent: count(&activity.sent),
        received: count(&activity.received),
        reason,
    }
}

/// Bytes transferred, and the time of the last transfer.
struct TunnelActivity {
    started: Instant,
    /// Milliseconds from `started` to the last transfer.
    last: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
}

impl TunnelActivity {
    fn new() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            started: Instant::now(),
            last: zero(),
            sent: zero(),
            received: zero(),
        }
    }

    fn touch(&self) {
        let elapsed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(elapsed, Ordering::Relaxed);
    }

    /// Completes after an idle period of `timeout`; never without a timeout.
    async fn idle(&self, timeout: Option<Duration>) {
        let Some(timeout) = timeout else {
            return std::future::pending().await;
        };
        loop {
            let until =
                self.started + Duration::from_millis(self.last.load(Ordering::Relaxed)) + timeout;
            if until <= Instant::now() {
                return;
            }
            sleep_until(until).await;
        }
    }
}

/// Counts the bytes read from one side.
struct CountedStream<'a, S> {
    inner: S,
    activity: &'a TunnelActivity,
    bytes: &'a AtomicU64,
}

impl<S: AsyncRead + Unpin> AsyncRead for CountedStream<'_, S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(context, buffer);
        let read = buffer.filled().len() - before;
        if read > 0 {
            self.bytes
                .fetch_add(u64::try_from(read).unwrap_or(u64::MAX), Ordering::Relaxed);
            self.activity.touch();
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for CountedStream<'_, S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
