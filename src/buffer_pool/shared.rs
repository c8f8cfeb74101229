//! Interning: equal values in use at the same time exist once per thread. Holds weak references only.

use std::collections::HashMap;
use std::hash::Hash;
use std::rc::{Rc, Weak};

/// The values in use on this thread, by a key that determines the value.
#[derive(Debug)]
pub struct SharedValues<K, V: ?Sized> {
    values: HashMap<K, Weak<V>>,
    /// Number of entries at which unused ones are removed.
    tidy_at: usize,
}

/// Minimum number of entries for a cleanup.
const MIN_TIDY: usize = 64;

impl<K, V: ?Sized> Default for SharedValues<K, V> {
    fn default() -> Self {
        Self {
            values: HashMap::new(),
            tidy_at: MIN_TIDY,
        }
    }
}

impl<K: Eq + Hash, V: ?Sized> SharedValues<K, V> {
    /// The value with this key, if it is in use.
    pub fn get(&self, key: &K) -> Option<Rc<V>> {
        self.values.get(key).and_then(Weak::upgrade)
    }

    /// Stores a value for as long as it is in use. Replaces an earlier one with the same key.
    pub fn insert(&mut self, key: K, value: &Rc<V>) {
        if self.values.len() >= self.tidy_at {
            self.values.retain(|_, value| value.strong_count() > 0);
            self.values.shrink_to(2 * self.values.len());
            self.tidy_at = MIN_TIDY.max(2 * self.values.len());
        }
        self.values.insert(key, Rc::downgrade(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_while_it_is_referenced() {
        let mut values = SharedValues::default();
        let first = Rc::new("one");
        values.insert(1, &first);
        assert!(
            values
                .get(&1)
                .is_some_and(|found| Rc::ptr_eq(&found, &first))
        );
        assert!(values.get(&2).is_none());
        let second = Rc::new("another");
        values.insert(1, &second);
        assert!(
            values
                .get(&1)
                .is_some_and(|found| Rc::ptr_eq(&found, &second))
        );
        drop((first, second));
        assert!(values.get(&1).is_none());
    }

    #[test]
    fn unreferenced_values_are_dropped() {
        let mut values = SharedValues::default();
        let held: Vec<_> = (0..100).map(Rc::new).collect();
        held.iter().for_each(|value| values.insert(**value, value));
        (100..10_000).for_each(|key| values.insert(key, &Rc::new(key)));
        assert!(
            values.values.len() <= 4 * held.len(),
            "{}",
            values.values.len()
        );
        assert!(held.iter().all(|value| values.get(value).is_some()));
    }
}
