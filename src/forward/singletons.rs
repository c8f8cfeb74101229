//! Detects repeated fields that a request may have only once. If two recipients take different
//! ones, the evaluated value is not the one that the upstream uses. Rejects nothing.

use super::names::NameTable;
use std::sync::LazyLock;

/// Fields that RFC 9110 defines with one value, and DPoP (RFC 9449), which is a credential. Origin
/// servers differ in which of two values they take. `Host` and `Content-Length` have their own
/// checks; `Cookie` may come in parts (RFC 9113 section 8.2.3).
const SINGLETONS: [&str; 17] = [
    "authorization",
    "content-location",
    "content-range",
    "content-type",
    "date",
    "dpop",
    "expect",
    "from",
    "if-modified-since",
    "if-range",
    "if-unmodified-since",
    "max-forwards",
    "origin",
    "proxy-authorization",
    "range",
    "referer",
    "user-agent",
];

static TABLE: LazyLock<NameTable<(u32, &'static str)>> = LazyLock::new(|| {
    let bits = SINGLETONS
        .iter()
        .enumerate()
        .map(|(at, name)| (*name, (1 << at, *name)));
    NameTable::new(bits, std::iter::empty())
});

/// Whether a field of this name may occur only once, in any spelling.
pub(super) fn is_singleton(name: &str) -> bool {
    TABLE.find(name).is_some()
}

/// The singletons of a request so far, one bit each. `Content_Type` counts as `Content-Type`, since
/// some recipients fold both into one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Singletons(u32);

impl Singletons {
    /// Adds one field. Returns the name of the singleton if the request already has it.
    pub fn note(&mut self, name: &str) -> Option<&'static str> {
        let (bit, name) = TABLE.find(name)?;
        let repeated = self.0 & bit != 0;
        self.0 |= bit;
        repeated.then_some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repeated(names: &[&str]) -> Option<&'static str> {
        let mut seen = Singletons::default();
        names.iter().filter_map(|name| seen.note(name)).next()
    }

    #[test]
    fn each_singleton_may_occur_once_in_any_spelling() {
        assert_eq!(repeated(&SINGLETONS), None);
        for name in SINGLETONS {
            assert_eq!(
                repeated(&[name, "accept", &name.to_uppercase()]),
                Some(name)
            );
            assert_eq!(repeated(&[&name.replace('-', "_"), name]), Some(name));
        }
        for list in [
            "accept",
            "cookie",
            "via",
            "x-forwarded-for",
            "if-none-match",
            "content-types",
            "authorizatio",
        ] {
            assert_eq!(repeated(&[list, list, list]), None, "{list}");
        }
    }
}
