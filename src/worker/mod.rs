//! Worker threads, one for each core, each with a runtime of its own, so that what runs on one needs no lock against
//! the others. Knows no socket and no request.

mod executor;
mod load;

pub use executor::{LocalExecutor, MomentTimer};
pub use load::OpenConnection;

use crate::telemetry::{CountsHere, Telemetry};
use load::Load;
use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// The worker threads. Dropping it tells them to end, with all that runs on them.
pub struct WorkerThreads {
    workers: Workers,
    ended: Vec<oneshot::Receiver<()>>,
    stop: CancellationToken,
    died: CancellationToken,
}

/// A way to reach the workers; cheap to clone, keeps none of them alive.
#[derive(Clone)]
pub struct Workers {
    lanes: Arc<[Lane]>,
}

/// One worker, seen from outside.
struct Lane {
    jobs: mpsc::UnboundedSender<Job>,
    load: Load,
}

type LocalTask = Pin<Box<dyn Future<Output = ()>>>;
type Job = Box<dyn FnOnce() -> LocalTask + Send>;

thread_local! {
    static INDEX: Cell<Option<usize>> = const { Cell::new(None) };
    static LANES: RefCell<Weak<[Lane]>> = RefCell::new(Weak::<[Lane; 0]>::new());
}

/// The number of the worker whose thread this is, from 0. `None` on any other thread.
pub fn index() -> Option<usize> {
    INDEX.get()
}

/// All workers, this one included. `None` on a thread that is no worker.
pub fn all() -> Option<Workers> {
    LANES
        .with_borrow(Weak::upgrade)
        .map(|lanes| Workers { lanes })
}

/// How many workers there are if the config does not say: one for each core that this process may use.
pub fn one_for_each_core() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

impl WorkerThreads {
    /// Starts `count` workers, at least one.
    ///
    /// # Errors
    /// If the system gives no thread or no descriptors; then none is left running.
    pub fn start(count: usize, telemetry: &Arc<Telemetry>) -> io::Result<Self> {
        let (stop, died) = (CancellationToken::new(), CancellationToken::new());
        // Ends those that have begun, should a later one fail.
        let stop_on_failure = stop.clone().drop_guard();
        let (mut lanes, mut ended) = (Vec::new(), Vec::new());
        for index in 0..count.max(1) {
            let (jobs, receiver) = mpsc::unbounded_channel();
            let (end, has_ended) = oneshot::channel();
            let lifetime = Lifetime {
                index,
                stop: stop.clone(),
                died: died.clone(),
                _end: end,
            };
            start_thread(lifetime, receiver, telemetry.clone())?;
            lanes.push(Lane {
                jobs,
                load: Load::new(index, &telemetry.metrics),
            });
            ended.push(has_ended);
        }
        stop_on_failure.disarm();
        let workers = Workers {
            lanes: lanes.into(),
        };
        for index in 0..workers.count() {
            let lanes = Arc::downgrade(&workers.lanes);
            workers.spawn(index, move || async move { LANES.set(lanes) });
        }
        Ok(Self {
            workers,
            ended,
            stop,
            died,
        })
    }

    /// The way to reach them.
    pub fn workers(&self) -> &Workers {
        &self.workers
    }

    /// Ends when a worker has ended that was not told to.
    pub async fn one_died(&self) {
        self.died.cancelled().await;
    }

    /// Tells all to end, whatever runs on them, and waits a moment for it.
    pub async fn stop(mut self) {
        /// A task that does not give way for so long never will; the end of the process takes it along.
        const PATIENCE: Duration = Duration::from_secs(1);
        self.stop.cancel();
        let ended = std::mem::take(&mut self.ended);
        let all = async {
            for one in ended {
                // An error means that it is gone already, which is as good.
                let _ = one.await;
            }
        };
        let _ = tokio::time::timeout(PATIENCE, all).await;
    }
}

impl Drop for WorkerThreads {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Workers {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.lanes.len()
    }

    /// Runs a task on one worker, for its whole life: it need not be `Send`, only what makes it. A panic ends this
    /// task and nothing else. On a worker that has ended, or that is none, it is dropped.
    pub fn spawn<T>(&self, index: usize, task: impl FnOnce() -> T + Send + 'static)
    where
        T: Future<Output = ()> + 'static,
    {
        let job: Job = Box::new(move || Box::pin(task()));
        if self
            .lanes
            .get(index)
            .is_none_or(|lane| lane.jobs.send(job).is_err())
        {
            tracing::debug!(worker = index, "a task for a worker that has ended");
        }
    }

    /// Runs `question` on one worker and gives its result. An error means that the worker has ended.
    pub fn ask<T: Send + 'static>(
        &self,
        index: usize,
        question: impl FnOnce() -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (sender, receiver) = oneshot::channel();
        self.spawn(index, move || async move {
            // The asker may have given up.
            let _ = sender.send(question());
        });
        receiver
    }

    /// Counts a connection at the worker that will serve it, for as long as the value lives.
    pub fn count_connection(&self, index: usize) -> OpenConnection {
        OpenConnection::new(self.clone(), index)
    }

    /// How many connections a worker serves.
    pub fn open_connections(&self, index: usize) -> usize {
        self.load(index).map_or(0, Load::open)
    }

    /// Which worker serves a connection that `accepting` has accepted: itself, unless it has clearly more than
    /// another.
    pub fn worker_for_connection(&self, accepting: usize) -> usize {
        load::choose(accepting, self.lanes.iter().map(|lane| lane.load.open()))
    }

    fn load(&self, index: usize) -> Option<&Load> {
        self.lanes.get(index).map(|lane| &lane.load)
    }
}

/// The end of a worker, however it comes, is told.
struct Lifetime {
    index: usize,
    stop: CancellationToken,
    died: CancellationToken,
    /// Dropped at the end.
    _end: oneshot::Sender<()>,
}

impl Drop for Lifetime {
    fn drop(&mut self) {
        if !self.stop.is_cancelled() {
            tracing::error!(
                worker = self.index,
                "a worker thread ended without being told to"
            );
            self.died.cancel();
        }
    }
}

fn start_thread(
    lifetime: Lifetime,
    jobs: mpsc::UnboundedReceiver<Job>,
    telemetry: Arc<Telemetry>,
) -> io::Result<()> {
    let (ready, is_ready) = std::sync::mpsc::channel();
    // Linux keeps 15 characters of a thread's name.
    let name = format!("worker-{}", lifetime.index);
    std::thread::Builder::new().name(name).spawn(move || {
        INDEX.set(Some(lifetime.index));
        match Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default())
        {
            Ok(runtime) => {
                let mut counts = CountsHere::begin(&telemetry);
                runtime.spawn_local(counts.answer_scrapes());
                let _ = ready.send(Ok(()));
                work(runtime, jobs, &lifetime.stop);
            }
            Err(error) => {
                lifetime.stop.cancel();
                let _ = ready.send(Err(error));
            }
        }
    })?;
    is_ready
        .recv()
        .unwrap_or_else(|_| Err(io::Error::other("a worker thread ended at its start")))
}

fn work(runtime: LocalRuntime, mut jobs: mpsc::UnboundedReceiver<Job>, stop: &CancellationToken) {
    runtime.block_on(async {
        loop {
            let job = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                job = jobs.recv() => job,
            };
            let Some(job) = job else { return };
            // What makes the task runs inside it, so that a panic there is contained as well.
            tokio::task::spawn_local(async move { job().await });
        }
    });
    // A look-up of a name that hangs must not hold up the end.
    runtime.shutdown_background();
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    fn start(count: usize) -> WorkerThreads {
        WorkerThreads::start(count, &Arc::default()).expect("worker threads")
    }

    /// Runs `task` on a worker and gives what it made.
    fn on<T: Send + 'static>(
        workers: &Workers,
        index: usize,
        task: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        let (sender, receiver) = std::sync::mpsc::channel();
        workers.spawn(index, move || async move {
            sender.send(task()).expect("somebody waits")
        });
        receiver
            .recv_timeout(Duration::from_secs(20))
            .expect("an answer")
    }

    #[test]
    fn tasks_run_where_they_are_sent_and_need_not_be_send() {
        let threads = start(3);
        for index in 0..3 {
            assert_eq!(on(threads.workers(), index, super::index), Some(index));
        }
        assert_eq!(super::index(), None);
        assert!(super::all().is_none());
        assert_eq!(
            on(threads.workers(), 1, || super::all()
                .map(|workers| workers.count())),
            Some(3)
        );
        let (sender, receiver) = std::sync::mpsc::channel();
        threads.workers().spawn(1, move || async move {
            let local = Rc::new(7);
            tokio::task::yield_now().await;
            let also_local = tokio::task::spawn_local(async move { *local });
            sender
                .send(also_local.await.expect("no panic"))
                .expect("somebody waits");
        });
        assert_eq!(receiver.recv_timeout(Duration::from_secs(20)), Ok(7));
    }

    #[test]
    fn a_panic_ends_its_task_alone() {
        let threads = start(1);
        threads
            .workers()
            .spawn(0, || async { panic!("on purpose, in a task") });
        threads.workers().spawn(0, || {
            if super::index() == Some(0) {
                panic!("on purpose, while a task is made");
            }
            async {}
        });
        assert_eq!(on(threads.workers(), 0, super::index), Some(0));
        assert!(!threads.died.is_cancelled());
    }

    #[tokio::test]
    async fn the_end_is_orderly_and_drops_what_still_runs() {
        struct Dropped(Option<oneshot::Sender<()>>);
        impl Drop for Dropped {
            fn drop(&mut self) {
                let _ = self.0.take().map(|sender| sender.send(()));
            }
        }
        let threads = start(2);
        let (sender, dropped) = oneshot::channel();
        let held = Dropped(Some(sender));
        threads.workers().spawn(1, move || async move {
            let _held = held;
            std::future::pending::<()>().await;
        });
        on(threads.workers(), 1, || ());
        let (workers, died) = (threads.workers().clone(), threads.died.clone());
        threads.stop().await;
        assert_eq!(dropped.await, Ok(()));
        assert!(!died.is_cancelled(), "it was told to");
        workers.spawn(0, || async { panic!("nobody runs this") });
    }

    #[tokio::test]
    async fn a_worker_that_dies_is_noticed() {
        let threads = start(1);
        let lifetime = Lifetime {
            index: 0,
            stop: threads.stop.clone(),
            died: threads.died.clone(),
            _end: oneshot::channel().0,
        };
        let dying = std::thread::spawn(move || {
            let _lifetime = lifetime;
            panic!("on purpose, outside of any task");
        });
        assert!(dying.join().is_err());
        tokio::time::timeout(Duration::from_secs(20), threads.one_died())
            .await
            .expect("it is noticed");
    }
}
