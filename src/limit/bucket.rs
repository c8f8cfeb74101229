//! A rate limit: a GCRA in one atomic, without a lock. A request that is denied later gives its token back. The caller passes
//! the time.

use super::bounds::Rate;
use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{NotKeyed, StateStore};
use governor::{Quota, RateLimiter};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The state of one rate limit.
#[derive(Debug)]
pub(super) struct Bucket {
    rate: Rate,
    quota: Quota,
    /// The zero point of `arrival`.
    since: Instant,
    /// The theoretical arrival time of GCRA, in nanoseconds after `since`. 0 before the first take.
    arrival: AtomicU64,
}

/// The take of one request: the arrival time before and after it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RateToken {
    before: u64,
    after: u64,
}

impl Bucket {
    pub(super) fn new(rate: Rate, since: Instant) -> Self {
        // A period is never zero; if it were, the slowest possible rate applies.
        let quota =
            Quota::with_period(rate.period()).unwrap_or(Quota::per_hour(std::num::NonZeroU32::MIN));
        Self {
            rate,
            quota: quota.allow_burst(rate.burst),
            since,
            arrival: AtomicU64::new(0),
        }
    }

    pub(super) fn rate(&self) -> Rate {
        self.rate
    }

    /// Takes a token for one request, or returns the time to wait.
    pub(super) fn take(&self, now: Instant) -> Result<RateToken, Duration> {
        let now = u64::try_from(now.saturating_duration_since(self.since).as_nanos())
            .unwrap_or(u64::MAX / 4);
        let now = Nanos::from(now);
        // The library's limiter is a few numbers on the stack, created per request: it uses the time of the request, and
        // the replaced arrival time is known. Only the atomic is kept.
        let store = BucketStore {
            arrival: &self.arrival,
            token: Cell::default(),
        };
        let limiter: RateLimiter<_, _, _, NoOpMiddleware<Nanos>> =
            RateLimiter::new(self.quota, store, FixedClock::default());
        limiter.clock().0.set(now);
        match limiter.check() {
            Ok(()) => Ok(limiter.into_state_store().token.get()),
            Err(not_until) => Err(not_until.wait_time_from(now)),
        }
    }

    /// Undoes the last take. A take that was followed by another stays: undoing it could exceed the rate, if the later one found
    /// the bucket full.
    pub(super) fn give_back(&self, token: RateToken) {
        let _ = self.arrival.compare_exchange(
            token.after,
            token.before,
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
    }
}

/// A clock with a fixed time: first zero, then the arrival of the request.
#[derive(Default)]
struct FixedClock(Cell<Nanos>);

impl Clock for FixedClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.0.get()
    }
}

/// The state store of a bucket for one take.
struct BucketStore<'b> {
    arrival: &'b AtomicU64,
    token: Cell<RateToken>,
}

impl StateStore for BucketStore<'_> {
    type Key = NotKeyed;

    fn measure_and_replace<T, F, E>(&self, _: &NotKeyed, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut before = self.arrival.load(Ordering::Relaxed);
        loop {
            let (result, after) = measure((before > 0).then(|| Nanos::from(before)))?;
            let after = u64::from(after);
            match self.arrival.compare_exchange_weak(
                before,
                after,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => {
                    self.token.set(RateToken { before, after });
                    return Ok(result);
                }
                Err(other) => before = other,
            }
        }
    }
}
