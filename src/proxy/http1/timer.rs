//! One timer for each connection, which costs next to nothing while nothing is late. Decides no timeout.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// The longest sleep: a due time that moves on within it costs no change of the timer.
const LONGEST_SLEEP: Duration = Duration::from_secs(10);

/// A due time that is set often and reached seldom.
#[derive(Default)]
pub(super) struct Timer {
    due: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Timer {
    /// Sets the due time; `None` is never.
    pub(super) fn set(&mut self, due: Option<Instant>) {
        self.due = due;
    }

    /// Ready once the due time is reached. Wakes the task too early now and then.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(due) = self.due else { return Poll::Pending };
        let sleep = match &mut self.sleep {
            Some(sleep) => {
                if sleep.deadline() > due {
                    sleep.as_mut().reset(due);
                }
                sleep
            }
            none => none.insert(Box::pin(sleep_until(due.min(Instant::now() + LONGEST_SLEEP)))),
        };
        loop {
            ready!(sleep.as_mut().poll(context));
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

    #[tokio::test(start_paused = true)]
    async fn a_due_time_may_move_both_ways() {
        let begun = Instant::now();
        let at = |seconds| Some(begun + Duration::from_secs(seconds));
        let mut timer = Timer::default();
        timer.set(at(60));
        assert!(futures_pending(&mut timer).await);
        timer.set(at(5));
        std::future::poll_fn(|context| timer.poll(context)).await;
        assert_eq!(begun.elapsed().as_secs(), 5);
        timer.set(at(100));
        std::future::poll_fn(|context| timer.poll(context)).await;
        assert_eq!(begun.elapsed().as_secs(), 100);
        timer.set(None);
        assert!(futures_pending(&mut timer).await);
    }

    async fn futures_pending(timer: &mut Timer) -> bool {
        std::future::poll_fn(|context| Poll::Ready(timer.poll(context).is_pending())).await
    }
}
