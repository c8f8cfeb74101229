//! An answer's head as it comes from the upstream, read where it will be sent from: there is room before it for the head
//! that the client sees. Passes nothing on.

use crate::forward::{AnswerError, AnswerHead, Asked, HeadSearch, field_space, parse_answer};
use crate::tls::record::{HEADROOM, Slab};
use crate::upstream::{Failure, Link};
use std::task::{Context, Poll, ready};

/// Head and first part of the body together fit one record, also when the head has grown by as much as the headroom.
const FIRST_READ: usize = 14 * 1024;
/// Kept free at the end of a slab: what a record and a chunk need behind their data.
const ROOM_BEHIND: usize = 64;

/// What has come of an answer. Holds no slab while nothing has.
pub(super) struct Reading {
    slab: Option<Slab>,
    from: usize,
    to: usize,
    search: HeadSearch,
    /// So much is waited for before the head is read once more: an answer that is held back.
    whole: usize,
}

impl Default for Reading {
    fn default() -> Self {
        Self {
            slab: None,
            from: HEADROOM,
            to: HEADROOM,
            search: HeadSearch::default(),
            whole: 0,
        }
    }
}

impl Reading {
    /// Ready with what `on_head` makes of the head once it is whole; with it its body, if that is known to be no longer than
    /// `held_back` and there is room.
    pub(super) fn poll_head<T>(
        &mut self,
        context: &mut Context<'_>,
        link: &mut Link,
        (asked, held_back): (Asked, u64),
        on_head: impl FnOnce(AnswerHead<'_, '_>) -> T,
    ) -> Poll<Result<T, Failure>> {
        loop {
            let bytes = self
                .slab
                .as_ref()
                .and_then(|slab| slab.get(self.from..self.to))
                .unwrap_or_default();
            if bytes.len() >= self.whole.max(1) && self.search.is_worth_reading(bytes) {
                let mut space = field_space();
                match parse_answer(bytes, asked, &mut space) {
                    Ok(Some(head)) => {
                        let head = head.as_meant(link.lengthless_redirect());
                        self.whole = head.length_until(held_back);
                        let has_room = self.from + self.whole <= Slab::SIZE - ROOM_BEHIND;
                        if bytes.len() >= self.whole || !has_room {
                            return Poll::Ready(Ok(on_head(head)));
                        }
                        // It is read once more when all is here.
                        self.search = HeadSearch::default();
                    }
                    Ok(None) => {}
                    Err(error) => return Poll::Ready(Err(Failure::Unreadable(error))),
                }
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
    ) -> Poll<Result<(), Failure>> {
        let first_end = HEADROOM + FIRST_READ;
        let end = if self.to < first_end {
            first_end
        } else {
            Slab::SIZE - ROOM_BEHIND
        };
        let slab = self.slab.get_or_insert_with(Slab::take);
        if self.to >= end && self.from > HEADROOM {
            // Interim answers stood before what is here.
            slab.copy_within(self.from..self.to, HEADROOM);
            (self.from, self.to) = (HEADROOM, self.to - self.from + HEADROOM);
        }
        let Some(space) = slab.get_mut(self.to..end).filter(|space| !space.is_empty()) else {
            return Poll::Ready(Err(Failure::Unreadable(AnswerError::TooLarge)));
        };
        let read = ready!(link.poll_read(context, space));
        self.to += Failure::of_read(read, self.from < self.to)?;
        Poll::Ready(Ok(()))
    }

    /// Goes on behind an interim answer's head.
    pub(super) fn pass_head(&mut self, length: usize) {
        self.from = (self.from + length).min(self.to);
        (self.search, self.whole) = (HeadSearch::default(), 0);
        if self.from == self.to {
            *self = Self::default();
        }
    }

    /// The slab, where the head lies in it, and where what has come ends.
    pub(super) fn into_parts(self) -> (Slab, usize, usize) {
        (self.slab.unwrap_or_else(Slab::take), self.from, self.to)
    }
}
