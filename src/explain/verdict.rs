//! What a judged request comes to, in the words of answers and logs. Finds no reasons.

use super::explanation::{Decision, PermissionFacts};
use super::judged::Judged;
use super::trial::permission_facts;
use crate::authorize::{Denied, Effect, Grant, Matched, Permit};
use crate::limit::BodyEnd;
use crate::proxy::{self, Need};
use crate::respond::Refusal;

/// What a decision comes to, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) decision: Decision,
    pub(super) reason: &'static str,
    pub(super) status: Option<u16>,
    pub(super) detail: Option<String>,
    /// What decided, and what a trial hides.
    pub(super) permission: Option<PermissionFacts>,
}

impl Verdict {
    /// What is judged, as it would be answered and logged.
    pub(super) fn of(judged: &Judged<'_>) -> Self {
        let (places, decided) = (&judged.scene.snapshot.places, judged.decided);
        match &decided.decision {
            proxy::Decision::Permit(_) if is_too_large(judged) => {
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
                            .map(|it| facts(&it, effect_of(judged, denied, &it)));
                        let granted = granted.map(|matched| facts(&matched, Effect::Grant));
                        (Decision::Shadow, denied.word(), hidden.or(granted))
                    }
                    None => (
                        Decision::Permit,
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
                decision: Decision::Depends,
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
                    denied
                        .matched()
                        .map(|it| permission_facts(&it, effect_of(judged, denied, &it), places))
                });
                Self::refused(refusal, matched)
            }
        }
    }

    fn refused(refusal: &Refusal<'_>, permission: Option<PermissionFacts>) -> Self {
        let status = Some(refusal.status().as_u16());
        Self {
            decision: Decision::Refuse,
            reason: refusal.word(),
            status,
            detail: refusal.detail(),
            permission,
        }
    }
}

/// The word of a permit, as in the access log.
fn grant_word(permit: &Permit<'_>) -> &'static str {
    match permit.grant() {
        Grant::Permission(_) => "permission",
        Grant::AnyApiUser => "any_api_user",
        Grant::PublicRoute => "public_route",
        Grant::Shadow => "shadow",
    }
}

/// Whether a permission that a refusal is about denies, or only does not grant.
fn effect_of(judged: &Judged<'_>, denied: &Denied<'_>, matched: &Matched<'_>) -> Effect {
    let is_denied = |user| {
        let mut sets = judged.scene.snapshot.policy.sets(user);
        sets.any(|set| {
            set.denied
                .iter()
                .any(|permission| std::ptr::eq(permission, matched.permission))
        })
    };
    match denied {
        Denied::DeniedBy(_) => Effect::Deny,
        // Both kinds fail with these words.
        Denied::ConditionFailed(..) if judged.decided.user.is_some_and(is_denied) => Effect::Deny,
        _ => Effect::Grant,
    }
}

/// Whether the body is longer than route and user may send, for which both engines refuse what is permitted.
fn is_too_large(judged: &Judged<'_>) -> bool {
    let length = judged
        .scene
        .question
        .body
        .as_ref()
        .map_or(0, |body| u64::try_from(body.len()).unwrap_or(u64::MAX));
    judged
        .limits()
        .body_size
        .is_some_and(|limit| length > limit)
}
