//! Remembers what was said today, so that it is said loudly once and not with each connection. Says nothing itself.

use crate::clock;
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// What was said on one day. Holds no more than was said then.
#[derive(Debug, Default)]
pub struct OnceADay {
    said: Mutex<(u64, HashSet<Box<str>>)>,
}

impl OnceADay {
    /// Whether this is the first time today (UTC) that this is asked about `what`.
    pub fn is_first(&self, what: &str) -> bool {
        self.is_first_on(clock::seconds() / 86_400, what)
    }

    fn is_first_on(&self, day: u64, what: &str) -> bool {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.0 != day {
            *said = (day, HashSet::new());
        }
        !said.1.contains(what) && said.1.insert(what.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thing_is_first_once_on_each_day() {
        let said = OnceADay::default();
        let asked = [(1, "a"), (1, "a"), (1, "b"), (2, "a"), (2, "a"), (2, "b")];
        let first = asked.map(|(day, what)| said.is_first_on(day, what));
        assert_eq!(first, [true, false, true, true, false, true]);
    }
}
