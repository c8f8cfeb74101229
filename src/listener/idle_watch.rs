//! Idle tracking of one connection, and the notice of its eviction.

use super::ConnectionPlace;
use super::idle::IdleList;
use std::rc::Rc;
use std::task::{Context, Poll};
use tokio::time::Instant;

/// Idle state of one connection after its handshake. Initially busy.
pub struct IdleWatch {
    list: Rc<IdleList>,
    index: usize,
    place: ConnectionPlace,
}

impl IdleWatch {
    /// Registers a connection. Must run on a worker thread.
    pub fn new(place: &ConnectionPlace) -> Self {
        let list = IdleList::for_listener(place.listener_number());
        let index = list.entries.borrow_mut().add();
        Self {
            list,
            index,
            place: place.clone(),
        }
    }

    /// Marks the connection as idle since an instant. It may be evicted from now on.
    pub fn becomes_idle(&self, since: Instant) {
        self.list.entries.borrow_mut().append(self.index, since);
    }

    /// Marks the connection as busy: a request begins.
    pub fn becomes_busy(&self) {
        self.list.entries.borrow_mut().unlink(self.index);
    }

    /// Whether the connection was evicted: it must accept no further request. Stays true.
    pub fn is_evicted(&self) -> bool {
        self.list.entries.borrow().is_evicted(self.index)
    }

    /// Ready once the connection is evicted. Otherwise registers the task.
    pub fn poll_evicted(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.is_evicted() {
            return Poll::Ready(());
        }
        let replaced = self
            .list
            .entries
            .borrow_mut()
            .wake(self.index, context.waker());
        drop(replaced);
        Poll::Pending
    }
}

impl Drop for IdleWatch {
    fn drop(&mut self) {
        if self.is_evicted() {
            self.place.count_idle_eviction();
        }
        let waker = self.list.entries.borrow_mut().remove(self.index);
        drop(waker);
    }
}
