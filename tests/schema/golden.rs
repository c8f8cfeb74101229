//! The golden config errors beside the schema: what `check` rejects for an unknown key, a wrong type or an unknown word is
//! invalid, and nothing else is.

use crate::config_errors::{FILE_MARKER, MARKER, golden_files};
use crate::support::config_schema::{Config, SchemaError, schema, validate};

/// Hints of errors about the form of a value. All other errors need more than one value, or files.
const HINTS: [&str; 9] = [
    "use one of ",
    "use some of ",
    "write a duration",
    "write a size",
    "write a rate",
    "write a whole number",
    "write a string",
    "write true or false",
    "write a percentage",
];
/// Hints of those that a schema cannot know: bounds of durations and sizes, and words that other keys add.
const BEYOND_THE_SCHEMA: [&str; 3] = [
    "a duration from a second on",
    "not above 48.0 KiB",
    "and of `request_headers`",
];

/// What the golden report of a file says.
struct Golden {
    name: String,
    /// The errors of the form of a value.
    errors: Vec<FormError>,
    configs: Vec<Config>,
}

impl Golden {
    /// `None` for a file with a syntax error.
    fn read(path: &std::path::Path) -> Option<Self> {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(path).unwrap();
        let (config, report) = text.split_once(MARKER).unwrap();
        let mut configs = Vec::new();
        for (at, part) in config.split(FILE_MARKER).enumerate() {
            let text = match at {
                0 => part,
                _ => part.split_once('\n').unwrap().1,
            };
            configs.push(Config::of(&name, text)?);
        }
        let errors = report
            .split("# error: ")
            .skip(1)
            .filter_map(FormError::read)
            .collect();
        Some(Self {
            name,
            errors,
            configs,
        })
    }
}

/// An error of an unknown or missing key, or of the form of a value.
struct FormError {
    key: String,
    reach: Reach,
}

/// Whether a schema finds an error.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    Always,
    /// It finds some of these.
    Sometimes,
}

impl FormError {
    /// `None` for errors of another kind.
    fn read(error: &str) -> Option<Self> {
        let message = error.lines().next()?;
        let hint = error.split_once("= help: ").map_or("", |(_, hint)| hint);
        let hint = hint.lines().next().unwrap_or_default();
        let key = message
            .strip_prefix("unknown key ")
            .unwrap_or(message)
            .strip_prefix('`')?;
        let (key, rest) = key.split_once('`')?;
        let is_bad_form =
            rest.starts_with(" cannot ") && HINTS.iter().any(|known| hint.starts_with(known));
        // Keys that only some configs need are named without their table.
        let is_missing = rest == " is missing" && key.contains('.');
        let is_known = message.starts_with("unknown key ")
            || rest.starts_with(" is a TOML ")
            || is_missing
            || is_bad_form;
        let is_beyond = BEYOND_THE_SCHEMA.iter().any(|part| hint.contains(part));
        // An expectation has `request`, or `method` and `url`; the schema lets either be missing.
        let is_conditional = is_missing && key.starts_with("expect") && !key.ends_with("verdict");
        is_known.then(|| Self {
            key: without_numbers(key),
            reach: match is_beyond || is_conditional {
                true => Reach::Sometimes,
                false => Reach::Always,
            },
        })
    }
}

/// `route[0].path` becomes `route.path`.
fn without_numbers(key: &str) -> String {
    let mut parts = key.split('[');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |name, part| {
        name + part.split_once(']').map_or("", |(_, rest)| rest)
    })
}

#[test]
fn the_schema_rejects_what_check_rejects_for_its_form_and_nothing_else() {
    let goldens: Vec<Golden> = golden_files()
        .iter()
        .filter_map(|path| Golden::read(path))
        .collect();
    let all: Vec<Config> = goldens
        .iter()
        .flat_map(|golden| golden.configs.iter().cloned())
        .collect();
    let Some(errors) = validate(&schema(), &all) else {
        return;
    };
    let mut errors = errors.into_iter();
    let mut wrong = Vec::new();
    let mut rejected = 0;
    for golden in &goldens {
        let found: Vec<SchemaError> = errors
            .by_ref()
            .take(golden.configs.len())
            .flatten()
            .collect();
        let always = |error: &&FormError| error.reach == Reach::Always;
        for FormError { key, .. } in golden.errors.iter().filter(always) {
            rejected += 1;
            if !found.iter().any(|error| error.inner.contains(key)) {
                wrong.push(format!("{}: the schema accepts `{key}`", golden.name));
            }
        }
        for error in &found {
            let is_known = error.names.iter().all(|name| {
                golden
                    .errors
                    .iter()
                    .any(|known| known.key.starts_with(name))
            });
            if !is_known {
                wrong.push(format!(
                    "{}: `check` accepts {:?}: {}",
                    golden.name, error.names, error.message
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(rejected > 80, "{rejected} errors are compared");
}
