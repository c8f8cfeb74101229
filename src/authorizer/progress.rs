//! How far a question on a shared connection has come: HTTP/2 lets it wait until the peer takes another stream, which is
//! waiting in our own queue. Asks nobody.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use std::cell::Cell;
use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// Where a question is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// There is no connection to send it on yet.
    #[default]
    Unconnected,
    /// It waits for a stream of a connection.
    Queued,
    /// It is on its way.
    Sent,
}

/// The stage of one question, shared with its body, which is asked for when the stream is there.
#[derive(Clone, Debug, Default)]
pub(super) struct QuestionProgress(Rc<Cell<Stage>>);

impl QuestionProgress {
    /// Whether it waits for a stream of a connection that is there.
    pub(super) fn is_queued(&self) -> bool {
        self.0.get() == Stage::Queued
    }

    /// The question as it waits for a stream.
    pub(super) fn queue(&self, body: Full<Bytes>) -> QueuedBody {
        self.0.set(Stage::Queued);
        QueuedBody { body, progress: self.clone() }
    }
}

/// The body of a question.
pub(super) struct QueuedBody {
    body: Full<Bytes>,
    progress: QuestionProgress,
}

impl Body for QueuedBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        self.progress.0.set(Stage::Sent);
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
