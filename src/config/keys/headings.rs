//! Which table headings the config has, for hints about malformed headings.

use super::key::AnyKey;
use super::root::ROOT;
use super::shape::KeyShape;

/// Whether a heading without brackets names a list of tables, such as `route` or `listener.main.host`.
pub(in crate::config) fn is_list_of_tables(heading: &str) -> bool {
    let (first, rest) = match heading.split_once('.') {
        Some((first, rest)) => (first, rest),
        None => (heading, ""),
    };
    let shape = root_key(first).map(AnyKey::shape);
    match (shape, rest.rsplit_once('.')) {
        (Some(KeyShape::TableList(_)), _) => rest.is_empty(),
        (Some(KeyShape::Map(_, inner)), Some((_, last))) => {
            table_lists(&inner).any(|name| name == last)
        }
        _ => false,
    }
}

/// Whether tables `[name.NAME]` exist.
pub(in crate::config) fn is_named_table(name: &str) -> bool {
    root_key(name).is_some_and(|key| matches!(key.shape(), KeyShape::Map(..)))
}

/// The last names of all headings with double brackets.
pub(in crate::config) fn listed_names() -> Vec<&'static str> {
    let root = KeyShape::Table(&ROOT);
    let inner = ROOT.keys.iter().map(|key| key.shape());
    let nested = inner.filter_map(|shape| match shape {
        KeyShape::Map(_, inner) => Some(*inner),
        _ => None,
    });
    let tables: Vec<KeyShape> = std::iter::once(root).chain(nested).collect();
    tables.iter().flat_map(table_lists).collect()
}

fn root_key(name: &str) -> Option<&'static dyn AnyKey> {
    let mut keys = ROOT.keys.iter();
    keys.find(|key| key.about().name == name).copied()
}

/// The keys of a table that are lists of tables.
fn table_lists(shape: &KeyShape) -> impl Iterator<Item = &'static str> + use<> {
    let keys = match shape {
        KeyShape::Table(table) => table.keys,
        _ => &[],
    };
    let lists = keys
        .iter()
        .filter(|key| matches!(key.shape(), KeyShape::TableList(_)));
    lists.map(|key| key.about().name)
}
