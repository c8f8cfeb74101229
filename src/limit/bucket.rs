//! How fast requests come: a GCRA in one atomic, without a lock. What a request took that is refused after all can be given
//! back. Reads no clock.

use super::bounds::Rate;
use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{NotKeyed, StateStore};
use governor::{Quota, RateLimiter};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What is left of a rate.
#[derive(Debug)]
pub(super) struct Bucket {
    rate: Rate,
    quota: Quota,
    /// Its time begins here.
    since: Instant,
    /// When all that was taken is made up for, in nanoseconds: the theoretical arrival time. 0 while nothing was taken.
    arrival: AtomicU64,
}

/// What one request took: the arrival time before it and behind it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Token {
    before: u64,
    behind: u64,
}

impl Bucket {
    pub(super) fn new(rate: Rate, since: Instant) -> Self {
        // A period is never zero; were it, as little as can be said would pass.
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

    /// Takes one request's worth, or says how long to wait.
    pub(super) fn take(&self, now: Instant) -> Result<Token, Duration> {
        let now = u64::try_from(now.saturating_duration_since(self.since).as_nanos())
            .unwrap_or(u64::MAX / 4);
        let now = Nanos::from(now);
        // The library's limiter is a few numbers on the stack, made for this request: so it goes by the clock of the
        // request, and what it replaces is known. What lasts is the atomic.
        let taking = Taking {
            arrival: &self.arrival,
            token: Cell::default(),
        };
        let limiter: RateLimiter<_, _, _, NoOpMiddleware<Nanos>> =
            RateLimiter::new(self.quota, taking, Told::default());
        limiter.clock().0.set(now);
        match limiter.check() {
            Ok(()) => Ok(limiter.into_state_store().token.get()),
            Err(not_until) => Err(not_until.wait_time_from(now)),
        }
    }

    /// Undoes a take that nothing was taken after. If something was, it stays taken: to give it back then could let more
    /// pass than the rate, where what came after found the bucket full.
    pub(super) fn give_back(&self, token: Token) {
        let _ = self.arrival.compare_exchange(
            token.behind,
            token.before,
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
    }
}

/// A clock that says what it was told: first that nothing has passed, then when the request came.
#[derive(Default)]
struct Told(Cell<Nanos>);

impl Clock for Told {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.0.get()
    }
}

/// The state of a bucket for one take.
struct Taking<'b> {
    arrival: &'b AtomicU64,
    token: Cell<Token>,
}

impl StateStore for Taking<'_> {
    type Key = NotKeyed;

    fn measure_and_replace<T, F, E>(&self, _: &NotKeyed, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut before = self.arrival.load(Ordering::Relaxed);
        loop {
            let (result, behind) = measure((before > 0).then(|| Nanos::from(before)))?;
            let behind = u64::from(behind);
            match self.arrival.compare_exchange_weak(
                before,
                behind,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => {
                    self.token.set(Token { before, behind });
                    return Ok(result);
                }
                Err(other) => before = other,
            }
        }
    }
}
