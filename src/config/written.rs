//! What config files say as plain keys and values, and what one load says otherwise than another: for people who look
//! back. Knows no meaning, and keeps no secret.

use super::Sources;
use serde::Serialize;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use toml::de::{DeTable, DeValue};

/// All that is written, by table and key.
#[derive(Clone, Debug, Default)]
pub struct Written {
    tables: BTreeMap<String, Keys>,
}

type Keys = BTreeMap<String, Value>;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Text(String),
    List(Vec<String>),
    /// Only whether it is another one can be told.
    Secret(u64),
}

/// What is shown of a secret.
const SECRET: &str = "(not shown)";
/// No more changes are told at once; a config that was written anew is better looked at itself.
const MOST_CHANGES: usize = 1000;

/// One table or key that says something else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The table: `api_user.alice`, `route "/v1"`.
    pub table: String,
    /// What happened to it.
    #[serde(flatten)]
    pub kind: ChangeKind,
}

/// What happened to a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "lowercase")]
pub enum ChangeKind {
    /// It is new.
    Added {
        /// What it says.
        new: BTreeMap<String, String>,
    },
    /// It is gone.
    Removed {
        /// What it said.
        old: BTreeMap<String, String>,
    },
    /// A list in it has other entries.
    List {
        /// Which.
        key: String,
        /// Entries that are new.
        added: Vec<String>,
        /// Entries that are gone.
        removed: Vec<String>,
    },
    /// A value in it is another.
    Value {
        /// Which.
        key: String,
        /// What it said; none if it said nothing.
        old: Option<String>,
        /// What it says; none if it says nothing.
        new: Option<String>,
    },
}

impl Written {
    /// Reads files that were well-formed when they were loaded.
    pub fn of(sources: &Sources) -> Self {
        let mut written = Self::default();
        for file in sources.iter() {
            let (root, _) = DeTable::parse_recoverable(&file.text);
            for (key, value) in root.get_ref() {
                written.add(key.get_ref(), value.get_ref());
            }
        }
        written
    }

    fn add(&mut self, key: &str, value: &DeValue<'_>) {
        match value {
            DeValue::Table(table) if holds_only_tables(table) => {
                for (name, inner) in table {
                    self.add_table(&format!("{key}.{}", name.get_ref()), inner.get_ref());
                }
            }
            DeValue::Array(entries) if entries.iter().any(|entry| entry.get_ref().is_table()) => {
                for entry in entries.iter() {
                    self.add_table(
                        &format!("{key} {}", title(entry.get_ref())),
                        entry.get_ref(),
                    );
                }
            }
            DeValue::Table(_) => self.add_table(key, value),
            other => {
                self.tables
                    .entry("(top)".to_owned())
                    .or_default()
                    .insert(key.to_owned(), Value::of(key, other));
            }
        }
    }

    fn add_table(&mut self, name: &str, value: &DeValue<'_>) {
        let mut keys = Keys::new();
        flatten("", value, &mut keys);
        // Two routes may have one title, where a third thing tells them apart.
        let mut free = name.to_owned();
        let mut number = 1;
        while self.tables.contains_key(&free) {
            number += 1;
            free = format!("{name} #{number}");
        }
        self.tables.insert(free, keys);
    }

    /// What is said otherwise than before, in the order of the tables; and how many changes are left out.
    pub fn changes_since(&self, before: &Self) -> (Vec<Change>, usize) {
        let mut changes = Vec::new();
        let mut names: Vec<&String> = self.tables.keys().chain(before.tables.keys()).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let mut tell = |kind| {
                changes.push(Change {
                    table: name.clone(),
                    kind,
                })
            };
            match (before.tables.get(name), self.tables.get(name)) {
                (Some(old), Some(new)) => keys_changed(old, new, &mut tell),
                (None, Some(new)) => tell(ChangeKind::Added { new: shown(new) }),
                (Some(old), None) => tell(ChangeKind::Removed { old: shown(old) }),
                (None, None) => {}
            }
        }
        let left_out = changes.len().saturating_sub(MOST_CHANGES);
        changes.truncate(MOST_CHANGES);
        (changes, left_out)
    }
}

fn keys_changed(old: &Keys, new: &Keys, tell: &mut impl FnMut(ChangeKind)) {
    let mut keys: Vec<&String> = old.keys().chain(new.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    for key in keys {
        match (old.get(key), new.get(key)) {
            (one, other) if one == other => {}
            (Some(Value::List(one)), Some(Value::List(other))) if has_other_entries(one, other) => {
                tell(ChangeKind::List {
                    key: key.clone(),
                    added: only_in(other, one),
                    removed: only_in(one, other),
                });
            }
            (one, other) => {
                let (old, new) = (one.map(Value::shown), other.map(Value::shown));
                tell(ChangeKind::Value {
                    key: key.clone(),
                    old,
                    new,
                });
            }
        }
    }
}

/// Also where one stands once and not twice; only the order may be the same or another.
fn has_other_entries(one: &[String], other: &[String]) -> bool {
    !only_in(one, other).is_empty() || !only_in(other, one).is_empty()
}

fn only_in(these: &[String], those: &[String]) -> Vec<String> {
    let those: std::collections::BTreeSet<&String> = those.iter().collect();
    these
        .iter()
        .filter(|entry| !those.contains(entry))
        .cloned()
        .collect()
}

fn shown(keys: &Keys) -> BTreeMap<String, String> {
    keys.iter()
        .map(|(key, value)| (key.clone(), value.shown()))
        .collect()
}

impl Value {
    fn of(key: &str, value: &DeValue<'_>) -> Self {
        if is_secret(key, value) {
            let mut hasher = DefaultHasher::new();
            text(value).hash(&mut hasher);
            return Self::Secret(hasher.finish());
        }
        match value {
            DeValue::Array(entries) => {
                Self::List(entries.iter().map(|entry| text(entry.get_ref())).collect())
            }
            // A list of one may be written without brackets.
            DeValue::String(_) => Self::List(vec![text(value)]),
            other => Self::Text(text(other)),
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::List(entries) => match entries.as_slice() {
                [only] => only.clone(),
                several => format!("[{}]", several.join(", ")),
            },
            Self::Secret(_) => SECRET.to_owned(),
        }
    }
}

/// By its name or by its form: what is called so, or looks like a hash of a password.
fn is_secret(key: &str, value: &DeValue<'_>) -> bool {
    let name = key.rsplit('.').next().unwrap_or(key);
    // A file's name is none.
    let named = (name.contains("password") || name.contains("secret")) && !name.ends_with("_file");
    let looks = |value: &DeValue<'_>| value.as_str().is_some_and(|text| text.starts_with('$'));
    named
        || looks(value)
        || value
            .as_array()
            .is_some_and(|entries| entries.iter().any(|it| looks(it.get_ref())))
}

/// The tables below a heading such as `[api_user]`, which says nothing itself.
fn holds_only_tables(table: &DeTable<'_>) -> bool {
    !table.is_empty() && table.values().all(|value| value.get_ref().is_table())
}

/// What tells entries of a list of tables apart.
fn title(entry: &DeValue<'_>) -> String {
    let said = |key: &str| {
        entry
            .as_table()
            .and_then(|table| table.get(key))
            .map(|value| text(value.get_ref()))
    };
    let first = said("path")
        .or_else(|| said("names"))
        .or_else(|| said("name"))
        .unwrap_or_default();
    let more = ["host", "listeners", "match"]
        .into_iter()
        .filter_map(|key| Some(format!(" {key} {}", said(key)?)));
    first + &more.collect::<String>()
}

fn flatten(prefix: &str, value: &DeValue<'_>, keys: &mut Keys) {
    let full = |key: &str| {
        if prefix.is_empty() {
            key.to_owned()
        } else {
            format!("{prefix}.{key}")
        }
    };
    match value {
        DeValue::Table(table) => {
            for (key, inner) in table {
                flatten(&full(key.get_ref()), inner.get_ref(), keys);
            }
        }
        // An entry that is more than a name is a table of its own, as are hosts of a listener.
        DeValue::Array(entries)
            if !entries.is_empty() && entries.iter().all(|entry| is_large(entry.get_ref())) =>
        {
            for entry in entries.iter() {
                flatten(
                    &format!("{prefix} {}", title(entry.get_ref())),
                    entry.get_ref(),
                    keys,
                );
            }
        }
        other => {
            keys.insert(prefix.to_owned(), Value::of(prefix, other));
        }
    }
}

fn is_large(entry: &DeValue<'_>) -> bool {
    entry
        .as_table()
        .is_some_and(|table| table.contains_key("names"))
}

/// A value as TOML has it.
fn text(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(number) => number.as_str().to_owned(),
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(yes) => yes.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(entries) => {
            let entries: Vec<String> = entries.iter().map(|entry| text(entry.get_ref())).collect();
            format!("[{}]", entries.join(", "))
        }
        DeValue::Table(table) => {
            let shown = |key: &str, value| {
                if is_secret(key, value) {
                    SECRET.to_owned()
                } else {
                    text(value)
                }
            };
            let pairs = table.iter().map(|(key, value)| {
                let key: &str = key.get_ref();
                format!("{key} = {}", shown(key, value.get_ref()))
            });
            format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
        }
    }
}

#[cfg(test)]
mod tests;
