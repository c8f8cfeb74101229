//! Lets hyper spawn on the worker where it runs, what it spawns for HTTP/2. Runs nothing itself.

/// Spawns on the runtime of this thread, which must be its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalExecutor;

impl<T: Future<Output: 'static> + 'static> hyper::rt::Executor<T> for LocalExecutor {
    fn execute(&self, task: T) {
        // Nobody waits for it; it ends by itself, or with the worker.
        drop(tokio::task::spawn_local(task));
    }
}
