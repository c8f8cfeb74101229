//! The listeners for operators and for monitoring: `[admin]` and `[metrics]`. Binds nothing.

use crate::config::source::{Place, Spanned};
use std::time::Duration;

/// `[admin]`: status, explanations, decisions, for operators.
#[derive(Debug)]
pub struct Admin {
    /// Where the table stands.
    pub place: Place,
    /// Loopback `IP:PORT`, or `off`.
    pub address: Option<Spanned<String>>,
    /// A unix socket.
    pub path: Option<Spanned<String>>,
    /// For how long decisions are remembered; `Some(None)` is off.
    pub recent_decisions: Option<Option<Duration>>,
}

/// `[metrics]`: probes and metrics, for monitoring.
#[derive(Debug)]
pub struct MetricsTable {
    /// `IP:PORT`.
    pub address: Option<Spanned<String>>,
}
