//! Words and JSON for what is known about a key: its type, its default, its tables.

#[cfg(test)]
use super::key::AnyKey;
use super::key::{DefaultValue, Placement, TableKeys};
use super::shape::{KeyShape, TextForm, WordDoc};
use serde_json::{Value, json};

/// The tables in a shape, with what stands around their keys.
pub(super) enum Nested {
    /// `[path.key]`
    Table(&'static TableKeys),
    /// `[path.key.NAME]`
    Named(&'static str, &'static TableKeys),
    /// `[[path.key]]`
    Listed(&'static TableKeys),
    /// `key = { … }`
    Inline(&'static TableKeys),
}

/// The tables in the values of a key.
pub(super) fn nested_tables(shape: &KeyShape) -> Vec<Nested> {
    match shape {
        KeyShape::Table(table) => vec![Nested::Table(table)],
        KeyShape::TableList(table) => vec![Nested::Listed(table)],
        KeyShape::Map(name, inner) => match **inner {
            KeyShape::Table(table) => vec![Nested::Named(name, table)],
            _ => inline_tables(inner),
        },
        _ => inline_tables(shape),
    }
}

fn inline_tables(shape: &KeyShape) -> Vec<Nested> {
    match shape {
        KeyShape::Table(table) => vec![Nested::Inline(table)],
        KeyShape::List(inner) | KeyShape::Map(_, inner) => inline_tables(inner),
        KeyShape::OneOf(shapes) => shapes.iter().flat_map(inline_tables).collect(),
        _ => Vec::new(),
    }
}

/// The words in a shape, with their documentation.
pub(super) fn words(shape: &KeyShape) -> Vec<WordDoc> {
    match shape {
        KeyShape::Words(words) => words.clone(),
        // Of a word or a list of words, one is enough.
        KeyShape::OneOf(shapes) => shapes
            .iter()
            .filter(|shape| !matches!(shape, KeyShape::List(_)))
            .flat_map(words)
            .collect(),
        _ => Vec::new(),
    }
}

/// The type of a value, in Markdown.
pub(super) fn type_text(shape: &KeyShape) -> String {
    match shape {
        KeyShape::Text(form) => form_text(*form).to_owned(),
        KeyShape::Boolean => "`true` or `false`".to_owned(),
        KeyShape::Integer(range) => {
            format!("whole number, {} to {}", range.start(), range.end())
        }
        KeyShape::Words(words) => {
            let words: Vec<_> = words
                .iter()
                .map(|word| format!("`\"{}\"`", word.word))
                .collect();
            words.join(", ")
        }
        KeyShape::List(inner) => format!("list of: {}", type_text(inner)),
        KeyShape::Table(table) => {
            let names: Vec<_> = table.names().map(|name| format!("`{name}`")).collect();
            format!("table of {}", names.join(", "))
        }
        KeyShape::TableList(_) => "list of tables".to_owned(),
        KeyShape::Map(name, inner) => match **inner {
            KeyShape::Table(_) => format!("tables by {name}"),
            _ => format!("table of {name}: {}", type_text(inner)),
        },
        KeyShape::OneOf(shapes) => {
            let texts: Vec<_> = shapes
                .iter()
                .map(|shape| match shape {
                    KeyShape::List(_) => "list".to_owned(),
                    _ => type_text(shape),
                })
                .collect();
            texts.join(", or ")
        }
    }
}

fn form_text(form: TextForm) -> &'static str {
    match form {
        TextForm::Any => "string",
        TextForm::Path => "path",
        TextForm::PathPattern => "path or pattern of paths",
        TextForm::SecretSource => "path or `env:NAME`",
        TextForm::Address => "IP address with port",
        TextForm::Url => "URL",
        TextForm::Name => "name of a table",
        TextForm::Network => "network",
        TextForm::Host => "host name",
        TextForm::Time => "day or time",
        TextForm::Condition => "condition",
        TextForm::HeaderName => "name of a header field",
        TextForm::Permission => "permission",
        TextForm::Duration | TextForm::DurationOrZero => "duration",
        TextForm::Size => "size",
        TextForm::Rate => "rate",
        TextForm::Percentage => "percentage",
    }
}

/// Where the key of a table above the first level may stand, as a sentence.
pub(super) fn placement_text(placement: Placement) -> &'static str {
    match placement {
        Placement::WithTable => "Stands where its table stands.",
        Placement::MainFile => "Stands in the main file only.",
        Placement::OneFile => {
            "Stands in the main file or in an included file, in one of them only."
        }
        Placement::AnyFile => {
            "Stands in the main file and in included files; each name once in all of them."
        }
        Placement::AnyFileAndExpectations => {
            "Stands in the main file, in included files, and in files of `portcullis check --expect`."
        }
    }
}

impl DefaultValue {
    /// As JSON. `None` if it is no fixed value.
    pub(super) fn json(self) -> Option<Value> {
        match self {
            Self::Nothing | Self::Described(_) => None,
            Self::Text(text) => Some(json!(text)),
            Self::Number(number) => Some(json!(number)),
            Self::Boolean(boolean) => Some(json!(boolean)),
            Self::Texts(texts) => Some(json!(texts)),
        }
    }

    /// In Markdown. `None` if the key has no effect when it is missing.
    pub(super) fn text(self) -> Option<String> {
        match self {
            Self::Nothing => None,
            Self::Described(what) => Some(what.to_owned()),
            // TOML writes these values as JSON does.
            Self::Text(_) | Self::Number(_) | Self::Boolean(_) | Self::Texts(_) => {
                self.json().map(|value| format!("`{}`", spaced(&value)))
            }
        }
    }
}

/// JSON with a blank after the commas of a list.
fn spaced(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(Value::to_string).collect();
            format!("[{}]", items.join(", "))
        }
        _ => value.to_string(),
    }
}

/// The defaults of all keys that are fixed values, by the paths of the keys, such as `trust_domain.crl_fetch.refresh`.
#[cfg(test)]
pub(crate) fn documented_defaults() -> Vec<(String, Value)> {
    let mut found = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    collect_defaults("", &super::root::ROOT, &mut |path, key| {
        // A key that stands in several tables counts with the first.
        if seen.insert(std::ptr::from_ref(key.about()).addr())
            && let Some(value) = key.about().default.json()
        {
            found.push((path, value));
        }
    });
    found
}

#[cfg(test)]
fn collect_defaults(
    path: &str,
    table: &TableKeys,
    add: &mut impl FnMut(String, &'static dyn AnyKey),
) {
    let path_of = |key: &dyn AnyKey| match path {
        "" => key.about().name.to_owned(),
        path => format!("{path}.{}", key.about().name),
    };
    // The keys of a table come before those of its tables, which may be the same.
    for key in table.keys {
        add(path_of(*key), *key);
    }
    for key in table.keys {
        for nested in nested_tables(&key.shape()) {
            collect_defaults(&path_of(*key), nested.keys(), add);
        }
    }
}

impl Nested {
    pub(super) fn keys(&self) -> &'static TableKeys {
        match self {
            Self::Table(keys) | Self::Named(_, keys) | Self::Listed(keys) | Self::Inline(keys) => {
                keys
            }
        }
    }
}
