//! Suggestions for usage errors: the subcommand for an unknown word, and the missing flag before a file.

use super::Cli;
use clap::CommandFactory;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

/// Names of commands in other programs, and the matching command.
const OTHER_NAMES: [(&str, &str); 9] = [
    ("start", "run"),
    ("serve", "run"),
    ("server", "run"),
    ("validate", "check"),
    ("test", "check"),
    ("lint", "check"),
    ("why", "explain"),
    ("ban", "revoke"),
    ("init", "quickstart"),
];

/// Minimum Jaro-Winkler similarity for a suggestion.
const LIKENESS: f64 = 0.7;

/// Adds a suggestion for `first`, the first argument, if clap has none: clap compares with existing names only.
pub(super) fn with_suggestion(mut error: Error, first: Option<&str>) -> Error {
    if let Some(tip) = first.and_then(|command| missing_config_flag(&error, command)) {
        error.insert(
            ContextKind::Suggested,
            ContextValue::StyledStrs(vec![StyledStr::from(tip)]),
        );
        return error;
    }
    if error.kind() != ErrorKind::InvalidSubcommand {
        return error;
    }
    if let Some(ContextValue::Strings(known)) = error.get(ContextKind::SuggestedSubcommand) {
        // clap names the most similar command last, behind others that are less so.
        let best: Vec<String> = known.last().cloned().into_iter().collect();
        error.insert(
            ContextKind::SuggestedSubcommand,
            ContextValue::Strings(best),
        );
        return error;
    }
    // Not for a word below `pki` or `import`.
    let is_first = |word: &ContextValue| matches!((word, first), (ContextValue::String(word), Some(first)) if word == first);
    if error
        .get(ContextKind::InvalidSubcommand)
        .is_some_and(is_first)
        && let Some(known) = first.and_then(nearest)
    {
        error.insert(
            ContextKind::SuggestedSubcommand,
            ContextValue::Strings(vec![known.to_owned()]),
        );
    }
    error
}

/// The tip for `run gateway.toml`: a command that takes no file without a flag, and a config after it.
fn missing_config_flag(error: &Error, command: &str) -> Option<String> {
    let Some(ContextValue::String(file)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    let is_config = error.kind() == ErrorKind::UnknownArgument
        && !file.starts_with('-')
        && file.ends_with(".toml");
    let cli = Cli::command();
    let takes_config = cli
        .find_subcommand(command)?
        .get_arguments()
        .any(|argument| argument.get_id() == "config");
    (is_config && takes_config)
        .then(|| format!("name the config with a flag: `portcullis {command} -c {file}`"))
}

fn nearest(word: &str) -> Option<&'static str> {
    let likeness = OTHER_NAMES.map(|(other, known)| (strsim::jaro_winkler(word, other), known));
    let best = likeness.into_iter().max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 > LIKENESS).then_some(best.1)
}
