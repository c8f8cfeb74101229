//! The listeners for operators and for monitoring: `[admin]` and `[metrics]`.

use crate::config::source::{Place, Spanned};
use std::time::Duration;

/// `[admin]`: status, explanations and decisions for operators.
#[derive(Debug)]
pub struct AdminTable {
    /// Place of the table.
    pub place: Place,
    /// Loopback `IP:PORT`, or `off`.
    pub address: Option<Spanned<String>>,
    /// Path of a unix socket.
    pub path: Option<Spanned<String>>,
    /// How long decisions are kept; `Some(None)` means off.
    pub recent_decisions: Option<Option<Duration>>,
}

/// `[metrics]`: probes and metrics, for monitoring.
#[derive(Debug)]
pub struct MetricsTable {
    /// `IP:PORT`.
    pub address: Option<Spanned<String>>,
}
