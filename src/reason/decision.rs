//! The reason of a decision: of a permit, or of a denial. Decides nothing.

use super::Reason;

/// The reason of a decision, as logs and metrics have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DecisionReason {
    /// It was permitted.
    Granted(GrantReason),
    /// It was denied, rejected or failed. In shadow mode: it would have been.
    Refused(Reason),
}

/// Why a request is permitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GrantReason {
    /// A permission grants it.
    Permission,
    /// The route requires only an ApiUser.
    AnyApiUser,
    /// The route is public.
    PublicRoute,
    /// Shadow mode suppresses the denial.
    Shadow,
}

impl GrantReason {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Permission,
        Self::AnyApiUser,
        Self::PublicRoute,
        Self::Shadow,
    ];

    /// The word in logs and metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Permission => "permission",
            Self::AnyApiUser => "any_api_user",
            Self::PublicRoute => "public_route",
            Self::Shadow => "shadow",
        }
    }
}

impl DecisionReason {
    /// The word in logs and metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Granted(reason) => reason.word(),
            Self::Refused(reason) => reason.word(),
        }
    }

    /// The first reason with this word, for the words of logs and configs.
    pub fn from_word(word: &str) -> Option<Self> {
        let granted = GrantReason::ALL
            .into_iter()
            .find(|reason| reason.word() == word);
        match granted {
            Some(reason) => Some(Self::Granted(reason)),
            None => Reason::from_word(word).map(Self::Refused),
        }
    }
}

impl From<Reason> for DecisionReason {
    fn from(reason: Reason) -> Self {
        Self::Refused(reason)
    }
}

impl From<GrantReason> for DecisionReason {
    fn from(reason: GrantReason) -> Self {
        Self::Granted(reason)
    }
}
