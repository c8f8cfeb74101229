//! Usage counters: concurrent requests, and requests of the current day. Each is one atomic. The caller passes the day.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Counters that outlive a change of the limits.
#[derive(Debug, Default)]
pub(super) struct UsageCounters {
    under_way: AtomicU32,
    /// The day since 1970 in the upper 32 bits, and its number of requests in the lower.
    today: AtomicU64,
}

/// Counts a request as concurrent until this is dropped.
#[derive(Debug)]
pub struct ConcurrencyGuard(Arc<UsageCounters>);

impl Drop for ConcurrencyGuard {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

impl UsageCounters {
    /// Counts a request as concurrent. `None` if there are `most` already.
    pub(super) fn begin(self: &Arc<Self>, most: NonZeroU32) -> Option<ConcurrencyGuard> {
        let one_more = |under_way: u32| (under_way < most.get()).then_some(under_way + 1);
        self.under_way
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .ok()?;
        Some(ConcurrencyGuard(self.clone()))
    }

    /// Counts a request on this day, and returns the counted day. `None` if there were `most` already.
    pub(super) fn count(&self, most: NonZeroU32, today: u32) -> Option<u32> {
        let mut day = today;
        let one_more = |packed: u64| {
            let (counted_day, count) = unpack(packed);
            // A clock set back does not start a new day.
            let count = if today > counted_day { 0 } else { count };
            day = counted_day.max(today);
            (count < most.get()).then(|| pack(day, count + 1))
        };
        self.today
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .ok()?;
        Some(day)
    }

    /// Takes back a request of this day, unless the day has changed.
    pub(super) fn discount(&self, day: u32) {
        let one_less = |packed: u64| match unpack(packed) {
            (counted_day, count @ 1..) if counted_day == day => Some(pack(day, count - 1)),
            _ => None,
        };
        let _ = self
            .today
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less);
    }
}

fn pack(day: u32, count: u32) -> u64 {
    u64::from(day) << 32 | u64::from(count)
}

fn unpack(packed: u64) -> (u32, u32) {
    ((packed >> 32) as u32, (packed & u64::from(u32::MAX)) as u32)
}
