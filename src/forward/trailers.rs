//! Trailers that pass, in both directions: never one that frames, authenticates or identifies.

use super::fields::may_be_trailer;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pin_project! {
    /// A body whose forbidden trailer fields are left out. Its data and its length stay what they are.
    pub struct FilteredTrailers<B> {
        #[pin]
        inner: B,
    }
}

impl<B> FilteredTrailers<B> {
    /// Watches over a body's trailers.
    pub fn new(inner: B) -> Self {
        Self { inner }
    }
}

impl<B: Body> Body for FilteredTrailers<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let mut next = ready!(self.project().inner.poll_frame(context));
        if let Some(Ok(frame)) = &mut next
            && let Some(trailers) = frame.trailers_mut()
        {
            let forbidden: Vec<_> = trailers.keys().filter(|name| !may_be_trailer(name.as_str())).cloned().collect();
            for name in forbidden {
                trailers.remove(name);
            }
        }
        Poll::Ready(next)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
