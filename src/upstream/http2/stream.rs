//! One stream of an HTTP/2 connection that reads and writes HTTP/1.1 like a connection of its own. Dropping it before its end
//! resets the stream.

use super::super::unprocessed::{broken, unanswered};
use super::connection::UpstreamConnection;
use super::request::{RequestSide, SentHead, send_head};
use super::response::{HeadEnd, RenderedFraming, write_chunk_size, write_head, write_trailers};
use crate::clock;
use crate::forward::RequestKind;
use crate::tls::record::count_copied;
use bytes::{Bytes, BytesMut};
use h2::RecvStream;
use h2::client::ResponseFuture;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

const LINE_END: &[u8] = b"\r\n";
const CHUNKS_END: &[u8] = b"\r\n0\r\n\r\n";

/// A stream of an HTTP/2 connection.
pub(in crate::upstream) struct Http2Stream {
    connection: Rc<UpstreamConnection>,
    request: RequestSide,
    response: ResponseSide,
    /// The body of the response, until the stream ends.
    body: Option<RecvStream>,
    /// Bytes of the body that were received and not yet returned to flow control.
    unreleased: usize,
    rendered: Rendered,
}

/// The response, as far as it has arrived.
enum ResponseSide {
    /// The request was not sent.
    Unsent,
    Awaited {
        future: ResponseFuture,
        asked: RequestKind,
        since: Instant,
        interim: Interim,
    },
    Body(RenderedFraming),
    /// The upstream ended the stream.
    Ended,
}

/// Whether an interim response has arrived. Then the upstream did process the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Interim {
    None,
    Received,
}

/// Bytes in HTTP/1.1 wire format that were not read yet, in this order.
#[derive(Default)]
struct Rendered {
    /// A head, the size of a chunk, or trailers.
    text: BytesMut,
    data: Bytes,
    after: &'static [u8],
}

impl std::fmt::Debug for Http2Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Http2Stream").finish_non_exhaustive()
    }
}

impl Http2Stream {
    /// A stream of this connection, if there is room for another one.
    pub(in crate::upstream) fn on(connection: &Rc<UpstreamConnection>) -> Option<Self> {
        let sender = connection.begin_stream()?;
        Some(Self {
            connection: connection.clone(),
            request: RequestSide::Head(sender),
            response: ResponseSide::Unsent,
            body: None,
            unreleased: 0,
            rendered: Rendered::default(),
        })
    }

    /// Takes bytes of the request. The head must be complete in the first slice. Returns how many were taken.
    ///
    /// # Errors
    /// If the upstream takes no more bytes. At the first call, nothing was sent then.
    pub(in crate::upstream) fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut taken = 0;
        for slice in slices {
            let mut rest: &[u8] = slice;
            while !rest.is_empty() {
                match self.poll_take(context, rest) {
                    Poll::Ready(Ok(count)) => {
                        taken += count;
                        rest = rest.get(count..).unwrap_or_default();
                    }
                    stopped if taken == 0 => return stopped,
                    _ => return Poll::Ready(Ok(taken)),
                }
            }
        }
        Poll::Ready(Ok(taken))
    }

    fn poll_take(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.request {
            RequestSide::Head(sender) => {
                ready!(sender.poll_ready(context)).map_err(broken)?;
                let SentHead {
                    length,
                    asked,
                    response,
                    next,
                } = send_head(sender, self.connection.scheme, bytes)?;
                self.request = next;
                self.response = ResponseSide::Awaited {
                    future: response,
                    asked,
                    since: clock::now(),
                    interim: Interim::None,
                };
                Poll::Ready(Ok(length))
            }
            RequestSide::Body(body) => {
                let taken = ready!(body.poll_take(context, bytes))?;
                if body.is_complete() {
                    self.request = RequestSide::Sent;
                }
                Poll::Ready(Ok(taken))
            }
            RequestSide::Sent => Poll::Ready(Err(io::ErrorKind::InvalidInput.into())),
        }
    }

    /// Reads bytes of the response into `space`. Returns 0 at its end.
    ///
    /// # Errors
    /// If the stream was reset, or the connection ended.
    pub(in crate::upstream) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        space: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_rendered(context))?;
        let mut count = 0;
        while let Some(piece) = self.rendered.next(space.len() - count) {
            if let Some(place) = space.get_mut(count..count + piece.len()) {
                place.copy_from_slice(&piece);
            }
            count += piece.len();
        }
        Poll::Ready(Ok(count))
    }

    /// As [`poll_read`](Self::poll_read), and appends at most `room` bytes to `buffer`.
    ///
    /// # Errors
    /// As above.
    pub(in crate::upstream) fn poll_append(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut BytesMut,
        room: usize,
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_rendered(context))?;
        let mut count = 0;
        while let Some(piece) = self.rendered.next(room - count) {
            buffer.extend_from_slice(&piece);
            count += piece.len();
        }
        Poll::Ready(Ok(count))
    }

    /// Ready if there are rendered bytes, or the response has ended.
    fn poll_rendered(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.rendered.is_empty() {
            return Poll::Ready(Ok(()));
        }
        self.release();
        while self.rendered.is_empty() {
            match &mut self.response {
                ResponseSide::Unsent => return Poll::Pending,
                ResponseSide::Ended => return Poll::Ready(Ok(())),
                ResponseSide::Awaited { .. } => ready!(self.poll_head(context))?,
                ResponseSide::Body(framing) => {
                    let framing = *framing;
                    ready!(self.poll_body(context, framing))?;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_head(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ResponseSide::Awaited {
            future,
            asked,
            interim,
            ..
        } = &mut self.response
        else {
            return Poll::Ready(Ok(()));
        };
        let failed = match interim {
            Interim::None => unanswered,
            Interim::Received => broken,
        };
        let mut text = Vec::new();
        if let Poll::Ready(Some(received)) = future.poll_informational(context) {
            let received = received.map_err(failed)?;
            *interim = Interim::Received;
            write_head(&received, *asked, HeadEnd::BodyFollows, &mut text);
            self.rendered.text = text.as_slice().into();
            return Poll::Ready(Ok(()));
        }
        let response = ready!(Pin::new(future).poll(context)).map_err(failed)?;
        let end = if response.body().is_end_stream() {
            HeadEnd::EndsStream
        } else {
            HeadEnd::BodyFollows
        };
        let framing = write_head(&response, *asked, end, &mut text);
        self.rendered.text = text.as_slice().into();
        let is_last = end == HeadEnd::EndsStream || framing == RenderedFraming::None;
        self.response = if is_last {
            ResponseSide::Ended
        } else {
            self.body = Some(response.into_body());
            ResponseSide::Body(framing)
        };
        Poll::Ready(Ok(()))
    }

    fn poll_body(
        &mut self,
        context: &mut Context<'_>,
        framing: RenderedFraming,
    ) -> Poll<io::Result<()>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(Ok(()));
        };
        let mut text = Vec::new();
        match ready!(body.poll_data(context)) {
            Some(Ok(data)) => {
                self.unreleased += data.len();
                let ended = body.is_end_stream();
                if framing == RenderedFraming::Chunked && !data.is_empty() {
                    write_chunk_size(data.len(), &mut text);
                    self.rendered.after = if ended { CHUNKS_END } else { LINE_END };
                } else if framing == RenderedFraming::Chunked && ended {
                    write_trailers(None, &mut text);
                }
                self.rendered.data = data;
                if ended {
                    self.response = ResponseSide::Ended;
                }
            }
            Some(Err(error)) => return Poll::Ready(Err(broken(error))),
            None => {
                let trailers = ready!(body.poll_trailers(context)).map_err(broken)?;
                if framing == RenderedFraming::Chunked {
                    write_trailers(trailers.as_ref(), &mut text);
                }
                self.response = ResponseSide::Ended;
            }
        }
        self.rendered.text = text.as_slice().into();
        Poll::Ready(Ok(()))
    }

    /// Returns the bytes that were read to flow control.
    fn release(&mut self) {
        let read = std::mem::take(&mut self.unreleased);
        if let Some(body) = self.body.as_mut().filter(|_| read > 0) {
            // Fails only if more is released than was received.
            let _ = body.flow_control().release_capacity(read);
        }
    }
}

impl Drop for Http2Stream {
    fn drop(&mut self) {
        let unanswered_since = match &self.response {
            ResponseSide::Awaited { since, .. } => Some(*since),
            _ => None,
        };
        self.connection.stream_ended(unanswered_since);
    }
}

impl Rendered {
    fn is_empty(&self) -> bool {
        self.text.is_empty() && self.data.is_empty() && self.after.is_empty()
    }

    /// At most `room` of the next bytes. `None` without room or bytes.
    fn next(&mut self, room: usize) -> Option<Bytes> {
        if room == 0 {
            None
        } else if !self.text.is_empty() {
            let count = room.min(self.text.len());
            Some(self.text.split_to(count).freeze())
        } else if !self.data.is_empty() {
            let count = room.min(self.data.len());
            count_copied(count);
            Some(self.data.split_to(count))
        } else {
            let count = room.min(self.after.len());
            let (piece, after) = self.after.split_at_checked(count)?;
            self.after = after;
            (!piece.is_empty()).then(|| Bytes::from_static(piece))
        }
    }
}
