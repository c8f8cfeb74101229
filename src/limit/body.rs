//! A body that counts its bytes, stops at its limit and gives up when nothing moves. Passes frames on as they come;
//! buffers and copies none.

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::Sleep;

/// Why a body ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum BodyFailure {
    /// More bytes than allowed.
    #[error("the body is larger than allowed")]
    TooLarge,
    /// No byte came for the idle timeout.
    #[error("no byte of the body arrived within the idle timeout")]
    Stalled,
    /// The sender went away, or broke the framing.
    #[error("the body broke off")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// How far a body has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyEnd {
    /// Not at its end, or dropped before.
    Unfinished,
    /// All of it passed.
    Complete,
    /// Cut at its limit.
    TooLarge,
    /// Cut by the idle timeout.
    Stalled,
    /// The sender broke off.
    Broken,
}

/// What is known about a body from outside, while and after it passes.
#[derive(Debug, Default)]
pub struct Meter {
    bytes: AtomicU64,
    end: AtomicU8,
    waits: AtomicBool,
}

impl Meter {
    /// Bytes that have passed.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Whether and how it ended.
    pub fn end(&self) -> BodyEnd {
        match self.end.load(Ordering::Acquire) {
            1 => BodyEnd::Complete,
            2 => BodyEnd::TooLarge,
            3 => BodyEnd::Stalled,
            4 => BodyEnd::Broken,
            _ => BodyEnd::Unfinished,
        }
    }

    /// Whether more of it is wanted than its sender has sent.
    pub fn waits_for_sender(&self) -> bool {
        self.waits.load(Ordering::Relaxed)
    }

    fn set_end(&self, end: BodyEnd) {
        self.end.store(end as u8, Ordering::Release);
    }
}

pin_project! {
    /// See the module.
    pub struct MeteredBody<B> {
        #[pin]
        inner: B,
        allowed: Option<u64>,
        idle_timeout: Option<Duration>,
        // Made when the body first has to wait, so that small bodies cost no timer.
        timer: Option<Pin<Box<Sleep>>>,
        meter: Arc<Meter>,
    }
}

impl<B: Body> MeteredBody<B> {
    /// Watches a body. `None` means no limit.
    pub fn new(
        inner: B,
        size_limit: Option<u64>,
        idle_timeout: Option<Duration>,
        meter: Arc<Meter>,
    ) -> Self {
        if inner.is_end_stream() {
            meter.set_end(BodyEnd::Complete);
        }
        Self {
            inner,
            allowed: size_limit,
            idle_timeout,
            timer: None,
            meter,
        }
    }
}

impl<B> Body for MeteredBody<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = BodyFailure;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFailure>>> {
        let mut this = self.project();
        let polled = this.inner.as_mut().poll_frame(context);
        this.meter
            .waits
            .store(polled.is_pending(), Ordering::Relaxed);
        let Poll::Ready(next) = polled else {
            ready!(poll_idle(this.timer, *this.idle_timeout, context));
            this.meter.set_end(BodyEnd::Stalled);
            return Poll::Ready(Some(Err(BodyFailure::Stalled)));
        };
        *this.timer = None;
        let frame = match next {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => {
                this.meter.set_end(BodyEnd::Broken);
                return Poll::Ready(Some(Err(BodyFailure::Broken(error.into()))));
            }
            None => {
                this.meter.set_end(BodyEnd::Complete);
                return Poll::Ready(None);
            }
        };
        if let Some(data) = frame.data_ref() {
            let length = u64::try_from(data.remaining()).unwrap_or(u64::MAX);
            if let Some(allowed) = this.allowed {
                match allowed.checked_sub(length) {
                    Some(left) => *allowed = left,
                    None => {
                        this.meter.set_end(BodyEnd::TooLarge);
                        return Poll::Ready(Some(Err(BodyFailure::TooLarge)));
                    }
                }
            }
            this.meter.bytes.fetch_add(length, Ordering::Relaxed);
        }
        if this.inner.is_end_stream() {
            this.meter.set_end(BodyEnd::Complete);
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Ready once nothing has moved for the timeout.
fn poll_idle(
    timer: &mut Option<Pin<Box<Sleep>>>,
    idle_timeout: Option<Duration>,
    context: &mut Context<'_>,
) -> Poll<()> {
    let Some(timeout) = idle_timeout else {
        return Poll::Pending;
    };
    let sleep = timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
    sleep.as_mut().poll(context)
}
