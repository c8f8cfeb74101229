//! The config of the health of an upstream's endpoints.

use crate::config::source::{Place, Spanned};
use std::num::NonZeroU32;
use std::time::Duration;

/// `[upstream.NAME.health]`
#[derive(Debug, Default)]
pub struct HealthTable {
    /// Place of the table.
    pub place: Option<Place>,
    /// Consecutive failures that eject an endpoint; `Some(None)` means off.
    pub failures: Option<Spanned<Option<NonZeroU32>>>,
    /// How long the first ejection lasts.
    pub ejection_time: Option<Duration>,
    /// How long an ejection lasts at most.
    pub max_ejection_time: Option<Duration>,
    /// Percentage of active endpoints below which all are used.
    pub panic_percent: Option<u32>,
}
