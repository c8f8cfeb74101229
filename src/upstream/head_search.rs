//! Finds the head of a response in received bytes, for both HTTP engines. Reads nothing.

use super::{AttemptFailure, Link};
use crate::forward::{FieldSpace, HeadSearch, RequestKind, ResponseHead, parse_response_head};

/// The search for the head of one response.
#[derive(Default)]
pub struct ResponseHeadSearch {
    search: HeadSearch,
    /// Number of bytes to wait for before the head is parsed again, for a response that is held back.
    needed: usize,
}

/// What the reader of a response head expects.
#[derive(Clone, Copy)]
pub struct ExpectedResponse {
    /// The kind of the request's method.
    pub asked: RequestKind,
    /// A body of at most so many bytes is awaited with the head.
    pub held_back: u64,
    /// Maximum number of bytes that are awaited, because there is no more room.
    pub room: usize,
}

impl ResponseHeadSearch {
    /// The head at the front of `bytes`, once it is complete, and with it a body that is held back.
    ///
    /// # Errors
    /// [`AttemptFailure::Unreadable`]
    pub fn find<'b, 'f>(
        &mut self,
        bytes: &'b [u8],
        link: &Link,
        expected: ExpectedResponse,
        space: &'f mut FieldSpace<'b>,
    ) -> Result<Option<ResponseHead<'b, 'f>>, AttemptFailure> {
        if bytes.len() < self.needed.max(1) || !self.search.is_worth_reading(bytes) {
            return Ok(None);
        }
        let parsed = parse_response_head(bytes, expected.asked, space);
        let Some(head) = parsed.map_err(AttemptFailure::Unreadable)? else {
            return Ok(None);
        };
        let head = head.as_meant(link.lengthless_redirect());
        self.needed = head.length_until(expected.held_back);
        if bytes.len() >= self.needed || self.needed > expected.room {
            return Ok(Some(head));
        }
        // The head is parsed again when the body is complete.
        self.search = HeadSearch::default();
        Ok(None)
    }

    /// Number of bytes that are awaited; 0 if it is not known.
    pub fn needed(&self) -> usize {
        self.needed
    }
}
