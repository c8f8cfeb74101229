//! The gateway's own log on standard error: set up once, level changed at reload.

use crate::config::LogFormat;
use std::io::IsTerminal;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

/// Changes the log's filter while the gateway runs.
#[derive(Clone)]
pub struct LogControl {
    filter: reload::Handle<EnvFilter, Registry>,
    origin: FilterOrigin,
}

/// Who has set the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FilterOrigin {
    /// The config, so that a reload changes it.
    Config,
    /// The command line or the environment, so that no reload changes it.
    Command,
}

/// A filter that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("not a log level or filter: {0}")]
pub struct LogError(String);

impl LogControl {
    /// Starts logging by the filter of the command, or else by that of the config.
    ///
    /// # Errors
    /// If the filter is not one.
    pub fn start(of_command: Option<&str>, of_config: &str, format: LogFormat) -> Result<Self, LogError> {
        let origin = if of_command.is_some() { FilterOrigin::Command } else { FilterOrigin::Config };
        let (filter, handle) = reload::Layer::new(parse(of_command.unwrap_or(of_config))?);
        let registry = tracing_subscriber::registry().with(filter);
        // A second start in one process (tests) keeps the first subscriber.
        let _ = match format {
            LogFormat::Json => {
                registry.with(fmt::layer().json().flatten_event(true).with_writer(std::io::stderr)).try_init()
            }
            LogFormat::Text => {
                registry.with(fmt::layer().with_ansi(takes_colours()).with_writer(std::io::stderr)).try_init()
            }
            LogFormat::Off => Ok(()),
        };
        Ok(Self { filter: handle, origin })
    }

    /// Takes over the filter of a new config, unless the command has set one.
    ///
    /// # Errors
    /// If it is not one; the old filter stays.
    pub fn set_filter(&self, of_config: &str) -> Result<(), LogError> {
        let filter = parse(of_config)?;
        if self.origin == FilterOrigin::Command {
            return Ok(());
        }
        self.filter.reload(filter).map_err(|error| LogError(error.to_string()))
    }
}

/// Whether standard error is a terminal whose user has not turned colours off (https://no-color.org).
fn takes_colours() -> bool {
    let is_off = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    std::io::stderr().is_terminal() && !is_off
}

/// Strict: a filter with one bad part is no filter.
fn parse(filter: &str) -> Result<EnvFilter, LogError> {
    EnvFilter::builder().parse(filter).map_err(|error| LogError(error.to_string()))
}

/// Whether a text is a usable filter.
///
/// # Errors
/// Why not.
pub fn check_filter(filter: &str) -> Result<(), LogError> {
    parse(filter).map(drop)
}
