//! How many connections a listener for operators or monitoring has at once: the one that has been idle for longest gives way
//! to a new one, so that nobody keeps a probe out. Accepts none.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// The connections of one listener.
pub(super) struct Seats {
    most: usize,
    open: Mutex<Vec<Arc<Occupied>>>,
    clock: AtomicU64,
}

#[derive(Default)]
struct Occupied {
    /// Requests that are being answered.
    answering: AtomicUsize,
    /// Ticks of the clock of the seats.
    last_active: AtomicU64,
    give_way: Notify,
}

/// One connection, until this is dropped.
pub(super) struct Seat {
    seats: Arc<Seats>,
    here: Arc<Occupied>,
}

/// A request that is being answered, until this is dropped.
pub(super) struct Answering<'s>(&'s Seat);

impl Seats {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, open: Mutex::default(), clock: AtomicU64::new(0) })
    }

    /// A seat for a new connection. `None` if all are taken and no connection is idle.
    pub(super) fn take(self: &Arc<Self>) -> Option<Seat> {
        let mut open = self.open();
        if open.len() >= self.most {
            let idle = open.iter().enumerate().filter(|(_, seat)| seat.answering.load(Ordering::Relaxed) == 0);
            let (at, _) = idle.min_by_key(|(_, seat)| seat.last_active.load(Ordering::Relaxed))?;
            open.swap_remove(at).give_way.notify_one();
        }
        let here = Arc::<Occupied>::default();
        open.push(here.clone());
        drop(open);
        let seat = Seat { seats: self.clone(), here };
        seat.touch();
        Some(seat)
    }

    fn open(&self) -> MutexGuard<'_, Vec<Arc<Occupied>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    pub(super) fn begin_answer(&self) -> Answering<'_> {
        self.here.answering.fetch_add(1, Ordering::Relaxed);
        Answering(self)
    }

    /// Ends when the connection has to close for another one.
    pub(super) async fn told_to_give_way(&self) {
        self.here.give_way.notified().await;
    }

    fn touch(&self) {
        self.here.last_active.store(self.seats.clock.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.open().retain(|seat| !Arc::ptr_eq(seat, &self.here));
    }
}

impl Drop for Answering<'_> {
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
        let seats = Seats::new(3);
        let [first, second, third] = [(); 3].map(|()| seats.take().unwrap());
        drop(first.begin_answer());
        let under_way = second.begin_answer();
        let fourth = seats.take().unwrap();
        third.told_to_give_way().await;
        drop(third);
        let fifth = seats.take().unwrap();
        first.told_to_give_way().await;
        let all_busy = [fourth.begin_answer(), fifth.begin_answer()];
        assert!(seats.take().is_none(), "nobody is idle");
        drop((under_way, all_busy));
        assert!(seats.take().is_some());
        second.told_to_give_way().await;
        drop((first, second, fourth, fifth));
        assert_eq!(seats.open().len(), 0);
    }
}
