//! Small memory for one request that the next one uses again. Knows no meaning of what it holds.

mod future;
mod shared;

pub use future::RecycledFuture;
pub use shared::SharedValues;

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

/// A byte vector from this thread's unused ones; goes back there when dropped.
#[derive(Debug, Default)]
pub struct Recycled(Vec<u8>);

thread_local! {
    static UNUSED: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// About what a worker has requests under way at once.
const MOST_KEPT: usize = 1024;
/// A huge head must not be kept for ever.
const LARGEST_KEPT: usize = 8 * 1024;

impl Recycled {
    /// An empty vector, with room if there was one to use again.
    pub fn take() -> Self {
        Self(
            UNUSED
                .with(|unused| unused.borrow_mut().pop())
                .unwrap_or_default(),
        )
    }
}

impl Deref for Recycled {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl DerefMut for Recycled {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl Drop for Recycled {
    fn drop(&mut self) {
        let mut octets = std::mem::take(&mut self.0);
        if octets.capacity() == 0 || octets.capacity() > LARGEST_KEPT {
            return;
        }
        octets.clear();
        // A thread that ends keeps nothing.
        let _ = UNUSED.try_with(|unused| {
            let mut unused = unused.borrow_mut();
            if unused.len() < MOST_KEPT {
                unused.push(octets);
            }
        });
    }
}
