//! Round robin per thread, so that no counter is shared. Returns a number and knows no endpoint.

use crate::thread_state::{self, StateKey, ThreadState};
use std::any::Any;

struct RoundRobin(usize);

impl ThreadState for RoundRobin {
    fn take_stale(&mut self) -> Box<dyn Any> {
        Box::new(())
    }
}

/// Returns a number that increases by one per call. Workers start at different numbers; otherwise
/// all would start with the first endpoint.
pub(super) fn next(key: &StateKey) -> usize {
    let start = || RoundRobin(crate::worker::index().unwrap_or(0));
    let turn = thread_state::with(key, start, |turn| {
        let current = turn.0;
        turn.0 = current.wrapping_add(1);
        current
    });
    turn.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{StateKey, next};

    #[test]
    fn each_thread_and_each_upstream_counts_for_itself() {
        let one = StateKey::new();
        let other = StateKey::new();
        assert_eq!(
            [next(&one), next(&one), next(&other), next(&one)],
            [0, 1, 0, 2]
        );
        std::thread::scope(|scope| {
            scope.spawn(|| assert_eq!(next(&one), 0));
        });
        crate::thread_state::tidy();
        assert_eq!(next(&one), 3);
    }
}
