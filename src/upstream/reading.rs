//! An answer's head on its way to hyper, read strictly. Reads of the body only what came with it.

use super::{Failure, Link};
use crate::forward::{
    AnswerError, AnswerFraming, AnswerHead, Asked, HeadSearch, Reuse, Upgrade, field_space,
    parse_answer,
};
use bytes::{Buf, BytesMut};
use std::task::{Context, Poll, ready};

/// How much is read at once, at first.
pub(super) const FEW: usize = 16 * 1024;
/// The longest head of an answer.
const LONGEST_HEAD: usize = 64 * 1024;

/// What a head says beside its fields.
#[derive(Clone, Copy)]
pub(super) struct Came {
    pub(super) status: u16,
    pub(super) upgrade: Upgrade,
    length: usize,
    pub(super) framing: AnswerFraming,
    pub(super) reuse: Reuse,
}

impl Came {
    fn by(head: &AnswerHead<'_, '_>) -> Self {
        let AnswerHead {
            status,
            length,
            framing,
            reuse,
            ..
        } = *head;
        Self {
            status,
            upgrade: head.upgrade(),
            length,
            framing,
            reuse,
        }
    }

    /// Whether another head follows.
    pub(super) fn is_interim(&self) -> bool {
        self.status < 200 && self.status != 101
    }
}

/// What has come of an answer. Holds no memory while nothing has.
#[derive(Default)]
pub(super) struct Reading {
    buffer: BytesMut,
    search: HeadSearch,
    /// Bytes of the heads that were passed.
    passed: usize,
    /// So much is waited for before the head is read once more: an answer that is held back.
    whole: usize,
}

/// What came behind the heads.
pub(super) struct ReadAhead {
    pub(super) bytes: BytesMut,
    /// Bytes before these that lie in the same memory.
    pub(super) passed: usize,
}

impl Reading {
    /// Ready with what the head says once it is whole, and what `on_head` makes of it; with it its body, if that is known to
    /// be no longer than `held_back`.
    pub(super) fn poll_head<T>(
        &mut self,
        context: &mut Context<'_>,
        link: &mut Link,
        (asked, held_back): (Asked, u64),
        on_head: impl FnOnce(&AnswerHead<'_, '_>) -> T,
    ) -> Poll<Result<(Came, T), Failure>> {
        loop {
            if self.buffer.len() >= self.whole.max(1) && self.search.is_worth_reading(&self.buffer)
            {
                let mut space = field_space();
                match parse_answer(&self.buffer, asked, &mut space) {
                    Ok(Some(head)) => {
                        let head = head.as_meant(link.lengthless_redirect());
                        self.whole = head.length_until(held_back);
                        if self.buffer.len() >= self.whole {
                            return Poll::Ready(Ok((Came::by(&head), on_head(&head))));
                        }
                        // It is read once more when all is here.
                        self.search = HeadSearch::default();
                    }
                    Ok(None) => {}
                    Err(error) => return Poll::Ready(Err(Failure::Unreadable(error))),
                }
            }
            ready!(self.poll_read(context, link))?;
        }
    }

    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        link: &mut Link,
    ) -> Poll<Result<(), Failure>> {
        if self.buffer.len() >= LONGEST_HEAD.max(self.whole) {
            return Poll::Ready(Err(Failure::Unreadable(AnswerError::TooLarge)));
        }
        let some_came = !self.buffer.is_empty();
        match link.poll_read_behind(context, &mut self.buffer, FEW) {
            Poll::Ready(read) => Poll::Ready(Failure::of_read(read, some_came).map(drop)),
            Poll::Pending => {
                if self.buffer.is_empty() {
                    self.buffer = BytesMut::new();
                }
                Poll::Pending
            }
        }
    }

    /// Goes on behind an interim answer's head.
    pub(super) fn pass_head(&mut self, came: &Came) {
        let length = came.length.min(self.buffer.len());
        self.buffer.advance(length);
        self.passed += length;
        (self.search, self.whole) = (HeadSearch::default(), 0);
    }

    /// What came behind the heads.
    pub(super) fn into_rest(self) -> ReadAhead {
        ReadAhead {
            bytes: self.buffer,
            passed: self.passed,
        }
    }
}
