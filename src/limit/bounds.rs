//! The values of limits, and the stricter of two.

use crate::config::RequestRate;
use std::num::NonZeroU32;
use std::time::Duration;

/// Limits on requests. `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Maximum request rate.
    pub rate: Option<Rate>,
    /// Maximum number of concurrent requests.
    pub concurrency: Option<NonZeroU32>,
    /// Maximum number of requests per day (UTC).
    pub daily_quota: Option<NonZeroU32>,
    /// Maximum size of a body in bytes.
    pub body_size: Option<u64>,
    /// Maximum time from the request head to the last byte of the response.
    pub request_time: Option<Duration>,
}

/// A request rate with its burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The long-term rate.
    pub rate: RequestRate,
    /// Maximum number of requests at once.
    pub burst: NonZeroU32,
}

impl Rate {
    /// The time between two requests at the long-term rate. Rounded up, so that the rate is never exceeded.
    pub(super) fn period(self) -> Duration {
        let window = self
            .rate
            .window
            .as_nanos()
            .div_ceil(u128::from(self.rate.requests.get()));
        Duration::from_nanos(u64::try_from(window).unwrap_or(u64::MAX))
    }

    /// The stricter of two rates: the slower rate, and the smaller burst.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let slower = if self.period() >= other.period() {
            self
        } else {
            other
        };
        Self {
            burst: self.burst.min(other.burst),
            ..slower
        }
    }
}

/// The smaller of two limits; `None` is no limit.
pub fn smaller<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
