//! Interning of permissions: equal permissions are compiled once.

use crate::authorize::{CompiledPermission, Effect};
use crate::config::{Enforcement, Text};
use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Maximum number of interned permissions per effect. Beyond it the set is cleared, since users with distinct
/// permissions would need more memory than interning saves.
const MAX_INTERNED: usize = 65_536;

/// Key of a permission with qualifiers: text, effect, condition and enforcement.
type PermissionKey = (Text, Effect, Option<String>, Enforcement);

/// The compiled permissions.
#[derive(Default)]
pub(super) struct Interner {
    granted: HashSet<InternedPermission>,
    denied: HashSet<InternedPermission>,
    /// Permissions with qualifiers: few, and expensive to compile.
    pub(super) qualified: HashMap<PermissionKey, Arc<CompiledPermission>>,
}

struct InternedPermission(Arc<CompiledPermission>);

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
        if let Some(InternedPermission(compiled)) = known.get(text.as_str()) {
            return compiled.clone();
        }
        if known.len() >= MAX_INTERNED {
            known.clear();
        }
        let compiled = Arc::new(CompiledPermission::new(text.clone(), effect));
        known.insert(InternedPermission(compiled.clone()));
        compiled
    }
}

impl Borrow<str> for InternedPermission {
    fn borrow(&self) -> &str {
        self.0.text()
    }
}

impl Hash for InternedPermission {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.text().hash(state);
    }
}

impl PartialEq for InternedPermission {
    fn eq(&self, other: &Self) -> bool {
        self.0.text() == other.0.text()
    }
}

impl Eq for InternedPermission {}

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
            "a deny matches paths differently"
        );
        for number in 0..=MAX_INTERNED {
            interner.plain(&format!("GET /{number}").into(), Effect::Grant);
        }
        assert!(interner.granted.len() <= MAX_INTERNED);
        assert_eq!(
            interner.plain(&"GET /a".into(), Effect::Grant).text(),
            "GET /a"
        );
    }
}
