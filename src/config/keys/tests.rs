//! The table of keys beside its readers: the decoder and the lists for broken files.

mod sample;

use super::describe::{Nested, nested_tables};
use super::key::{AnyKey, DefaultValue, Placement, Presence, TableKeys};
use super::root::{EXPECTATIONS, ROOT};
use super::shape::{KeyShape, TextForm};
use crate::config::keys_read::is_read;
use crate::config::{Occasion, Problem, load};
use std::collections::BTreeSet;

/// A table and the path to it.
struct Found {
    path: String,
    table: &'static TableKeys,
    is_inline: bool,
}

/// All tables, each as often as it can be reached.
fn all_tables() -> Vec<Found> {
    fn add(path: &str, table: &'static TableKeys, is_inline: bool, found: &mut Vec<Found>) {
        for key in table.keys {
            let below = format!("{path}.{}", key.about().name);
            for nested in nested_tables(&key.shape()) {
                let is_inline = matches!(nested, Nested::Inline(_));
                add(&below, nested.keys(), is_inline, found);
            }
        }
        let path = path.to_owned();
        found.push(Found {
            path,
            table,
            is_inline,
        });
    }
    let mut found = Vec::new();
    add("", &ROOT, false, &mut found);
    found
}

/// All keys of all tables.
fn all_keys() -> impl Iterator<Item = (String, &'static dyn AnyKey)> {
    all_tables().into_iter().flat_map(|found| {
        let keys = found.table.keys.iter();
        keys.map(move |key| (format!("{}.{}", found.path, key.about().name), *key))
    })
}

/// Values that a key accepts, as TOML: one for each alternative.
fn values(shape: &KeyShape) -> Vec<String> {
    match shape {
        KeyShape::Text(form) => vec![format!("\"{}\"", text(*form))],
        KeyShape::Boolean => vec!["true".to_owned()],
        KeyShape::Integer(range) => vec![range.start().to_string(), range.end().to_string()],
        KeyShape::Words(words) => words
            .iter()
            .map(|word| format!("\"{}\"", word.word))
            .collect(),
        KeyShape::List(inner) => vec![format!("[{}]", values(inner).join(", "))],
        KeyShape::Table(table) => vec![inline(table)],
        KeyShape::TableList(table) => vec![format!("[{}]", inline(table))],
        KeyShape::Map(name, inner) => values(inner)
            .iter()
            .map(|value| format!("{{ {name} = {value} }}"))
            .collect(),
        KeyShape::OneOf(shapes) => shapes.iter().flat_map(values).collect(),
    }
}

/// An inline table with all keys, each with its last value: what is not a word, if a key takes both.
fn inline(table: &TableKeys) -> String {
    let pairs = table.keys.iter().filter_map(|key| {
        let value = values(&key.shape()).pop()?;
        Some(format!("{} = {value}", key.about().name))
    });
    format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
}

fn text(form: TextForm) -> &'static str {
    match form {
        TextForm::Duration | TextForm::DurationOrZero => "2s",
        TextForm::Size => "1KiB",
        TextForm::Rate => "1/s",
        TextForm::Percentage => "1%",
        _ => "x",
    }
}

/// What the decoder says of a config.
fn problems(config: &str) -> Vec<Problem> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.toml");
    std::fs::write(&file, config).unwrap();
    load(&file, Occasion::First).problems.into_sorted()
}

/// Configs that together have every value of every key, each below the path of its table.
fn configs_with_each_value() -> Vec<String> {
    let mut configs = Vec::new();
    for key in ROOT.keys.iter().filter(|key| key.about().name != "include") {
        configs.push(format!(
            "{} = {}",
            key.about().name,
            values(&key.shape()).join("")
        ));
    }
    configs
}

/// Problems that say that a key or its value is not known, as opposed to a contradiction of keys.
fn unknown(problems: Vec<Problem>) -> Vec<String> {
    let messages = problems.into_iter().map(|problem| problem.message);
    let kinds = [
        "unknown key",
        "is a TOML",
        "cannot be",
        "cannot hold",
        "missing",
    ];
    messages
        .filter(|message| kinds.iter().any(|kind| message.contains(kind)))
        .collect()
}

#[test]
fn the_decoder_reads_every_key_of_the_table_and_no_other() {
    for config in configs_with_each_value() {
        let found = unknown(problems(&config));
        assert!(found.is_empty(), "{config}\n{found:#?}");
    }
    // Requirements by method, and keys that replace others.
    for config in [
        "include = []",
        "route = [{ path = \"/\", requirement = { GET = { name = \"x\", when = \"true\" } } }]",
        "expect = [{ request = \"GET /\", verdict = \"permit\" }]",
    ] {
        assert_eq!(unknown(problems(config)), [""; 0], "{config}");
    }
    // A read of another key would have failed in `keys_read`.
    let unread: Vec<String> = all_tables()
        .iter()
        .flat_map(|found| {
            let names = found
                .table
                .names()
                .filter(|name| !is_read(found.table, name));
            names.map(|name| format!("{}.{name}", found.path))
        })
        .filter(|path| !path.is_empty())
        .collect();
    assert!(unread.is_empty(), "no decoder reads {unread:#?}");
}

#[test]
fn each_value_of_each_key_is_decoded_and_others_are_not() {
    for found in all_tables() {
        for key in found.table.keys {
            let name = key.about().name;
            if name == "include" {
                continue;
            }
            for value in values(&key.shape()) {
                let messages = unknown(problems(&nested(&found, name, &value)));
                assert!(
                    messages.is_empty(),
                    "{}.{name} = {value}: {messages:#?}",
                    found.path
                );
            }
            let wrong = nested(&found, name, "1979-05-27");
            let messages = unknown(problems(&wrong));
            assert!(!messages.is_empty(), "{wrong} is accepted");
        }
    }
}

/// A config in which one key of a table has this value, and required keys have one, too.
fn nested(found: &Found, key: &str, value: &str) -> String {
    let others = found.table.keys.iter().filter(|other| {
        matches!(other.about().presence, Presence::Required(_)) && other.about().name != key
    });
    let others = others.filter_map(|other| {
        let value = values(&other.shape()).pop()?;
        Some(format!("{} = {value}", other.about().name))
    });
    // An expectation has `request`, or `method` and `url`.
    let companion = match (found.path.as_str(), key) {
        (".expect", "method") => Some("url = \"/\""),
        (".expect", "url") => Some("method = \"GET\""),
        (".expect", "request") => None,
        (".expect", _) => Some("request = \"GET /\""),
        _ => None,
    };
    let pairs: Vec<String> = others
        .chain(companion.map(str::to_owned))
        .chain([format!("{key} = {value}")])
        .collect();
    let mut table = match found.path.as_str() {
        "" => return pairs.join("\n"),
        // Without a rate, a burst is a contradiction, but no unknown value.
        _ => format!("{{ {} }}", pairs.join(", ")),
    };
    // From the inside to the outside.
    let mut outer: &'static TableKeys = &ROOT;
    let mut steps = Vec::new();
    for name in found.path.split('.').skip(1) {
        let step = outer
            .keys
            .iter()
            .find(|key| key.about().name == name)
            .unwrap();
        steps.push((outer, *step));
        outer = nested_tables(&step.shape()).pop().unwrap().keys();
    }
    for (outer, step) in steps.into_iter().rev() {
        let value = wrapped(&step.shape(), &table);
        let name = step.about().name;
        let required = outer.keys.iter().filter(|other| {
            matches!(other.about().presence, Presence::Required(_)) && other.about().name != name
        });
        let mut pairs: Vec<String> = required
            .filter_map(|other| {
                let value = values(&other.shape()).pop()?;
                Some(format!("{} = {value}", other.about().name))
            })
            .collect();
        pairs.push(format!("{name} = {value}"));
        table = format!("{{ {} }}", pairs.join(", "));
    }
    table
        .strip_prefix("{ ")
        .and_then(|rest| rest.strip_suffix(" }"))
        .unwrap()
        .to_owned()
}

/// A value of a key in which this table stands.
fn wrapped(shape: &KeyShape, table: &str) -> String {
    match shape {
        KeyShape::TableList(_) => format!("[{table}]"),
        KeyShape::Map(name, _) => format!("{{ {name} = {table} }}"),
        _ => table.to_owned(),
    }
}

#[test]
fn keys_that_are_read_from_broken_files_exist() {
    let names: BTreeSet<&str> = all_keys().map(|(_, key)| key.about().name).collect();
    for key in crate::config::lenient::KEPT_KEYS {
        assert!(names.contains(key), "{key}");
    }
    assert_eq!(super::listed_names(), ["route", "expect", "host"]);
    for heading in ["route", "expect", "listener.main.host", "listener.a.b.host"] {
        assert!(super::is_list_of_tables(heading), "{heading}");
    }
    for heading in [
        "listener",
        "listener.host",
        "host",
        "upstream.main.host",
        "route.x",
        "",
    ] {
        assert!(!super::is_list_of_tables(heading), "{heading}");
    }
    assert!(super::is_named_table("api_user") && !super::is_named_table("gateway"));
}

#[test]
fn nested_tables_name_their_files() {
    for key in ROOT.keys {
        assert_ne!(
            key.about().placement,
            Placement::WithTable,
            "{}",
            key.about().name
        );
    }
    let expectations = ROOT
        .keys
        .iter()
        .filter(|key| key.about().placement == Placement::AnyFileAndExpectations);
    let names: Vec<&str> = expectations.map(|key| key.about().name).collect();
    assert_eq!(names, EXPECTATIONS.names().collect::<Vec<_>>());
    for found in all_tables().iter().filter(|found| !found.path.is_empty()) {
        for key in found.table.keys {
            assert_eq!(
                key.about().placement,
                Placement::WithTable,
                "{}",
                found.path
            );
        }
    }
}

#[test]
fn every_key_is_documented_in_sentences_and_its_default_is_one_of_its_values() {
    let version =
        |text: &str| -> Vec<u32> { text.split('.').map(|part| part.parse().unwrap()).collect() };
    for (path, key) in all_keys() {
        let about = key.about();
        assert!(
            about.doc.ends_with('.') && about.doc.len() > 5,
            "{path}: {}",
            about.doc
        );
        assert!(!about.doc.contains("  "), "{path}: {}", about.doc);
        assert!(
            version(about.since) <= version(env!("CARGO_PKG_VERSION")),
            "{path}"
        );
        let has_default = !matches!(about.default, DefaultValue::Nothing);
        let is_required = matches!(about.presence, Presence::Required(_));
        assert!(
            !(has_default && is_required),
            "{path} is required and has a default"
        );
    }
    let mut count = 0;
    for found in all_tables() {
        for key in found.table.keys {
            let name = key.about().name;
            if let Some(default) = key.about().default.json() {
                let messages = unknown(problems(&nested(&found, name, &default.to_string())));
                assert!(
                    messages.is_empty(),
                    "{}.{name} = {default}: {messages:#?}",
                    found.path
                );
                count += 1;
            }
        }
    }
    assert!(count > 50, "{count}");
}
