//! The gateway's own log on standard error: set up once, filter changed on reload.

use crate::config::LogFormat;
use std::io::IsTerminal;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

/// Changes the log filter at run time.
#[derive(Clone)]
pub struct LogControl {
    filter: reload::Handle<EnvFilter, Registry>,
    origin: FilterOrigin,
}

/// The source of the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FilterOrigin {
    /// The config; a reload changes it.
    Config,
    /// The command line or the environment; a reload does not change it.
    Command,
}

/// An invalid filter.
#[derive(Debug, thiserror::Error)]
#[error("not a log level or filter: {0}")]
pub struct LogError(String);

impl LogControl {
    /// Starts logging with the filter of the command, or else that of the config.
    ///
    /// # Errors
    /// [`LogError`] if the filter is invalid.
    pub fn start(
        of_command: Option<&str>,
        of_config: &str,
        format: LogFormat,
    ) -> Result<Self, LogError> {
        let origin = if of_command.is_some() {
            FilterOrigin::Command
        } else {
            FilterOrigin::Config
        };
        let (filter, handle) = reload::Layer::new(parse(of_command.unwrap_or(of_config))?);
        let registry = tracing_subscriber::registry().with(filter);
        // A second start in one process (tests) keeps the first subscriber.
        let _ = match format {
            LogFormat::Json => registry
                .with(
                    fmt::layer()
                        .json()
                        .flatten_event(true)
                        .with_writer(std::io::stderr),
                )
                .try_init(),
            LogFormat::Text => registry
                .with(
                    fmt::layer()
                        .with_ansi(supports_colours())
                        .with_writer(std::io::stderr),
                )
                .try_init(),
            LogFormat::Off => Ok(()),
        };
        Ok(Self {
            filter: handle,
            origin,
        })
    }

    /// Applies the filter of a new config, unless the command set one.
    ///
    /// # Errors
    /// [`LogError`] if it is invalid; the old filter is kept.
    pub fn set_filter(&self, of_config: &str) -> Result<(), LogError> {
        let filter = parse(of_config)?;
        if self.origin == FilterOrigin::Command {
            return Ok(());
        }
        self.filter
            .reload(filter)
            .map_err(|error| LogError(error.to_string()))
    }
}

/// Whether standard error is a terminal and colours are not disabled (<https://no-color.org>).
fn supports_colours() -> bool {
    let is_off = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    std::io::stderr().is_terminal() && !is_off
}

/// Names of levels in this and other programs, each with the level here.
const LEVELS: [(&str, &str); 12] = [
    ("error", "error"),
    ("warn", "warn"),
    ("info", "info"),
    ("debug", "debug"),
    ("trace", "trace"),
    ("off", "off"),
    ("warning", "warn"),
    ("critical", "error"),
    ("fatal", "error"),
    ("notice", "info"),
    ("verbose", "debug"),
    ("none", "off"),
];
/// Minimum similarity (Jaro-Winkler) of a suggested level.
const LIKENESS: f64 = 0.8;

/// Finds a word without `=` that is neither a level nor a target of the gateway. The library would
/// treat it as a target and log nothing else.
fn mistyped_level(filter: &str) -> Option<LogError> {
    let words = filter
        .split(',')
        .filter(|part| !part.is_empty() && !part.contains(['=', '[']));
    let mut mistyped = words.filter(|word| {
        let is_target = *word == "portcullis" || word.contains("::");
        !is_target && word.parse::<LevelFilter>().is_err()
    });
    let word = mistyped.next()?;
    Some(LogError(match nearest_level(word.trim()) {
        Some(level) => format!("\"{word}\"; did you mean `{level}`?"),
        None => format!(
            "\"{word}\" is no level; a target has one: `{}=debug`",
            word.trim()
        ),
    }))
}

fn nearest_level(word: &str) -> Option<&'static str> {
    let word = word.to_ascii_lowercase();
    let likeness = LEVELS.map(|(name, level)| (strsim::jaro_winkler(&word, name), level));
    let best = likeness
        .into_iter()
        .max_by(|one, other| one.0.total_cmp(&other.0))?;
    (best.0 > LIKENESS).then_some(best.1)
}

/// Parses strictly: one bad part makes the filter invalid.
fn parse(filter: &str) -> Result<EnvFilter, LogError> {
    if let Some(error) = mistyped_level(filter) {
        return Err(error);
    }
    EnvFilter::builder()
        .parse(filter)
        .map_err(|error| LogError(error.to_string()))
}

/// Checks a filter.
///
/// # Errors
/// [`LogError`] if it is invalid.
pub fn check_filter(filter: &str) -> Result<(), LogError> {
    parse(filter).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_directives_are_filters() {
        for filter in [
            "warn",
            "WARN",
            "off",
            "3",
            "",
            "warn,portcullis::gateway::reload=info",
            "portcullis=debug",
            "hyper=off,info",
            "info,portcullis::tls",
            "[connection{listener=main}]=debug,info",
        ] {
            check_filter(filter).unwrap();
        }
    }

    #[test]
    fn a_word_that_is_no_level_is_none_and_the_nearest_level_is_named() {
        for (filter, level) in [
            ("warning", "warn"),
            ("Warning", "warn"),
            ("debg", "debug"),
            ("eror", "error"),
            ("inf", "info"),
            ("warn, debug", "debug"),
            ("hyper=off,tracee", "trace"),
        ] {
            let error = check_filter(filter).unwrap_err().to_string();
            assert!(
                error.ends_with(&format!("did you mean `{level}`?")),
                "{filter}: {error}"
            );
        }
        for filter in ["loud", "hyper,info"] {
            let error = check_filter(filter).unwrap_err().to_string();
            assert!(
                error.contains("is no level; a target has one: `"),
                "{filter}: {error}"
            );
        }
    }
}
