//! Reads an upstream response head for an HTTP/2 client, strictly. Reads only as much of the body as arrives
//! with the head.

use super::{AttemptFailure, ExpectedResponse, Link, ResponseHeadSearch};
use crate::forward::{
    RequestKind, ResponseFraming, ResponseHead, ResponseHeadError, Reuse, field_space,
};
use bytes::{Buf, BytesMut};
use std::task::{Context, Poll, ready};

/// Bytes of the first reads.
pub(super) const FIRST_READ: usize = 16 * 1024;
/// Maximum bytes of a response head.
const MAX_HEAD: usize = 64 * 1024;

/// A response head without its fields.
#[derive(Clone, Copy)]
pub(super) struct ResponseSummary {
    pub(super) status: u16,
    length: usize,
    pub(super) framing: ResponseFraming,
    pub(super) reuse: Reuse,
}

impl ResponseSummary {
    fn of(head: &ResponseHead<'_, '_>) -> Self {
        let ResponseHead {
            status,
            length,
            framing,
            reuse,
            ..
        } = *head;
        Self {
            status,
            length,
            framing,
            reuse,
        }
    }

    /// Whether it is an interim response.
    pub(super) fn is_interim(&self) -> bool {
        self.status < 200 && self.status != 101
    }
}

/// A reader for response heads. Holds no memory before the first byte.
#[derive(Default)]
pub(super) struct ResponseReader {
    buffer: BytesMut,
    search: ResponseHeadSearch,
    /// Bytes of skipped heads.
    passed: usize,
}

/// Bytes after the heads.
pub(super) struct ReadAhead {
    pub(super) bytes: BytesMut,
    /// Bytes before these in the same allocation.
    pub(super) passed: usize,
}

impl ResponseReader {
    /// Ready with the summary of the next complete head and the result of `on_head`. Waits for the
    /// body as well if its length is known and at most `held_back`.
    pub(super) fn poll_head<T>(
        &mut self,
        context: &mut Context<'_>,
        link: &mut Link,
        asked: RequestKind,
        held_back: u64,
        on_head: impl FnOnce(&ResponseHead<'_, '_>) -> T,
    ) -> Poll<Result<(ResponseSummary, T), AttemptFailure>> {
        let expected = ExpectedResponse {
            asked,
            held_back,
            room: usize::MAX,
        };
        loop {
            let mut space = field_space();
            let found = self.search.find(&self.buffer, link, expected, &mut space)?;
            if let Some(head) = found {
                return Poll::Ready(Ok((ResponseSummary::of(&head), on_head(&head))));
            }
            ready!(self.poll_read(context, link))?;
        }
    }

    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        link: &mut Link,
    ) -> Poll<Result<(), AttemptFailure>> {
        if self.buffer.len() >= MAX_HEAD.max(self.search.needed()) {
            return Poll::Ready(Err(AttemptFailure::Unreadable(ResponseHeadError::TooLarge)));
        }
        let has_started = !self.buffer.is_empty();
        match link.poll_append(context, &mut self.buffer, FIRST_READ) {
            Poll::Ready(read) => Poll::Ready(AttemptFailure::of_read(read, has_started).map(drop)),
            Poll::Pending => {
                if self.buffer.is_empty() {
                    self.buffer = BytesMut::new();
                }
                Poll::Pending
            }
        }
    }

    /// Continues after a head.
    pub(super) fn skip_head(&mut self, received: &ResponseSummary) {
        let length = received.length.min(self.buffer.len());
        self.buffer.advance(length);
        self.passed += length;
        self.search = ResponseHeadSearch::default();
    }

    /// Bytes after the heads.
    pub(super) fn into_rest(self) -> ReadAhead {
        ReadAhead {
            bytes: self.buffer,
            passed: self.passed,
        }
    }
}
