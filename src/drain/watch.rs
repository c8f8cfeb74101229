//! A thread-local view of a drain: checking it with each request takes no lock and touches no memory of other cores.

use super::Drain;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Waker};

thread_local! {
    /// The watched drains of this thread, by number.
    static WATCHED: RefCell<Vec<(u64, Rc<ThreadDrain>)>> = const { RefCell::new(Vec::new()) };
}

impl Drain {
    /// Watches for the start of the drain from one task of this thread. Needs a `LocalSet`.
    pub fn watch(&self) -> DrainWatch {
        let id = self.start.id;
        let known = WATCHED.with_borrow(|all| {
            all.iter()
                .find(|(other, _)| *other == id)
                .map(|(_, drain)| drain.clone())
        });
        let thread_drain = known.unwrap_or_else(|| self.thread_drain());
        let slot = thread_drain.add();
        DrainWatch { thread_drain, slot }
    }

    /// This thread's state of the drain, updated by one task for all watchers.
    fn thread_drain(&self) -> Rc<ThreadDrain> {
        let thread_drain = Rc::new(ThreadDrain {
            begun: Cell::new(self.has_begun()),
            tasks: RefCell::default(),
        });
        if thread_drain.begun.get() {
            return thread_drain;
        }
        let id = self.start.id;
        let drain = self.clone();
        let watched = thread_drain.clone();
        WATCHED.with_borrow_mut(|all| all.push((id, thread_drain.clone())));
        tokio::task::spawn_local(async move {
            drain.begun().await;
            WATCHED.with_borrow_mut(|all| all.retain(|(other, _)| *other != id));
            watched.begun.set(true);
            watched.wake_all();
        });
        thread_drain
    }
}

/// The state of a drain on one thread.
struct ThreadDrain {
    begun: Cell<bool>,
    tasks: RefCell<WatchingTasks>,
}

/// The wakers of the watching tasks, and free slots among them.
#[derive(Default)]
struct WatchingTasks {
    wakers: Vec<Option<Waker>>,
    free: Vec<usize>,
}

impl ThreadDrain {
    fn add(&self) -> usize {
        let mut tasks = self.tasks.borrow_mut();
        tasks.free.pop().unwrap_or_else(|| {
            tasks.wakers.push(None);
            tasks.wakers.len() - 1
        })
    }

    fn remove(&self, slot: usize) {
        let mut tasks = self.tasks.borrow_mut();
        let waker = tasks.wakers.get_mut(slot).and_then(Option::take);
        tasks.free.push(slot);
        // Dropping a waker may call `remove` again.
        drop(tasks);
        drop(waker);
    }

    fn wake_all(&self) {
        let wakers: Vec<Waker> = self
            .tasks
            .borrow_mut()
            .wakers
            .iter_mut()
            .filter_map(Option::take)
            .collect();
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// Watches for the start of a drain from one task.
pub struct DrainWatch {
    thread_drain: Rc<ThreadDrain>,
    slot: usize,
}

impl DrainWatch {
    /// Whether the drain has started. If not, the task is woken at the start.
    pub fn poll_begun(&self, context: &mut Context<'_>) -> bool {
        if self.has_begun() {
            return true;
        }
        if let Some(waker_slot) = self
            .thread_drain
            .tasks
            .borrow_mut()
            .wakers
            .get_mut(self.slot)
            && !waker_slot
                .as_ref()
                .is_some_and(|waker| waker.will_wake(context.waker()))
        {
            *waker_slot = Some(context.waker().clone());
        }
        false
    }

    /// Whether the drain has started.
    pub fn has_begun(&self) -> bool {
        self.thread_drain.begun.get()
    }
}

impl Drop for DrainWatch {
    fn drop(&mut self) {
        self.thread_drain.remove(self.slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::task::{LocalSet, spawn_local, yield_now};

    #[tokio::test]
    async fn all_watchers_are_woken_and_no_others() {
        let (drain, other) = (Drain::default(), Drain::default());
        let child = drain.child();
        let tasks = LocalSet::new();
        tasks
            .run_until(async {
                let ended = Rc::new(Cell::new(0));
                for watched in [&drain, &drain, &child, &other] {
                    let (watch, ended) = (watched.watch(), ended.clone());
                    spawn_local(async move {
                        std::future::poll_fn(|context| match watch.poll_begun(context) {
                            true => std::task::Poll::Ready(()),
                            false => std::task::Poll::Pending,
                        })
                        .await;
                        ended.set(ended.get() + 1);
                    });
                }
                for _ in 0..10 {
                    yield_now().await;
                }
                assert_eq!(ended.get(), 0);
                drain.begin();
                while ended.get() < 3 {
                    yield_now().await;
                }
                assert!(drain.watch().has_begun() && child.watch().has_begun());
                assert!(!other.watch().has_begun());
            })
            .await;
    }
}
