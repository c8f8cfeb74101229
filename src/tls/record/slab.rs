//! Buffers of one size from a thread-local free list, so that a busy connection does not allocate and an idle one holds
//! no buffer. Knows no records.

use super::{HEADROOM, RECORD_HEADER, RECORD_PLAINTEXT, RECORD_TRAILER};
use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

thread_local! {
    static FREE: RefCell<Vec<Box<[u8]>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer of [`Slab::SIZE`] bytes from this thread's free list. When dropped, it is added to the free list of the
/// dropping thread. It contains data of earlier users: read only what was written before.
pub struct Slab {
    /// Empty only during drop.
    bytes: Box<[u8]>,
}

impl Slab {
    /// The size in bytes: headroom and four records of the largest size.
    pub const SIZE: usize =
        HEADROOM + Self::RECORDS * (RECORD_HEADER + RECORD_PLAINTEXT + RECORD_TRAILER) + 1024;
    /// The number of records of the largest size in a slab.
    pub const RECORDS: usize = 4;
    /// Maximum length of the free list. Further buffers are freed.
    const MAX_FREE: usize = 256;

    /// Takes a buffer from the free list, or allocates one.
    pub fn take() -> Self {
        let free = FREE.try_with(|free| free.borrow_mut().pop()).ok().flatten();
        Self {
            bytes: free.unwrap_or_else(|| vec![0; Self::SIZE].into_boxed_slice()),
        }
    }

    /// Frees half of this thread's free list. Called periodically.
    pub fn trim() {
        let _ = FREE.try_with(|free| {
            let mut free = free.borrow_mut();
            let half = free.len() / 2;
            free.truncate(half);
            free.shrink_to(half);
        });
    }

    /// The length of this thread's free list.
    pub fn free() -> usize {
        FREE.try_with(|free| free.borrow().len())
            .unwrap_or_default()
    }
}

impl Deref for Slab {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl DerefMut for Slab {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl Drop for Slab {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        // The list does not exist any more while the thread ends.
        let _ = FREE.try_with(|free| {
            let mut free = free.borrow_mut();
            if free.len() < Self::MAX_FREE {
                free.push(bytes);
            }
        });
    }
}

impl std::fmt::Debug for Slab {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Slab")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_slab_is_taken_again() {
        drop(Slab::take());
        let free = Slab::free();
        let slabs = [Slab::take(), Slab::take()];
        assert_eq!(Slab::free(), free - 1);
        assert_eq!(slabs[0].len(), Slab::SIZE);
        drop(slabs);
        assert_eq!(Slab::free(), free + 1);
    }

    #[test]
    fn the_free_list_is_bounded_and_can_be_trimmed() {
        drop(
            (0..Slab::MAX_FREE + 10)
                .map(|_| Slab::take())
                .collect::<Vec<_>>(),
        );
        assert_eq!(Slab::free(), Slab::MAX_FREE);
        Slab::trim();
        assert_eq!(Slab::free(), Slab::MAX_FREE / 2);
    }
}
