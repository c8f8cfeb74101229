//! What happens to all requests of a kind.

use serde::{Deserialize, Serialize};

/// What happens to all requests of a kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteDecision {
    /// All go on.
    Permit,
    /// All go on; those are marked that would be refused if nothing were on trial.
    Shadow,
    /// Some go on, or all where a condition holds.
    Depends,
    /// All are refused.
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
