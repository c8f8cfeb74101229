//! Pools of small buffers, boxed futures and shared values for reuse between requests on one thread.

mod future;
mod shared;

pub use future::PooledFuture;
pub use shared::SharedValues;

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

/// A byte vector from this thread's pool. Dropping it returns it to the pool.
#[derive(Debug, Default)]
pub struct PooledBuffer(Vec<u8>);

thread_local! {
    static UNUSED: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Maximum number of pooled vectors: about the concurrent requests of a worker.
const MAX_POOLED: usize = 1024;
/// Maximum capacity of a pooled vector in bytes, so that a huge head does not stay allocated.
const MAX_CAPACITY: usize = 8 * 1024;

impl PooledBuffer {
    /// An empty vector, from the pool if it has one.
    pub fn take() -> Self {
        Self(
            UNUSED
                .with(|unused| unused.borrow_mut().pop())
                .unwrap_or_default(),
        )
    }
}

impl Deref for PooledBuffer {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl DerefMut for PooledBuffer {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl Drop for PooledBuffer {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.0);
        if bytes.capacity() == 0 || bytes.capacity() > MAX_CAPACITY {
            return;
        }
        bytes.clear();
        // The pool is gone if the thread is ending.
        let _ = UNUSED.try_with(|unused| {
            let mut unused = unused.borrow_mut();
            if unused.len() < MAX_POOLED {
                unused.push(bytes);
            }
        });
    }
}
