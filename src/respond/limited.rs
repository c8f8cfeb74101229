//! How a request over a limit is answered: words, sentences, and when to come again. Decides nothing.
//!
//! `RateLimit` and `RateLimit-Policy` are structured fields (draft-ietf-httpapi-ratelimit-headers-10).

use crate::limit::Exceeded;
use std::time::Duration;

/// A limit that a request is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limited {
    /// Whose it is.
    pub whose: Whose,
    /// What there is too little of.
    pub exceeded: Exceeded,
}

/// Whose a limit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The ApiUser's, whether it says so itself or a role of it does.
    User,
    /// The route's.
    Route,
}

impl Limited {
    pub(super) fn word(&self) -> &'static str {
        match self.exceeded {
            Exceeded::Rate { .. } => "rate_limited",
            Exceeded::Concurrency { .. } => "too_many_concurrent",
            Exceeded::Quota { .. } => "quota_used_up",
        }
    }

    pub(super) fn sentence(&self) -> &'static str {
        match self.exceeded {
            Exceeded::Rate { .. } => "Requests come too fast; try later.",
            Exceeded::Concurrency { .. } => "Too many requests are under way; try later.",
            Exceeded::Quota { .. } => "There were as many requests as there may be today.",
        }
    }

    pub(super) fn detail(&self) -> &'static str {
        match self.whose {
            Whose::User => "limit of the ApiUser",
            Whose::Route => "limit of the route",
        }
    }

    /// What was exceeded and when to come again.
    pub(super) fn fields(&self) -> Vec<(&'static str, String)> {
        let whose = match self.whose {
            Whose::User => "user",
            Whose::Route => "route",
        };
        let (limit, policy, wait) = match self.exceeded {
            Exceeded::Rate { rate, wait } => {
                let (requests, window) = (rate.rate.requests, rate.rate.window.as_secs());
                let wait = rounded_up(wait);
                (
                    format!("\"{whose}\";r=0;t={wait}"),
                    format!("\"{whose}\";q={requests};w={window}"),
                    wait,
                )
            }
            Exceeded::Concurrency { most } => (
                format!("\"{whose}-concurrency\";r=0"),
                format!("\"{whose}-concurrency\";q={most};qu=\"concurrent-requests\""),
                SOON,
            ),
            Exceeded::Quota { most, wait } => {
                let wait = rounded_up(wait);
                (
                    format!("\"{whose}-daily\";r=0;t={wait}"),
                    format!("\"{whose}-daily\";q={most};w=86400"),
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

/// When to come again, in seconds, where it is not known when a place becomes free.
pub(super) const SOON: u64 = 1;

/// `Retry-After` in seconds (RFC 9110 section 10.2.3).
pub(super) fn retry_after(seconds: u64) -> (&'static str, String) {
    ("retry-after", seconds.to_string())
}

/// Whole seconds, and never none: who came back at once would be refused again.
fn rounded_up(wait: Duration) -> u64 {
    let begun = u64::from(wait.subsec_nanos() > 0);
    wait.as_secs().saturating_add(begun).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RequestRate;
    use crate::limit::Rate;
    use std::num::NonZeroU32;

    fn fields(whose: Whose, exceeded: Exceeded) -> [String; 3] {
        let fields = Limited { whose, exceeded }.fields();
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
        let said = fields(Whose::User, Exceeded::Rate { rate, wait });
        assert_eq!(said, ["5", "\"user\";r=0;t=5", "\"user\";q=100;w=60"]);
        let said = fields(
            Whose::Route,
            Exceeded::Rate {
                rate,
                wait: Duration::from_nanos(1),
            },
        );
        assert_eq!(said, ["1", "\"route\";r=0;t=1", "\"route\";q=100;w=60"]);
        let said = fields(Whose::User, Exceeded::Concurrency { most: number(5) });
        let policy = "\"user-concurrency\";q=5;qu=\"concurrent-requests\"";
        assert_eq!(said, ["1", "\"user-concurrency\";r=0", policy]);
        let said = fields(
            Whose::Route,
            Exceeded::Quota {
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
