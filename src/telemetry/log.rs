//! The gateway's own log on standard error: set up once, level changed at reload.

use crate::config::LogFormat;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

/// Changes the log's filter while the gateway runs.
#[derive(Clone)]
pub struct LogControl {
    filter: reload::Handle<EnvFilter, Registry>,
}

/// A filter that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("not a log level or filter: {0}")]
pub struct LogError(String);

impl LogControl {
    /// Starts logging.
    ///
    /// # Errors
    /// If the filter is not one.
    pub fn start(filter: &str, format: LogFormat) -> Result<Self, LogError> {
        let (filter, handle) = reload::Layer::new(parse(filter)?);
        let registry = tracing_subscriber::registry().with(filter);
        // A second start in one process (tests) keeps the first subscriber.
        let _ = match format {
            LogFormat::Json => {
                registry.with(fmt::layer().json().flatten_event(true).with_writer(std::io::stderr)).try_init()
            }
            LogFormat::Text => registry
                .with(
                    fmt::layer()
                        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
                        .with_writer(std::io::stderr),
                )
                .try_init(),
            LogFormat::Off => Ok(()),
        };
        Ok(Self { filter: handle })
    }

    /// Puts another filter in force.
    ///
    /// # Errors
    /// If it is not one; the old filter stays.
    pub fn set_filter(&self, filter: &str) -> Result<(), LogError> {
        let filter = parse(filter)?;
        self.filter.reload(filter).map_err(|error| LogError(error.to_string()))
    }
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
