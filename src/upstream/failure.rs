//! Failures of a request on an upstream connection, and the policy for retries. Sends nothing.

use super::unprocessed::is_unprocessed;
use super::{Origin, Quirks, UpstreamError};
use crate::forward::{Framing, FramingError, ResponseHeadError, Upgrade};
use crate::limit::BodyEnd;
use crate::reason::Reason;
use std::io;
use std::time::{Duration, Instant};

/// Reasons why a request has no response.
#[derive(Debug)]
pub enum AttemptFailure {
    /// No byte was sent to the upstream.
    Unsent(io::Error),
    /// The upstream connection ended before the first byte of a response.
    Unanswered(io::Error),
    /// The upstream received the request and states that it did not process it.
    Unprocessed(io::Error),
    /// The connection ended within the response head, or within a response that was held back.
    BrokeOff(io::Error),
    /// The response is malformed.
    Unreadable(ResponseHeadError),
    /// The upstream switched protocols without a request.
    Upgraded,
    /// The upstream had all available bytes of the request and did not respond in time.
    ResponseTimeout,
    /// The client's body failed.
    Body(BodyEnd),
    /// The client's body has invalid framing.
    Framing(FramingError),
    /// The client has disconnected.
    ClientGone,
}

impl AttemptFailure {
    /// Evaluates a read for a response head and returns the number of bytes. `has_started` is
    /// whether bytes of the response arrived before; then the upstream is known to have processed
    /// the request.
    ///
    /// # Errors
    /// [`Self::BrokeOff`], [`Self::Unanswered`] or [`Self::Unprocessed`] if the connection ended.
    pub fn of_read(read: io::Result<usize>, has_started: bool) -> Result<usize, Self> {
        let ended = match read {
            Ok(count @ 1..) => return Ok(count),
            Ok(_) => io::ErrorKind::UnexpectedEof.into(),
            Err(error) => error,
        };
        Err(if has_started {
            Self::BrokeOff(ended)
        } else if is_unprocessed(&ended) {
            Self::Unprocessed(ended)
        } else {
            Self::Unanswered(ended)
        })
    }

    /// Whether the upstream may have received any byte of the request.
    pub fn was_sent(&self) -> bool {
        !matches!(self, Self::Unsent(_))
    }

    /// The fault of the endpoint, if it is one. A pooled connection may be closed at any time, which is none.
    pub(super) fn endpoint_fault(&self, origin: Origin) -> Option<Reason> {
        match self {
            Self::Unsent(_) | Self::Unanswered(_) if origin == Origin::Pooled => None,
            Self::Unsent(_) | Self::Unanswered(_) | Self::BrokeOff(_) | Self::Unreadable(_) => {
                Some(Reason::UpstreamBrokeOff)
            }
            Self::ResponseTimeout => Some(Reason::ResponseTimeout),
            // A connection that ends orderly for new ones says so.
            Self::Unprocessed(_)
            | Self::Upgraded
            | Self::Body(_)
            | Self::Framing(_)
            | Self::ClientGone => None,
        }
    }

    /// The error if the request is not retried.
    pub fn into_error(self, endpoint: String) -> UpstreamError {
        match self {
            Self::Unsent(source)
            | Self::Unanswered(source)
            | Self::Unprocessed(source)
            | Self::BrokeOff(source) => UpstreamError::Broken {
                endpoint,
                source: Box::new(source),
            },
            Self::Unreadable(source) => UpstreamError::Broken {
                endpoint,
                source: Box::new(source),
            },
            Self::Upgraded => UpstreamError::Upgraded { endpoint },
            Self::ResponseTimeout => UpstreamError::ResponseTimeout { endpoint },
            Self::Body(end) => UpstreamError::RequestBody(end),
            Self::Framing(_) | Self::ClientGone => UpstreamError::RequestBody(BodyEnd::Broken),
        }
    }
}

/// The retry policy of a request without a response (RFC 9110 section 9.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    safety: Safety,
    body: SentBody,
    /// Remaining retries at the same endpoint.
    retries_left: u8,
    /// Remaining retries at other endpoints.
    other_endpoints_left: u8,
    /// Maximum duration of an upstream reload, in which the upstream also drops new connections.
    patience: Option<Duration>,
    /// Time of the first failure.
    since: Option<Instant>,
}

/// Whether a request may arrive more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Safety {
    /// It may.
    Idempotent,
    /// It may not. It is retried only if no byte was sent.
    Once,
}

/// Whether the bytes of a body that were sent can be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SentBody {
    /// There is no body, or it is kept.
    Available,
    /// The client's bytes are gone once they are sent.
    Gone,
}

/// Maximum bytes of a body that is kept for a retry. Queries of Icinga 2 are shorter.
const LONGEST_KEPT_BODY: u64 = 16 * 1024;
/// Number of retries: the pooled connection may be closed.
const RETRIES: u8 = 1;
/// Number of retries if the upstream may reload: the pooled connection may be closed, and the old
/// process may accept a new one just before it ends.
const RETRIES_IN_RELOADS: u8 = 3;

/// Number of retries at other endpoints.
const RETRIES_ELSEWHERE: u8 = 2;

/// Whether the upstream has other endpoints for a retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherEndpoints {
    /// There are some.
    Some,
    /// There is only one endpoint, or retries at others are off.
    None,
}

/// The connection for a retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryTarget {
    /// Any connection: no byte was sent, so nothing can happen twice.
    OnPooled,
    /// A new connection.
    OnNew,
    /// Any connection to an endpoint that was not tried.
    OnOtherEndpoint,
    /// No retry.
    Never,
}

impl RetryPolicy {
    /// The policy for a request. Idempotent methods without upgrade and body may be retried.
    /// `patience` is the maximum duration of an upstream reload. With it, or with other endpoints, a
    /// short body is kept for retries as well.
    pub fn of(
        method: &str,
        framing: Framing,
        upgrade: Upgrade,
        patience: Option<Duration>,
        others: OtherEndpoints,
    ) -> Self {
        let idempotent = matches!(
            method,
            "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE"
        );
        let longest = if patience.is_some() || others == OtherEndpoints::Some {
            LONGEST_KEPT_BODY
        } else {
            0
        };
        let is_kept = matches!(framing, Framing::Length(length) if length <= longest);
        let safe = idempotent && is_kept && upgrade == Upgrade::None;
        let safety = if safe {
            Safety::Idempotent
        } else {
            Safety::Once
        };
        let is_available = framing == Framing::Length(0) || safe;
        let body = if is_available {
            SentBody::Available
        } else {
            SentBody::Gone
        };
        let retries_left = if patience.is_some() {
            RETRIES_IN_RELOADS
        } else {
            RETRIES
        };
        let other_endpoints_left = match others {
            OtherEndpoints::Some => RETRIES_ELSEWHERE,
            OtherEndpoints::None => 0,
        };
        Self {
            safety,
            body,
            retries_left,
            other_endpoints_left,
            patience,
            since: None,
        }
    }

    /// The retry after a failure. Consumes one of the remaining retries.
    pub fn after(&mut self, failure: &AttemptFailure, origin: Origin) -> RetryTarget {
        match self.after_at_same(failure, origin) {
            RetryTarget::Never => self.after_at_other(failure),
            target => target,
        }
    }

    /// The retry at another endpoint. What the upstream cannot have processed may be sent again, and what may arrive twice.
    fn after_at_other(&mut self, failure: &AttemptFailure) -> RetryTarget {
        let is_safe = match failure {
            AttemptFailure::Unsent(_) => true,
            AttemptFailure::Unanswered(_)
            | AttemptFailure::BrokeOff(_)
            | AttemptFailure::ResponseTimeout => self.safety == Safety::Idempotent,
            AttemptFailure::Unprocessed(_) => self.body == SentBody::Available,
            _ => false,
        };
        if !is_safe || self.other_endpoints_left == 0 {
            return RetryTarget::Never;
        }
        self.other_endpoints_left -= 1;
        RetryTarget::OnOtherEndpoint
    }

    fn after_at_same(&mut self, failure: &AttemptFailure, origin: Origin) -> RetryTarget {
        let may_be_dropped = origin == Origin::Pooled || self.patience.is_some();
        match failure {
            AttemptFailure::Unsent(_) if origin == Origin::Pooled => RetryTarget::OnPooled,
            AttemptFailure::Unsent(_) => self.retry(may_be_dropped),
            AttemptFailure::Unanswered(_) => {
                self.retry(may_be_dropped && self.safety == Safety::Idempotent)
            }
            // Safe for every method.
            AttemptFailure::Unprocessed(_) => self.retry(self.body == SentBody::Available),
            // No byte of the response has reached the client.
            AttemptFailure::BrokeOff(_) => {
                self.retry(self.patience.is_some() && self.safety == Safety::Idempotent)
            }
            _ => RetryTarget::Never,
        }
    }

    /// Maximum bytes of a response that is held back until it is complete, so that the request can
    /// be retried.
    pub fn holds_back(&self, quirks: &Quirks) -> u64 {
        quirks
            .hold_back
            .filter(|_| self.keeps_body())
            .unwrap_or_default()
    }

    /// Whether the sent part of the body is kept for a retry.
    pub fn keeps_body(&self) -> bool {
        (self.patience.is_some() || self.other_endpoints_left > 0)
            && self.safety == Safety::Idempotent
    }

    fn retry(&mut self, allowed: bool) -> RetryTarget {
        let late = self.patience.is_some_and(|patience| {
            self.since.get_or_insert_with(Instant::now).elapsed() > patience
        });
        if !allowed || late || self.retries_left == 0 {
            return RetryTarget::Never;
        }
        self.retries_left -= 1;
        RetryTarget::OnNew
    }

    /// For tests of single attempts.
    #[cfg(test)]
    pub(super) fn never() -> Self {
        Self {
            safety: Safety::Once,
            body: SentBody::Gone,
            retries_left: 0,
            other_endpoints_left: 0,
            patience: None,
            since: None,
        }
    }
}

#[cfg(test)]
mod tests;
