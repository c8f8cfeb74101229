//! Per-thread state of shared objects, such as the connection pool of an endpoint: found by a key, without a lock.

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

/// The key of an object with per-thread state. Keys are unique in the process. The states are dropped by [`tidy`] after the
/// key was dropped.
#[derive(Debug)]
pub struct StateKey {
    id: StateKeyId,
    alive: Arc<()>,
}

/// The number of a key: a copy that needs no reference count shared by threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StateKeyId(u64);

impl Default for StateKey {
    fn default() -> Self {
        Self::new()
    }
}

impl StateKey {
    /// A new unique key.
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            id: StateKeyId(NEXT.fetch_add(1, Ordering::Relaxed)),
            alive: Arc::default(),
        }
    }

    /// The number of the key.
    pub fn id(&self) -> StateKeyId {
        self.id
    }

    /// A weak reference to the key.
    pub(super) fn mark(&self) -> WeakStateKey {
        WeakStateKey {
            id: self.id,
            key: Arc::downgrade(&self.alive),
        }
    }
}

/// A weak reference to a key, for a value that is useless after the key was dropped.
#[derive(Clone, Debug)]
pub(super) struct WeakStateKey {
    id: StateKeyId,
    key: Weak<()>,
}

impl WeakStateKey {
    /// The number of the key.
    pub(super) fn id(&self) -> StateKeyId {
        self.id
    }

    /// Whether the key still exists.
    pub(super) fn is_alive(&self) -> bool {
        self.key.strong_count() > 0
    }
}

/// The state of one thread for one key.
pub trait ThreadState: Any {
    /// Removes stale content. The caller drops it after the borrow, since its drop may access this module again.
    fn take_stale(&mut self) -> Box<dyn Any>;

    /// Removes one item that holds a descriptor and can be recreated, such as an idle connection. The caller drops it after the
    /// borrow. `None` if there is none.
    fn give_up_one(&mut self) -> Option<Box<dyn Any>> {
        None
    }
}

struct StateEntry {
    key: Weak<()>,
    state: Box<dyn ThreadState>,
}

thread_local! {
    static STATES: RefCell<BTreeMap<(StateKeyId, TypeId), StateEntry>> = const { RefCell::new(BTreeMap::new()) };
}

/// Calls `act` with this thread's state, created by `make` on first use. `act` must not access this module.
pub fn with<S: ThreadState, R>(
    key: &StateKey,
    make: impl FnOnce() -> S,
    act: impl FnOnce(&mut S) -> R,
) -> Option<R> {
    STATES.with_borrow_mut(|states| {
        let entry = states
            .entry((key.id, TypeId::of::<S>()))
            .or_insert_with(|| StateEntry {
                key: Arc::downgrade(&key.alive),
                state: Box::new(make()),
            });
        entry.state_as().map(act)
    })
}

/// As [`with`], for an existing state. `None` if there is none, since its key was dropped.
pub fn with_existing<S: ThreadState, R>(
    id: StateKeyId,
    act: impl FnOnce(&mut S) -> R,
) -> Option<R> {
    STATES.with_borrow_mut(|states| {
        states
            .get_mut(&(id, TypeId::of::<S>()))
            .and_then(StateEntry::state_as)
            .map(act)
    })
}

/// Drops stale content, and the states of dropped keys, on this thread. Must be called periodically on each worker.
pub fn tidy() {
    let removed: (Vec<_>, Vec<_>) = STATES.with_borrow_mut(|states| {
        let ended: Vec<_> = states
            .extract_if(.., |_, entry| entry.key.strong_count() == 0)
            .collect();
        (
            ended,
            states
                .values_mut()
                .map(|entry| entry.state.take_stale())
                .collect(),
        )
    });
    // After the borrow: a drop may access the states again.
    drop(removed);
}

/// Drops one item on this thread that holds a descriptor and can be recreated. Returns whether there was one.
pub fn give_up_one() -> bool {
    let given_up = STATES.with_borrow_mut(|states| {
        states
            .values_mut()
            .find_map(|entry| entry.state.give_up_one())
    });
    given_up.is_some()
}

impl StateEntry {
    fn state_as<S: ThreadState>(&mut self) -> Option<&mut S> {
        (&mut *self.state as &mut dyn Any).downcast_mut()
    }
}
