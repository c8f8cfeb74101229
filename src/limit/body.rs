//! A body wrapper that counts bytes and enforces a size limit and an idle timeout. Frames are passed on without buffering or
//! copying.

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::Sleep;

/// Why a body was cut off.
#[derive(Debug, thiserror::Error)]
pub enum BodyFailure {
    /// The size limit was exceeded.
    #[error("the body is larger than allowed")]
    TooLarge,
    /// No byte arrived within the idle timeout.
    #[error("no byte of the body arrived within the idle timeout")]
    Stalled,
    /// The sender disconnected, or violated the framing.
    #[error("the body broke off")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The state of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyEnd {
    /// Not at its end yet, or dropped before it.
    Unfinished,
    /// The whole body passed.
    Complete,
    /// Cut off at the size limit.
    TooLarge,
    /// Cut off by the idle timeout.
    Stalled,
    /// The sender disconnected or violated the framing.
    Broken,
}

/// Progress of a body, readable during and after its transfer.
#[derive(Debug, Default)]
pub struct BodyMeter {
    bytes: AtomicU64,
    end: AtomicU8,
    waits: AtomicBool,
}

impl BodyMeter {
    /// Number of bytes passed.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The state of the body.
    pub fn end(&self) -> BodyEnd {
        match self.end.load(Ordering::Acquire) {
            1 => BodyEnd::Complete,
            2 => BodyEnd::TooLarge,
            3 => BodyEnd::Stalled,
            4 => BodyEnd::Broken,
            _ => BodyEnd::Unfinished,
        }
    }

    /// Whether the receiver waits for the sender.
    pub fn waits_for_sender(&self) -> bool {
        self.waits.load(Ordering::Relaxed)
    }

    fn set_end(&self, end: BodyEnd) {
        self.end.store(end as u8, Ordering::Release);
    }
}

pin_project! {
    /// A body with a size limit and an idle timeout. A [`BodyMeter`] records its progress.
    pub struct MeteredBody<B> {
        #[pin]
        inner: B,
        remaining: Option<u64>,
        idle_timeout: Option<Duration>,
        // Created when the body first waits, so that small bodies need no timer.
        timer: Option<Pin<Box<Sleep>>>,
        meter: Arc<BodyMeter>,
    }
}

impl<B: Body> MeteredBody<B> {
    /// Wraps a body. `None` means no limit.
    pub fn new(
        inner: B,
        size_limit: Option<u64>,
        idle_timeout: Option<Duration>,
        meter: Arc<BodyMeter>,
    ) -> Self {
        if inner.is_end_stream() {
            meter.set_end(BodyEnd::Complete);
        }
        Self {
            inner,
            remaining: size_limit,
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
            if let Some(remaining) = this.remaining {
                match remaining.checked_sub(length) {
                    Some(left) => *remaining = left,
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

/// Ready after the idle timeout.
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
