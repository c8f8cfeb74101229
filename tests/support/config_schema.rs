//! Configs beside the schema that `portcullis schema` prints. The judge is Python's jsonschema, since editors take any
//! validator.

use super::{PORTCULLIS, require_program, run};
use serde_json::{Value, json};
use std::io::Write;
use std::process::{Command, Stdio};

const SCRIPT: &str = include_str!("validate.py");

/// A config as JSON.
#[derive(Clone)]
pub struct Config {
    pub name: String,
    value: Value,
}

impl Config {
    /// `None` for a text that is no TOML.
    pub fn of(name: &str, text: &str) -> Option<Self> {
        let table: toml::Table = text.parse().ok()?;
        Some(Self {
            name: name.to_owned(),
            value: serde_json::to_value(table).unwrap(),
        })
    }
}

/// What the schema finds wrong with a config.
#[derive(Debug)]
pub struct SchemaError {
    /// The keys that it is about, such as `gateway.workers`.
    pub names: Vec<String>,
    /// The same, and those that none of several alternatives fits.
    pub inner: Vec<String>,
    pub message: String,
}

/// The schema as the command prints it.
pub fn schema() -> Value {
    let (out, err, code) = run(PORTCULLIS, &["schema"]);
    assert_eq!((code, err.as_str()), (0, ""));
    serde_json::from_str(&out).expect("the schema is JSON")
}

/// Asserts that a config is valid by the schema.
pub fn assert_valid_config(name: &str, text: &str) {
    let config = Config::of(name, text).unwrap_or_else(|| panic!("{name} is no TOML"));
    if let Some(errors) = validate(&schema(), &[config]) {
        assert!(errors.iter().all(Vec::is_empty), "{name}: {errors:#?}");
    }
}

/// The errors of each config. `None` without Python's jsonschema.
pub fn validate(schema: &Value, configs: &[Config]) -> Option<Vec<Vec<SchemaError>>> {
    if !has_judge() {
        return None;
    }
    let values: Vec<&Value> = configs.iter().map(|config| &config.value).collect();
    let question = json!({ "schema": schema, "configs": values }).to_string();
    let mut python = Command::new("python3")
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    python
        .stdin
        .take()
        .unwrap()
        .write_all(question.as_bytes())
        .unwrap();
    let output = python.wait_with_output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let texts = |value: &Value| -> Vec<String> {
        let items = value.as_array().unwrap().iter();
        items
            .map(|item| item.as_str().unwrap().to_owned())
            .collect()
    };
    let errors_of = |errors: &Value| {
        let errors = errors.as_array().unwrap().iter();
        errors
            .map(|error| SchemaError {
                names: texts(&error["names"]),
                inner: texts(&error["inner"]),
                message: error["message"].as_str().unwrap().to_owned(),
            })
            .collect()
    };
    let answer = answer.as_array().unwrap().iter().map(errors_of);
    Some(answer.collect())
}

fn has_judge() -> bool {
    if !require_program("python3") {
        return false;
    }
    let output = Command::new("python3")
        .args(["-c", "import jsonschema"])
        .output()
        .unwrap();
    if !output.status.success() {
        assert!(
            std::env::var_os("PORTCULLIS_TESTS_REQUIRE").is_none(),
            "python3-jsonschema is not installed"
        );
        eprintln!("skipped: python3-jsonschema is not installed (tests/run installs it)");
    }
    output.status.success()
}
