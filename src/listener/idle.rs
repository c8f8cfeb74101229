//! Lists of idle connections per listener and worker, oldest first, and eviction of the connection that is idle for
//! longest.
//!
//! A list belongs to one listener on one thread. A request needs no lock, no shared memory and no allocation. Only the
//! search for the oldest connection sends messages to other threads.

use crate::worker::Workers;
use std::cell::RefCell;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// Time limit for replies of workers to a search and to an eviction. A worker that hangs is skipped.
const REPLY_TIMEOUT: Duration = Duration::from_secs(1);

/// The connections that may be evicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IdleScope {
    /// Those of all listeners.
    Process,
    /// Those of the listener with this number.
    Listener(u64),
}

/// No connection is idle.
#[derive(Debug)]
pub(super) struct NoneIdle;

thread_local! {
    static LISTS: RefCell<Vec<Rc<IdleList>>> = const { RefCell::new(Vec::new()) };
}

/// The connections of one listener on this thread.
pub(super) struct IdleList {
    listener: u64,
    pub(super) entries: RefCell<IdleEntries>,
}

/// A doubly linked list in a slab.
#[derive(Default)]
pub(super) struct IdleEntries {
    slab: Vec<IdleEntry>,
    free: Vec<usize>,
    oldest: Option<usize>,
    newest: Option<usize>,
}

struct IdleEntry {
    state: State,
    waker: Option<Waker>,
}

#[derive(Clone, Copy)]
enum State {
    Busy,
    Idle {
        since: Instant,
        older: Option<usize>,
        newer: Option<usize>,
    },
    Evicted,
}

impl IdleList {
    /// This thread's list of a listener. Drops lists of listeners without connections.
    pub(super) fn for_listener(listener: u64) -> Rc<Self> {
        LISTS.with_borrow_mut(|lists| {
            if let Some(list) = lists.iter().find(|list| list.listener == listener) {
                return list.clone();
            }
            lists.retain(|list| Rc::strong_count(list) > 1);
            let list = Rc::new(Self {
                listener,
                entries: RefCell::default(),
            });
            lists.push(list.clone());
            list
        })
    }

    /// The list with the oldest idle connection in a scope, and the start of its idle time.
    fn with_oldest(scope: IdleScope) -> Option<(Instant, Rc<Self>)> {
        LISTS.with_borrow(|lists| {
            let in_scope = lists.iter().filter(|list| {
                scope == IdleScope::Process || scope == IdleScope::Listener(list.listener)
            });
            let oldest = in_scope
                .filter_map(|list| Some((list.entries.borrow().oldest_since()?, list.clone())));
            oldest.min_by_key(|(since, _)| *since)
        })
    }

    /// Evicts the oldest idle connection of this thread. `false` if none is idle.
    fn evict_oldest(scope: IdleScope) -> bool {
        let Some((_, list)) = Self::with_oldest(scope) else {
            return false;
        };
        let waker = list.entries.borrow_mut().evict_oldest();
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }
}

impl IdleEntries {
    /// Adds a busy connection, and returns its index.
    pub(super) fn add(&mut self) -> usize {
        let entry = IdleEntry {
            state: State::Busy,
            waker: None,
        };
        match self.free.pop() {
            Some(index) => {
                if let Some(slot) = self.slab.get_mut(index) {
                    *slot = entry;
                }
                index
            }
            None => {
                self.slab.push(entry);
                self.slab.len() - 1
            }
        }
    }

    /// Removes a connection. Drop the waker after the borrow of the list: its drop may enter the list again.
    pub(super) fn remove(&mut self, index: usize) -> Option<Waker> {
        self.unlink(index);
        self.free.push(index);
        self.slab
            .get_mut(index)
            .and_then(|entry| entry.waker.take())
    }

    fn state(&self, index: usize) -> Option<State> {
        self.slab.get(index).map(|entry| entry.state)
    }

    fn oldest_since(&self) -> Option<Instant> {
        match self.state(self.oldest?)? {
            State::Idle { since, .. } => Some(since),
            State::Busy | State::Evicted => None,
        }
    }

    /// Marks a busy connection as idle. No effect on one that is idle or evicted.
    pub(super) fn append(&mut self, index: usize, since: Instant) {
        let older = self.newest;
        let Some(entry) = self
            .slab
            .get_mut(index)
            .filter(|entry| matches!(entry.state, State::Busy))
        else {
            return;
        };
        entry.state = State::Idle {
            since,
            older,
            newer: None,
        };
        match older {
            Some(older) => self.set_newer(older, Some(index)),
            None => self.oldest = Some(index),
        }
        self.newest = Some(index);
    }

    /// Marks an idle connection as busy. No effect on others.
    pub(super) fn unlink(&mut self, index: usize) {
        let Some(State::Idle { older, newer, .. }) = self.state(index) else {
            return;
        };
        match older {
            Some(older) => self.set_newer(older, newer),
            None => self.oldest = newer,
        }
        match newer {
            Some(newer) => self.set_older(newer, older),
            None => self.newest = older,
        }
        self.set_state(index, State::Busy);
    }

    /// Whether a connection was evicted.
    pub(super) fn is_evicted(&self, index: usize) -> bool {
        matches!(self.state(index), Some(State::Evicted))
    }

    /// Registers the task to wake on eviction. Returns the previous waker: drop it as for [`Self::remove`].
    pub(super) fn wake(&mut self, index: usize, task: &Waker) -> Option<Waker> {
        let entry = self.slab.get_mut(index)?;
        match &entry.waker {
            Some(waker) if waker.will_wake(task) => None,
            _ => entry.waker.replace(task.clone()),
        }
    }

    fn evict_oldest(&mut self) -> Option<Waker> {
        let index = self.oldest?;
        self.unlink(index);
        self.set_state(index, State::Evicted);
        self.slab.get_mut(index)?.waker.take()
    }

    fn set_state(&mut self, index: usize, state: State) {
        if let Some(entry) = self.slab.get_mut(index) {
            entry.state = state;
        }
    }

    fn set_newer(&mut self, index: usize, to: Option<usize>) {
        if let Some(IdleEntry {
            state: State::Idle { newer, .. },
            ..
        }) = self.slab.get_mut(index)
        {
            *newer = to;
        }
    }

    fn set_older(&mut self, index: usize, to: Option<usize>) {
        if let Some(IdleEntry {
            state: State::Idle { older, .. },
            ..
        }) = self.slab.get_mut(index)
        {
            *older = to;
        }
    }
}

/// Evicts the connection that is idle for longest among all workers. If that became busy meanwhile, the search is
/// repeated until `deadline`.
pub(super) async fn evict_oldest(
    workers: &Workers,
    scope: IdleScope,
    deadline: Instant,
) -> Result<(), NoneIdle> {
    while Instant::now() < deadline {
        let worker = worker_with_oldest(workers, scope).await.ok_or(NoneIdle)?;
        let evicted = workers.ask(worker, move || IdleList::evict_oldest(scope));
        if matches!(timeout(REPLY_TIMEOUT, evicted).await, Ok(Ok(true))) {
            return Ok(());
        }
    }
    Err(NoneIdle)
}

async fn worker_with_oldest(workers: &Workers, scope: IdleScope) -> Option<usize> {
    let since = move || IdleList::with_oldest(scope).map(|(since, _)| since);
    // All workers are queried in parallel.
    let replies: Vec<_> = (0..workers.count())
        .map(|index| workers.ask(index, since))
        .collect();
    let deadline = Instant::now() + REPLY_TIMEOUT;
    let mut oldest: Option<(Instant, usize)> = None;
    for (index, reply) in replies.into_iter().enumerate() {
        if let Ok(Ok(Some(since))) = tokio::time::timeout_at(deadline, reply).await
            && oldest.is_none_or(|(earliest, _)| since < earliest)
        {
            oldest = Some((since, index));
        }
    }
    oldest.map(|(_, index)| index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Against a list of those that are idle.
        #[test]
        fn the_oldest_is_evicted_and_those_that_became_busy_are_not(
            steps in prop::collection::vec((0usize..4, any::<prop::sample::Index>()), 0..80),
        ) {
            let begun = Instant::now();
            let mut entries = IdleEntries::default();
            let mut open = Vec::new();
            let mut idle = Vec::new();
            for (number, (step, which)) in (0..).zip(steps) {
                let since = begun + Duration::from_secs(number);
                let chosen = (!open.is_empty()).then(|| open[which.index(open.len())]);
                match (step, chosen) {
                    (0, _) | (_, None) => open.push(entries.add()),
                    (1, Some(index)) => {
                        entries.append(index, since);
                        if !entries.is_evicted(index) && idle.iter().all(|(known, _)| *known != index) {
                            idle.push((index, since));
                        }
                    }
                    (2, Some(index)) => {
                        entries.unlink(index);
                        idle.retain(|(known, _)| *known != index);
                    }
                    (_, Some(index)) => {
                        entries.remove(index);
                        open.retain(|known| *known != index);
                        idle.retain(|(known, _)| *known != index);
                    }
                }
                prop_assert_eq!(entries.oldest_since(), idle.first().map(|(_, since)| *since));
                if number % 5 == 4 {
                    entries.evict_oldest();
                    prop_assert!(idle.is_empty() || entries.is_evicted(idle.remove(0).0));
                }
            }
        }
    }
}
