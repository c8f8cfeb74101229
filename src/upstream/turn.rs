//! Round robin, each thread for itself, so that no count is shared. Chooses a number and knows no endpoint.

use crate::here::{self, Key, State};
use std::any::Any;

struct Turn(usize);

impl State for Turn {
    fn take_stale(&mut self) -> Box<dyn Any> {
        Box::new(())
    }
}

/// A number that is one more each time. Workers begin at different ones, or they would all go to the first endpoint.
pub(super) fn next(key: &Key) -> usize {
    let begin = || Turn(crate::worker::index().unwrap_or(0));
    let turn = here::with(key, begin, |turn| {
        let now = turn.0;
        turn.0 = now.wrapping_add(1);
        now
    });
    turn.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{Key, next};

    #[test]
    fn each_thread_and_each_upstream_counts_for_itself() {
        let (one, other) = (Key::new(), Key::new());
        assert_eq!(
            [next(&one), next(&one), next(&other), next(&one)],
            [0, 1, 0, 2]
        );
        std::thread::scope(|scope| {
            scope.spawn(|| assert_eq!(next(&one), 0));
        });
        crate::here::tidy();
        assert_eq!(next(&one), 3);
    }
}
