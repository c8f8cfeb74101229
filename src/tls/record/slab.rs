//! Buffers of one size from a free list of this thread, so that a busy connection allocates nothing and an idle one
//! holds nothing. Knows no records.

use super::{HEADROOM, RECORD_HEADER, RECORD_PLAINTEXT, RECORD_TRAILER};
use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

thread_local! {
    static FREE: RefCell<Vec<Box<[u8]>>> = const { RefCell::new(Vec::new()) };
}

/// Memory of [`Slab::SIZE`] octets from this thread's free list; dropped, it goes to the free list of the thread that
/// drops it. What is in it is left over from somebody else: only what was written may be read.
pub struct Slab {
    /// Empty only while it is being dropped.
    octets: Box<[u8]>,
}

impl Slab {
    /// Headroom, and four records of the largest size; in octets.
    pub const SIZE: usize =
        HEADROOM + Self::RECORDS * (RECORD_HEADER + RECORD_PLAINTEXT + RECORD_TRAILER) + 1024;
    /// How many records of the largest size lie in a slab one after another.
    pub const RECORDS: usize = 4;
    /// More are given back to the allocator at once.
    const MOST_FREE: usize = 256;

    /// A free one, or else a new one.
    pub fn take() -> Self {
        let free = FREE.try_with(|free| free.borrow_mut().pop()).ok().flatten();
        Self {
            octets: free.unwrap_or_else(|| vec![0; Self::SIZE].into_boxed_slice()),
        }
    }

    /// Gives half of this thread's free ones back to the allocator. For a housekeeping tick.
    pub fn trim() {
        let _ = FREE.try_with(|free| {
            let mut free = free.borrow_mut();
            let half = free.len() / 2;
            free.truncate(half);
            free.shrink_to(half);
        });
    }

    /// How many are free on this thread.
    pub fn free() -> usize {
        FREE.try_with(|free| free.borrow().len())
            .unwrap_or_default()
    }
}

impl Deref for Slab {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.octets
    }
}

impl DerefMut for Slab {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.octets
    }
}

impl Drop for Slab {
    fn drop(&mut self) {
        let octets = std::mem::take(&mut self.octets);
        // While the thread ends there is no list any more.
        let _ = FREE.try_with(|free| {
            let mut free = free.borrow_mut();
            if free.len() < Self::MOST_FREE {
                free.push(octets);
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
            (0..Slab::MOST_FREE + 10)
                .map(|_| Slab::take())
                .collect::<Vec<_>>(),
        );
        assert_eq!(Slab::free(), Slab::MOST_FREE);
        Slab::trim();
        assert_eq!(Slab::free(), Slab::MOST_FREE / 2);
    }
}
