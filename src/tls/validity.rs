//! Periods of validity, and times as seconds since 1970.

use super::certificate_facts::CertificateFacts;
use rustls::CertificateError;
use rustls::pki_types::{CertificateDer, UnixTime};
use std::time::Duration;

/// A period of validity, seconds since 1970, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ValidityPeriod {
    pub(super) not_before: i64,
    pub(super) not_after: i64,
}

impl ValidityPeriod {
    /// The period in which all of these certificates are valid. `None` if one cannot be read.
    pub(super) fn of<'a>(chain: impl Iterator<Item = &'a CertificateDer<'a>>) -> Option<Self> {
        let all = Self {
            not_before: i64::MIN,
            not_after: i64::MAX,
        };
        chain
            .map(CertificateFacts::read)
            .try_fold(all, |validity, facts| {
                let CertificateFacts {
                    not_before,
                    not_after,
                    ..
                } = facts?;
                Some(validity.and(Self {
                    not_before,
                    not_after,
                }))
            })
    }

    /// The intersection.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            not_before: self.not_before.max(other.not_before),
            not_after: self.not_after.min(other.not_after),
        }
    }

    /// Fails if `now` is outside the period.
    pub(super) fn check(self, now: UnixTime) -> Result<(), CertificateError> {
        let unix_time = |second: i64| {
            UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(second).unwrap_or(0)))
        };
        let second = seconds(now);
        if second > self.not_after {
            return Err(CertificateError::ExpiredContext {
                time: now,
                not_after: unix_time(self.not_after),
            });
        }
        if second < self.not_before {
            return Err(CertificateError::NotValidYetContext {
                time: now,
                not_before: unix_time(self.not_before),
            });
        }
        Ok(())
    }
}

/// Seconds since 1970.
pub(super) fn seconds(time: UnixTime) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}
