//! The timer of a connection. Changing its due time is cheap: no timer entry of the runtime is touched. Sets no timeout.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// The longest sleep. Moving the due time within it needs no change of the runtime's timer.
const LONGEST_SLEEP: Duration = Duration::from_secs(10);

/// A due time that is changed often and reached rarely.
#[derive(Default)]
pub(super) struct Timer {
    due: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
    /// Whether the sleep will wake the task. The task never changes.
    armed: bool,
}

impl Timer {
    /// Sets the due time; `None` is never.
    pub(super) fn set(&mut self, due: Option<Instant>) {
        self.due = due;
    }

    /// Ready once the due time is reached. May wake the task too early.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(due) = self.due else {
            return Poll::Pending;
        };
        let sleep = match &mut self.sleep {
            Some(sleep) => {
                if sleep.deadline() > due {
                    sleep.as_mut().reset(due);
                    self.armed = false;
                }
                if self.armed && !sleep.is_elapsed() {
                    return Poll::Pending;
                }
                sleep
            }
            none => none.insert(Box::pin(sleep_until(
                due.min(Instant::now() + LONGEST_SLEEP),
            ))),
        };
        loop {
            self.armed = true;
            ready!(sleep.as_mut().poll(context));
            self.armed = false;
            let now = Instant::now();
            if due <= now {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(due.min(now + LONGEST_SLEEP));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn is_due(timer: &mut Timer, due: Option<Instant>) -> bool {
        timer.set(due);
        std::future::poll_fn(|context| Poll::Ready(timer.poll(context).is_ready())).await
    }

    #[tokio::test]
    async fn a_due_time_may_move_both_ways() {
        let now = Instant::now();
        let far = Some(now + Duration::from_secs(3600));
        // The runtime's timers count whole milliseconds, rounded up.
        let past = Some(now - Duration::from_millis(5));
        let mut timer = Timer::default();
        for _ in 0..2 {
            assert!(!is_due(&mut timer, far).await);
            assert!(is_due(&mut timer, past).await);
            assert!(is_due(&mut timer, past).await, "also when asked again");
            assert!(!is_due(&mut timer, None).await);
        }
        timer.set(Some(Instant::now() + Duration::from_millis(5)));
        std::future::poll_fn(|context| timer.poll(context)).await;
        assert!(!is_due(&mut timer, far).await);
    }
}
