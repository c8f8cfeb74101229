//! For tests: records the keys that the decoder reads. A read of a key that its table does not list fails.

use super::keys::TableKeys;
use std::cell::RefCell;
use std::collections::BTreeSet;

thread_local! {
    static READ: RefCell<BTreeSet<(usize, &'static str)>> = const { RefCell::new(BTreeSet::new()) };
}

/// Identifies a table of keys.
fn identity(table: &'static TableKeys) -> usize {
    std::ptr::from_ref(table).addr()
}

/// Records that the decoder reads a key of a table.
pub(super) fn record(table: &'static TableKeys, key: &'static str) {
    assert!(
        table.has(key),
        "the decoder reads `{key}`, which is no key of the table \"{}\"",
        table.doc
    );
    READ.with_borrow_mut(|read| read.insert((identity(table), key)));
}

/// Whether the decoder has read a key of a table in this thread.
pub(super) fn is_read(table: &'static TableKeys, key: &'static str) -> bool {
    READ.with_borrow(|read| read.contains(&(identity(table), key)))
}
