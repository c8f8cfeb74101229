//! The recheck rounds of a worker. When a new snapshot is active, and twice a second, tasks with open requests are
//! woken to recheck them. A request costs two stores in memory of this thread. Decides nothing.

use super::super::Shared;
use super::super::active_snapshot::drop_old_snapshots;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// The interval of rounds without a new snapshot.
const ROUND_INTERVAL: Duration = Duration::from_millis(500);
/// Resting tasks take part in one of so many rounds.
const RESTING_ROUND_EVERY: u64 = 20;
/// The maximum number of tasks that are woken before this task yields.
const WAKE_BATCH: usize = 64;

thread_local! {
    static WORKER_ROUNDS: Rc<WorkerRounds> = Rc::default();
}

/// The recheck rounds of this thread, and the tasks that take part.
#[derive(Default)]
struct WorkerRounds {
    round: Cell<u64>,
    watched: RefCell<WatchSlots>,
}

#[derive(Default)]
struct WatchSlots {
    slots: Vec<Slot>,
    free: Vec<usize>,
}

struct Slot {
    state: Participation,
    waker: Option<Waker>,
}

/// The rounds in which a task takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Participation {
    /// None: its next request is decided anyway.
    Idle,
    /// Those for a new snapshot, and one of [`RESTING_ROUND_EVERY`].
    Resting,
    /// Those for a new snapshot, and time rounds after the next one: a request may end before that.
    Started,
    /// All.
    LongRunning,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    NewSnapshot,
    Time,
}

/// Runs the recheck rounds of this thread. Each worker calls it once.
pub async fn run_recheck_rounds(shared: Arc<Shared>) {
    let mut changes = shared.changes.subscribe();
    let mut ticks = interval(ROUND_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let rounds = WORKER_ROUNDS.with(Rc::clone);
    loop {
        let cause = tokio::select! {
            changed = changes.changed() => match changed {
                Ok(()) => Cause::NewSnapshot,
                Err(_) => return,
            },
            _ = ticks.tick() => Cause::Time,
        };
        drop_old_snapshots();
        let mut woken = rounds.begin(cause).into_iter().peekable();
        while woken.peek().is_some() {
            woken.by_ref().take(WAKE_BATCH).for_each(Waker::wake);
            tokio::task::yield_now().await;
        }
    }
}

impl WorkerRounds {
    /// Begins a round. Returns the wakers of the tasks that take part.
    fn begin(&self, cause: Cause) -> Vec<Waker> {
        let round = self.round.get() + 1;
        self.round.set(round);
        let includes_resting = round.is_multiple_of(RESTING_ROUND_EVERY);
        let mut watched = self.watched.borrow_mut();
        let takes_part = |slot: &mut Slot| {
            let takes_part = match (slot.state, cause) {
                (Participation::Idle, _) => false,
                (Participation::LongRunning, _) | (_, Cause::NewSnapshot) => true,
                (Participation::Resting, Cause::Time) => includes_resting,
                (Participation::Started, Cause::Time) => {
                    slot.state = Participation::LongRunning;
                    false
                }
            };
            if takes_part { slot.waker.take() } else { None }
        };
        watched.slots.iter_mut().filter_map(takes_part).collect()
    }

    fn add(&self) -> usize {
        let mut watched = self.watched.borrow_mut();
        watched.free.pop().unwrap_or_else(|| {
            watched.slots.push(Slot {
                state: Participation::Idle,
                waker: None,
            });
            watched.slots.len() - 1
        })
    }

    fn remove(&self, at: usize) {
        let mut watched = self.watched.borrow_mut();
        let slot = watched.slots.get_mut(at);
        let waker = slot.and_then(|slot| {
            std::mem::replace(
                slot,
                Slot {
                    state: Participation::Idle,
                    waker: None,
                },
            )
            .waker
        });
        watched.free.push(at);
        // Dropping a waker can call this again, so nothing may be borrowed.
        drop(watched);
        drop(waker);
    }
}

/// The part of one task of this thread in the rounds.
pub(in crate::proxy) struct RecheckWatch {
    rounds: Rc<WorkerRounds>,
    slot: usize,
    /// The last round of which the task knows.
    seen: u64,
}

impl RecheckWatch {
    /// For a task without open requests.
    pub(in crate::proxy) fn new() -> Self {
        let rounds = WORKER_ROUNDS.with(Rc::clone);
        let slot = rounds.add();
        let seen = rounds.round.get();
        Self { rounds, slot, seen }
    }

    /// The next poll reports a round, as if one had just begun.
    pub(in crate::proxy) fn recheck_at_once(&mut self) {
        self.seen = u64::MAX;
    }

    /// A request was just decided and is open. It is the only one of the task.
    pub(in crate::proxy) fn begin(&mut self) {
        self.seen = self.rounds.round.get();
        self.set(Participation::Started);
    }

    /// Another request of the task is open.
    pub(in crate::proxy) fn add_request(&mut self) {
        let mut watched = self.rounds.watched.borrow_mut();
        if let Some(slot) = watched.slots.get_mut(self.slot)
            && matches!(slot.state, Participation::Idle | Participation::Resting)
        {
            slot.state = Participation::Started;
        }
    }

    /// An open request of the task is long-running.
    pub(in crate::proxy) fn set_long_running(&mut self) {
        self.set(Participation::LongRunning);
    }

    /// No request is open, but the connection is to be rechecked for a new snapshot.
    pub(in crate::proxy) fn set_resting(&mut self) {
        self.set(Participation::Resting);
    }

    /// No request is open.
    pub(in crate::proxy) fn set_idle(&mut self) {
        self.set(Participation::Idle);
    }

    fn set(&mut self, state: Participation) {
        if let Some(slot) = self.rounds.watched.borrow_mut().slots.get_mut(self.slot) {
            slot.state = state;
        }
    }

    /// Whether a round has begun since the last call. The next round wakes the task in any case.
    pub(in crate::proxy) fn poll_round(&mut self, context: &mut Context<'_>) -> bool {
        let mut watched = self.rounds.watched.borrow_mut();
        if let Some(slot) = watched.slots.get_mut(self.slot)
            && !slot
                .waker
                .as_ref()
                .is_some_and(|waker| waker.will_wake(context.waker()))
        {
            let before = slot.waker.replace(context.waker().clone());
            drop(watched);
            drop(before);
        }
        let round = self.rounds.round.get();
        std::mem::replace(&mut self.seen, round) != round
    }
}

impl Drop for RecheckWatch {
    fn drop(&mut self) {
        self.rounds.remove(self.slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether a round of this cause wakes the watch, and is seen by it.
    fn round(watch: &mut RecheckWatch, cause: Cause) -> (bool, bool) {
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        let mut context = Context::from_waker(&waker);
        watch.poll_round(&mut context);
        watch.rounds.begin(cause).into_iter().for_each(Waker::wake);
        (
            woken.0.load(Ordering::Relaxed) > 0,
            watch.poll_round(&mut context),
        )
    }

    #[test]
    fn a_new_snapshot_wakes_all_watchers_and_time_wakes_long_ones() {
        let mut watch = RecheckWatch::new();
        assert_eq!(round(&mut watch, Cause::NewSnapshot), (false, true), "idle");
        watch.begin();
        assert_eq!(round(&mut watch, Cause::NewSnapshot), (true, true));
        assert_eq!(
            round(&mut watch, Cause::Time),
            (false, true),
            "it may be over soon"
        );
        assert_eq!(round(&mut watch, Cause::Time), (true, true));
        watch.add_request();
        assert_eq!(
            round(&mut watch, Cause::Time),
            (true, true),
            "another request leaves a long-running task long-running"
        );
        watch.set_resting();
        assert_eq!(round(&mut watch, Cause::NewSnapshot), (true, true));
        let woken = (0..2 * RESTING_ROUND_EVERY)
            .filter(|_| round(&mut watch, Cause::Time).0)
            .count();
        assert_eq!(woken, 2, "now and then");
        watch.set_idle();
        assert_eq!(round(&mut watch, Cause::NewSnapshot), (false, true));
    }

    #[test]
    fn what_begins_has_seen_the_round_and_what_looks_at_once_has_not() {
        let mut context = Context::from_waker(Waker::noop());
        let mut watch = RecheckWatch::new();
        watch.rounds.begin(Cause::NewSnapshot);
        watch.begin();
        assert!(!watch.poll_round(&mut context));
        watch.recheck_at_once();
        assert!(watch.poll_round(&mut context));
        assert!(!watch.poll_round(&mut context));
    }

    #[test]
    fn places_are_used_again() {
        let first = RecheckWatch::new();
        let place = first.slot;
        drop(first);
        assert_eq!(RecheckWatch::new().slot, place);
    }
}
