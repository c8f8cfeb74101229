//! Worker threads, one per core, each with a runtime of its own, so that the tasks of a worker need no locks against other
//! workers.

mod executor;
mod load;

pub use executor::{LocalExecutor, MomentTimer};
pub use load::OpenConnection;

use crate::telemetry::{Telemetry, WorkerCounters};
use load::Load;
use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// The worker threads. Dropping this stops them and their tasks.
pub struct WorkerThreads {
    workers: Workers,
    ended: Vec<oneshot::Receiver<()>>,
    stop: CancellationToken,
    died: CancellationToken,
}

/// A handle to the workers; cheap to clone. It does not keep them alive.
#[derive(Clone)]
pub struct Workers {
    handles: Arc<[WorkerHandle]>,
}

/// A handle to one worker.
struct WorkerHandle {
    jobs: mpsc::UnboundedSender<Job>,
    load: Load,
}

type LocalTask = Pin<Box<dyn Future<Output = ()>>>;
type Job = Box<dyn FnOnce() -> LocalTask + Send>;

thread_local! {
    static INDEX: Cell<Option<usize>> = const { Cell::new(None) };
    static HANDLES: RefCell<Weak<[WorkerHandle]>> = RefCell::new(Weak::<[WorkerHandle; 0]>::new());
}

/// The index of the worker of this thread, from 0. `None` on any other thread.
pub fn index() -> Option<usize> {
    INDEX.get()
}

/// All workers, including this one. `None` on a thread that is not a worker.
pub fn all() -> Option<Workers> {
    HANDLES
        .with_borrow(Weak::upgrade)
        .map(|handles| Workers { handles })
}

/// The default number of workers: one per core that this process may use.
pub fn one_for_each_core() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

impl WorkerThreads {
    /// Starts `count` workers, at least one.
    ///
    /// # Errors
    /// If the system has no thread or descriptor left. No worker is left running then.
    pub fn start(count: usize, telemetry: &Arc<Telemetry>) -> io::Result<Self> {
        let stop = CancellationToken::new();
        let died = CancellationToken::new();
        // Stops the workers started so far if a later one fails.
        let stop_on_failure = stop.clone().drop_guard();
        let mut handles = Vec::new();
        let mut ended = Vec::new();
        for index in 0..count.max(1) {
            let (jobs, receiver) = mpsc::unbounded_channel();
            let (end, has_ended) = oneshot::channel();
            let guard = WorkerGuard {
                index,
                stop: stop.clone(),
                died: died.clone(),
                _end: end,
            };
            start_thread(guard, receiver, telemetry.clone())?;
            handles.push(WorkerHandle {
                jobs,
                load: Load::new(index, &telemetry.metrics),
            });
            ended.push(has_ended);
        }
        stop_on_failure.disarm();
        let workers = Workers {
            handles: handles.into(),
        };
        for index in 0..workers.count() {
            let handles = Arc::downgrade(&workers.handles);
            workers.spawn(index, move || async move { HANDLES.set(handles) });
        }
        Ok(Self {
            workers,
            ended,
            stop,
            died,
        })
    }

    /// A handle to the workers.
    pub fn workers(&self) -> &Workers {
        &self.workers
    }

    /// Completes when a worker thread ended without a stop.
    pub async fn one_died(&self) {
        self.died.cancelled().await;
    }

    /// Stops all workers with their tasks, and waits briefly for their end.
    pub async fn stop(mut self) {
        /// A task that blocks for longer is assumed to block forever. It ends with the process.
        const STOP_TIMEOUT: Duration = Duration::from_secs(1);
        self.stop.cancel();
        let ended = std::mem::take(&mut self.ended);
        let all = async {
            for worker_ended in ended {
                // An error means that the worker has ended already.
                let _ = worker_ended.await;
            }
        };
        let _ = tokio::time::timeout(STOP_TIMEOUT, all).await;
    }
}

impl Drop for WorkerThreads {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Workers {
    /// The number of workers.
    pub fn count(&self) -> usize {
        self.handles.len()
    }

    /// Spawns a task on one worker. The task need not be `Send`, only its constructor. A panic ends this task alone. If the
    /// worker has ended or does not exist, the task is dropped.
    pub fn spawn<T>(&self, index: usize, task: impl FnOnce() -> T + Send + 'static)
    where
        T: Future<Output = ()> + 'static,
    {
        let job: Job = Box::new(move || Box::pin(task()));
        if self
            .handles
            .get(index)
            .is_none_or(|handle| handle.jobs.send(job).is_err())
        {
            tracing::debug!(worker = index, "a task for a worker that has ended");
        }
    }

    /// Calls `action` on one worker and returns its result. An error means that the worker has ended.
    pub fn ask<T: Send + 'static>(
        &self,
        index: usize,
        action: impl FnOnce() -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (sender, receiver) = oneshot::channel();
        self.spawn(index, move || async move {
            // The receiver may be dropped.
            let _ = sender.send(action());
        });
        receiver
    }

    /// Counts a connection at its worker until the result is dropped.
    pub fn count_connection(&self, index: usize) -> OpenConnection {
        OpenConnection::new(self.clone(), index)
    }

    /// The number of open connections of a worker.
    pub fn open_connections(&self, index: usize) -> usize {
        self.load(index).map_or(0, Load::open)
    }

    /// The worker that serves a connection accepted by `accepting`: the same, unless it has clearly more connections than
    /// another.
    pub fn worker_for_connection(&self, accepting: usize) -> usize {
        load::choose(
            accepting,
            self.handles.iter().map(|handle| handle.load.open()),
        )
    }

    fn load(&self, index: usize) -> Option<&Load> {
        self.handles.get(index).map(|handle| &handle.load)
    }
}

/// Reports the end of a worker when dropped, also on a panic.
struct WorkerGuard {
    index: usize,
    stop: CancellationToken,
    died: CancellationToken,
    /// Its drop signals the end to [`WorkerThreads::stop`].
    _end: oneshot::Sender<()>,
}

impl Drop for WorkerGuard {
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
    guard: WorkerGuard,
    jobs: mpsc::UnboundedReceiver<Job>,
    telemetry: Arc<Telemetry>,
) -> io::Result<()> {
    let (ready, is_ready) = std::sync::mpsc::channel();
    // Linux limits a thread's name to 15 characters.
    let name = format!("worker-{}", guard.index);
    std::thread::Builder::new().name(name).spawn(move || {
        INDEX.set(Some(guard.index));
        match Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default())
        {
            Ok(runtime) => {
                let mut counts = WorkerCounters::begin(&telemetry);
                runtime.spawn_local(counts.serve_scrapes());
                let _ = ready.send(Ok(()));
                work(runtime, jobs, &guard.stop);
            }
            Err(error) => {
                guard.stop.cancel();
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
            // The job creates its future inside the task, so that a panic there is contained as well.
            tokio::task::spawn_local(async move { job().await });
        }
    });
    // A hanging DNS lookup must not block the end.
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
            sender.send(task()).expect("the receiver waits")
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
                .expect("the receiver waits");
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
        workers.spawn(0, || async { panic!("this must not run") });
    }

    #[tokio::test]
    async fn a_worker_that_dies_is_noticed() {
        let threads = start(1);
        let guard = WorkerGuard {
            index: 0,
            stop: threads.stop.clone(),
            died: threads.died.clone(),
            _end: oneshot::channel().0,
        };
        let dying = std::thread::spawn(move || {
            let _guard = guard;
            panic!("on purpose, outside of any task");
        });
        assert!(dying.join().is_err());
        tokio::time::timeout(Duration::from_secs(20), threads.one_died())
            .await
            .expect("it is noticed");
    }
}
