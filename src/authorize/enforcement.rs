//! The enforcement mode of one request, with the origin of the setting. Decides nothing.

use crate::config::Enforcement;

/// The enforcement mode of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnforcementSetting {
    /// The mode.
    pub mode: Enforcement,
    /// The part of the config that sets it.
    pub origin: EnforcementOrigin,
}

/// The part of the config that sets an enforcement mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnforcementOrigin {
    /// `[gateway]`
    Gateway,
    /// `[api_user.NAME]`
    ApiUser,
    /// `[[route]]`
    Route,
}

impl EnforcementSetting {
    /// The setting that applies. Of user and route, one that enforces overrides one in shadow mode. If neither sets a mode,
    /// that of the gateway applies.
    pub(super) fn of(
        user: Option<Enforcement>,
        route: Option<Enforcement>,
        gateway: Enforcement,
    ) -> Self {
        for mode in [Enforcement::Enforce, Enforcement::Shadow] {
            for (set, origin) in [
                (user, EnforcementOrigin::ApiUser),
                (route, EnforcementOrigin::Route),
            ] {
                if set == Some(mode) {
                    return Self { mode, origin };
                }
            }
        }
        Self {
            mode: gateway,
            origin: EnforcementOrigin::Gateway,
        }
    }
}

impl EnforcementOrigin {
    /// The word in explanations.
    pub fn word(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::ApiUser => "api_user",
            Self::Route => "route",
        }
    }
}
