//! The response to a request over a limit: its reason, and when to retry. Decides nothing.
//!
//! `RateLimit` and `RateLimit-Policy` are structured fields (draft-ietf-httpapi-ratelimit-headers-10).

use crate::limit::LimitExceeded;
use crate::reason::Reason;
use std::time::Duration;

/// A limit that a request exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExceededLimit {
    /// The owner of the limit.
    pub owner: LimitOwner,
    /// The exceeded part.
    pub exceeded: LimitExceeded,
}

/// The owner of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitOwner {
    /// The ApiUser; the limit is its own or of a role.
    User,
    /// The route.
    Route,
    /// The gateway: each ApiUser has a share of the places for bodies that a decision depends on.
    BodyReads,
}

impl ExceededLimit {
    pub(super) fn reason(&self) -> Reason {
        match self.exceeded {
            LimitExceeded::Rate { .. } => Reason::RateLimited,
            LimitExceeded::Concurrency { .. } => Reason::TooManyConcurrent,
            LimitExceeded::Quota { .. } => Reason::QuotaUsedUp,
        }
    }

    pub(super) fn detail(&self) -> &'static str {
        match self.owner {
            LimitOwner::User => "limit of the ApiUser",
            LimitOwner::Route => "limit of the route",
            LimitOwner::BodyReads => {
                "share of the ApiUser of the bodies that are read for a decision"
            }
        }
    }

    /// The fields with the exceeded limit and the retry time.
    pub(super) fn fields(&self) -> Vec<(&'static str, String)> {
        let owner = match self.owner {
            LimitOwner::User => "user",
            LimitOwner::Route => "route",
            LimitOwner::BodyReads => "user-body",
        };
        let (limit, policy, wait) = match self.exceeded {
            LimitExceeded::Rate { rate, wait } => {
                let (requests, window) = (rate.rate.requests, rate.rate.window.as_secs());
                let wait = rounded_up(wait);
                (
                    format!("\"{owner}\";r=0;t={wait}"),
                    format!("\"{owner}\";q={requests};w={window}"),
                    wait,
                )
            }
            LimitExceeded::Concurrency { most } => (
                format!("\"{owner}-concurrency\";r=0"),
                format!("\"{owner}-concurrency\";q={most};qu=\"concurrent-requests\""),
                SOON,
            ),
            LimitExceeded::Quota { most, wait } => {
                let wait = rounded_up(wait);
                (
                    format!("\"{owner}-daily\";r=0;t={wait}"),
                    format!("\"{owner}-daily\";q={most};w=86400"),
                    wait,
                )
            }
        };
        vec![
            retry_after(wait),
            ("ratelimit", limit),
            ("ratelimit-policy", policy),
        ]
    }
}

/// Retry time in seconds if the real one is unknown.
pub(super) const SOON: u64 = 1;

/// `Retry-After` in seconds (RFC 9110 section 10.2.3).
pub(super) fn retry_after(seconds: u64) -> (&'static str, String) {
    ("retry-after", seconds.to_string())
}

/// Whole seconds, at least one: an immediate retry would fail again.
fn rounded_up(wait: Duration) -> u64 {
    let fraction = u64::from(wait.subsec_nanos() > 0);
    wait.as_secs().saturating_add(fraction).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RequestRate;
    use crate::limit::Rate;
    use std::num::NonZeroU32;

    fn fields(owner: LimitOwner, exceeded: LimitExceeded) -> [String; 3] {
        let fields = ExceededLimit { owner, exceeded }.fields();
        ["retry-after", "ratelimit", "ratelimit-policy"].map(|name| {
            fields
                .iter()
                .find(|(field, _)| *field == name)
                .unwrap()
                .1
                .clone()
        })
    }

    #[test]
    fn each_limit_says_what_it_is_and_when_to_come_again() {
        let number = |number| NonZeroU32::new(number).unwrap();
        let rate = RequestRate {
            requests: number(100),
            window: Duration::from_secs(60),
        };
        let rate = Rate {
            rate,
            burst: number(200),
        };
        let wait = Duration::from_millis(4001);
        let said = fields(LimitOwner::User, LimitExceeded::Rate { rate, wait });
        assert_eq!(said, ["5", "\"user\";r=0;t=5", "\"user\";q=100;w=60"]);
        let said = fields(
            LimitOwner::Route,
            LimitExceeded::Rate {
                rate,
                wait: Duration::from_nanos(1),
            },
        );
        assert_eq!(said, ["1", "\"route\";r=0;t=1", "\"route\";q=100;w=60"]);
        let said = fields(
            LimitOwner::User,
            LimitExceeded::Concurrency { most: number(5) },
        );
        let policy = "\"user-concurrency\";q=5;qu=\"concurrent-requests\"";
        assert_eq!(said, ["1", "\"user-concurrency\";r=0", policy]);
        let said = fields(
            LimitOwner::Route,
            LimitExceeded::Quota {
                most: number(7),
                wait: Duration::from_secs(90),
            },
        );
        assert_eq!(
            said,
            [
                "90",
                "\"route-daily\";r=0;t=90",
                "\"route-daily\";q=7;w=86400"
            ]
        );
    }
}
