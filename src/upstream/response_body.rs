//! Forwards an upstream response body to hyper in the memory that it was read into. Sends the rest
//! of the request meanwhile. Edits nothing.

use super::Link;
use super::response_reader::{FIRST_READ, ReadAhead};
use super::upload::Upload;
use crate::forward::{
    BodyPart, IncompleteBody, ResponseBodyScanner, ResponseFraming, ResponseHeadError, Reuse,
    read_trailers,
};
use crate::limit::BodyFailure;
use bytes::{Buf, Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::timeout;

/// Bytes per read while the upstream fills reads of [`FIRST_READ`] bytes.
const FULL_READ: usize = 64 * 1024;
/// Maximum data of one frame. A slow client that takes frames one by one shows progress.
const MAX_FRAME: usize = 16 * 1024;
/// The bytes after the data of the last chunk, without trailers.
const CHUNKS_END: &[u8] = b"\r\n0\r\n\r\n";
/// Limits for discarding an unwanted body: bytes and time.
const MAX_DISCARDED: u64 = 64 * 1024;
const DISCARD_TIMEOUT: Duration = Duration::from_secs(1);
/// Data up to this length is copied, so that it does not retain the whole read buffer.
const MAX_COPIED: usize = 2 * 1024;

/// The body of a request that was sent completely.
type NoRequest = UnsyncBoxBody<Bytes, BodyFailure>;

/// Discards the body of a response, of which `received` has arrived, like [`ResponseBody::discard`].
/// The request was sent completely.
pub fn read_away(link: Link, framing: ResponseFraming, reuse: Reuse, received: &[u8]) {
    let rest = ReadAhead {
        bytes: received.into(),
        passed: 0,
    };
    ResponseBody::<NoRequest>::new(framing, reuse, None, rest, link).discard();
}

/// A response body. At its end, the connection returns to the pool if both messages are complete.
/// Dropping it earlier closes the connection.
pub struct ResponseBody<B> {
    link: Option<Link>,
    /// The rest of the request, if any.
    upload: Option<Box<Upload<B>>>,
    buffer: BytesMut,
    /// Bytes of heads and framing before the buffer in the same allocation. `None` once data was
    /// taken.
    passed: Option<usize>,
    /// The part of the body that has not been forwarded.
    rest: ResponseBodyScanner,
    reuse: Reuse,
    /// Bytes of the next read.
    room: usize,
}

impl<B: Body<Data = Bytes, Error = BodyFailure> + Unpin> ResponseBody<B> {
    pub(super) fn new(
        framing: ResponseFraming,
        reuse: Reuse,
        upload: Option<Box<Upload<B>>>,
        rest: ReadAhead,
        link: Link,
    ) -> Self {
        let ReadAhead {
            bytes: buffer,
            passed,
        } = rest;
        let mut body = Self {
            link: Some(link),
            upload,
            buffer,
            passed: Some(passed),
            rest: ResponseBodyScanner::new(framing),
            reuse,
            room: FIRST_READ,
        };
        if body.rest.is_complete() {
            body.finish();
        }
        body
    }

    /// The body is complete.
    fn finish(&mut self) {
        self.rest = ResponseBodyScanner::new(ResponseFraming::None);
        // After an early response the rest of the request is not sent, and the connection is
        // closed.
        let is_sent = self.upload.take().is_none();
        let surplus = !std::mem::take(&mut self.buffer).is_empty();
        let Some(link) = self.link.take() else { return };
        if surplus {
            tracing::debug!(
                endpoint = link.endpoint(),
                "upstream connection ended: unexpected data after the response"
            );
        } else if is_sent && self.reuse == Reuse::Keep {
            link.keep();
        }
    }

    /// Drops the rest of the body and closes the connection.
    fn abort(&mut self) {
        self.rest = ResponseBodyScanner::new(ResponseFraming::None);
        self.link = None;
        self.upload = None;
        self.buffer = BytesMut::new();
    }

    /// Discards the rest of the body. A short rest is read in a separate task, so that the
    /// connection can be reused; otherwise the connection is closed.
    pub fn discard(&mut self) {
        let Self { reuse, room, .. } = *self;
        let nothing = ResponseBodyScanner::new(ResponseFraming::None);
        let rest = std::mem::replace(&mut self.rest, nothing);
        let link = self.link.take();
        let upload = self.upload.take();
        let buffer = std::mem::take(&mut self.buffer);
        let is_short = match rest.length() {
            Some(length) => (1..=MAX_DISCARDED).contains(&length),
            None => rest.is_chunked(),
        };
        // Only if the request is complete.
        if let (Some(link), None, Reuse::Keep, true) = (link, upload, reuse, is_short) {
            let mut discarded = ResponseBody::<NoRequest> {
                link: Some(link),
                upload: None,
                buffer,
                passed: None,
                rest,
                reuse,
                room,
            };
            // Usually the body arrives with the head.
            while matches!(discarded.next(), Ok(Some(_))) {}
            if discarded.link.is_none() {
                return;
            }
            drop(tokio::task::spawn_local(async move {
                // The timeout closes the connection.
                let _ = timeout(DISCARD_TIMEOUT, discarded.read_to_end()).await;
            }));
        }
    }

    /// Reads and drops the body, if it is short.
    async fn read_to_end(&mut self) {
        let mut read = 0;
        while let Some(Ok(frame)) =
            poll_fn(|context| Pin::new(&mut *self).poll_frame(context)).await
        {
            read += frame
                .data_ref()
                .map_or(0, |data| u64::try_from(data.len()).unwrap_or(u64::MAX));
            if read > MAX_DISCARDED {
                return;
            }
        }
    }

    fn poll_upload(&mut self, context: &mut Context<'_>) {
        let (Some(upload), Some(link)) = (&mut self.upload, &mut self.link) else {
            return;
        };
        match upload.poll(context, link) {
            Poll::Ready(Ok(())) => self.upload = None,
            // The response has started, so the rest of the request is dropped.
            Poll::Ready(Err(_)) => upload.abandon(),
            Poll::Pending => {}
        }
    }

    /// The next frame from the buffer.
    fn next(&mut self) -> Result<Option<Frame<Bytes>>, ResponseHeadError> {
        while !self.buffer.is_empty() {
            let piece = self.buffer.len().min(MAX_FRAME);
            let (part, length) = self
                .rest
                .part(self.buffer.get(..piece).unwrap_or_default())?;
            match part {
                BodyPart::End => return Ok(None),
                BodyPart::Data if self.rest.is_chunked() => return Ok(Some(self.chunk(length))),
                BodyPart::Data => {
                    let data = self.data(length);
                    if self.rest.is_complete() {
                        self.finish();
                    }
                    return Ok(Some(data));
                }
                BodyPart::Framing => {
                    self.buffer.advance(length);
                    self.passed = self.passed.map(|passed| passed + length);
                }
                BodyPart::Trailers => {
                    self.buffer.advance(length);
                    if self.rest.is_complete() {
                        let section = self.rest.take_trailers();
                        let trailers =
                            read_trailers(&section).map_err(|_| ResponseHeadError::BadChunk)?;
                        self.finish();
                        return Ok((!trailers.is_empty()).then(|| Frame::trailers(trailers)));
                    }
                }
            }
        }
        Ok(None)
    }

    /// Data of a chunk. If only the end of the body follows, it is consumed as well, so that this
    /// frame is known to be the last.
    fn chunk(&mut self, length: usize) -> Frame<Bytes> {
        let data = self.data(length);
        // These bytes may also be data of the same chunk; the scanner decides.
        let ends = *self.buffer == *CHUNKS_END && self.rest.is_completed_by(CHUNKS_END);
        if ends {
            self.buffer.clear();
            self.finish();
        }
        data
    }

    fn data(&mut self, length: usize) -> Frame<Bytes> {
        if let Some(passed) = self.passed.take()
            && length == self.buffer.len()
            && passed + self.buffer.capacity() - length <= MAX_COPIED
        {
            // The whole read, in an allocation that is hardly larger.
            return Frame::data(std::mem::take(&mut self.buffer).freeze());
        }
        if length > MAX_COPIED {
            return Frame::data(self.buffer.split_to(length).freeze());
        }
        let copy = Bytes::copy_from_slice(self.buffer.get(..length).unwrap_or_default());
        self.buffer.advance(length);
        Frame::data(copy)
    }

    fn poll_more(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(link) = &mut self.link else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        match link.poll_append(context, &mut self.buffer, self.room) {
            Poll::Ready(Ok(0)) => {
                self.rest
                    .connection_ended()
                    .map_err(|IncompleteBody| io::ErrorKind::UnexpectedEof)?;
                self.finish();
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Ok(count)) => {
                self.room = if count >= self.room {
                    FULL_READ
                } else {
                    FIRST_READ
                };
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                // A waiting body holds no buffer.
                self.buffer = BytesMut::new();
                Poll::Pending
            }
        }
    }

    fn failed(&mut self, error: io::Error) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.abort();
        Poll::Ready(Some(Err(error)))
    }
}

impl<B: Body<Data = Bytes, Error = BodyFailure> + Unpin> Body for ResponseBody<B> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.poll_upload(context);
        loop {
            match self.next() {
                Ok(Some(frame)) => return Poll::Ready(Some(Ok(frame))),
                Ok(None) if self.rest.is_complete() => return Poll::Ready(None),
                Ok(None) => {}
                Err(error) => {
                    return self.failed(io::Error::new(io::ErrorKind::InvalidData, error));
                }
            }
            if let Err(error) = ready!(self.poll_more(context)) {
                return self.failed(error);
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_complete()
    }

    fn size_hint(&self) -> SizeHint {
        self.rest
            .length()
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

#[cfg(test)]
mod tests;
