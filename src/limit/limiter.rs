//! One limiter: the numbers, and what is taken of them by the requests that share it. What a request took goes back unless
//! it is kept, so a request that is refused costs nothing. Reads no clock.

use super::bounds::{Bounds, Rate};
use super::bucket::{Bucket, Token};
use super::usage::{UnderWay, Usage};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

const DAY: u64 = 24 * 3600;

/// See the module.
#[derive(Debug)]
pub struct Limiter {
    bounds: Bounds,
    bucket: Option<Arc<Bucket>>,
    usage: Arc<Usage>,
}

/// Why a request may not go on now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exceeded {
    /// Too many come.
    Rate {
        /// What is allowed.
        rate: Rate,
        /// Until the next may come.
        wait: Duration,
    },
    /// As many as there may be are under way.
    Concurrency {
        /// What is allowed.
        most: NonZeroU32,
    },
    /// There were as many as there may be today.
    Quota {
        /// What is allowed.
        most: NonZeroU32,
        /// Until the day is over.
        wait: Duration,
    },
}

/// What one request has taken. Dropping it gives all of it back.
#[derive(Debug)]
#[must_use]
pub struct Taken<'l> {
    limiter: &'l Limiter,
    under_way: Option<UnderWay>,
    token: Option<Token>,
    day: Option<u32>,
}

impl Limiter {
    /// A limiter that goes on where an earlier one of the same owner is. What is under way and the day's count last whatever
    /// the numbers are; a bucket begins anew with another rate, since what was taken of the old one says nothing about it.
    pub fn new(bounds: Bounds, before: Option<&Arc<Self>>, now: Instant) -> Arc<Self> {
        if let Some(unchanged) = before.filter(|before| before.bounds == bounds) {
            return unchanged.clone();
        }
        let bucket = bounds.rate.map(|rate| {
            let same = before
                .and_then(|before| before.bucket.as_ref())
                .filter(|bucket| bucket.rate() == rate);
            same.cloned()
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

    /// The numbers.
    pub fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// Takes what one request takes. `seconds` says the time since 1970, and is asked only where days are counted.
    ///
    /// # Errors
    /// What there is too little of. Then nothing is taken.
    pub fn take(&self, now: Instant, seconds: impl FnOnce() -> u64) -> Result<Taken<'_>, Exceeded> {
        let mut taken = Taken {
            limiter: self,
            under_way: None,
            token: None,
            day: None,
        };
        if let Some(most) = self.bounds.concurrency {
            taken.under_way = Some(
                self.usage
                    .begin(most)
                    .ok_or(Exceeded::Concurrency { most })?,
            );
        }
        if let Some(bucket) = &self.bucket {
            let token = bucket.take(now).map_err(|wait| Exceeded::Rate {
                rate: bucket.rate(),
                wait,
            })?;
            taken.token = Some(token);
        }
        if let Some(most) = self.bounds.daily_quota {
            let seconds = seconds();
            let today = u32::try_from(seconds / DAY).unwrap_or(u32::MAX);
            let over = Exceeded::Quota {
                most,
                wait: Duration::from_secs(DAY - seconds % DAY),
            };
            taken.day = Some(self.usage.count(most, today).ok_or(over)?);
        }
        Ok(taken)
    }
}

impl Taken<'_> {
    /// The request goes on: what it took is spent, and it counts as under way for as long as the value is held.
    pub fn keep(mut self) -> Option<UnderWay> {
        (self.token, self.day) = (None, None);
        self.under_way.take()
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if let (Some(token), Some(bucket)) = (self.token, &self.limiter.bucket) {
            bucket.give_back(token);
        }
        if let Some(day) = self.day {
            self.limiter.usage.discount(day);
        }
    }
}
