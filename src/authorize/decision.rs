//! The result of authorization: a permit, which proves the decision, or a denial with its reason. Searches nothing.

use super::permission::{Effect, Permission};
use crate::condition::{Condition, EvaluationError};
use crate::config::Enforcement;
use crate::reason::{DecisionReason, GrantReason, Reason};
use crate::route::Admission;

/// Proof that a request was permitted.
#[derive(Clone, Debug)]
pub struct Permit<'s> {
    grant: Grant<'s>,
    shadowed: Option<Box<Denied<'s>>>,
}

/// Why a request is permitted.
#[derive(Clone, Copy, Debug)]
pub enum Grant<'s> {
    /// This permission grants it.
    Permission(Matched<'s>),
    /// The route requires only an ApiUser.
    AnyApiUser,
    /// The route is public.
    PublicRoute,
    /// No permission grants it, but in shadow mode denials are only recorded.
    Shadow,
}

/// A permission and its role.
#[derive(Clone, Copy, Debug)]
pub struct Matched<'s> {
    /// The permission.
    pub permission: &'s Permission,
    /// The role that contains the permission; `None` for a user's own.
    pub role: Option<&'s str>,
}

/// Why a request is denied.
#[derive(Clone, Debug)]
pub enum Denied<'s> {
    /// A `deny` pattern matches.
    DeniedBy(Matched<'s>),
    /// No permission grants the requirement.
    NoPermission,
    /// This permission would grant it, but its condition is false.
    ConditionNotMet(Matched<'s>),
    /// The condition of this permission, which would grant it, cannot be evaluated.
    ConditionFailed(Matched<'s>, EvaluationError),
    /// The condition of this `deny` cannot be evaluated.
    DenyConditionFailed(Matched<'s>, EvaluationError),
    /// The condition of the route is false.
    RouteConditionNotMet(&'s Condition),
    /// The condition of the route cannot be evaluated.
    RouteConditionFailed(&'s Condition, EvaluationError),
    /// The user's `enabled_until` has passed.
    UserDisabled,
    /// The route's `enabled_until` has passed.
    RouteDisabled,
    /// An external authorizer denied it. The detail for the log has its name and response.
    AuthorizerDenied(String),
    /// An external authorizer gave no verdict. The detail for the log has its name and error.
    AuthorizerUnavailable(String),
}

impl Denied<'_> {
    /// The reason.
    pub fn reason(&self) -> Reason {
        match self {
            Self::DeniedBy(_) => Reason::Denied,
            Self::NoPermission => Reason::NoPermission,
            Self::ConditionNotMet(_) | Self::RouteConditionNotMet(_) => Reason::ConditionNotMet,
            Self::ConditionFailed(..)
            | Self::DenyConditionFailed(..)
            | Self::RouteConditionFailed(..) => Reason::ConditionFailed,
            Self::UserDisabled => Reason::UserDisabled,
            Self::RouteDisabled => Reason::RouteDisabled,
            Self::AuthorizerDenied(_) => Reason::AuthorizerDenied,
            Self::AuthorizerUnavailable(_) => Reason::AuthorizerUnavailable,
        }
    }

    /// Detail for the log.
    pub fn detail(&self) -> Option<String> {
        match self {
            Self::ConditionFailed(matched, error) | Self::DenyConditionFailed(matched, error) => {
                Some(format!("of \"{}\": {error}", matched.permission.text()))
            }
            Self::RouteConditionFailed(_, error) => Some(format!("of the route: {error}")),
            Self::RouteConditionNotMet(_) => Some("of the route".to_owned()),
            Self::AuthorizerDenied(detail) | Self::AuthorizerUnavailable(detail) => {
                Some(detail.clone())
            }
            _ => None,
        }
    }

    /// The permission that caused the denial.
    pub fn matched(&self) -> Option<Matched<'_>> {
        match self {
            Self::DeniedBy(matched)
            | Self::ConditionNotMet(matched)
            | Self::ConditionFailed(matched, _)
            | Self::DenyConditionFailed(matched, _) => Some(*matched),
            _ => None,
        }
    }

    /// The effect of the permission that caused the denial: it denies, or would grant but for its condition. `Grant` if no
    /// permission caused it.
    pub fn effect(&self) -> Effect {
        match self {
            Self::DeniedBy(_) | Self::DenyConditionFailed(..) => Effect::Deny,
            _ => Effect::Grant,
        }
    }

    /// Whether shadow mode permits it. An expired user or route stays denied.
    pub fn may_be_shadowed(&self) -> bool {
        !matches!(self, Self::UserDisabled | Self::RouteDisabled)
    }
}

impl Grant<'_> {
    /// The reason.
    pub fn reason(&self) -> GrantReason {
        match self {
            Self::Permission(_) => GrantReason::Permission,
            Self::AnyApiUser => GrantReason::AnyApiUser,
            Self::PublicRoute => GrantReason::PublicRoute,
            Self::Shadow => GrantReason::Shadow,
        }
    }
}

impl<'s> Permit<'s> {
    pub(super) fn of(grant: Grant<'s>, shadowed: Option<Denied<'s>>) -> Self {
        Self {
            grant,
            shadowed: shadowed.map(Box::new),
        }
    }

    /// The same permit with a shadowed denial, unless it has one already.
    pub fn with_shadowed(self, on_trial: Option<Denied<'s>>) -> Self {
        Self {
            shadowed: self.shadowed.or(on_trial.map(Box::new)),
            ..self
        }
    }

    /// Applies a denial of an external authorizer: enforced it replaces the permit, in shadow mode it is recorded.
    ///
    /// # Errors
    /// The denial, if it is enforced.
    pub fn with_denial(
        self,
        denial: Option<Denied<'s>>,
        enforcement: Enforcement,
    ) -> Result<Self, Denied<'s>> {
        match (denial, enforcement) {
            (Some(denied), Enforcement::Enforce) => Err(denied),
            (on_trial, _) => Ok(self.with_shadowed(on_trial)),
        }
    }

    /// The reason of the decision: of the suppressed denial in shadow mode, else of the grant.
    pub fn reason(&self) -> DecisionReason {
        match &self.shadowed {
            Some(denied) => denied.reason().into(),
            None => self.grant.reason().into(),
        }
    }

    /// Why the request is permitted.
    pub fn grant(&self) -> Grant<'s> {
        self.grant
    }

    /// The denial that shadow mode suppressed.
    pub fn shadowed(&self) -> Option<&Denied<'s>> {
        self.shadowed.as_deref()
    }
}

/// Applies the enforcement mode to a decision: shadow mode turns a denial into a permit that records it.
///
/// # Errors
/// The denial, if it is enforced or cannot be shadowed.
pub fn apply_enforcement<'s>(
    decided: Result<Permit<'s>, Denied<'s>>,
    enforcement: Enforcement,
) -> Result<Permit<'s>, Denied<'s>> {
    match (decided, enforcement) {
        (Err(denied), Enforcement::Shadow) if denied.may_be_shadowed() => {
            Ok(Permit::of(Grant::Shadow, Some(denied)))
        }
        (decided, _) => decided,
    }
}

/// The permit for a public route. `None` for all other routes.
pub fn public_permit(admission: Admission) -> Option<Permit<'static>> {
    match admission {
        Admission::Authorized => None,
        Admission::PublicWithIdentity | Admission::Public => {
            Some(Permit::of(Grant::PublicRoute, None))
        }
    }
}
