//! The decision about all requests of a route and method.

use serde::{Deserialize, Serialize};

/// The decision about all requests of a route and method.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteDecision {
    /// All are permitted.
    Permit,
    /// All are permitted, some of them only in shadow mode.
    Shadow,
    /// Some are permitted, or all if a condition holds.
    Depends,
    /// All are denied.
    #[default]
    Refuse,
}

impl RouteDecision {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Permit => "permit",
            Self::Shadow => "shadow",
            Self::Depends => "depends",
            Self::Refuse => "refuse",
        }
    }
}
