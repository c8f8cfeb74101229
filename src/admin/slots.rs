//! Limits the connections of the admin and metrics listeners. At the limit, the connection that has been idle for longest is
//! closed for a new one, so that idle clients cannot block a probe.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// The connections of one listener.
pub(super) struct ConnectionSlots {
    max_connections: usize,
    open: Mutex<Vec<Arc<SlotUse>>>,
    clock: AtomicU64,
}

#[derive(Default)]
struct SlotUse {
    /// Requests in progress.
    answering: AtomicUsize,
    /// Value of `ConnectionSlots::clock` at the end of the last request.
    last_active: AtomicU64,
    /// Tells the connection to close.
    close: Notify,
}

/// One connection. Dropping this frees the slot.
pub(super) struct ConnectionSlot {
    slots: Arc<ConnectionSlots>,
    slot_use: Arc<SlotUse>,
}

/// A request in progress, until this is dropped.
pub(super) struct ResponseGuard<'s>(&'s ConnectionSlot);

impl ConnectionSlots {
    pub(super) fn new(max_connections: usize) -> Arc<Self> {
        Arc::new(Self {
            max_connections,
            open: Mutex::default(),
            clock: AtomicU64::new(0),
        })
    }

    /// A slot for a new connection. `None` if all slots are taken and no connection is idle.
    pub(super) fn take(self: &Arc<Self>) -> Option<ConnectionSlot> {
        let mut open = self.open();
        if open.len() >= self.max_connections {
            let idle = open
                .iter()
                .enumerate()
                .filter(|(_, slot)| slot.answering.load(Ordering::Relaxed) == 0);
            let (at, _) = idle.min_by_key(|(_, slot)| slot.last_active.load(Ordering::Relaxed))?;
            open.swap_remove(at).close.notify_one();
        }
        let slot_use = Arc::<SlotUse>::default();
        open.push(slot_use.clone());
        drop(open);
        let slot = ConnectionSlot {
            slots: self.clone(),
            slot_use,
        };
        slot.touch();
        Some(slot)
    }

    fn open(&self) -> MutexGuard<'_, Vec<Arc<SlotUse>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConnectionSlot {
    pub(super) fn begin_response(&self) -> ResponseGuard<'_> {
        self.slot_use.answering.fetch_add(1, Ordering::Relaxed);
        ResponseGuard(self)
    }

    /// Completes when the connection must close for a new one.
    pub(super) async fn closed_for_another(&self) {
        self.slot_use.close.notified().await;
    }

    fn touch(&self) {
        self.slot_use.last_active.store(
            self.slots.clock.fetch_add(1, Ordering::Relaxed),
            Ordering::Relaxed,
        );
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.slots
            .open()
            .retain(|slot| !Arc::ptr_eq(slot, &self.slot_use));
    }
}

impl Drop for ResponseGuard<'_> {
    fn drop(&mut self) {
        self.0.touch();
        self.0.slot_use.answering.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_longest_idle_connection_is_evicted_and_no_active_one() {
        let slots = ConnectionSlots::new(3);
        let [first, second, third] = [(); 3].map(|()| slots.take().unwrap());
        drop(first.begin_response());
        let under_way = second.begin_response();
        let fourth = slots.take().unwrap();
        third.closed_for_another().await;
        drop(third);
        let fifth = slots.take().unwrap();
        first.closed_for_another().await;
        let all_busy = [fourth.begin_response(), fifth.begin_response()];
        assert!(slots.take().is_none(), "no connection is idle");
        drop((under_way, all_busy));
        assert!(slots.take().is_some());
        second.closed_for_another().await;
        drop((first, second, fourth, fifth));
        assert_eq!(slots.open().len(), 0);
    }
}
