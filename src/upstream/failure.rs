//! Why a request has no answer from the connection that it was sent on, and whether it may go again. Sends nothing.

use super::{Origin, UpstreamError};
use crate::forward::{AnswerError, Framing, FramingError, Upgrade};
use crate::limit::BodyEnd;
use std::io;

/// Why a request has no answer.
#[derive(Debug)]
pub enum Failure {
    /// No byte went to the upstream.
    Unsent(io::Error),
    /// The upstream's connection ended before a byte of an answer.
    Unanswered(io::Error),
    /// It ended in the middle of the answer's head.
    BrokeOff(io::Error),
    /// What it said is no answer.
    Unreadable(AnswerError),
    /// It left HTTP without being asked.
    Upgraded,
    /// It had all that there was, and did nothing.
    ResponseTimeout,
    /// The client's body.
    Body(BodyEnd),
    /// The client's body, which is not framed as it must be.
    Framing(FramingError),
    /// There is nobody to answer.
    ClientGone,
}

impl Failure {
    /// How many bytes a read for an answer's head gave. After a byte of an answer nothing may be sent again, so it counts
    /// whether `some_came` before.
    ///
    /// # Errors
    /// If the connection ended.
    pub fn of_read(read: io::Result<usize>, some_came: bool) -> Result<usize, Self> {
        let ended = match read {
            Ok(count @ 1..) => return Ok(count),
            Ok(_) => io::ErrorKind::UnexpectedEof.into(),
            Err(error) => error,
        };
        Err(if some_came { Self::BrokeOff(ended) } else { Self::Unanswered(ended) })
    }

    /// What it is when the request does not go again.
    pub fn into_error(self, endpoint: String) -> UpstreamError {
        match self {
            Self::Unsent(source) | Self::Unanswered(source) | Self::BrokeOff(source) => {
                UpstreamError::Broken { endpoint, source: Box::new(source) }
            }
            Self::Unreadable(source) => UpstreamError::Broken { endpoint, source: Box::new(source) },
            Self::Upgraded => UpstreamError::Upgraded { endpoint },
            Self::ResponseTimeout => UpstreamError::ResponseTimeout { endpoint },
            Self::Body(end) => UpstreamError::RequestBody(end),
            Self::Framing(_) | Self::ClientGone => UpstreamError::RequestBody(BodyEnd::Broken),
        }
    }
}

/// Whether a request without an answer may be sent again (RFC 9110 section 9.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// Once, if a pooled connection turned out to be closed.
    Safe,
    /// Never, or not once more.
    Never,
}

/// On which connection a request goes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// On any: nothing was sent, so nothing can happen twice.
    OnPooled,
    /// On one that was made for it.
    OnNew,
    /// On none.
    Never,
}

impl Repeat {
    /// Safe are idempotent methods without a body that stay in HTTP.
    pub fn of(method: &str, framing: Framing, upgrade: Upgrade) -> Self {
        let idempotent = matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE");
        let safe = idempotent && framing == Framing::Length(0) && upgrade == Upgrade::None;
        if safe { Self::Safe } else { Self::Never }
    }

    /// What may be done after a failure. Going again uses up what is safe.
    pub fn after(&mut self, failure: &Failure, origin: Origin) -> Again {
        match (failure, origin) {
            (Failure::Unsent(_), Origin::Pooled) => Again::OnPooled,
            (Failure::Unanswered(_), Origin::Pooled) if *self == Self::Safe => {
                *self = Self::Never;
                Again::OnNew
            }
            _ => Again::Never,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended() -> io::Error {
        io::ErrorKind::UnexpectedEof.into()
    }

    #[test]
    fn what_may_have_side_effects_goes_once() {
        let repeat = |method, framing, upgrade| Repeat::of(method, framing, upgrade);
        for method in ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"] {
            assert_eq!(repeat(method, Framing::Length(0), Upgrade::None), Repeat::Safe, "{method}");
            assert_eq!(repeat(method, Framing::Length(1), Upgrade::None), Repeat::Never, "{method}");
            assert_eq!(repeat(method, Framing::Chunked, Upgrade::None), Repeat::Never, "{method}");
        }
        assert_eq!(repeat("POST", Framing::Length(0), Upgrade::None), Repeat::Never);
        assert_eq!(repeat("get", Framing::Length(0), Upgrade::None), Repeat::Never);
        assert_eq!(repeat("GET", Framing::Length(0), Upgrade::WebSocket), Repeat::Never);
    }

    #[test]
    fn only_a_pooled_connection_is_reason_to_go_again_and_only_once() {
        let mut safe = Repeat::Safe;
        assert_eq!(safe.after(&Failure::Unanswered(ended()), Origin::New), Again::Never);
        assert_eq!(safe.after(&Failure::BrokeOff(ended()), Origin::Pooled), Again::Never);
        assert_eq!(safe.after(&Failure::ResponseTimeout, Origin::Pooled), Again::Never);
        assert_eq!(safe.after(&Failure::Unsent(ended()), Origin::Pooled), Again::OnPooled);
        assert_eq!(safe.after(&Failure::Unanswered(ended()), Origin::Pooled), Again::OnNew);
        assert_eq!(safe.after(&Failure::Unanswered(ended()), Origin::Pooled), Again::Never);
        let mut never = Repeat::Never;
        assert_eq!(never.after(&Failure::Unsent(ended()), Origin::Pooled), Again::OnPooled);
        assert_eq!(never.after(&Failure::Unsent(ended()), Origin::New), Again::Never);
        assert_eq!(never.after(&Failure::Unanswered(ended()), Origin::Pooled), Again::Never);
    }
}
