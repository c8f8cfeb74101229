//! From a decided question to its explanation: client, route, requirement, checked permissions. The decision is that of the
//! proxy; the reasons must lead to it.

use super::decided_question::DecidedQuestion;
use super::decision_summary::DecisionSummary;
use super::explanation::{
    CheckedPermission, ConditionFacts, ConditionOutcome, ExplainedDecision, Explanation,
    PermissionFacts, RequirementFacts, ShadowFacts,
};
use super::facts::{client_facts, notes, request_facts, route_facts};
use super::permission_checker::{PermissionChecker, PermissionResult, Reason, condition_facts};
use super::question::ExplainError;
use crate::authorize::{Denied, Grant};
use crate::condition::Facts;
use crate::config::Enforcement;
use crate::error_text::alert_name;
use crate::proxy::{self, Need};
use crate::route::{RequirementRule, Route};
use crate::tls::FailureReason;

/// The reasons beside the decision: conditions of the route, permissions, and their result.
struct Reasons {
    conditions: Vec<ConditionFacts>,
    tried: Vec<CheckedPermission>,
    result: PermissionResult,
}

/// The whole explanation.
pub(super) fn explanation(
    decided_question: &DecidedQuestion<'_>,
) -> Result<Explanation, ExplainError> {
    if decided_question.contains_secret() {
        return Err(ExplainError::secret_in_question());
    }
    if let Some(reason) = decided_question.handshake_failure() {
        return Ok(rejected(decided_question, reason));
    }
    let summary = DecisionSummary::of(decided_question);
    let reasons = reasons(decided_question);
    // If an external authorizer decides, there is no decision to compare with yet.
    let is_decided = summary.decision != ExplainedDecision::Depends;
    let mut explanation = Explanation {
        generation: None,
        decision: summary.decision,
        reason: summary.reason.to_owned(),
        status: summary.status,
        alert: None,
        detail: summary.detail,
        request: request_facts(decided_question),
        client: client_facts(decided_question),
        route: decided_question
            .decided
            .route
            .map(|route| route_facts(decided_question, route)),
        requirement: decided_question
            .decided
            .route
            .and_then(|route| requirement(decided_question, route)),
        permission: summary.permission,
        ..Explanation::default()
    };
    if let Some(reasons) = reasons {
        if is_decided {
            agreement(decided_question, &reasons)?;
        }
        explanation.shadow = shadow(decided_question, &reasons);
        if let Some(route) = &mut explanation.route {
            route.conditions = reasons.conditions;
        }
        explanation.tried = reasons.tried;
    }
    explanation.notes = notes(decided_question, &explanation);
    Ok(explanation)
}

/// The explanation for a failed TLS handshake. No request of such a client is read.
fn rejected(decided_question: &DecidedQuestion<'_>, reason: FailureReason) -> Explanation {
    // An unreadable certificate can lead to different alerts.
    let alert = reason
        .alert()
        .map_or_else(|| "unspecified".to_owned(), alert_name);
    Explanation {
        decision: ExplainedDecision::Refuse,
        reason: reason.word().to_owned(),
        alert: Some(alert),
        request: request_facts(decided_question),
        client: client_facts(decided_question),
        ..Explanation::default()
    }
}

fn requirement(decided_question: &DecidedQuestion<'_>, route: &Route) -> Option<RequirementFacts> {
    let required = decided_question
        .decided
        .requirement
        .as_ref()
        .filter(|_| !route.admission.is_public())?;
    let origin = match route.requirement {
        RequirementRule::MethodAndPath => "method and path, since the route has no `requirement`",
        RequirementRule::Named(_) => "the route's `requirement`",
        RequirementRule::ByMethod(_) => "the route's `requirement` for this method",
        RequirementRule::AnyApiUser => "the gateway answers any ApiUser",
        RequirementRule::Icinga2 => {
            "the route's `preset`, by method, path, query and body as Icinga 2 has it"
        }
    };
    Some(RequirementFacts {
        text: required.to_string(),
        origin: origin.to_owned(),
    })
}

/// The reasons. `None` if the request was rejected before conditions and permissions.
fn reasons(decided_question: &DecidedQuestion<'_>) -> Option<Reasons> {
    let has_reasons = match &decided_question.decided.decision {
        proxy::Decision::Permit(_) | proxy::Decision::Needs(Need::Authorizer) => true,
        proxy::Decision::Deny(refusal) => refusal.denied().is_some(),
        proxy::Decision::Needs(_) => false,
    };
    if !has_reasons {
        return None;
    }
    decided_question.facts(|facts| {
        let mut reasons = Reasons {
            conditions: Vec::new(),
            tried: Vec::new(),
            result: Err(reason("internal")),
        };
        reasons.result = check(decided_question, facts, &mut reasons);
        reasons
    })
}

fn reason(word: &'static str) -> Reason {
    Reason { word, tried: None }
}

/// Checks conditions and permissions in the order of the decision, up to the first denial.
fn check(
    decided_question: &DecidedQuestion<'_>,
    facts: &Facts<'_>,
    reasons: &mut Reasons,
) -> PermissionResult {
    let decided = decided_question.decided;
    let snapshot = decided_question.context.snapshot;
    let Some(route) = decided.route else {
        return Err(reason("no_route"));
    };
    if route.enabled_until.is_some_and(|until| facts.now > until) {
        return Err(reason("route_disabled"));
    }
    for condition in [
        route.condition.as_ref(),
        route.requirement.condition(facts.method),
    ]
    .into_iter()
    .flatten()
    {
        let condition = condition_facts(condition, facts);
        let outcome = condition.outcome;
        reasons.conditions.push(condition);
        match outcome {
            ConditionOutcome::Holds => {}
            ConditionOutcome::Failed => return Err(reason("condition_failed")),
            _ => return Err(reason("condition_not_met")),
        }
    }
    let public = reason("public_route");
    let (Some(user), Some(required)) = (decided.user, &decided.requirement) else {
        return Ok((public, None));
    };
    snapshot.policy.user(user).ok_or(reason("no_permission"))?;
    if snapshot
        .policy
        .enabled_until(user.id)
        .is_some_and(|until| facts.now > until)
    {
        return Err(reason("user_disabled"));
    }
    let mut checker = PermissionChecker::new(&snapshot.policy, user, facts, &snapshot.places);
    let result = match route.admission.is_public() {
        true => checker.denied(required),
        false => checker.required(required),
    };
    reasons.tried = checker.tried;
    result
}

/// Checks that the reasons lead to the decision of the proxy, including the permission.
fn agreement(
    decided_question: &DecidedQuestion<'_>,
    reasons: &Reasons,
) -> Result<(), ExplainError> {
    let with_permission = |it: &Reason| {
        (
            it.word,
            it.tried
                .and_then(|at| reasons.tried.get(at))
                .map(|it| it.permission.clone()),
        )
    };
    let by_reasons = match &reasons.result {
        Ok((grant, hidden)) => (
            Some(with_permission(grant)),
            hidden.as_ref().map(with_permission),
        ),
        // Shadow mode suppresses all denials but those of an expired user or route.
        Err(denied)
            if enforcement(decided_question).0 == Enforcement::Shadow
                && !denied.word.ends_with("_disabled") =>
        {
            (Some(("shadow", None)), Some(with_permission(denied)))
        }
        Err(denied) => (None, Some(with_permission(denied))),
    };
    let place = |permission: &Option<PermissionFacts>| {
        permission
            .as_ref()
            .map(|it| (it.place.clone(), it.role.clone()))
    };
    let with_place = |it: &Option<(&'static str, Option<PermissionFacts>)>| {
        it.as_ref()
            .map(|(word, permission)| (*word, place(permission)))
    };
    let by_decision = decided_reasons(decided_question);
    let by_reasons = (with_place(&by_reasons.0), with_place(&by_reasons.1));
    if by_reasons == by_decision {
        return Ok(());
    }
    Err(ExplainError::Contradiction {
        by_reasons: format!("{by_reasons:?}"),
        by_decision: format!("{by_decision:?}"),
    })
}

/// A reason word, and place and role of its permission.
type ComparedReason = Option<(&'static str, Option<(String, Option<String>)>)>;

/// The reason for the permit, and the reason for the denial or the suppressed denial.
fn decided_reasons(decided_question: &DecidedQuestion<'_>) -> (ComparedReason, ComparedReason) {
    let places = &decided_question.context.snapshot.places;
    let denied = |denied: &Denied<'_>| {
        let matched = denied.matched();
        let place = matched.map(|it| {
            (
                places.describe(it.permission.place),
                it.role.map(str::to_owned),
            )
        });
        (denied.word(), place)
    };
    match &decided_question.decided.decision {
        proxy::Decision::Permit(permit) => {
            let grant = match permit.grant() {
                Grant::Permission(it) => (
                    "permission",
                    Some((
                        places.describe(it.permission.place),
                        it.role.map(str::to_owned),
                    )),
                ),
                Grant::AnyApiUser => ("any_api_user", None),
                Grant::PublicRoute => ("public_route", None),
                Grant::Shadow => ("shadow", None),
            };
            (Some(grant), permit.shadowed().map(denied))
        }
        proxy::Decision::Deny(refusal) => (None, refusal.denied().map(denied)),
        proxy::Decision::Needs(_) => (None, None),
    }
}

/// The enforcement mode, and the origin of the setting.
fn enforcement(decided_question: &DecidedQuestion<'_>) -> (Enforcement, &'static str) {
    let policy = &decided_question.context.snapshot.policy;
    let decided = decided_question.decided;
    let route = decided.route.and_then(|route| route.enforcement);
    let user = decided
        .user
        .and_then(|user| policy.user(user))
        .and_then(|user| user.enforcement);
    let enforcement = policy.enforcement(decided.user, route);
    let origin = match (user, route) {
        (Some(mode), _) if mode == enforcement => "api_user",
        (_, Some(mode)) if mode == enforcement => "route",
        _ => "gateway",
    };
    (enforcement, origin)
}

/// Shadow mode, if it is on or a permission in shadow mode matters.
fn shadow(decided_question: &DecidedQuestion<'_>, reasons: &Reasons) -> Option<ShadowFacts> {
    let permission = |it: &Reason| {
        it.tried
            .and_then(|at| reasons.tried.get(at))
            .map(|it| it.permission.clone())
    };
    let (enforcement, origin) = enforcement(decided_question);
    let origin = origin.to_owned();
    match (&reasons.result, enforcement) {
        // A grant in shadow mode suppresses the lack of other grants; a `deny` in shadow mode is itself suppressed.
        (Ok((grant, Some(hidden))), _) => Some(ShadowFacts {
            origin: "permission".to_owned(),
            hides: Some(hidden.word.to_owned()),
            permission: permission(hidden)
                .filter(|it| it.effect == "deny")
                .or_else(|| permission(grant)),
        }),
        (Err(denied), Enforcement::Shadow) if !denied.word.ends_with("_disabled") => {
            Some(ShadowFacts {
                origin,
                hides: Some(denied.word.to_owned()),
                permission: permission(denied),
            })
        }
        (_, Enforcement::Shadow) => Some(ShadowFacts {
            origin,
            hides: None,
            permission: None,
        }),
        _ => None,
    }
}
