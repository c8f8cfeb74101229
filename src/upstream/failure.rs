//! Why a request has no answer from the connection that it was sent on, and whether it may go again. Sends nothing.

use super::{Manners, Origin, UpstreamError};
use crate::forward::{AnswerError, Framing, FramingError, Upgrade};
use crate::limit::BodyEnd;
use std::io;
use std::time::{Duration, Instant};

/// Why a request has no answer.
#[derive(Debug)]
pub enum Failure {
    /// No byte went to the upstream.
    Unsent(io::Error),
    /// The upstream's connection ended before a byte of an answer.
    Unanswered(io::Error),
    /// It ended in the middle of the answer's head, or of an answer that was held back.
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
    /// How many bytes a read for an answer's head gave. After a byte of an answer the upstream is known to have acted, so it
    /// counts whether `some_came` before.
    ///
    /// # Errors
    /// If the connection ended.
    pub fn of_read(read: io::Result<usize>, some_came: bool) -> Result<usize, Self> {
        let ended = match read {
            Ok(count @ 1..) => return Ok(count),
            Ok(_) => io::ErrorKind::UnexpectedEof.into(),
            Err(error) => error,
        };
        Err(if some_came {
            Self::BrokeOff(ended)
        } else {
            Self::Unanswered(ended)
        })
    }

    /// Whether the upstream may have got any of the request.
    pub fn was_sent(&self) -> bool {
        !matches!(self, Self::Unsent(_))
    }

    /// What it is when the request does not go again.
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

/// Whether a request without an answer may be sent again (RFC 9110 section 9.2.2), how often, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeat {
    safety: Safety,
    /// How many times more.
    left: u8,
    /// How long an upstream may take for a reload, in which it also drops connections that are new.
    patience: Option<Duration>,
    /// When the request was first dropped.
    since: Option<Instant>,
}

/// Whether it matters how often a request arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Safety {
    /// It does not.
    Idempotent,
    /// It may, so it is sent again only if nothing of it was.
    Once,
}

/// The longest body that is kept: a query of Icinga 2 is shorter.
const LONGEST_KEPT_BODY: u64 = 16 * 1024;
/// How often a request goes again: a pooled connection turned out to be closed.
const AGAIN: u8 = 1;
/// The same where the upstream may reload: so did that, and a new one was taken by the old process just before its end.
const AGAIN_IN_RELOADS: u8 = 3;

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
    /// Safe are idempotent methods that stay in HTTP and have no body. `patience` is for how long the upstream may drop
    /// requests, if it may reload; then a short body is kept, too, to be sent once more.
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
        let is_here = matches!(framing, Framing::Length(length) if length <= longest);
        let safe = idempotent && is_here && upgrade == Upgrade::None;
        let safety = if safe {
            Safety::Idempotent
        } else {
            Safety::Once
        };
        let left = if patience.is_some() {
            AGAIN_IN_RELOADS
        } else {
            AGAIN
        };
        Self {
            safety,
            left,
            patience,
            since: None,
        }
    }

    /// What may be done after a failure. Going again uses up what there is.
    pub fn after(&mut self, failure: &Failure, origin: Origin) -> Again {
        let may_be_dropped = origin == Origin::Pooled || self.patience.is_some();
        match failure {
            Failure::Unsent(_) if origin == Origin::Pooled => Again::OnPooled,
            Failure::Unsent(_) => self.once_more(may_be_dropped),
            Failure::Unanswered(_) => {
                self.once_more(may_be_dropped && self.safety == Safety::Idempotent)
            }
            // Nothing of it has reached the client.
            Failure::BrokeOff(_) => {
                self.once_more(self.patience.is_some() && self.safety == Safety::Idempotent)
            }
            _ => Again::Never,
        }
    }

    /// The longest answer that is to be held back until it is whole, so that it can be asked for once more.
    pub fn holds_back(&self, manners: &Manners) -> u64 {
        manners
            .hold_back
            .filter(|_| self.keeps_body())
            .unwrap_or_default()
    }

    /// Whether what is sent of a body is kept, so that it can be sent once more.
    pub fn keeps_body(&self) -> bool {
        self.patience.is_some() && self.safety == Safety::Idempotent
    }

    fn once_more(&mut self, allowed: bool) -> Again {
        let late = self.patience.is_some_and(|patience| {
            self.since.get_or_insert_with(Instant::now).elapsed() > patience
        });
        if !allowed || late || self.left == 0 {
            return Again::Never;
        }
        self.left -= 1;
        Again::OnNew
    }

    /// For tests of what is sent, and not how often.
    #[cfg(test)]
    pub(super) fn never() -> Self {
        Self {
            safety: Safety::Once,
            left: 0,
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

    fn repeat(method: &str, framing: Framing, upgrade: Upgrade) -> Repeat {
        Repeat::of(method, framing, upgrade, None)
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
            Repeat::of(method, Framing::Length(length), Upgrade::None, LONG).safety
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
            safe.after(&Failure::Unanswered(ended()), Origin::New),
            Again::Never
        );
        assert_eq!(
            safe.after(&Failure::BrokeOff(ended()), Origin::Pooled),
            Again::Never
        );
        assert_eq!(
            safe.after(&Failure::ResponseTimeout, Origin::Pooled),
            Again::Never
        );
        assert_eq!(
            safe.after(&Failure::Unsent(ended()), Origin::Pooled),
            Again::OnPooled
        );
        assert_eq!(
            safe.after(&Failure::Unanswered(ended()), Origin::Pooled),
            Again::OnNew
        );
        assert_eq!(
            safe.after(&Failure::Unanswered(ended()), Origin::Pooled),
            Again::Never
        );
        let mut never = repeat("POST", Framing::Length(0), Upgrade::None);
        assert_eq!(
            never.after(&Failure::Unsent(ended()), Origin::Pooled),
            Again::OnPooled
        );
        assert_eq!(
            never.after(&Failure::Unsent(ended()), Origin::New),
            Again::Never
        );
        assert_eq!(
            never.after(&Failure::Unanswered(ended()), Origin::Pooled),
            Again::Never
        );
    }

    #[test]
    fn in_a_reload_new_connections_are_dropped_too_but_nothing_with_side_effects_goes_twice() {
        let mut safe = Repeat::of("GET", Framing::Length(0), Upgrade::None, LONG);
        assert_eq!(
            safe.after(&Failure::ResponseTimeout, Origin::New),
            Again::Never
        );
        assert_eq!(
            safe.after(&Failure::BrokeOff(ended()), Origin::New),
            Again::OnNew
        );
        for _ in 1..AGAIN_IN_RELOADS {
            assert_eq!(
                safe.after(&Failure::Unanswered(ended()), Origin::New),
                Again::OnNew
            );
        }
        assert_eq!(
            safe.after(&Failure::Unanswered(ended()), Origin::New),
            Again::Never
        );

        let mut post = Repeat::of("POST", Framing::Length(5), Upgrade::None, LONG);
        for origin in [Origin::New, Origin::Pooled] {
            assert_eq!(
                post.after(&Failure::BrokeOff(ended()), origin),
                Again::Never
            );
            assert_eq!(
                post.after(&Failure::Unanswered(ended()), origin),
                Again::Never
            );
        }
        assert_eq!(
            post.after(&Failure::Unsent(ended()), Origin::New),
            Again::OnNew,
            "nothing of it was sent"
        );
    }

    #[test]
    fn answers_are_held_back_only_where_they_can_be_asked_for_again() {
        let manners = Manners {
            hold_back: Some(5),
            ..Manners::default()
        };
        let holds = |method, patience| {
            Repeat::of(method, Framing::Length(0), Upgrade::None, patience).holds_back(&manners)
        };
        assert_eq!(
            (holds("GET", LONG), holds("POST", LONG), holds("GET", None)),
            (5, 0, 0)
        );
    }

    #[test]
    fn a_reload_that_takes_too_long_is_a_failure() {
        let mut safe = Repeat::of("GET", Framing::Length(0), Upgrade::None, LONG);
        safe.since = Instant::now().checked_sub(Duration::from_secs(3601));
        assert_eq!(
            safe.after(&Failure::Unanswered(ended()), Origin::New),
            Again::Never
        );
    }
}
