//! What was found about a chain once, and what it says at any later moment: times are compared each time. Finds nothing.

use super::refused::ChainError;
use crate::tls::verified::{Validity, seconds};
use rustls::pki_types::UnixTime;
use std::time::Duration;

/// A path was found, and this is how long what it is made of lasts; seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tls) struct Verdict {
    pub(in crate::tls) leaf: Validity,
    /// The intermediates that were used, and the anchor.
    pub(in crate::tls) authorities: Validity,
    /// The last second in which its usage is taken.
    pub(in crate::tls) usage_until: i64,
    /// The last second in which the revocation lists that cover it count.
    pub(in crate::tls) crls_until: i64,
}

/// A verdict at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    /// How long the leaf has been over.
    pub(super) expired_for: Option<Duration>,
    /// The last second in which this is still so.
    pub(super) until: i64,
}

impl Verdict {
    /// What it says at this moment, for leaves that expired no longer than `tolerance` ago.
    pub(super) fn at(&self, now: UnixTime, tolerance: Duration) -> Result<Held, ChainError> {
        let second = seconds(now);
        let lasting = i64::try_from(tolerance.as_secs()).unwrap_or(i64::MAX);
        let tolerated = Validity {
            not_after: self.leaf.not_after.saturating_add(lasting),
            ..self.leaf
        };
        tolerated.check(now)?;
        self.authorities.check(now)?;
        if second > self.usage_until {
            return Err(ChainError::ServerOnly);
        }
        if second > self.crls_until {
            return Err(ChainError::CrlStale);
        }
        let expired_for = u64::try_from(second.saturating_sub(self.leaf.not_after)).unwrap_or(0);
        let (expired_for, leaf_until) = match expired_for {
            0 => (None, self.leaf.not_after),
            over => (Some(Duration::from_secs(over)), tolerated.not_after),
        };
        let until = leaf_until
            .min(self.authorities.not_after)
            .min(self.usage_until)
            .min(self.crls_until);
        Ok(Held { expired_for, until })
    }
}
