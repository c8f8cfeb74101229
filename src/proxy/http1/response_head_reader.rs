//! Reading of a response head from the upstream. It is read into the slab that is sent later, with room in front for the head
//! that the client gets. Sends nothing.

use crate::forward::{RequestKind, ResponseHead, ResponseHeadError, field_space};
use crate::tls::record::{HEADROOM, Slab};
use crate::upstream::{AttemptFailure, ExpectedResponse, Link, ResponseHeadSearch};
use std::task::{Context, Poll, ready};

/// Size of the first read in bytes. Head and first part of the body fit one record, even if the rendered head is longer by the
/// whole headroom.
const FIRST_READ: usize = 14 * 1024;
/// Bytes kept free at the end of a slab for the ends of a record and a chunk.
const ROOM_BEHIND: usize = 64;

/// Received bytes of a response. Holds no slab while there are none.
pub(super) struct ResponseHeadReader {
    slab: Option<Slab>,
    from: usize,
    to: usize,
    search: ResponseHeadSearch,
}

impl Default for ResponseHeadReader {
    fn default() -> Self {
        Self {
            slab: None,
            from: HEADROOM,
            to: HEADROOM,
            search: ResponseHeadSearch::default(),
        }
    }
}

impl ResponseHeadReader {
    /// Ready with the result of `on_head` once the head is complete. A body of at most `held_back` bytes is awaited with it, if
    /// there is room.
    pub(super) fn poll_head<T>(
        &mut self,
        context: &mut Context<'_>,
        link: &mut Link,
        method: RequestKind,
        held_back: u64,
        on_head: impl FnOnce(ResponseHead<'_, '_>) -> T,
    ) -> Poll<Result<T, AttemptFailure>> {
        loop {
            let bytes = self
                .slab
                .as_ref()
                .and_then(|slab| slab.get(self.from..self.to))
                .unwrap_or_default();
            let expected = ExpectedResponse {
                asked: method,
                held_back,
                room: (Slab::SIZE - ROOM_BEHIND).saturating_sub(self.from),
            };
            let mut space = field_space();
            match self.search.find(bytes, link, expected, &mut space) {
                Ok(Some(head)) => return Poll::Ready(Ok(on_head(head))),
                Ok(None) => {}
                Err(failure) => return Poll::Ready(Err(failure)),
            }
            match self.poll_read(context, link) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(failure)) => return Poll::Ready(Err(failure)),
                Poll::Pending => {
                    if self.from == self.to {
                        self.slab = None;
                    }
                    return Poll::Pending;
                }
            }
        }
    }

    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        link: &mut Link,
    ) -> Poll<Result<(), AttemptFailure>> {
        let first_end = HEADROOM + FIRST_READ;
        let end = if self.to < first_end {
            first_end
        } else {
            Slab::SIZE - ROOM_BEHIND
        };
        let slab = self.slab.get_or_insert_with(Slab::take);
        if self.to >= end && self.from > HEADROOM {
            // Reuse the space of interim responses.
            slab.copy_within(self.from..self.to, HEADROOM);
            self.to = self.to - self.from + HEADROOM;
            self.from = HEADROOM;
        }
        let Some(space) = slab.get_mut(self.to..end).filter(|space| !space.is_empty()) else {
            return Poll::Ready(Err(AttemptFailure::Unreadable(ResponseHeadError::TooLarge)));
        };
        let read = ready!(link.poll_read(context, space));
        self.to += AttemptFailure::of_read(read, self.from < self.to)?;
        Poll::Ready(Ok(()))
    }

    /// Skips the head of an interim response.
    pub(super) fn skip_head(&mut self, length: usize) {
        self.from = (self.from + length).min(self.to);
        self.search = ResponseHeadSearch::default();
        if self.from == self.to {
            *self = Self::default();
        }
    }

    /// The slab, and the start and end of the received bytes in it.
    pub(super) fn into_parts(self) -> (Slab, usize, usize) {
        (self.slab.unwrap_or_else(Slab::take), self.from, self.to)
    }
}
