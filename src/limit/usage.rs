//! What is in use and what was used today: requests under way, and requests of one day. Each is one atomic. Knows no
//! limit's owner, and reads no clock.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Counts that go on when the numbers of a limit change.
#[derive(Debug, Default)]
pub(super) struct Usage {
    under_way: AtomicU32,
    /// The day since 1970 in the upper half, and its requests in the lower.
    today: AtomicU64,
}

/// One request under way. Dropping it says that it is over.
#[derive(Debug)]
pub struct UnderWay(Arc<Usage>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Usage {
    /// One more under way. `None` if there are as many as there may be.
    pub(super) fn begin(self: &Arc<Self>, most: NonZeroU32) -> Option<UnderWay> {
        let one_more = |under_way: u32| (under_way < most.get()).then_some(under_way + 1);
        self.under_way
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .ok()?;
        Some(UnderWay(self.clone()))
    }

    /// One more on this day. `None` if there were as many as there may be; else the day that it counts for.
    pub(super) fn count(&self, most: NonZeroU32, today: u32) -> Option<u32> {
        let mut day = today;
        let one_more = |packed: u64| {
            let (of, count) = unpacked(packed);
            // A clock that is set back does not begin a day anew.
            let (of, count) = if today > of { (today, 0) } else { (of, count) };
            day = of;
            (count < most.get()).then(|| pack(of, count + 1))
        };
        self.today
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .ok()?;
        Some(day)
    }

    /// One less on this day, unless it is over.
    pub(super) fn discount(&self, day: u32) {
        let one_less = |packed: u64| match unpacked(packed) {
            (of, count @ 1..) if of == day => Some(pack(of, count - 1)),
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

fn unpacked(packed: u64) -> (u32, u32) {
    ((packed >> 32) as u32, (packed & u64::from(u32::MAX)) as u32)
}
