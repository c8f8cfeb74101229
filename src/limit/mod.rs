//! Limits on what requests may use: sizes and silence of bodies, and how many requests, how fast, and for how long. Knows
//! neither users nor routes: who shares a limit is for others to say.

mod body;
mod bounds;
mod bucket;
mod limiter;
mod usage;

pub use body::{BodyEnd, BodyFailure, Meter, MeteredBody};
pub use bounds::{Bounds, Rate, smaller};
pub use limiter::{Exceeded, Limiter, Taken};
pub use usage::UnderWay;

use std::sync::Arc;

/// Limiters by the position of whom they limit.
#[derive(Debug, Default)]
pub struct Limiters(Vec<Option<Arc<Limiter>>>);

impl Limiters {
    /// In the order of positions; those that limit nothing are `None`.
    pub fn new(limiters: Vec<Option<Arc<Limiter>>>) -> Self {
        // Where nobody is limited, nothing is looked at.
        Self(if limiters.iter().any(Option::is_some) {
            limiters
        } else {
            Vec::new()
        })
    }

    /// The limiter of whoever stands there, if there is one.
    pub fn get(&self, position: usize) -> Option<&Arc<Limiter>> {
        self.0.get(position)?.as_ref()
    }
}

#[cfg(test)]
mod tests;
