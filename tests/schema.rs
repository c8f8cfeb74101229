//! `portcullis schema`: JSON Schema and reference of the config keys, beside what `check` says of the same configs.

mod golden;

use crate::sample_config::uncommented;
use crate::support::config_schema::{Config, schema, validate};
use crate::support::{PORTCULLIS, assert_valid_config, run};
use serde_json::Value;
use std::path::Path;

const REFERENCE: &str = "docs/keys.md";

fn file_of_the_repository(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn config(name: &str, text: &str) -> Config {
    Config::of(name, text).unwrap_or_else(|| panic!("{name} is no TOML"))
}

#[test]
fn the_schema_is_one_of_draft_7_in_which_every_table_is_closed() {
    fn open_tables(schema: &Value, path: &str, open: &mut Vec<String>) {
        if schema["type"] == "object" && schema.get("additionalProperties").is_none() {
            open.push(path.to_owned());
        }
        match schema {
            Value::Object(object) => object
                .iter()
                .for_each(|(key, inner)| open_tables(inner, &format!("{path}/{key}"), open)),
            Value::Array(items) => items
                .iter()
                .for_each(|inner| open_tables(inner, path, open)),
            _ => {}
        }
    }
    let schema = schema();
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    assert_eq!(schema["additionalProperties"], false);
    let mut open = Vec::new();
    open_tables(&schema, "", &mut open);
    assert!(open.is_empty(), "tables that take any key: {open:?}");
    let auth =
        &schema["properties"]["listener"]["additionalProperties"]["properties"]["client_auth"];
    assert_eq!(
        auth["enum"],
        serde_json::json!(["required", "optional", "off"])
    );
    assert_eq!(auth["default"], "required");
    assert!(
        auth["description"]
            .as_str()
            .unwrap()
            .contains("certificate"),
        "{auth}"
    );
}

#[test]
fn the_samples_are_valid() {
    let sample = file_of_the_repository("docs/gateway-all-keys.toml");
    let examples: String = sample
        .lines()
        .map(|line| uncommented(line) + "\n")
        .collect();
    assert_valid_config("docs/gateway-all-keys.toml", &sample);
    assert_valid_config("its comments", &examples);
    assert_valid_config("gateway.toml", &file_of_the_repository("gateway.toml"));
}

/// A valid config, and an invalid twin.
const TWINS: [(&str, &str); 17] = [
    ("[gateway]\nworkers = 2\n", "[gateway]\nworker = 2\n"),
    (
        "[gateway]\nworkers = \"auto\"\n",
        "[gateway]\nworkers = \"all\"\n",
    ),
    ("[gateway]\nworkers = 1024\n", "[gateway]\nworkers = 1025\n"),
    (
        "[gateway]\nshadow = true\n",
        "[gateway]\nshadow = \"true\"\n",
    ),
    (
        "[limits]\nhead_timeout = \"10s\"\n",
        "[limits]\nhead_timeout = \"10\"\n",
    ),
    (
        "[limits]\nhead_timeout = \"10s\"\n",
        "[limits]\nhead_timeout = 10\n",
    ),
    (
        "[limits]\nidle_timeout = \"off\"\n",
        "[limits]\nhead_timeout = \"off\"\n",
    ),
    (
        "[limits]\nhead_size = \"32KiB\"\n",
        "[limits]\nhead_size = \"32 kilo\"\n",
    ),
    (
        "[gateway]\ndrain_delay = \"0s\"\n",
        "[gateway]\ndrain_deadline = \"0s\"\n",
    ),
    (
        "[listener.a]\naddress = \"127.0.0.1:1\"\nclient_auth = \"off\"\n",
        "[listener.a]\naddress = \"127.0.0.1:1\"\nclient_auth = \"never\"\n",
    ),
    (
        "[listener.a]\naddress = \"127.0.0.1:1\"\n",
        "[listener.a]\n",
    ),
    (
        "[api_user.a]\nrequest_rate = \"1/s\"\n",
        "[api_user.a]\nrequest_rate = \"1/d\"\n",
    ),
    (
        "[api_user.a]\npermissions = \"*\"\n",
        "[api_user.a]\npermissions = 1\n",
    ),
    (
        "[api_user.a]\npermissions = [\"*\", { permission = \"*\", shadow = true }]\n",
        "[api_user.a]\npermissions = [\"*\", { permision = \"*\" }]\n",
    ),
    (
        "[trust_domain.a]\nstale_crls = { allow-for = \"6h\" }\n",
        "[trust_domain.a]\nstale_crls = { allow_for = \"6h\" }\n",
    ),
    ("[[route]]\npath = \"/\"\n", "[route]\npath = \"/\"\n"),
    (
        "[[route]]\npath = \"/\"\nrequirement = { GET = { name = \"x\" }, PUT = \"y\" }\n",
        "[[route]]\npath = \"/\"\nrequirement = { GET = { nam = \"x\" } }\n",
    ),
];

#[test]
fn what_is_wrong_is_invalid_and_its_twin_is_valid() {
    let configs: Vec<Config> = TWINS
        .iter()
        .flat_map(|(good, bad)| [config(good, good), config(bad, bad)])
        .collect();
    let Some(errors) = validate(&schema(), &configs) else {
        return;
    };
    for (config, errors) in configs.iter().zip(&errors).step_by(2) {
        assert!(errors.is_empty(), "{}\n{errors:#?}", config.name);
    }
    for (config, errors) in configs.iter().zip(&errors).skip(1).step_by(2) {
        assert!(!errors.is_empty(), "accepted:\n{}", config.name);
    }
}

#[test]
fn the_reference_in_the_documents_is_what_the_command_prints() {
    let (out, err, code) = run(PORTCULLIS, &["schema", "--format", "markdown"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(
        file_of_the_repository(REFERENCE) == out,
        "{REFERENCE} is not what the command prints; write it anew: \
         cargo run -- schema --format markdown > {REFERENCE}"
    );
}

#[test]
fn a_schema_that_cannot_be_written_is_an_error() {
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let status = std::process::Command::new(PORTCULLIS)
        .arg("schema")
        .stdout(full)
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&status.stderr);
    assert_eq!(status.status.code(), Some(1), "{error}");
    assert!(error.contains("No space left"), "{error}");
    let (_, error, code) = run(PORTCULLIS, &["schema", "--format", "yaml"]);
    assert_eq!(code, 2, "{error}");
    assert!(error.contains("json-schema"), "{error}");
}
