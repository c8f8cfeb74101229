//! Bytes both ways after an upgrade, until one side ends or nothing moves. Reads none of them.

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
    /// `complete`, `idle`, `broken`, or what stopped it.
    pub reason: &'static str,
}

/// Joins a client and an upstream until both are done, `stop` says why they must end, or no byte moved for
/// `idle_timeout`.
pub async fn tunnel<C, U>(
    client: C,
    upstream: U,
    idle_timeout: Option<Duration>,
    stop: impl Future<Output = &'static str>,
) -> TunnelEnd
where
    C: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    let activity = Activity::new();
    let mut client = Watched {
        inner: client,
        activity: &activity,
        bytes: &activity.sent,
    };
    let mut upstream = Watched {
        inner: upstream,
        activity: &activity,
        bytes: &activity.received,
    };
    let reason = tokio::select! {
        outcome = copy_bidirectional(&mut client, &mut upstream) => match outcome {
            Ok(_) => "complete",
            Err(_) => "broken",
        },
        () = activity.idle(idle_timeout) => "idle",
        reason = stop => reason,
    };
    let count = |bytes: &AtomicU64| bytes.load(Ordering::Relaxed);
    TunnelEnd {
        sent: count(&activity.sent),
        received: count(&activity.received),
        reason,
    }
}

/// What moved, and when last.
struct Activity {
    begun: Instant,
    last: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
}

impl Activity {
    fn new() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            begun: Instant::now(),
            last: zero(),
            sent: zero(),
            received: zero(),
        }
    }

    fn touch(&self) {
        let elapsed = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(elapsed, Ordering::Relaxed);
    }

    /// Ends when nothing moved for the timeout; never without one.
    async fn idle(&self, timeout: Option<Duration>) {
        let Some(timeout) = timeout else {
            return std::future::pending().await;
        };
        loop {
            let until =
                self.begun + Duration::from_millis(self.last.load(Ordering::Relaxed)) + timeout;
            if until <= Instant::now() {
                return;
            }
            sleep_until(until).await;
        }
    }
}

/// Counts what is read from one side.
struct Watched<'a, S> {
    inner: S,
    activity: &'a Activity,
    bytes: &'a AtomicU64,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<'_, S> {
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

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<'_, S> {
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
