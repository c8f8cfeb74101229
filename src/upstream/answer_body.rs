//! The body of an upstream's answer on its way to hyper, passed on in the memory that it was read into. Meanwhile the rest
//! of the request goes up. Edits nothing.

use super::Link;
use super::reading::{FEW, ReadAhead};
use super::upload::Upload;
use crate::forward::{AnswerError, AnswerFraming, ChunkPart, ChunkScanner, Reuse, read_trailers};
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

/// How much is read at once when the upstream keeps [`FEW`] full.
const MANY: usize = 64 * 1024;
/// The most data in one frame: that a slow client takes one after the other shows that it takes any.
const PIECE: usize = 16 * 1024;
/// Behind the data of the last chunk, without trailers.
const CHUNKS_END: &[u8] = b"\r\n0\r\n\r\n";
/// The most that is read away of a body that nobody wants, and for how long.
const MOST_UNWANTED: u64 = 64 * 1024;
const UNWANTED_FOR: Duration = Duration::from_secs(1);
/// Data as short as this is copied, so that it does not hold on to all that was read with it.
const SHORT: usize = 2 * 1024;

/// The rest of a request of which all was sent.
type NoRequest = UnsyncBoxBody<Bytes, BodyFailure>;

/// Reads away the body of an answer whose request was sent whole, and of which this has come, as
/// [`AnswerBody::discard`] does.
pub fn read_away(link: Link, framing: AnswerFraming, reuse: Reuse, came: &[u8]) {
    let rest = ReadAhead {
        bytes: came.into(),
        passed: 0,
    };
    AnswerBody::<NoRequest>::behind((framing, reuse), None, rest, link).discard();
}

/// An answer's body. Its end gives the connection back to the pool, if both messages on it are whole; dropped before,
/// it closes the connection.
pub struct AnswerBody<B> {
    link: Option<Link>,
    /// What is left to be sent of the request.
    upload: Option<Box<Upload<B>>>,
    buffer: BytesMut,
    /// Bytes of heads and framing, which lie before the buffer in the same memory. `None` once data was taken.
    passed: Option<usize>,
    left: Left,
    reuse: Reuse,
    room: usize,
}

enum Left {
    Nothing,
    Length(u64),
    Chunked(ChunkScanner, Vec<u8>),
    UntilClose,
}

impl<B: Body<Data = Bytes, Error = BodyFailure> + Unpin> AnswerBody<B> {
    pub(super) fn behind(
        (framing, reuse): (AnswerFraming, Reuse),
        upload: Option<Box<Upload<B>>>,
        rest: ReadAhead,
        link: Link,
    ) -> Self {
        let left = match framing {
            AnswerFraming::None | AnswerFraming::Length(0) => Left::Nothing,
            AnswerFraming::Length(length) => Left::Length(length),
            AnswerFraming::Chunked => Left::Chunked(ChunkScanner::default(), Vec::new()),
            AnswerFraming::UntilClose => Left::UntilClose,
        };
        let ReadAhead {
            bytes: buffer,
            passed,
        } = rest;
        let mut body = Self {
            link: Some(link),
            upload,
            buffer,
            passed: Some(passed),
            left,
            reuse,
            room: FEW,
        };
        if matches!(body.left, Left::Nothing) {
            body.finish();
        }
        body
    }

    /// All of it has come.
    fn finish(&mut self) {
        self.left = Left::Nothing;
        // After an early answer the rest of the request is not sent any more, and the connection closed.
        let whole = self.upload.take().is_none();
        let surplus = !std::mem::take(&mut self.buffer).is_empty();
        let Some(link) = self.link.take() else { return };
        if surplus {
            tracing::debug!(
                endpoint = link.endpoint(),
                "upstream connection ended: nobody asked for more"
            );
        } else if whole && self.reuse == Reuse::Keep {
            link.keep();
        }
    }

    /// Leaves what is to come where it is, and closes the connection.
    fn give_up(&mut self) {
        (self.left, self.link, self.upload) = (Left::Nothing, None, None);
        self.buffer = BytesMut::new();
    }

    /// Nobody wants what is to come. It is read away beside everything else if it is short, so that the connection can be
    /// used again; else the connection is closed.
    pub fn discard(&mut self) {
        let Self { reuse, room, .. } = *self;
        let left = std::mem::replace(&mut self.left, Left::Nothing);
        let (link, upload, buffer) = (
            self.link.take(),
            self.upload.take(),
            std::mem::take(&mut self.buffer),
        );
        let is_short = match &left {
            Left::Length(length) => *length <= MOST_UNWANTED,
            Left::Chunked(..) => true,
            Left::Nothing | Left::UntilClose => false,
        };
        // Without its request, which may be on its way yet.
        if let (Some(link), None, Reuse::Keep, true) = (link, upload, reuse, is_short) {
            let (link, passed) = (Some(link), None);
            let mut rest = AnswerBody::<NoRequest> {
                link,
                upload: None,
                buffer,
                passed,
                left,
                reuse,
                room,
            };
            // Nearly always all of it has come with the head.
            while matches!(rest.next(), Ok(Some(_))) {}
            if rest.link.is_none() {
                return;
            }
            drop(tokio::task::spawn_local(async move {
                // What takes longer is closed.
                let _ = timeout(UNWANTED_FOR, rest.pass_over()).await;
            }));
        }
    }

    /// Reads all of it, if it is short.
    async fn pass_over(&mut self) {
        let mut read = 0;
        while let Some(Ok(frame)) =
            poll_fn(|context| Pin::new(&mut *self).poll_frame(context)).await
        {
            read += frame
                .data_ref()
                .map_or(0, |data| u64::try_from(data.len()).unwrap_or(u64::MAX));
            if read > MOST_UNWANTED {
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
            // There is an answer already; the rest of the request is given up.
            Poll::Ready(Err(_)) => upload.refuse(),
            Poll::Pending => {}
        }
    }

    /// The next piece of what was read.
    fn next(&mut self) -> Result<Option<Frame<Bytes>>, AnswerError> {
        while !self.buffer.is_empty() {
            let here = self.buffer.len();
            match &mut self.left {
                Left::Nothing => return Ok(None),
                Left::UntilClose => return Ok(Some(self.data(here.min(PIECE)))),
                Left::Length(left) => {
                    let here = here
                        .min(PIECE)
                        .min(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= u64::try_from(here).unwrap_or(u64::MAX);
                    let last = *left == 0;
                    let data = self.data(here);
                    if last {
                        self.finish();
                    }
                    return Ok(Some(data));
                }
                Left::Chunked(scanner, section) => {
                    let piece = self.buffer.get(..here.min(PIECE)).unwrap_or_default();
                    let (kind, length) = scanner.part(piece).map_err(|_| AnswerError::BadChunk)?;
                    match kind {
                        ChunkPart::Framing => {
                            self.buffer.advance(length);
                            self.passed = self.passed.map(|passed| passed + length);
                        }
                        ChunkPart::Data => return Ok(Some(self.chunk(length))),
                        ChunkPart::Trailers => {
                            section.extend_from_slice(&self.buffer.split_to(length));
                            if scanner.is_complete() {
                                let trailers =
                                    read_trailers(section).map_err(|_| AnswerError::BadChunk)?;
                                self.finish();
                                return Ok(
                                    (!trailers.is_empty()).then(|| Frame::trailers(trailers))
                                );
                            }
                        }
                    }
                }
            }
        }
        Ok(None)
    }

    /// Data of a chunk. If only the end follows, it is taken as well, so that the data is known to be the last.
    fn chunk(&mut self, length: usize) -> Frame<Bytes> {
        let data = self.data(length);
        // What looks like the end may as well be more data of the same chunk; the scanner knows.
        let ends = match &self.left {
            Left::Chunked(scanner, _) if *self.buffer == *CHUNKS_END => {
                let mut ahead = scanner.clone();
                ahead.scan(CHUNKS_END) == Ok(CHUNKS_END.len()) && ahead.is_complete()
            }
            _ => false,
        };
        if ends {
            self.buffer.clear();
            self.finish();
        }
        data
    }

    fn data(&mut self, length: usize) -> Frame<Bytes> {
        if let Some(passed) = self.passed.take()
            && length == self.buffer.len()
            && passed + self.buffer.capacity() - length <= SHORT
        {
            // All that was read, in memory that is hardly larger.
            return Frame::data(std::mem::take(&mut self.buffer).freeze());
        }
        if length > SHORT {
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
        match link.poll_read_behind(context, &mut self.buffer, self.room) {
            Poll::Ready(Ok(0)) if matches!(self.left, Left::UntilClose) => {
                self.finish();
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Ok(0)) => Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
            Poll::Ready(Ok(count)) => {
                self.room = if count >= self.room { MANY } else { FEW };
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                // Who waits holds no memory.
                self.buffer = BytesMut::new();
                Poll::Pending
            }
        }
    }

    fn failed(&mut self, error: io::Error) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.give_up();
        Poll::Ready(Some(Err(error)))
    }
}

impl<B: Body<Data = Bytes, Error = BodyFailure> + Unpin> Body for AnswerBody<B> {
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
                Ok(None) if matches!(self.left, Left::Nothing) => return Poll::Ready(None),
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
        matches!(self.left, Left::Nothing)
    }

    fn size_hint(&self) -> SizeHint {
        match self.left {
            Left::Nothing => SizeHint::with_exact(0),
            Left::Length(left) => SizeHint::with_exact(left),
            Left::Chunked(..) | Left::UntilClose => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests;
