//! A pool of boxes for frequently created futures.

use std::any::Any;
use std::cell::RefCell;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A future in a box from this thread's pool, so that creating it does not allocate in the steady state. Dropping this drops
/// the future and returns the box to the pool.
pub struct PooledFuture<F: Future + 'static> {
    /// `None` only during the drop.
    slot: Option<FutureBox<F>>,
}

type FutureBox<F> = Pin<Box<Option<F>>>;

thread_local! {
    /// A list of empty boxes for each type of future. There are few types, so a linear search suffices.
    static UNUSED: RefCell<Vec<Box<dyn Any>>> = const { RefCell::new(Vec::new()) };
}

/// Maximum number of pooled boxes of one type. A box has some KiB.
const MAX_POOLED: usize = 256;

impl<F: Future + 'static> PooledFuture<F> {
    /// Puts a future into a box.
    pub fn new(future: F) -> Self {
        let mut slot = with_unused(Vec::pop)
            .flatten()
            .unwrap_or_else(|| Box::pin(None));
        slot.set(Some(future));
        Self { slot: Some(slot) }
    }
}

impl<F: Future + 'static> Future for PooledFuture<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        match self
            .slot
            .as_mut()
            .and_then(|slot| slot.as_mut().as_pin_mut())
        {
            Some(future) => future.poll(context),
            None => Poll::Pending,
        }
    }
}

impl<F: Future + 'static> Drop for PooledFuture<F> {
    fn drop(&mut self) {
        let Some(mut slot) = self.slot.take() else {
            return;
        };
        // Before the list is borrowed: dropping the future may call this again.
        slot.set(None);
        with_unused(|unused| {
            if unused.len() < MAX_POOLED {
                unused.push(slot);
            }
        });
    }
}

/// Calls `act` with the list of this type. `None` while the thread ends, when the lists are gone.
fn with_unused<F: 'static, T>(act: impl FnOnce(&mut Vec<FutureBox<F>>) -> T) -> Option<T> {
    let with_lists = |lists: &RefCell<Vec<Box<dyn Any>>>| {
        let mut lists = lists.borrow_mut();
        let known = lists.iter().position(|list| list.is::<Vec<FutureBox<F>>>());
        let at = known.unwrap_or_else(|| {
            lists.push(Box::new(Vec::<FutureBox<F>>::new()));
            lists.len() - 1
        });
        lists
            .get_mut(at)
            .and_then(|list| list.downcast_mut())
            .map(act)
    };
    UNUSED.try_with(with_lists).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    async fn address_of_state(held: Rc<()>) -> usize {
        let state = [0_u8; 100];
        tokio::task::yield_now().await;
        assert_eq!(Rc::strong_count(&held), 2);
        state.as_ptr().addr()
    }

    #[tokio::test]
    async fn a_box_is_used_again_for_the_same_type_of_future() {
        let held = Rc::new(());
        let first = PooledFuture::new(address_of_state(held.clone())).await;
        assert_eq!(Rc::strong_count(&held), 1);
        let other = PooledFuture::new(async { tokio::task::yield_now().await });
        assert_eq!(
            PooledFuture::new(address_of_state(held.clone())).await,
            first
        );
        other.await;
    }

    #[tokio::test]
    async fn a_future_that_is_given_up_is_dropped_at_once() {
        let held = Rc::new(());
        let mut begun = PooledFuture::new(address_of_state(held.clone()));
        let polled = std::future::poll_fn(|context| {
            Poll::Ready(Pin::new(&mut begun).poll(context).is_pending())
        });
        assert!(polled.await);
        assert_eq!(Rc::strong_count(&held), 2);
        drop(begun);
        assert_eq!(Rc::strong_count(&held), 1);
    }

    #[tokio::test]
    async fn futures_may_be_nested() {
        async fn nested(depth: u32) -> u32 {
            if depth == 0 {
                0
            } else {
                1 + PooledFuture::new(Box::pin(nested(depth - 1))).await
            }
        }
        assert_eq!(nested(5).await, 5);
        assert_eq!(nested(5).await, 5);
    }

    #[test]
    fn few_boxes_are_kept() {
        drop(
            (0..MAX_POOLED + 10)
                .map(|_| PooledFuture::new(std::future::ready(1_u128)))
                .collect::<Vec<_>>(),
        );
        let kept = with_unused::<std::future::Ready<u128>, _>(|unused| unused.len());
        assert_eq!(kept, Some(MAX_POOLED));
    }
}
