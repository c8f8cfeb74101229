//! Lets hyper spawn on the worker where it runs, what it spawns for HTTP/2, and tells it the time. Runs nothing itself.

use crate::clock::{self, one_moment};
use hyper::rt::{Sleep, Timer};
use hyper_util::rt::TokioTimer;
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

/// Spawns on the runtime of this thread, which must be its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalExecutor;

impl<T: Future<Output: 'static> + 'static> hyper::rt::Executor<T> for LocalExecutor {
    fn execute(&self, task: T) {
        // Nobody waits for it; it ends by itself, or with the worker.
        drop(tokio::task::spawn_local(MomentTask { task: Some(task) }));
    }
}

pin_project! {
    /// A task whose polls are one moment each. What it holds is dropped in the moment of its last poll.
    struct MomentTask<T> {
        #[pin]
        task: Option<T>,
    }
}

impl<T: Future> Future for MomentTask<T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut task = self.project().task;
        one_moment(|| {
            if let Some(polled) = task.as_mut().as_pin_mut() {
                ready!(polled.poll(context));
            }
            task.set(None);
            Poll::Ready(())
        })
    }
}

/// Tokio's timers, and the time of the present moment.
#[derive(Clone, Debug, Default)]
pub struct MomentTimer(TokioTimer);

impl Timer for MomentTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.0.sleep(duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.0.sleep_until(deadline)
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn Sleep>>, new_deadline: Instant) {
        self.0.reset(sleep, new_deadline);
    }

    fn now(&self) -> Instant {
        clock::now()
    }
}
