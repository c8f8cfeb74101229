//! A drain as the tasks of one thread see it: to ask with each request costs no lock and no memory of other cores.

use super::{Beginning, Drain};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Waker};

thread_local! {
    static WATCHED: RefCell<Vec<(u64, Rc<WatchedHere>)>> = const { RefCell::new(Vec::new()) };
}

impl Drain {
    /// Watches for the beginning from one task of this thread. Needs a `LocalSet`.
    pub fn watch(&self) -> DrainWatch {
        let id = self.begun.id;
        let known = WATCHED.with_borrow(|all| {
            all.iter()
                .find(|(other, _)| *other == id)
                .map(|(_, here)| here.clone())
        });
        let here = known.unwrap_or_else(|| self.watched_here());
        let slot = here.add();
        DrainWatch { here, slot }
    }

    /// What this thread's tasks know of the drain, kept up to date by one task for all of them.
    fn watched_here(&self) -> Rc<WatchedHere> {
        let here = Rc::new(WatchedHere {
            begun: Cell::new(self.has_begun()),
            tasks: RefCell::default(),
        });
        if here.begun.get() {
            return here;
        }
        let Beginning { id, .. } = self.begun;
        let (drain, watched) = (self.clone(), here.clone());
        WATCHED.with_borrow_mut(|all| all.push((id, here.clone())));
        tokio::task::spawn_local(async move {
            drain.begun().await;
            WATCHED.with_borrow_mut(|all| all.retain(|(other, _)| *other != id));
            watched.begun.set(true);
            watched.wake_all();
        });
        here
    }
}

/// A drain as the tasks of one thread see it: asked with each request, it costs no lock.
struct WatchedHere {
    begun: Cell<bool>,
    tasks: RefCell<Tasks>,
}

/// Who is to be woken.
#[derive(Default)]
struct Tasks {
    wakers: Vec<Option<Waker>>,
    free: Vec<usize>,
}

impl WatchedHere {
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
        // What a waker drops may come back here.
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

/// Watches for the beginning of a drain from one task.
pub struct DrainWatch {
    here: Rc<WatchedHere>,
    slot: usize,
}

impl DrainWatch {
    /// Whether the drain has begun; if not, the task is woken when it does.
    pub fn poll_begun(&self, context: &mut Context<'_>) -> bool {
        if self.has_begun() {
            return true;
        }
        if let Some(place) = self.here.tasks.borrow_mut().wakers.get_mut(self.slot)
            && !place
                .as_ref()
                .is_some_and(|waker| waker.will_wake(context.waker()))
        {
            *place = Some(context.waker().clone());
        }
        false
    }

    /// Whether the drain has begun.
    pub fn has_begun(&self) -> bool {
        self.here.begun.get()
    }
}

impl Drop for DrainWatch {
    fn drop(&mut self) {
        self.here.remove(self.slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::task::{LocalSet, spawn_local, yield_now};

    #[tokio::test]
    async fn all_who_watch_are_woken_and_nobody_else() {
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
