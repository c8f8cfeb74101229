//! Executor and timer for hyper: tasks of HTTP/2 connections are spawned on the same worker.

use crate::clock::{self, one_moment};
use hyper::rt::{Sleep, Timer};
use hyper_util::rt::TokioTimer;
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

/// Spawns on the `LocalRuntime` of this thread.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalExecutor;

impl<T: Future<Output: 'static> + 'static> hyper::rt::Executor<T> for LocalExecutor {
    fn execute(&self, task: T) {
        // The task is detached; it ends by itself, or with the worker.
        drop(tokio::task::spawn_local(MomentTask { task: Some(task) }));
    }
}

pin_project! {
    /// A task that runs each poll in [`one_moment`]. Its values are dropped within the last poll.
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

/// Tokio's timers, with the time of the current moment (see [`one_moment`]).
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
