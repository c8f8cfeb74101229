//! A decision in the words of responses and logs. Finds no reasons.

use super::decided_question::DecidedQuestion;
use super::explanation::{ExplainedDecision, PermissionFacts};
use super::recorder::{caused_by, permission_facts};
use crate::authorize::{Denied, Effect, Grant};
use crate::limit::BodyEnd;
use crate::proxy::{self, Need};
use crate::reason::{DecisionReason, Reason};
use crate::respond::Rejection;

/// A decision in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DecisionSummary {
    pub(super) decision: ExplainedDecision,
    pub(super) reason: DecisionReason,
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
                Self::refused(&Rejection::Body(BodyEnd::TooLarge), None)
            }
            proxy::Decision::Permit(permit) => {
                let granted = if let Grant::Permission(matched) = permit.grant() {
                    Some(matched)
                } else {
                    None
                };
                let granted =
                    granted.map(|matched| permission_facts(&matched, Effect::Grant, places));
                let (decision, permission) = match permit.shadowed() {
                    Some(denied) => {
                        let hidden = caused_by(denied, places);
                        (ExplainedDecision::Shadow, hidden.or(granted))
                    }
                    None => (ExplainedDecision::Permit, granted),
                };
                let detail = permit.shadowed().and_then(Denied::detail);
                Self {
                    decision,
                    reason: permit.reason(),
                    status: None,
                    detail,
                    permission,
                }
            }
            proxy::Decision::Needs(Need::Authorizer) => Self {
                decision: ExplainedDecision::Depends,
                reason: Reason::AuthorizerUnasked.into(),
                status: None,
                detail: decided
                    .route
                    .and_then(|route| route.authorizer.as_deref().map(str::to_owned)),
                permission: None,
            },
            proxy::Decision::Needs(need) => Self::refused(&need.unmet(), None),
            proxy::Decision::Deny(rejection) => {
                let matched = rejection
                    .denied()
                    .and_then(|denied| caused_by(denied, places));
                Self::refused(rejection, matched)
            }
        }
    }

    fn refused(rejection: &Rejection<'_>, permission: Option<PermissionFacts>) -> Self {
        let status = Some(rejection.status().as_u16());
        Self {
            decision: ExplainedDecision::Refuse,
            reason: rejection.reason().into(),
            status,
            detail: rejection.detail(),
            permission,
        }
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
