//! What each thread keeps for itself of something that all share: found by a key, without a lock. What it is good for
//! is up to the states.

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

/// Names something of which each thread has its own state. No two have the same name, ever; what threads keep for it
/// ends some time after it.
#[derive(Debug)]
pub struct Key {
    id: KeyId,
    alive: Arc<()>,
}

/// The name alone: to carry around without a count that threads share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyId(u64);

impl Default for Key {
    fn default() -> Self {
        Self::new()
    }
}

impl Key {
    /// A new name.
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            id: KeyId(NEXT.fetch_add(1, Ordering::Relaxed)),
            alive: Arc::default(),
        }
    }

    /// The name alone.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// For whatever belongs to what this names.
    pub(super) fn mark(&self) -> Mark {
        Mark {
            id: self.id,
            of: Arc::downgrade(&self.alive),
        }
    }
}

/// On something that belongs to what a key names, and is of no use without it.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    id: KeyId,
    of: Weak<()>,
}

impl Mark {
    /// What it belongs to.
    pub(super) fn id(&self) -> KeyId {
        self.id
    }

    /// Whether that is still there.
    pub(super) fn stands(&self) -> bool {
        self.of.strong_count() > 0
    }
}

/// What a thread keeps.
pub trait State: Any {
    /// Takes out what is no longer good for anything. It is dropped later, so that its end may come back here.
    fn take_stale(&mut self) -> Box<dyn Any>;

    /// Takes out one thing that holds a descriptor and can be made anew, to be dropped later. `None` if there is none.
    fn give_up_one(&mut self) -> Option<Box<dyn Any>> {
        None
    }
}

struct Kept {
    of: Weak<()>,
    state: Box<dyn State>,
}

thread_local! {
    static HERE: RefCell<BTreeMap<(KeyId, TypeId), Kept>> = const { RefCell::new(BTreeMap::new()) };
}

/// Acts on this thread's state, which is made if there is none. `act` must not come back here.
pub fn with<S: State, R>(
    key: &Key,
    make: impl FnOnce() -> S,
    act: impl FnOnce(&mut S) -> R,
) -> Option<R> {
    HERE.with_borrow_mut(|here| {
        let kept = here
            .entry((key.id, TypeId::of::<S>()))
            .or_insert_with(|| Kept {
                of: Arc::downgrade(&key.alive),
                state: Box::new(make()),
            });
        kept.state_as().map(act)
    })
}

/// The same where the state is there already. `None` if there is none: then what it was for is gone.
pub fn with_existing<S: State, R>(id: KeyId, act: impl FnOnce(&mut S) -> R) -> Option<R> {
    HERE.with_borrow_mut(|here| {
        here.get_mut(&(id, TypeId::of::<S>()))
            .and_then(Kept::state_as)
            .map(act)
    })
}

/// Drops what is stale, and the states of what is gone, on this thread. Call it now and then on each worker.
pub fn tidy() {
    let gone: (Vec<_>, Vec<_>) = HERE.with_borrow_mut(|here| {
        let ended: Vec<_> = here
            .extract_if(.., |_, kept| kept.of.strong_count() == 0)
            .collect();
        (
            ended,
            here.values_mut()
                .map(|kept| kept.state.take_stale())
                .collect(),
        )
    });
    drop(gone);
}

/// Drops one thing on this thread that holds a descriptor and can be made anew. Whether there was one.
pub fn give_up_one() -> bool {
    let given_up =
        HERE.with_borrow_mut(|here| here.values_mut().find_map(|kept| kept.state.give_up_one()));
    given_up.is_some()
}

impl Kept {
    fn state_as<S: State>(&mut self) -> Option<&mut S> {
        (&mut *self.state as &mut dyn Any).downcast_mut()
    }
}
