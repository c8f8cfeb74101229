//! Boxes for futures that are needed often. Knows nothing of what the futures do.

use std::any::Any;
use std::cell::RefCell;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A future in a box from this thread's unused ones, so that to begin it allocates nothing in the steady state. The future
/// ends when this is dropped, and its box goes back.
pub struct RecycledFuture<F: Future + 'static> {
    /// `None` only while it is being dropped.
    place: Option<Place<F>>,
}

type Place<F> = Pin<Box<Option<F>>>;

thread_local! {
    /// A list of empty places for each type of future. There are few types, so they are searched one after another.
    static UNUSED: RefCell<Vec<Box<dyn Any>>> = const { RefCell::new(Vec::new()) };
}

/// So many boxes of one type are kept: they have some KiB each.
const MOST_KEPT: usize = 256;

impl<F: Future + 'static> RecycledFuture<F> {
    /// Puts a future into a box.
    pub fn new(future: F) -> Self {
        let mut place = with_unused(Vec::pop)
            .flatten()
            .unwrap_or_else(|| Box::pin(None));
        place.set(Some(future));
        Self { place: Some(place) }
    }
}

impl<F: Future + 'static> Future for RecycledFuture<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        match self
            .place
            .as_mut()
            .and_then(|place| place.as_mut().as_pin_mut())
        {
            Some(future) => future.poll(context),
            None => Poll::Pending,
        }
    }
}

impl<F: Future + 'static> Drop for RecycledFuture<F> {
    fn drop(&mut self) {
        let Some(mut place) = self.place.take() else {
            return;
        };
        // Before the list is touched: what the future drops may come back here.
        place.set(None);
        with_unused(|unused| {
            if unused.len() < MOST_KEPT {
                unused.push(place);
            }
        });
    }
}

/// `None` while the thread ends, when there are no lists any more.
fn with_unused<F: 'static, T>(act: impl FnOnce(&mut Vec<Place<F>>) -> T) -> Option<T> {
    let with_lists = |lists: &RefCell<Vec<Box<dyn Any>>>| {
        let mut lists = lists.borrow_mut();
        let known = lists.iter().position(|list| list.is::<Vec<Place<F>>>());
        let at = known.unwrap_or_else(|| {
            lists.push(Box::new(Vec::<Place<F>>::new()));
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
        let first = RecycledFuture::new(address_of_state(held.clone())).await;
        assert_eq!(Rc::strong_count(&held), 1);
        let other = RecycledFuture::new(async { tokio::task::yield_now().await });
        assert_eq!(
            RecycledFuture::new(address_of_state(held.clone())).await,
            first
        );
        other.await;
    }

    #[tokio::test]
    async fn a_future_that_is_given_up_is_dropped_at_once() {
        let held = Rc::new(());
        let mut begun = RecycledFuture::new(address_of_state(held.clone()));
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
                1 + RecycledFuture::new(Box::pin(nested(depth - 1))).await
            }
        }
        assert_eq!(nested(5).await, 5);
        assert_eq!(nested(5).await, 5);
    }

    #[test]
    fn few_boxes_are_kept() {
        drop(
            (0..MOST_KEPT + 10)
                .map(|_| RecycledFuture::new(std::future::ready(1_u128)))
                .collect::<Vec<_>>(),
        );
        let kept = with_unused::<std::future::Ready<u128>, _>(|unused| unused.len());
        assert_eq!(kept, Some(MOST_KEPT));
    }
}
