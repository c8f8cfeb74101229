//! The cacheable result of a verified chain, and its status at a given time: times are compared on each use. Builds no
//! paths.

use crate::tls::chain_error::ChainError;
use crate::tls::validity::{ValidityPeriod, seconds};
use rustls::pki_types::UnixTime;
use std::time::Duration;

/// The time limits of a verified path; seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ChainVerdict {
    pub(super) leaf: ValidityPeriod,
    /// The intersection of the validity of the anchor and the intermediates used.
    pub(super) authorities: ValidityPeriod,
    /// The last second in which its extended key usage is accepted.
    pub(super) usage_until: i64,
    /// The last second in which the revocation lists that cover it are valid.
    pub(super) crls_until: i64,
}

/// The status of a verified chain at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ChainStatus {
    /// How long ago the leaf expired.
    pub(super) expired_for: Option<Duration>,
    /// The last second in which this status is valid, since 1970.
    pub(super) until: i64,
}

impl ChainVerdict {
    /// The status at `now`. Accepts a leaf that expired no longer than `tolerance` ago.
    pub(super) fn at(&self, now: UnixTime, tolerance: Duration) -> Result<ChainStatus, ChainError> {
        let second = seconds(now);
        let tolerance = i64::try_from(tolerance.as_secs()).unwrap_or(i64::MAX);
        let leaf = ValidityPeriod {
            not_after: self.leaf.not_after.saturating_add(tolerance),
            ..self.leaf
        };
        leaf.check(now)?;
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
            seconds => (Some(Duration::from_secs(seconds)), leaf.not_after),
        };
        let until = leaf_until
            .min(self.authorities.not_after)
            .min(self.usage_until)
            .min(self.crls_until);
        Ok(ChainStatus { expired_for, until })
    }
}
