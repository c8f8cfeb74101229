//! An allocator that counts what each thread asks for, and what workers hold. Allocates by the system's.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// On the threads of a gateway in this process that serve requests.
static ON_WORKERS: AtomicU64 = AtomicU64::new(0);
/// Bytes that these threads have taken, less those that they have freed.
static HELD_BY_WORKERS: AtomicI64 = AtomicI64::new(0);

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// Counts calls that may take memory, not those that free some; and on workers how much there is.
pub(crate) struct Counting;

impl Counting {
    fn count(taken: usize, freed: usize) {
        Self::hold(taken, freed);
        // A thread that is ending has no counter any more.
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        if portcullis::worker::index().is_some() {
            ON_WORKERS.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn hold(taken: usize, freed: usize) {
        if portcullis::worker::index().is_some() {
            HELD_BY_WORKERS.fetch_add(taken as i64 - freed as i64, Ordering::Relaxed);
        }
    }
}

/// How many bytes workers hold of those that they have taken themselves.
#[allow(dead_code, reason = "each program that counts asks one of these")]
pub(crate) fn held_by_workers() -> i64 {
    HELD_BY_WORKERS.load(Ordering::Relaxed)
}

/// How many allocations all workers have made.
#[allow(dead_code, reason = "each program that counts asks one of these")]
pub(crate) fn on_workers() -> u64 {
    ON_WORKERS.load(Ordering::Relaxed)
}

/// How many allocations this thread makes meanwhile.
#[allow(dead_code, reason = "each program that counts asks one of these")]
pub(crate) fn allocations_of(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

#[expect(unsafe_code, reason = "the only way to count allocations")]
// SAFETY: every call is passed on to the system's allocator with its arguments unchanged, and its result is returned
// unchanged, so `System`'s guarantees are kept. The counters are atomics and a thread-local `Cell` that needs neither heap nor
// destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::count(layout.size(), 0);
        // SAFETY: the caller's obligations are those of `System.alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::count(layout.size(), 0);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Self::count(size, layout.size());
        // SAFETY: `pointer` came from `System` with this layout, since all of the methods here pass on to it.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        Self::hold(0, layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}
