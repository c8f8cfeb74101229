//! Measures how long a question waited on a shared connection. Under HTTP/2 it waits until the peer allows another stream;
//! that time counts as the queue of the gateway.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::cell::Cell;
use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;

/// The waiting times of a question.
#[derive(Clone, Copy, Debug, Default)]
struct Waits {
    /// Total of finished waits.
    finished: Duration,
    /// Start of the current wait.
    since: Option<Instant>,
}

impl Waits {
    fn total(self, now: Instant) -> Duration {
        self.finished
            + self
                .since
                .map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }
}

/// The waiting times of one question, shared with its body.
#[derive(Clone, Debug, Default)]
pub(super) struct QuestionProgress(Rc<Cell<Waits>>);

impl QuestionProgress {
    /// How long the question waited for a stream on an open connection. A sent question may have waited as well: possibly
    /// it was sent only because another one timed out just before.
    pub(super) fn queued_for(&self) -> Duration {
        self.0.get().total(Instant::now())
    }

    /// Starts a wait, and returns the body that ends it when dropped.
    pub(super) fn queue(&self, message: Bytes) -> QueuedBody {
        let now = Instant::now();
        self.0.set(Waits {
            finished: self.0.get().total(now),
            since: Some(now),
        });
        QueuedBody {
            rest: message,
            progress: self.clone(),
        }
    }

    fn sent(&self) {
        self.0.set(Waits {
            finished: self.queued_for(),
            since: None,
        });
    }
}

/// The body of a question. hyper drops it when all of it can be sent. The window of the connection is shared with other
/// questions, so waiting for it counts as the queue of the gateway. hyper takes a chunk before there is room for it, so the
/// last byte is a separate chunk, which hyper takes when the others have room.
pub(super) struct QueuedBody {
    rest: Bytes,
    progress: QuestionProgress,
}

impl Body for QueuedBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let length = match self.rest.len() {
            0 => return Poll::Ready(None),
            1 => 1,
            length => length - 1,
        };
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

impl Drop for QueuedBody {
    fn drop(&mut self) {
        self.progress.sent();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(body: &mut QueuedBody) -> Bytes {
        let polled = Pin::new(body).poll_frame(&mut Context::from_waker(std::task::Waker::noop()));
        let Poll::Ready(Some(Ok(frame))) = polled else {
            panic!("a piece")
        };
        frame.into_data().unwrap()
    }

    /// Whether the waiting time increases.
    fn waits(progress: &QuestionProgress) -> bool {
        let before = progress.queued_for();
        let now = Instant::now();
        while Instant::now() == now {}
        progress.queued_for() > before
    }

    #[test]
    fn a_question_waits_until_its_last_byte_is_taken_and_dropped() {
        let progress = QuestionProgress::default();
        assert!(!waits(&progress), "there is no connection yet");
        let mut body = progress.queue(Bytes::from_static(b"abc"));
        assert!(waits(&progress));
        assert_eq!(
            (next(&mut body), body.is_end_stream()),
            (Bytes::from_static(b"ab"), false)
        );
        assert!(waits(&progress), "there may be no room for it");
        assert_eq!(
            (next(&mut body), body.is_end_stream()),
            (Bytes::from_static(b"c"), true)
        );
        assert!(waits(&progress));
        drop(body);
        assert!(!waits(&progress), "it has left");
        let first = progress.queued_for();
        let _again = progress.queue(Bytes::from_static(b"abc"));
        assert!(waits(&progress) && progress.queued_for() > first);
    }
}
