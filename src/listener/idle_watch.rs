//! One connection among the idle ones of its worker, and how it learns that it has to give way. Closes nothing itself.

use super::ConnectionPlace;
use super::idle::IdleList;
use std::rc::Rc;
use std::task::{Context, Poll};
use tokio::time::Instant;

/// One connection whose handshake has finished. Begins as busy.
pub struct IdleWatch {
    list: Rc<IdleList>,
    index: usize,
    place: ConnectionPlace,
}

impl IdleWatch {
    /// Needs a worker's thread.
    pub fn new(place: &ConnectionPlace) -> Self {
        let list = IdleList::here(place.listener_number());
        let index = list.entries.borrow_mut().add();
        Self {
            list,
            index,
            place: place.clone(),
        }
    }

    /// No request is under way since then: the connection may be told to give way.
    pub fn becomes_idle(&self, since: Instant) {
        self.list.entries.borrow_mut().append(self.index, since);
    }

    /// A request begins.
    pub fn becomes_busy(&self) {
        self.list.entries.borrow_mut().unlink(self.index);
    }

    /// Whether the connection has to give way: it takes no further request. Stays true.
    pub fn is_evicted(&self) -> bool {
        self.list.entries.borrow().is_evicted(self.index)
    }

    /// The same; if not, the task is woken when it has to.
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
            self.place.idle_gave_way();
        }
        let waker = self.list.entries.borrow_mut().remove(self.index);
        drop(waker);
    }
}
