//! Limits on requests: body size, body idle timeout, rate, concurrency, daily quota and duration. The caller determines which
//! requests share a limiter.

mod body;
mod bounds;
mod bucket;
mod limiter;
mod usage;

pub use body::{BodyEnd, BodyFailure, BodyMeter, MeteredBody};
pub use bounds::{Bounds, Rate, smaller};
pub use limiter::{LimitExceeded, Limiter, LimiterReservation};
pub use usage::ConcurrencyGuard;

use std::sync::Arc;

/// Limiters by position, such as the index of a user.
#[derive(Debug, Default)]
pub struct Limiters(Vec<Option<Arc<Limiter>>>);

impl Limiters {
    /// `limiters` in the order of positions; `None` for a position without limits.
    pub fn new(limiters: Vec<Option<Arc<Limiter>>>) -> Self {
        // Without any limiter, the lookup is free.
        Self(if limiters.iter().any(Option::is_some) {
            limiters
        } else {
            Vec::new()
        })
    }

    /// The limiter at a position, if it has one.
    pub fn get(&self, position: usize) -> Option<&Arc<Limiter>> {
        self.0.get(position)?.as_ref()
    }
}

#[cfg(test)]
mod tests;
