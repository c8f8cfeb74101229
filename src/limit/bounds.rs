//! The numbers of limits, and the smaller ones of two. Counts nothing.

use crate::config::RequestRate;
use std::num::NonZeroU32;
use std::time::Duration;

/// How much requests may use. `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// How fast they may come.
    pub rate: Option<Rate>,
    /// How many may be under way at once.
    pub concurrency: Option<NonZeroU32>,
    /// How many there may be on one day (UTC).
    pub daily_quota: Option<NonZeroU32>,
    /// Bytes of a body.
    pub body_size: Option<u64>,
    /// From the head to the last byte of the answer.
    pub request_time: Option<Duration>,
}

/// How fast requests may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// In the long run.
    pub rate: RequestRate,
    /// At once.
    pub burst: NonZeroU32,
}

impl Rate {
    /// Between two requests in the long run. Rounded up, so that never more pass than was said.
    pub(super) fn period(self) -> Duration {
        let window = self
            .rate
            .window
            .as_nanos()
            .div_ceil(u128::from(self.rate.requests.get()));
        Duration::from_nanos(u64::try_from(window).unwrap_or(u64::MAX))
    }

    /// What both allow: the slower rate, and the smaller burst.
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
