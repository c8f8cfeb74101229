//! A lookup table of known field names. Compares in any case, with any character in place of a
//! dash. Does not know the meaning of a name.

use crate::identity::fold;
use std::collections::HashMap;

/// Values for exact names and for families of names with a common prefix.
pub(super) struct NameTable<T> {
    /// For each prefix of two bytes, a bit set of the lengths of known names. Most lookups end
    /// here.
    lengths: Vec<u64>,
    exact: HashMap<&'static [u8], T, foldhash::fast::RandomState>,
    families: Vec<(&'static [u8], T)>,
}

/// Exclusive upper limit for the length of a known name, in bytes.
const LONGEST: usize = 64;

impl<T: Copy> NameTable<T> {
    /// Builds the table from folded names and prefixes of at least two bytes each. The first entry
    /// for a name wins; exact names win over families.
    pub(super) fn new(
        names: impl Iterator<Item = (&'static str, T)>,
        families: impl Iterator<Item = (&'static str, T)>,
    ) -> Self {
        let mut table = Self {
            lengths: vec![0; 1 << 10],
            exact: HashMap::default(),
            families: Vec::new(),
        };
        for (name, value) in names {
            table.note(name, length_bit(name.len()));
            table.exact.entry(name.as_bytes()).or_insert(value);
        }
        for (family, value) in families {
            table.note(
                family,
                (family.len()..LONGEST).fold(0, |bits, length| bits | length_bit(length)),
            );
            table.families.push((family.as_bytes(), value));
        }
        table
    }

    fn note(&mut self, known: &str, lengths: u64) {
        if let Some(noted) = prefix_index(known.as_bytes()).and_then(|at| self.lengths.get_mut(at))
        {
            *noted |= lengths;
        }
    }

    /// The value for a name.
    pub(super) fn find(&self, name: &str) -> Option<T> {
        let name = name.as_bytes();
        if self.lengths.get(prefix_index(name)?)? & length_bit(name.len()) == 0 {
            return None;
        }
        let mut folded = [0; LONGEST];
        for (place, byte) in folded.iter_mut().zip(name) {
            *place = fold(*byte);
        }
        // A truncated name is longer than all known names, but may still belong to a family.
        let folded = folded.get(..name.len()).unwrap_or(&folded);
        let family_value = || {
            self.families
                .iter()
                .find(|(family, _)| folded.starts_with(family))
                .map(|(_, value)| *value)
        };
        self.exact.get(folded).copied().or_else(family_value)
    }
}

/// One bit per length. The last bit stands for all lengths beyond the known names.
fn length_bit(length: usize) -> u64 {
    1 << length.min(LONGEST - 1)
}

/// An index of five bits from each of the first two bytes. Collisions cost only time.
fn prefix_index(name: &[u8]) -> Option<usize> {
    let [first, second, ..] = name else {
        return None;
    };
    Some(usize::from(fold(*first) & 31) << 5 | usize::from(fold(*second) & 31))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_families_are_found_at_any_length() {
        let long = "x-long-".to_owned() + &"y".repeat(2 * LONGEST);
        let table = NameTable::new(
            [("te", 1), ("x-long-name", 2)].into_iter(),
            [("x-long-", 3)].into_iter(),
        );
        for (name, expected) in [
            ("te", Some(1)),
            ("Te", Some(1)),
            ("t", None),
            ("", None),
            ("tex", None),
            ("X_Long.Name", Some(2)),
            ("x-long-", Some(3)),
            ("x-long", None),
            (long.as_str(), Some(3)),
            (&long[1..], None),
        ] {
            assert_eq!(table.find(name), expected, "{name}");
        }
    }
}
