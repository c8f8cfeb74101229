//! How many connections a listener for operators or monitoring has at once: the one that has been idle for longest gives way
//! to a new one, so that nobody keeps a probe out. Accepts none.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// The connections of one listener.
pub(super) struct ConnectionSlots {
    most: usize,
    open: Mutex<Vec<Arc<SlotUse>>>,
    clock: AtomicU64,
}

#[derive(Default)]
struct SlotUse {
    /// Requests that are being answered.
    answering: AtomicUsize,
    /// Ticks of the clock of the slots.
    last_active: AtomicU64,
    give_way: Notify,
}

/// One connection, until this is dropped.
pub(super) struct ConnectionSlot {
    slots: Arc<ConnectionSlots>,
    here: Arc<SlotUse>,
}

/// A request that is being answered, until this is dropped.
pub(super) struct AnswerGuard<'s>(&'s ConnectionSlot);

impl ConnectionSlots {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            open: Mutex::default(),
            clock: AtomicU64::new(0),
        })
    }

    /// A slot for a new connection. `None` if all are taken and no connection is idle.
    pub(super) fn take(self: &Arc<Self>) -> Option<ConnectionSlot> {
        let mut open = self.open();
        if open.len() >= self.most {
            let idle = open
                .iter()
                .enumerate()
                .filter(|(_, slot)| slot.answering.load(Ordering::Relaxed) == 0);
            let (at, _) = idle.min_by_key(|(_, slot)| slot.last_active.load(Ordering::Relaxed))?;
            open.swap_remove(at).give_way.notify_one();
        }
        let here = Arc::<SlotUse>::default();
        open.push(here.clone());
        drop(open);
        let slot = ConnectionSlot {
            slots: self.clone(),
            here,
        };
        slot.touch();
        Some(slot)
    }

    fn open(&self) -> MutexGuard<'_, Vec<Arc<SlotUse>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConnectionSlot {
    pub(super) fn begin_answer(&self) -> AnswerGuard<'_> {
        self.here.answering.fetch_add(1, Ordering::Relaxed);
        AnswerGuard(self)
    }

    /// Ends when the connection has to close for another one.
    pub(super) async fn told_to_give_way(&self) {
        self.here.give_way.notified().await;
    }

    fn touch(&self) {
        self.here.last_active.store(
            self.slots.clock.fetch_add(1, Ordering::Relaxed),
            Ordering::Relaxed,
        );
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.slots
            .open()
            .retain(|slot| !Arc::ptr_eq(slot, &self.here));
    }
}

impl Drop for AnswerGuard<'_> {
    fn drop(&mut self) {
        self.0.touch();
        self.0.here.answering.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_connection_that_was_idle_for_longest_gives_way_and_none_that_is_answered() {
        let slots = ConnectionSlots::new(3);
        let [first, second, third] = [(); 3].map(|()| slots.take().unwrap());
        drop(first.begin_answer());
        let under_way = second.begin_answer();
        let fourth = slots.take().unwrap();
        third.told_to_give_way().await;
        drop(third);
        let fifth = slots.take().unwrap();
        first.told_to_give_way().await;
        let all_busy = [fourth.begin_answer(), fifth.begin_answer()];
        assert!(slots.take().is_none(), "nobody is idle");
        drop((under_way, all_busy));
        assert!(slots.take().is_some());
        second.told_to_give_way().await;
        drop((first, second, fourth, fifth));
        assert_eq!(slots.open().len(), 0);
    }
}
