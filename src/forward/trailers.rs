//! Trailers that pass, in both directions: never one that frames, authenticates or identifies.

use super::fields::may_be_trailer;
use super::framing::{FramingError, MAX_FIELDS};
use crate::head::Fields;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Writes those fields of a trailer section (field lines and the empty line) that may pass and that the message's head
/// announced in `Trailer`, as `name: value` lines. Without an announcement the receiver has no reason to expect any.
///
/// # Errors
/// [`FramingError::BadChunk`] if they are no fields.
pub fn write_trailers<F: Fields + ?Sized>(section: &[u8], head: &F, out: &mut Vec<u8>) -> Result<(), FramingError> {
    let mut space = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let Ok(httparse::Status::Complete((_, trailers))) = httparse::parse_headers(section, &mut space) else {
        return Err(FramingError::BadChunk);
    };
    for trailer in trailers {
        if may_be_trailer(trailer.name) && is_announced(trailer.name, head) {
            for part in [trailer.name.as_bytes(), b": ", trailer.value, b"\r\n"] {
                out.extend_from_slice(part);
            }
        }
    }
    Ok(())
}

fn is_announced<F: Fields + ?Sized>(name: &str, head: &F) -> bool {
    let mut listed = head.values("trailer").flat_map(|value| value.split(|octet| *octet == b','));
    listed.any(|listed| listed.trim_ascii().eq_ignore_ascii_case(name.as_bytes()))
}

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
