//! Failures of a request on an upstream connection, and the policy for retries. Sends nothing.

use super::{Origin, Quirks, UpstreamError};
use crate::forward::{Framing, FramingError, ResponseHeadError, Upgrade};
use crate::limit::BodyEnd;
use std::io;
use std::time::{Duration, Instant};

/// Reasons why a request has no response.
#[derive(Debug)]
pub enum AttemptFailure {
    /// No byte was sent to the upstream.
    Unsent(io::Error),
    /// The upstream connection ended before the first byte of a response.
    Unanswered(io::Error),
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
    /// [`Self::BrokeOff`] or [`Self::Unanswered`] if the connection ended.
    pub fn of_read(read: io::Result<usize>, has_started: bool) -> Result<usize, Self> {
        let ended = match read {
            Ok(count @ 1..) => return Ok(count),
            Ok(_) => io::ErrorKind::UnexpectedEof.into(),
            Err(error) => error,
        };
        Err(if has_started {
            Self::BrokeOff(ended)
        } else {
            Self::Unanswered(ended)
        })
    }

    /// Whether the upstream may have received any byte of the request.
    pub fn was_sent(&self) -> bool {
        !matches!(self, Self::Unsent(_))
    }

    /// The error if the request is not retried.
    pub fn into_error(self, endpoint: String) -> UpstreamError {
        match self {
            Self::Unsent(source) | Self::Unanswered(source) | Self::BrokeOff(source) => {
                UpstreamError::Broken {
                    endpoint,
                    source: Box::new(source),
                }
            }
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
    /// Remaining retries.
    retries_left: u8,
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

/// Maximum bytes of a body that is kept for a retry. Queries of Icinga 2 are shorter.
const LONGEST_KEPT_BODY: u64 = 16 * 1024;
/// Number of retries: the pooled connection may be closed.
const RETRIES: u8 = 1;
/// Number of retries if the upstream may reload: the pooled connection may be closed, and the old
/// process may accept a new one just before it ends.
const RETRIES_IN_RELOADS: u8 = 3;

/// The connection for a retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryTarget {
    /// Any connection: no byte was sent, so nothing can happen twice.
    OnPooled,
    /// A new connection.
    OnNew,
    /// No retry.
    Never,
}

impl RetryPolicy {
    /// The policy for a request. Idempotent methods without upgrade and body may be retried.
    /// `patience` is the maximum duration of an upstream reload; if it is set, a short body is kept
    /// for retries as well.
    pub fn of(
        method: &str,
        framing: Framing,
        upgrade: Upgrade,
        patience: Option<Duration>,
    ) -> Self {
        let idempotent = matches!(
            method,
            "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE"
        );
        let longest = if patience.is_some() {
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
        let retries_left = if patience.is_some() {
            RETRIES_IN_RELOADS
        } else {
            RETRIES
        };
        Self {
            safety,
            retries_left,
            patience,
            since: None,
        }
    }

    /// The retry after a failure. Consumes one of the remaining retries.
    pub fn after(&mut self, failure: &AttemptFailure, origin: Origin) -> RetryTarget {
        let may_be_dropped = origin == Origin::Pooled || self.patience.is_some();
        match failure {
            AttemptFailure::Unsent(_) if origin == Origin::Pooled => RetryTarget::OnPooled,
            AttemptFailure::Unsent(_) => self.retry(may_be_dropped),
            AttemptFailure::Unanswered(_) => {
                self.retry(may_be_dropped && self.safety == Safety::Idempotent)
            }
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
        self.patience.is_some() && self.safety == Safety::Idempotent
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
            retries_left: 0,
            patience: None,
            since: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended() -> io::Error {
        io::ErrorKind::UnexpectedEof.into()
    }

    const LONG: Option<Duration> = Some(Duration::from_secs(3600));

    fn repeat(method: &str, framing: Framing, upgrade: Upgrade) -> RetryPolicy {
        RetryPolicy::of(method, framing, upgrade, None)
    }

    #[test]
    fn what_may_have_side_effects_goes_once() {
        let safety = |method, framing, upgrade| repeat(method, framing, upgrade).safety;
        for method in ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"] {
            assert_eq!(
                safety(method, Framing::Length(0), Upgrade::None),
                Safety::Idempotent,
                "{method}"
            );
            assert_eq!(
                safety(method, Framing::Length(1), Upgrade::None),
                Safety::Once,
                "{method}"
            );
            assert_eq!(
                safety(method, Framing::Chunked, Upgrade::None),
                Safety::Once,
                "{method}"
            );
        }
        let rides = |method, length| {
            RetryPolicy::of(method, Framing::Length(length), Upgrade::None, LONG).safety
        };
        assert_eq!(rides("GET", LONGEST_KEPT_BODY), Safety::Idempotent);
        assert_eq!(rides("GET", LONGEST_KEPT_BODY + 1), Safety::Once);
        assert_eq!(rides("POST", 0), Safety::Once);
        assert_eq!(
            safety("POST", Framing::Length(0), Upgrade::None),
            Safety::Once
        );
        assert_eq!(
            safety("get", Framing::Length(0), Upgrade::None),
            Safety::Once
        );
        let handshake: &[(&str, &[u8])] = &[
            ("connection", b"upgrade"),
            ("upgrade", b"websocket"),
            ("sec-websocket-version", b"13"),
            ("sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let upgrade = crate::forward::requested_upgrade("GET", handshake).unwrap();
        assert_ne!(upgrade, Upgrade::None);
        assert_eq!(safety("GET", Framing::Length(0), upgrade), Safety::Once);
    }

    #[test]
    fn only_a_pooled_connection_is_reason_to_go_again_and_only_once() {
        let mut safe = repeat("GET", Framing::Length(0), Upgrade::None);
        assert_eq!(
            safe.after(&AttemptFailure::Unanswered(ended()), Origin::New),
            RetryTarget::Never
        );
        assert_eq!(
            safe.after(&AttemptFailure::BrokeOff(ended()), Origin::Pooled),
            RetryTarget::Never
        );
        assert_eq!(
            safe.after(&AttemptFailure::ResponseTimeout, Origin::Pooled),
            RetryTarget::Never
        );
        assert_eq!(
            safe.after(&AttemptFailure::Unsent(ended()), Origin::Pooled),
            RetryTarget::OnPooled
        );
        assert_eq!(
            safe.after(&AttemptFailure::Unanswered(ended()), Origin::Pooled),
            RetryTarget::OnNew
        );
        assert_eq!(
            safe.after(&AttemptFailure::Unanswered(ended()), Origin::Pooled),
            RetryTarget::Never
        );
        let mut never = repeat("POST", Framing::Length(0), Upgrade::None);
        assert_eq!(
            never.after(&AttemptFailure::Unsent(ended()), Origin::Pooled),
            RetryTarget::OnPooled
        );
        assert_eq!(
            never.after(&AttemptFailure::Unsent(ended()), Origin::New),
            RetryTarget::Never
        );
        assert_eq!(
            never.after(&AttemptFailure::Unanswered(ended()), Origin::Pooled),
            RetryTarget::Never
        );
    }

    #[test]
    fn in_a_reload_new_connections_are_dropped_too_but_nothing_with_side_effects_goes_twice() {
        let mut safe = RetryPolicy::of("GET", Framing::Length(0), Upgrade::None, LONG);
        assert_eq!(
            safe.after(&AttemptFailure::ResponseTimeout, Origin::New),
            RetryTarget::Never
        );
        assert_eq!(
            safe.after(&AttemptFailure::BrokeOff(ended()), Origin::New),
            RetryTarget::OnNew
        );
        for _ in 1..RETRIES_IN_RELOADS {
            assert_eq!(
                safe.after(&AttemptFailure::Unanswered(ended()), Origin::New),
                RetryTarget::OnNew
            );
        }
        assert_eq!(
            safe.after(&AttemptFailure::Unanswered(ended()), Origin::New),
            RetryTarget::Never
        );

        let mut post = RetryPolicy::of("POST", Framing::Length(5), Upgrade::None, LONG);
        for origin in [Origin::New, Origin::Pooled] {
            assert_eq!(
                post.after(&AttemptFailure::BrokeOff(ended()), origin),
                RetryTarget::Never
            );
            assert_eq!(
                post.after(&AttemptFailure::Unanswered(ended()), origin),
                RetryTarget::Never
            );
        }
        assert_eq!(
            post.after(&AttemptFailure::Unsent(ended()), Origin::New),
            RetryTarget::OnNew,
            "nothing of it was sent"
        );
    }

    #[test]
    fn responses_are_buffered_only_where_the_request_can_be_retried() {
        let quirks = Quirks {
            hold_back: Some(5),
            ..Quirks::default()
        };
        let holds = |method, patience| {
            RetryPolicy::of(method, Framing::Length(0), Upgrade::None, patience).holds_back(&quirks)
        };
        assert_eq!(
            (holds("GET", LONG), holds("POST", LONG), holds("GET", None)),
            (5, 0, 0)
        );
    }

    #[test]
    fn a_reload_that_takes_too_long_is_a_failure() {
        let mut safe = RetryPolicy::of("GET", Framing::Length(0), Upgrade::None, LONG);
        safe.since = Instant::now().checked_sub(Duration::from_secs(3601));
        assert_eq!(
            safe.after(&AttemptFailure::Unanswered(ended()), Origin::New),
            RetryTarget::Never
        );
    }
}
