//! Remembers today's warnings, so that each is logged prominently once and not per connection. Logs
//! nothing itself.

use crate::clock;
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// The warnings of one day. Entries of earlier days are dropped.
#[derive(Debug, Default)]
pub struct DailyWarnings {
    logged: Mutex<(u64, HashSet<Box<str>>)>,
}

impl DailyWarnings {
    /// Whether `subject` was not logged before today (UTC). Records it.
    pub fn is_first(&self, subject: &str) -> bool {
        self.is_first_on(clock::seconds() / 86_400, subject)
    }

    fn is_first_on(&self, day: u64, subject: &str) -> bool {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        if logged.0 != day {
            *logged = (day, HashSet::new());
        }
        !logged.1.contains(subject) && logged.1.insert(subject.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thing_is_first_once_on_each_day() {
        let warnings = DailyWarnings::default();
        let calls = [(1, "a"), (1, "a"), (1, "b"), (2, "a"), (2, "a"), (2, "b")];
        let first = calls.map(|(day, subject)| warnings.is_first_on(day, subject));
        assert_eq!(first, [true, false, true, true, false, true]);
    }
}
