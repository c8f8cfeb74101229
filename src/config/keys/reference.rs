//! The table of keys as a Markdown page for operators: `docs/keys.md`.

use super::describe::{Nested, nested_tables, placement_text, type_text, words};
use super::key::{AnyKey, Placement, Presence, TableKeys};
use super::root::ROOT;
use super::shape::{KeyShape, WordDoc};
use std::collections::BTreeSet;

const INTRODUCTION: &str = "\
# Config keys

Every table and key of `gateway.toml`, as `portcullis schema --format markdown` prints it.
[gateway-all-keys.toml](gateway-all-keys.toml) shows the keys in an annotated config that runs.

Types in the tables below:

- A *duration* is a text with units, such as `\"500ms\"`, `\"10s\"`, `\"5m\"`, `\"1h 30m\"` or `\"7d\"`.
- A *size* is a text such as `\"32KiB\"` or `\"10MB\"`, in bytes.
- A *rate* is a text such as `\"100/s\"`, `\"600/m\"` or `\"5000/h\"`.
- A *path* is relative to the file that names it.
- *list* means that the key takes one such value, or a list of them.
- A *condition* is an expression in CEL, see [conditions.md](conditions.md).

A key whose default is empty has no effect when it is missing.
";

/// The reference of all keys, in Markdown.
pub fn key_reference() -> String {
    let mut page = Page {
        text: INTRODUCTION.to_owned(),
        shown: BTreeSet::new(),
    };
    page.section("Above the first table", None, &ROOT);
    page.nested("", "", &ROOT);
    page.text
}

/// The page as far as it is written.
struct Page {
    text: String,
    /// The tables that the page has; a table of several keys is described once.
    shown: BTreeSet<usize>,
}

impl Page {
    fn section(&mut self, heading: &str, placement: Option<Placement>, table: &TableKeys) {
        self.text
            .push_str(&format!("\n## {heading}\n\n{}", table.doc));
        if let Some(placement) = placement {
            self.text.push(' ');
            self.text.push_str(placement_text(placement));
        }
        self.text
            .push_str("\n\n| key | type | default | since | meaning |\n|---|---|---|---|---|\n");
        for key in table.keys {
            self.text.push_str(&row(*key));
        }
    }

    /// The sections of the tables below a table, of which `outer` is the heading.
    fn nested(&mut self, path: &str, outer: &str, table: &TableKeys) {
        for key in table.keys {
            let about = key.about();
            let full = match path {
                "" => about.name.to_owned(),
                path => format!("{path}.{}", about.name),
            };
            for nested in nested_tables(&key.shape()) {
                let keys = nested.keys();
                if !self.shown.insert(std::ptr::from_ref(keys).addr()) {
                    continue;
                }
                let inner = match nested {
                    Nested::Named(name, _) => format!("{full}.{name}"),
                    _ => full.clone(),
                };
                let heading = match nested {
                    Nested::Table(_) | Nested::Named(..) => format!("`[{inner}]`"),
                    Nested::Listed(_) => format!("`[[{inner}]]`"),
                    Nested::Inline(_) => format!("`{} = {{ … }}` of {outer}", about.name),
                };
                let placement = path.is_empty().then_some(about.placement);
                self.section(&heading, placement, keys);
                self.nested(&inner, &heading, keys);
            }
        }
    }
}

fn row(key: &dyn AnyKey) -> String {
    let about = key.about();
    let shape = key.shape();
    let default = match about.presence {
        Presence::Required(_) => "required".to_owned(),
        Presence::Optional => about.default.text().unwrap_or_default(),
    };
    let mut meaning = about.doc.to_owned();
    for WordDoc { word, doc } in words(&shape) {
        meaning.push_str(&format!("<br>`\"{word}\"`: {doc}"));
    }
    if about.placement == Placement::MainFile {
        meaning.push(' ');
        meaning.push_str(placement_text(about.placement));
    }
    let cells = [
        format!("`{}`", about.name),
        match shape {
            KeyShape::Table(_) => "table".to_owned(),
            _ => type_text(&shape),
        },
        default,
        about.since.to_owned(),
        meaning,
    ];
    // A bar would end its cell, also in code.
    let cells = cells.map(|cell| cell.replace('|', "\\|"));
    format!("| {} |\n", cells.join(" | "))
}
