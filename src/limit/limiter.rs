//! A limiter: its limits, and the usage by the requests that share it. A request gives its take back unless it is kept, so a
//! denied request uses nothing. The caller passes the time.

use super::bounds::{Bounds, Rate};
use super::bucket::{Bucket, RateToken};
use super::usage::{ConcurrencyGuard, UsageCounters};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

const DAY: u64 = 24 * 3600;

/// Limits shared by the requests of one owner, such as a user or a route.
#[derive(Debug)]
pub struct Limiter {
    bounds: Bounds,
    bucket: Option<Arc<Bucket>>,
    usage: Arc<UsageCounters>,
}

/// The exceeded limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitExceeded {
    /// The request rate.
    Rate {
        /// The allowed rate.
        rate: Rate,
        /// Time until the next request is allowed.
        wait: Duration,
    },
    /// The number of concurrent requests.
    Concurrency {
        /// The allowed number.
        most: NonZeroU32,
    },
    /// The daily quota.
    Quota {
        /// The allowed number.
        most: NonZeroU32,
        /// Time until the end of the day (UTC).
        wait: Duration,
    },
}

/// The take of one request. Dropping it gives everything back.
#[derive(Debug)]
#[must_use]
pub struct LimiterReservation<'l> {
    limiter: &'l Limiter,
    under_way: Option<ConcurrencyGuard>,
    token: Option<RateToken>,
    day: Option<u32>,
}

impl Limiter {
    /// A limiter that continues the earlier one of the same owner. Concurrent requests and the daily count are kept for any
    /// limits. The rate starts afresh if it changed, since the old state does not apply to it.
    pub fn new(bounds: Bounds, before: Option<&Arc<Self>>, now: Instant) -> Arc<Self> {
        if let Some(unchanged) = before.filter(|before| before.bounds == bounds) {
            return unchanged.clone();
        }
        let bucket = bounds.rate.map(|rate| {
            let same_rate = before
                .and_then(|before| before.bucket.as_ref())
                .filter(|bucket| bucket.rate() == rate);
            same_rate
                .cloned()
                .unwrap_or_else(|| Arc::new(Bucket::new(rate, now)))
        });
        let usage = before
            .map(|before| before.usage.clone())
            .unwrap_or_default();
        Arc::new(Self {
            bounds,
            bucket,
            usage,
        })
    }

    /// The limits.
    pub fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// Takes the share of one request. `seconds` returns the seconds since 1970, and is called only for a daily quota.
    ///
    /// # Errors
    /// The exceeded limit. Nothing is taken then.
    pub fn take(
        &self,
        now: Instant,
        seconds: impl FnOnce() -> u64,
    ) -> Result<LimiterReservation<'_>, LimitExceeded> {
        let mut taken = LimiterReservation {
            limiter: self,
            under_way: None,
            token: None,
            day: None,
        };
        if let Some(most) = self.bounds.concurrency {
            taken.under_way = Some(
                self.usage
                    .begin(most)
                    .ok_or(LimitExceeded::Concurrency { most })?,
            );
        }
        if let Some(bucket) = &self.bucket {
            let token = bucket.take(now).map_err(|wait| LimitExceeded::Rate {
                rate: bucket.rate(),
                wait,
            })?;
            taken.token = Some(token);
        }
        if let Some(most) = self.bounds.daily_quota {
            let seconds = seconds();
            let today = u32::try_from(seconds / DAY).unwrap_or(u32::MAX);
            let exceeded = LimitExceeded::Quota {
                most,
                wait: Duration::from_secs(DAY - seconds % DAY),
            };
            taken.day = Some(self.usage.count(most, today).ok_or(exceeded)?);
        }
        Ok(taken)
    }
}

impl LimiterReservation<'_> {
    /// The request is permitted: its take is spent. It counts as concurrent until the result is dropped.
    pub fn keep(mut self) -> Option<ConcurrencyGuard> {
        self.token = None;
        self.day = None;
        self.under_way.take()
    }
}

impl Drop for LimiterReservation<'_> {
    fn drop(&mut self) {
        if let (Some(token), Some(bucket)) = (self.token, &self.limiter.bucket) {
            bucket.give_back(token);
        }
        if let Some(day) = self.day {
            self.limiter.usage.discount(day);
        }
    }
}
