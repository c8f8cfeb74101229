//! Stop accepting, finish, then close: what a draining gateway tells its parts. Knows no sockets.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// Told to everything that runs; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Drain {
    announced: CancellationToken,
    begun: Beginning,
    running: TaskTracker,
}

/// When a drain begins, and a number that no other has.
#[derive(Clone, Debug)]
struct Beginning {
    token: CancellationToken,
    id: u64,
}

impl Default for Beginning {
    fn default() -> Self {
        Self::of(CancellationToken::new())
    }
}

impl Beginning {
    fn of(token: CancellationToken) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        Self { token, id: COUNT.fetch_add(1, Ordering::Relaxed) }
    }
}

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Everything finished.
    Complete,
    /// The deadline passed first.
    DeadlinePassed,
}

/// What a drain waits for.
pub struct Held {
    _running: TaskTrackerToken,
}

impl Drain {
    /// Makes readiness fail, so that load balancers look elsewhere, while all goes on.
    pub fn announce(&self) {
        self.announced.cancel();
    }

    /// Whether readiness has failed.
    pub fn is_announced(&self) -> bool {
        self.announced.is_cancelled()
    }

    /// Asks everything to finish: listeners close, connections take no further request.
    pub fn begin(&self) {
        self.announced.cancel();
        self.begun.token.cancel();
        self.running.close();
    }

    /// Whether everything is to finish.
    pub fn has_begun(&self) -> bool {
        self.begun.token.is_cancelled()
    }

    /// Waits until everything is to finish.
    pub async fn begun(&self) {
        self.begun.token.cancelled().await;
    }

    /// Watches for the beginning from one task of this thread. Needs a `LocalSet`.
    pub fn watch(&self) -> DrainWatch {
        let id = self.begun.id;
        let known = WATCHED.with_borrow(|all| all.iter().find(|(other, _)| *other == id).map(|(_, here)| here.clone()));
        let here = known.unwrap_or_else(|| self.watched_here());
        let slot = here.add();
        DrainWatch { here, slot }
    }

    /// What this thread's tasks know of the drain, kept up to date by one task for all of them.
    fn watched_here(&self) -> Rc<WatchedHere> {
        let here = Rc::new(WatchedHere { begun: Cell::new(self.has_begun()), tasks: RefCell::default() });
        if here.begun.get() {
            return here;
        }
        let Beginning { token, id } = self.begun.clone();
        let watched = here.clone();
        WATCHED.with_borrow_mut(|all| all.push((id, here.clone())));
        tokio::task::spawn_local(async move {
            token.cancelled().await;
            WATCHED.with_borrow_mut(|all| all.retain(|(other, _)| *other != id));
            watched.begun.set(true);
            watched.wake_all();
        });
        here
    }

    /// A drain that begins with this one, or earlier on its own: for one listener.
    pub fn child(&self) -> Self {
        Self { announced: self.announced.clone(), begun: Beginning::of(self.begun.token.child_token()), running: self.running.clone() }
    }

    /// Begins this drain alone, without waiting for others.
    pub fn begin_alone(&self) {
        self.begun.token.cancel();
    }

    /// A drain that has not begun, and begins `grace` from now: for what came at the last moment. Needs a runtime of
    /// this thread alone.
    pub fn later(&self, grace: Duration) -> Self {
        let begun = Beginning::default();
        let later = Self { announced: self.announced.clone(), begun: begun.clone(), running: self.running.clone() };
        tokio::task::spawn_local(async move {
            tokio::time::sleep(grace).await;
            begun.token.cancel();
        });
        later
    }

    /// Runs a task that a drain waits for.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.running.spawn(task);
    }

    /// Runs a task that a drain waits for on this thread, whose runtime must be its own.
    pub fn spawn_local(&self, task: impl Future<Output = ()> + 'static) {
        self.running.spawn_local(task);
    }

    /// A drain waits until this is dropped, as for a task: for one that is under way to another thread.
    pub fn hold(&self) -> Held {
        Held { _running: self.running.token() }
    }

    /// Waits for all tasks, at most `deadline`. Call [`Self::begin`] before.
    pub async fn finished(&self, deadline: Duration) -> Drained {
        match tokio::time::timeout(deadline, self.running.wait()).await {
            Ok(()) => Drained::Complete,
            Err(_) => Drained::DeadlinePassed,
        }
    }
}

thread_local! {
    static WATCHED: RefCell<Vec<(u64, Rc<WatchedHere>)>> = const { RefCell::new(Vec::new()) };
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
        let wakers: Vec<Waker> = self.tasks.borrow_mut().wakers.iter_mut().filter_map(Option::take).collect();
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
            && !place.as_ref().is_some_and(|waker| waker.will_wake(context.waker()))
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
