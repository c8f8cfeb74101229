//! The table of keys as JSON Schema (draft 7), for editors. Taplo and Even Better TOML show its descriptions.

use super::describe::words;
use super::forms::patterns;
use super::key::{AnyKey, Presence, TableKeys};
use super::root::ROOT;
use super::shape::{KeyShape, TextForm, WordDoc};
use serde_json::{Map, Value, json};

/// The JSON Schema of config files.
pub fn json_schema() -> Value {
    let mut schema = table(&ROOT);
    let head = [
        ("$schema", json!("http://json-schema.org/draft-07/schema#")),
        ("title", json!("Portcullis config")),
        ("description", json!(ROOT.doc)),
    ];
    if let Value::Object(object) = &mut schema {
        object.extend(head.map(|(name, value)| (name.to_owned(), value)));
    }
    schema
}

fn table(keys: &TableKeys) -> Value {
    let properties: Map<String, Value> = keys
        .keys
        .iter()
        .map(|key| (key.about().name.to_owned(), property(*key)))
        .collect();
    let required: Vec<&str> = keys
        .keys
        .iter()
        .map(|key| key.about())
        .filter(|about| matches!(about.presence, Presence::Required(_)))
        .map(|about| about.name)
        .collect();
    let mut schema = json!({
        "type": "object",
        "description": keys.doc,
        "properties": properties,
        "additionalProperties": false,
    });
    if let (Value::Object(object), false) = (&mut schema, required.is_empty()) {
        object.insert("required".to_owned(), json!(required));
    }
    schema
}

fn property(key: &dyn AnyKey) -> Value {
    let about = key.about();
    let shape = key.shape();
    let mut schema = schema_of(&shape);
    let mut description = about.doc.to_owned();
    for WordDoc { word, doc } in words(&shape) {
        description.push_str(&format!("\n\n- `\"{word}\"`: {doc}"));
    }
    if let Some(default) = about.default.text() {
        description.push_str(&format!("\n\nDefault: {default}"));
    }
    if let Value::Object(object) = &mut schema {
        object.insert("description".to_owned(), json!(description));
        if let Some(default) = about.default.json() {
            object.insert("default".to_owned(), default);
        }
    }
    schema
}

fn schema_of(shape: &KeyShape) -> Value {
    match shape {
        KeyShape::Text(form) => text(*form),
        KeyShape::Boolean => json!({ "type": "boolean" }),
        KeyShape::Integer(range) => json!({
            "type": "integer",
            "minimum": range.start(),
            "maximum": range.end(),
        }),
        KeyShape::Words(words) => enumeration(words),
        KeyShape::List(inner) => json!({ "type": "array", "items": schema_of(inner) }),
        KeyShape::Table(keys) => table(keys),
        KeyShape::TableList(keys) => json!({ "type": "array", "items": table(keys) }),
        KeyShape::Map(_, inner) => json!({
            "type": "object",
            "additionalProperties": schema_of(inner),
        }),
        KeyShape::OneOf(shapes) => {
            let schemas: Vec<Value> = shapes.iter().map(schema_of).collect();
            json!({ "anyOf": schemas })
        }
    }
}

fn text(form: TextForm) -> Value {
    match patterns(form) {
        [] => json!({ "type": "string" }),
        [pattern] => json!({ "type": "string", "pattern": pattern }),
        patterns => {
            let all: Vec<Value> = patterns
                .iter()
                .map(|pattern| json!({ "pattern": pattern }))
                .collect();
            json!({ "type": "string", "allOf": all })
        }
    }
}

/// The words of a choice. Taplo shows the documentation of each in completions.
fn enumeration(words: &[WordDoc]) -> Value {
    let names: Vec<&str> = words.iter().map(|word| word.word).collect();
    let docs: Vec<&str> = words.iter().map(|word| word.doc).collect();
    json!({
        "type": "string",
        "enum": names,
        "x-taplo": { "docs": { "enumValues": docs } },
    })
}
