//! Keys and values of config files, and the differences between two loads, for the audit log. Secrets are stored as
//! hashes.

use super::Sources;
use serde::Serialize;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use toml::de::{DeTable, DeValue};

/// All values of a config, by table and key.
#[derive(Clone, Debug, Default)]
pub struct ConfigValues {
    tables: BTreeMap<String, Keys>,
}

type Keys = BTreeMap<String, ConfigValue>;

#[derive(Clone, Debug, PartialEq, Eq)]
enum ConfigValue {
    Text(String),
    List(Vec<String>),
    /// Hash, which only shows whether the secret has changed.
    Secret(u64),
}

/// Replacement for a secret.
const SECRET: &str = "(not shown)";
/// Maximum number of changes in one list.
const MOST_CHANGES: usize = 1000;

/// One changed table or key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The table: `api_user.alice`, `route "/v1"`.
    pub table: String,
    /// Kind of change.
    #[serde(flatten)]
    pub kind: ChangeKind,
}

/// Kind of change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "lowercase")]
pub enum ChangeKind {
    /// The table is new.
    Added {
        /// Its values.
        new: BTreeMap<String, String>,
    },
    /// The table was removed.
    Removed {
        /// Its former values.
        old: BTreeMap<String, String>,
    },
    /// A list in the table has other entries.
    List {
        /// Key of the value.
        key: String,
        /// New entries.
        added: Vec<String>,
        /// Removed entries.
        removed: Vec<String>,
    },
    /// A value in the table has changed.
    Value {
        /// Key of the value.
        key: String,
        /// Former value; `None` if the key was missing.
        old: Option<String>,
        /// New value; `None` if the key is missing.
        new: Option<String>,
    },
}

impl ConfigValues {
    /// Collects the values of well-formed files.
    pub fn of(sources: &Sources) -> Self {
        let mut values = Self::default();
        for file in sources.iter() {
            let (root, _) = DeTable::parse_recoverable(&file.text);
            for (key, value) in root.get_ref() {
                values.add(key.get_ref(), value.get_ref());
            }
        }
        values
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
                    .insert(key.to_owned(), ConfigValue::of(key, other));
            }
        }
    }

    fn add_table(&mut self, name: &str, value: &DeValue<'_>) {
        let mut keys = Keys::new();
        flatten("", value, &mut keys);
        // Two routes may have the same title.
        let mut free = name.to_owned();
        let mut number = 1;
        while self.tables.contains_key(&free) {
            number += 1;
            free = format!("{name} #{number}");
        }
        self.tables.insert(free, keys);
    }

    /// Changes since an earlier config, by table, and the number of changes beyond the maximum.
    pub fn changes_since(&self, before: &Self) -> (Vec<Change>, usize) {
        let mut changes = Vec::new();
        let mut names: Vec<&String> = self.tables.keys().chain(before.tables.keys()).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let mut record = |kind| {
                changes.push(Change {
                    table: name.clone(),
                    kind,
                })
            };
            match (before.tables.get(name), self.tables.get(name)) {
                (Some(old), Some(new)) => keys_changed(old, new, &mut record),
                (None, Some(new)) => record(ChangeKind::Added { new: shown(new) }),
                (Some(old), None) => record(ChangeKind::Removed { old: shown(old) }),
                (None, None) => {}
            }
        }
        let left_out = changes.len().saturating_sub(MOST_CHANGES);
        changes.truncate(MOST_CHANGES);
        (changes, left_out)
    }
}

fn keys_changed(old: &Keys, new: &Keys, record: &mut impl FnMut(ChangeKind)) {
    let mut keys: Vec<&String> = old.keys().chain(new.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    for key in keys {
        match (old.get(key), new.get(key)) {
            (one, other) if one == other => {}
            (Some(ConfigValue::List(one)), Some(ConfigValue::List(other)))
                if has_other_entries(one, other) =>
            {
                record(ChangeKind::List {
                    key: key.clone(),
                    added: only_in(other, one),
                    removed: only_in(one, other),
                });
            }
            (one, other) => {
                let old = one.map(ConfigValue::shown);
                let new = other.map(ConfigValue::shown);
                record(ChangeKind::Value {
                    key: key.clone(),
                    old,
                    new,
                });
            }
        }
    }
}

/// Whether two lists differ in their entries, apart from order and repetition.
fn has_other_entries(one: &[String], other: &[String]) -> bool {
    !only_in(one, other).is_empty() || !only_in(other, one).is_empty()
}

fn only_in(list: &[String], other: &[String]) -> Vec<String> {
    let other: std::collections::BTreeSet<&String> = other.iter().collect();
    list.iter()
        .filter(|entry| !other.contains(entry))
        .cloned()
        .collect()
}

fn shown(keys: &Keys) -> BTreeMap<String, String> {
    keys.iter()
        .map(|(key, value)| (key.clone(), value.shown()))
        .collect()
}

impl ConfigValue {
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

/// Whether a value is secret: by the name of its key, or because it looks like a password hash.
fn is_secret(key: &str, value: &DeValue<'_>) -> bool {
    let name = key.rsplit('.').next().unwrap_or(key);
    // The path of a file is no secret.
    let has_secret_name =
        (name.contains("password") || name.contains("secret")) && !name.ends_with("_file");
    let is_hash = |value: &DeValue<'_>| value.as_str().is_some_and(|text| text.starts_with('$'));
    has_secret_name
        || is_hash(value)
        || value
            .as_array()
            .is_some_and(|entries| entries.iter().any(|entry| is_hash(entry.get_ref())))
}

/// Whether a table contains only named tables, such as `api_user`.
fn holds_only_tables(table: &DeTable<'_>) -> bool {
    !table.is_empty() && table.values().all(|value| value.get_ref().is_table())
}

/// Distinguishing title of an entry in a list of tables.
fn title(entry: &DeValue<'_>) -> String {
    let field = |key: &str| {
        entry
            .as_table()
            .and_then(|table| table.get(key))
            .map(|value| text(value.get_ref()))
    };
    let first = field("path")
        .or_else(|| field("names"))
        .or_else(|| field("name"))
        .unwrap_or_default();
    let more = ["host", "listeners", "match"]
        .into_iter()
        .filter_map(|key| Some(format!(" {key} {}", field(key)?)));
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
        // Entries with `names`, such as hosts of a listener, are tables of their own.
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
            keys.insert(prefix.to_owned(), ConfigValue::of(prefix, other));
        }
    }
}

fn is_large(entry: &DeValue<'_>) -> bool {
    entry
        .as_table()
        .is_some_and(|table| table.contains_key("names"))
}

/// A value in TOML syntax.
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
