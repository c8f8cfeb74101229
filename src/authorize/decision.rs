//! What the judgement of a request is: a permit, which is proof, or a refusal with its reason. Looks for nothing.

use super::permission::Permission;
use crate::condition::{Condition, EvaluationError, Facts};
use crate::config::Enforcement;
use crate::route::Admission;

/// Proof that a request may go on.
#[derive(Clone, Debug)]
pub struct Permit<'s> {
    grant: Grant<'s>,
    shadowed: Option<Box<Denied<'s>>>,
}

/// Why a request may go on.
#[derive(Clone, Copy, Debug)]
pub enum Grant<'s> {
    /// This permission grants it.
    Permission(Matched<'s>),
    /// The route asks for no more than an ApiUser.
    AnyApiUser,
    /// The route is public.
    PublicRoute,
    /// Nothing grants it, but refusals are only marked here.
    Shadow,
}

/// A permission and the set that it is in.
#[derive(Clone, Copy, Debug)]
pub struct Matched<'s> {
    /// The permission.
    pub permission: &'s Permission,
    /// The role that it came through.
    pub role: Option<&'s str>,
}

/// Why a request may not go on.
#[derive(Clone, Debug)]
pub enum Denied<'s> {
    /// A `deny` pattern matches.
    DeniedBy(Matched<'s>),
    /// No permission grants the requirement.
    NoPermission,
    /// This permission would grant it, but its condition does not hold.
    ConditionNotMet(Matched<'s>),
    /// The condition of this permission cannot be evaluated.
    ConditionFailed(Matched<'s>, EvaluationError),
    /// The condition of the route does not hold.
    RouteConditionNotMet(&'s Condition),
    /// The condition of the route cannot be evaluated.
    RouteConditionFailed(&'s Condition, EvaluationError),
    /// The user's `enabled_until` is over.
    UserDisabled,
    /// The route's `enabled_until` is over.
    RouteDisabled,
    /// An external authorizer refuses it; the log says which and how.
    AuthorizerDenied(String),
    /// An external authorizer says nothing; the log says which and why.
    AuthorizerUnavailable(String),
}

impl Denied<'_> {
    /// The reason in one word, the same in answers, logs and metrics.
    pub fn word(&self) -> &'static str {
        match self {
            Self::DeniedBy(_) => "denied",
            Self::NoPermission => "no_permission",
            Self::ConditionNotMet(_) | Self::RouteConditionNotMet(_) => "condition_not_met",
            Self::ConditionFailed(..) | Self::RouteConditionFailed(..) => "condition_failed",
            Self::UserDisabled => "user_disabled",
            Self::RouteDisabled => "route_disabled",
            Self::AuthorizerDenied(_) => "authorizer_denied",
            Self::AuthorizerUnavailable(_) => "authorizer_unavailable",
        }
    }

    /// What the log says beside the word.
    pub fn detail(&self) -> Option<String> {
        match self {
            Self::ConditionFailed(matched, error) => {
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

    /// The permission that decided.
    pub fn matched(&self) -> Option<Matched<'_>> {
        match self {
            Self::DeniedBy(matched)
            | Self::ConditionNotMet(matched)
            | Self::ConditionFailed(matched, _) => Some(*matched),
            _ => None,
        }
    }

    /// Whether shadow mode lets it pass. What is over is over.
    fn may_be_shadowed(&self) -> bool {
        !matches!(self, Self::UserDisabled | Self::RouteDisabled)
    }
}

impl<'s> Permit<'s> {
    pub(super) fn of(grant: Grant<'s>, shadowed: Option<Denied<'s>>) -> Self {
        Self {
            grant,
            shadowed: shadowed.map(Box::new),
        }
    }

    /// The same, where this would refuse it if nothing were on trial.
    pub fn marked(self, on_trial: Option<Denied<'s>>) -> Self {
        Self {
            shadowed: self.shadowed.or(on_trial.map(Box::new)),
            ..self
        }
    }

    /// The same, unless somebody else refuses it, and that is enforced.
    ///
    /// # Errors
    /// That refusal.
    pub fn unless(
        self,
        refused: Option<Denied<'s>>,
        enforcement: Enforcement,
    ) -> Result<Self, Denied<'s>> {
        match (refused, enforcement) {
            (Some(denied), Enforcement::Enforce) => Err(denied),
            (on_trial, _) => Ok(self.marked(on_trial)),
        }
    }

    /// Why.
    pub fn grant(&self) -> Grant<'s> {
        self.grant
    }

    /// Why the request would be refused if nothing were on trial.
    pub fn shadowed(&self) -> Option<&Denied<'s>> {
        self.shadowed.as_deref()
    }
}

/// What a decision comes to where refusals may only be marked.
///
/// # Errors
/// The refusal, where it is enforced.
pub fn in_force<'s>(
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

/// The permit for a route that lets everybody in. `None` for all other routes.
pub fn public_permit(admission: Admission) -> Option<Permit<'static>> {
    match admission {
        Admission::Authorized => None,
        Admission::PublicWithIdentity | Admission::Public => {
            Some(Permit::of(Grant::PublicRoute, None))
        }
    }
}

/// What a route demands of every request, whoever asks.
#[derive(Clone, Copy, Debug, Default)]
pub struct RouteRule<'s> {
    /// The last second, since 1970, in which it is there.
    pub enabled_until: Option<i64>,
    /// The conditions.
    pub conditions: [Option<&'s Condition>; 2],
}

impl<'s> RouteRule<'s> {
    /// Whether the route is there, and its conditions hold.
    ///
    /// # Errors
    /// [`Denied`] with the reason.
    pub fn check(&self, facts: &Facts<'_>) -> Result<(), Denied<'s>> {
        if self.enabled_until.is_some_and(|until| facts.now > until) {
            return Err(Denied::RouteDisabled);
        }
        for condition in self.conditions.iter().flatten() {
            match condition.holds(facts) {
                Ok(true) => {}
                Ok(false) => return Err(Denied::RouteConditionNotMet(condition)),
                Err(error) => return Err(Denied::RouteConditionFailed(condition, error)),
            }
        }
        Ok(())
    }
}
