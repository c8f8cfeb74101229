//! Equal permissions are compiled once, however many users have them. Knows no users.

use crate::authorize::{CompiledPermission, Effect};
use crate::config::{Enforcement, Text};
use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// So many different ones are remembered. Then all are forgotten, and what comes again is compiled once more: where
/// everybody has permissions of its own, remembering them all would take more memory than it saves.
const MOST: usize = 65_536;

/// What makes a permission with qualifiers the same: its text, what it does, its condition, and whether it is on trial.
type Written = (Text, Effect, Option<String>, Enforcement);

/// What was compiled so far.
#[derive(Default)]
pub(super) struct Interner {
    granted: HashSet<ByText>,
    denied: HashSet<ByText>,
    /// Few, and dear to compile.
    pub(super) qualified: HashMap<Written, Arc<CompiledPermission>>,
}

struct ByText(Arc<CompiledPermission>);

impl Interner {
    /// A permission without qualifiers.
    #[allow(
        clippy::mutable_key_type,
        reason = "only the text is compared, which never changes"
    )]
    pub(super) fn plain(&mut self, text: &Text, effect: Effect) -> Arc<CompiledPermission> {
        let known = match effect {
            Effect::Grant => &mut self.granted,
            Effect::Deny => &mut self.denied,
        };
        if let Some(ByText(compiled)) = known.get(text.as_str()) {
            return compiled.clone();
        }
        if known.len() >= MOST {
            known.clear();
        }
        let compiled = Arc::new(CompiledPermission::new(text.clone(), effect));
        known.insert(ByText(compiled.clone()));
        compiled
    }
}

impl Borrow<str> for ByText {
    fn borrow(&self) -> &str {
        self.0.text()
    }
}

impl Hash for ByText {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.text().hash(state);
    }
}

impl PartialEq for ByText {
    fn eq(&self, other: &Self) -> bool {
        self.0.text() == other.0.text()
    }
}

impl Eq for ByText {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_permissions_are_one_and_memory_has_an_end() {
        let mut interner = Interner::default();
        let first = interner.plain(&"GET /a".into(), Effect::Grant);
        assert!(Arc::ptr_eq(
            &first,
            &interner.plain(&"GET /a".into(), Effect::Grant)
        ));
        assert!(
            !Arc::ptr_eq(&first, &interner.plain(&"GET /a".into(), Effect::Deny)),
            "a deny reads paths otherwise"
        );
        for number in 0..=MOST {
            interner.plain(&format!("GET /{number}").into(), Effect::Grant);
        }
        assert!(interner.granted.len() <= MOST);
        assert_eq!(
            interner.plain(&"GET /a".into(), Effect::Grant).text(),
            "GET /a"
        );
    }
}
