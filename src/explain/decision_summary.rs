//! A decision in the words of responses and logs. Finds no reasons.

use super::decided_question::DecidedQuestion;
use super::explanation::{ExplainedDecision, PermissionFacts};
use super::permission_checker::permission_facts;
use crate::authorize::{Denied, Effect, Grant, Matched, Permit};
use crate::limit::BodyEnd;
use crate::proxy::{self, Need};
use crate::respond::Refusal;

/// A decision in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DecisionSummary {
    pub(super) decision: ExplainedDecision,
    pub(super) reason: &'static str,
    pub(super) status: Option<u16>,
    pub(super) detail: Option<String>,
    /// The permission that decided, or that shadow mode suppressed.
    pub(super) permission: Option<PermissionFacts>,
}

impl DecisionSummary {
    /// The decision as the response and the log would state it.
    pub(super) fn of(decided_question: &DecidedQuestion<'_>) -> Self {
        let places = &decided_question.context.snapshot.places;
        let decided = decided_question.decided;
        match &decided.decision {
            proxy::Decision::Permit(_) if is_too_large(decided_question) => {
                Self::refused(&Refusal::Body(BodyEnd::TooLarge), None)
            }
            proxy::Decision::Permit(permit) => {
                let granted = if let Grant::Permission(matched) = permit.grant() {
                    Some(matched)
                } else {
                    None
                };
                let facts =
                    |matched: &Matched<'_>, effect| permission_facts(matched, effect, places);
                let (decision, reason, permission) = match permit.shadowed() {
                    Some(denied) => {
                        let hidden = denied
                            .matched()
                            .map(|it| facts(&it, effect_of(decided_question, denied, &it)));
                        let granted = granted.map(|matched| facts(&matched, Effect::Grant));
                        (ExplainedDecision::Shadow, denied.word(), hidden.or(granted))
                    }
                    None => (
                        ExplainedDecision::Permit,
                        grant_word(permit),
                        granted.map(|it| facts(&it, Effect::Grant)),
                    ),
                };
                let detail = permit.shadowed().and_then(Denied::detail);
                Self {
                    decision,
                    reason,
                    status: None,
                    detail,
                    permission,
                }
            }
            proxy::Decision::Needs(Need::Authorizer) => Self {
                decision: ExplainedDecision::Depends,
                reason: Refusal::AuthorizerUnasked.word(),
                status: None,
                detail: decided
                    .route
                    .and_then(|route| route.authorizer.as_deref().map(str::to_owned)),
                permission: None,
            },
            proxy::Decision::Needs(need) => Self::refused(&need.unmet(), None),
            proxy::Decision::Deny(refusal) => {
                let matched = refusal.denied().and_then(|denied| {
                    denied.matched().map(|it| {
                        permission_facts(&it, effect_of(decided_question, denied, &it), places)
                    })
                });
                Self::refused(refusal, matched)
            }
        }
    }

    fn refused(refusal: &Refusal<'_>, permission: Option<PermissionFacts>) -> Self {
        let status = Some(refusal.status().as_u16());
        Self {
            decision: ExplainedDecision::Refuse,
            reason: refusal.word(),
            status,
            detail: refusal.detail(),
            permission,
        }
    }
}

/// The reason word of a permit, as in the access log.
fn grant_word(permit: &Permit<'_>) -> &'static str {
    match permit.grant() {
        Grant::Permission(_) => "permission",
        Grant::AnyApiUser => "any_api_user",
        Grant::PublicRoute => "public_route",
        Grant::Shadow => "shadow",
    }
}

/// The effect of the permission of a denial: whether it denies, or would grant but for its condition.
fn effect_of(
    decided_question: &DecidedQuestion<'_>,
    denied: &Denied<'_>,
    matched: &Matched<'_>,
) -> Effect {
    let is_denied = |user| {
        let mut sets = decided_question.context.snapshot.policy.sets(user);
        sets.any(|set| {
            set.denied
                .iter()
                .any(|permission| std::ptr::eq(permission, matched.permission))
        })
    };
    match denied {
        Denied::DeniedBy(_) => Effect::Deny,
        // A failed condition has this reason for both effects.
        Denied::ConditionFailed(..) if decided_question.decided.user.is_some_and(is_denied) => {
            Effect::Deny
        }
        _ => Effect::Grant,
    }
}

/// Whether the body exceeds the limit of route or user. Both HTTP engines reject such a request even if it is permitted.
fn is_too_large(decided_question: &DecidedQuestion<'_>) -> bool {
    let length = decided_question
        .context
        .question
        .body
        .as_ref()
        .map_or(0, |body| u64::try_from(body.len()).unwrap_or(u64::MAX));
    decided_question
        .limits()
        .body_size
        .is_some_and(|limit| length > limit)
}
