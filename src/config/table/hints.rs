//! Hints for unknown keys.

use super::super::keys::{TableKeys, root};
use super::super::mistake::header_with_quotes;
use super::super::source::Place;
use super::TableReader;

impl TableReader<'_> {
    /// A hint for an unknown key: the likely intended key or header.
    pub(super) fn hint_for_unknown(&self, key: &str, place: Place) -> String {
        let include = root::INCLUDE.name();
        if key == include && !self.name.is_empty() {
            return format!(
                "`{include}` stands above the first table: below a header it is a key of that table"
            );
        }
        let is_table = self
            .table
            .get(key)
            .is_some_and(|value| value.get_ref().is_table());
        let header = is_table
            .then(|| header_with_quotes(self.text, place.range().start))
            .flatten();
        match header {
            Some(header) => format!("a name with dots stands in quotes: `{header}`"),
            None => nearest(key, self.keys),
        }
    }
}

fn nearest(key: &str, known: &TableKeys) -> String {
    let best = known
        .names()
        .map(|name| (strsim::jaro_winkler(key, name), name))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match best {
        Some((likeness, name)) if likeness > 0.8 => format!("did you mean `{name}`?"),
        _ => {
            let names: Vec<_> = known.names().collect();
            format!("known keys here: {}", names.join(", "))
        }
    }
}
