//! The rounds of a worker: when a new snapshot is in force, and twice a second, tasks with something open are woken to
//! look whether it may go on. A request costs two stores in memory of this thread. Judges nothing.

use super::super::Shared;
use super::super::in_force::let_go_of_old_snapshots;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// Between two rounds that time alone is the cause of.
const PAUSE: Duration = Duration::from_millis(500);
/// Every so many of them, those are woken as well that have nothing under way.
const ROUNDS_OF_REST: u64 = 20;
/// How many tasks are woken before others have their turn.
const AT_ONCE: usize = 64;

thread_local! {
    static HERE: Rc<Here> = Rc::default();
}

/// What is watched on this thread.
#[derive(Default)]
struct Here {
    round: Cell<u64>,
    watched: RefCell<Watched>,
}

#[derive(Default)]
struct Watched {
    slots: Vec<Slot>,
    free: Vec<usize>,
}

struct Slot {
    state: State,
    waker: Option<Waker>,
}

/// Which rounds a task takes part in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// None: it will be judged at its next request.
    Idle,
    /// Those for a new snapshot, and few others.
    Resting,
    /// Those for a new snapshot: what it has under way may be over before the next one.
    Begun,
    /// All.
    Lasting,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    NewSnapshot,
    Time,
}

/// Makes the rounds of this thread. Each worker runs it once.
pub async fn make_rounds(shared: Arc<Shared>) {
    let mut changes = shared.changes.subscribe();
    let mut ticks = interval(PAUSE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let here = HERE.with(Rc::clone);
    loop {
        let cause = tokio::select! {
            changed = changes.changed() => match changed {
                Ok(()) => Cause::NewSnapshot,
                Err(_) => return,
            },
            _ = ticks.tick() => Cause::Time,
        };
        let_go_of_old_snapshots();
        let mut woken = here.begin(cause).into_iter().peekable();
        while woken.peek().is_some() {
            woken.by_ref().take(AT_ONCE).for_each(Waker::wake);
            tokio::task::yield_now().await;
        }
    }
}

impl Here {
    /// Begins a round. Gives who is to be woken.
    fn begin(&self, cause: Cause) -> Vec<Waker> {
        let round = self.round.get() + 1;
        self.round.set(round);
        let rested = round.is_multiple_of(ROUNDS_OF_REST);
        let mut watched = self.watched.borrow_mut();
        let takes_part = |slot: &mut Slot| {
            let takes_part = match (slot.state, cause) {
                (State::Idle, _) => false,
                (State::Lasting, _) | (_, Cause::NewSnapshot) => true,
                (State::Resting, Cause::Time) => rested,
                (State::Begun, Cause::Time) => {
                    slot.state = State::Lasting;
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
                state: State::Idle,
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
                    state: State::Idle,
                    waker: None,
                },
            )
            .waker
        });
        watched.free.push(at);
        // What a waker drops may come back here.
        drop(watched);
        drop(waker);
    }
}

/// Takes part in the rounds for one task of this thread.
pub(in crate::proxy) struct RoundWatch {
    here: Rc<Here>,
    slot: usize,
    /// The last round that its task knows of.
    seen: u64,
}

impl RoundWatch {
    /// For a task that has nothing under way.
    pub(in crate::proxy) fn new() -> Self {
        let here = HERE.with(Rc::clone);
        let (slot, seen) = (here.add(), here.round.get());
        Self { here, slot, seen }
    }

    /// As if a round had begun just now.
    pub(in crate::proxy) fn look_at_once(&mut self) {
        self.seen = u64::MAX;
    }

    /// A request was judged just now, and is under way; it is the only one of the task.
    pub(in crate::proxy) fn begin(&mut self) {
        self.seen = self.here.round.get();
        self.set(State::Begun);
    }

    /// One more request is under way.
    pub(in crate::proxy) fn one_more(&mut self) {
        let mut watched = self.here.watched.borrow_mut();
        if let Some(slot) = watched.slots.get_mut(self.slot)
            && matches!(slot.state, State::Idle | State::Resting)
        {
            slot.state = State::Begun;
        }
    }

    /// Something of the task is known to last.
    pub(in crate::proxy) fn lasts(&mut self) {
        self.set(State::Lasting);
    }

    /// Nothing is under way any more, and a new snapshot matters all the same.
    pub(in crate::proxy) fn rest(&mut self) {
        self.set(State::Resting);
    }

    /// Nothing is under way any more.
    pub(in crate::proxy) fn end(&mut self) {
        self.set(State::Idle);
    }

    fn set(&mut self, state: State) {
        if let Some(slot) = self.here.watched.borrow_mut().slots.get_mut(self.slot) {
            slot.state = state;
        }
    }

    /// Whether a round has begun since this was last asked. In any case the task is woken by the next one.
    pub(in crate::proxy) fn poll_begun(&mut self, context: &mut Context<'_>) -> bool {
        let mut watched = self.here.watched.borrow_mut();
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
        let round = self.here.round.get();
        std::mem::replace(&mut self.seen, round) != round
    }
}

impl Drop for RoundWatch {
    fn drop(&mut self) {
        self.here.remove(self.slot);
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
    fn round(watch: &mut RoundWatch, cause: Cause) -> (bool, bool) {
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        let mut context = Context::from_waker(&waker);
        watch.poll_begun(&mut context);
        watch.here.begin(cause).into_iter().for_each(Waker::wake);
        (
            woken.0.load(Ordering::Relaxed) > 0,
            watch.poll_begun(&mut context),
        )
    }

    #[test]
    fn a_new_snapshot_wakes_all_who_have_something_open_and_time_those_who_last() {
        let mut watch = RoundWatch::new();
        assert_eq!(round(&mut watch, Cause::NewSnapshot), (false, true), "idle");
        watch.begin();
        assert_eq!(round(&mut watch, Cause::NewSnapshot), (true, true));
        assert_eq!(
            round(&mut watch, Cause::Time),
            (false, true),
            "it may be over soon"
        );
        assert_eq!(round(&mut watch, Cause::Time), (true, true));
        watch.one_more();
        assert_eq!(
            round(&mut watch, Cause::Time),
            (true, true),
            "one more makes nobody young again"
        );
        watch.rest();
        assert_eq!(round(&mut watch, Cause::NewSnapshot), (true, true));
        let woken = (0..2 * ROUNDS_OF_REST)
            .filter(|_| round(&mut watch, Cause::Time).0)
            .count();
        assert_eq!(woken, 2, "now and then");
        watch.end();
        assert_eq!(round(&mut watch, Cause::NewSnapshot), (false, true));
    }

    #[test]
    fn what_begins_has_seen_the_round_and_what_looks_at_once_has_not() {
        let mut context = Context::from_waker(Waker::noop());
        let mut watch = RoundWatch::new();
        watch.here.begin(Cause::NewSnapshot);
        watch.begin();
        assert!(!watch.poll_begun(&mut context));
        watch.look_at_once();
        assert!(watch.poll_begun(&mut context));
        assert!(!watch.poll_begun(&mut context));
    }

    #[test]
    fn places_are_used_again() {
        let first = RoundWatch::new();
        let place = first.slot;
        drop(first);
        assert_eq!(RoundWatch::new().slot, place);
    }
}
