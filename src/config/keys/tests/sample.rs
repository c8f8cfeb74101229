//! The annotated sample config has every key of the table.

use super::{Found, all_tables};
use crate::config::keys::describe::nested_tables;
use crate::config::keys::key::{AnyKey, TableKeys};
use crate::config::keys::root::ROOT;
use crate::config::keys::shape::KeyShape;
use crate::config::keys::{limits, role};
use std::collections::BTreeSet;

const SAMPLE: &str = include_str!("../../../../docs/gateway-all-keys.toml");

#[test]
fn the_sample_has_every_key() {
    // As `tests/sample_config.rs` does: the comments that are keys or tables become keys and tables.
    let mut table = String::new();
    let mut written: BTreeSet<String> = BTreeSet::new();
    for line in SAMPLE.lines() {
        let line = line.strip_prefix("# ").unwrap_or(line);
        let heading = line
            .split(']')
            .next()
            .unwrap_or_default()
            .trim_start_matches('[');
        if line.starts_with('[') {
            table = tables_of_heading(heading);
        } else if let Some((name, _)) = line.split_once(" = ") {
            written.insert(format!("{table}.{}", name.trim()));
        }
    }
    let is_shown = |found: &Found, key: &dyn AnyKey| {
        let name = key.about().name;
        let path = format!("{}.{name}", found.path);
        // Inline tables stand in comments, too.
        is_table(&key.shape())
            || found.is_inline && SAMPLE.contains(&format!("{name} = "))
            || written.contains(&path)
            || is_shown_elsewhere(&path)
    };
    let mut missing = Vec::new();
    for found in all_tables() {
        let keys = found.table.keys.iter();
        let hidden = keys.filter(|key| !is_shown(&found, **key));
        missing.extend(hidden.map(|key| format!("{}.{}", found.path, key.about().name)));
    }
    assert!(
        missing.is_empty(),
        "docs/gateway-all-keys.toml lacks {missing:#?}"
    );
}

fn is_table(shape: &KeyShape) -> bool {
    matches!(shape, KeyShape::Table(_) | KeyShape::TableList(_))
        || matches!(shape, KeyShape::Map(_, inner) if is_table(inner))
}

/// The path of a heading without the names that operators choose.
fn tables_of_heading(heading: &str) -> String {
    let mut path = String::new();
    let mut table: &'static TableKeys = &ROOT;
    // A quoted name may have dots.
    let heading = match heading.split('"').collect::<Vec<_>>()[..] {
        [before, _, after] => format!("{before}NAME{after}"),
        _ => heading.to_owned(),
    };
    let mut parts = heading.split('.');
    while let Some(part) = parts.next() {
        let key = table.keys.iter().find(|key| key.about().name == part);
        let key = key.unwrap_or_else(|| panic!("{heading}: {part}"));
        let shape = key.shape();
        if matches!(shape, KeyShape::Map(..)) {
            parts.next();
        }
        path = format!("{path}.{part}");
        table = nested_tables(&shape).pop().unwrap().keys();
    }
    path
}

/// Whether the sample shows a key in another table that has it, too, and says so there.
fn is_shown_elsewhere(path: &str) -> bool {
    let Some((table, key)) = path.rsplit_once('.') else {
        return false;
    };
    let limits = limits::LIMITS.has(key) && [".listener", ".route"].contains(&table);
    let requests = role::ROLE.has(key) && [".role", ".route"].contains(&table);
    limits || requests || path == ".listener.host.trust_domains"
}
