//! From a judged request to its explanation: who, where, what was required, what was tried. The decision is that of the
//! decided; the reasons must lead to it, or there is no answer.

use super::explanation::{
    ConditionFacts, ConditionOutcome, Decision, Explanation, PermissionFacts, RequirementFacts,
    ShadowFacts, Tried,
};
use super::facts::{client_facts, notes, request_facts, route_facts};
use super::judged::Judged;
use super::question::NoAnswer;
use super::trial::{Found, Reason, Trial, asked};
use super::verdict::Verdict;
use crate::authorize::{Denied, Grant};
use crate::condition::Facts;
use crate::config::Enforcement;
use crate::error_text::alert_name;
use crate::proxy::{self, Need};
use crate::route::{RequirementRule, Route};
use crate::tls::FailureReason;

/// What was found beside the decision: conditions of the route, permissions, and what these come to.
struct Findings {
    conditions: Vec<ConditionFacts>,
    tried: Vec<Tried>,
    found: Found,
}

/// The whole explanation.
pub(super) fn explanation(judged: &Judged<'_>) -> Result<Explanation, NoAnswer> {
    if judged.shows_a_secret() {
        return Err(NoAnswer::secret());
    }
    if let Some(reason) = judged.rejected_in_the_handshake() {
        return Ok(rejected(judged, reason));
    }
    let verdict = Verdict::of(judged);
    let findings = findings(judged);
    // Where somebody else has the last word, there is no verdict to agree with yet.
    let verdict_stands = verdict.decision != Decision::Depends;
    let mut explanation = Explanation {
        generation: None,
        decision: verdict.decision,
        reason: verdict.reason.to_owned(),
        status: verdict.status,
        alert: None,
        detail: verdict.detail,
        request: request_facts(judged),
        client: client_facts(judged),
        route: judged.decided.route.map(|route| route_facts(judged, route)),
        requirement: judged
            .decided
            .route
            .and_then(|route| requirement(judged, route)),
        permission: verdict.permission,
        ..Explanation::default()
    };
    if let Some(findings) = findings {
        if verdict_stands {
            agreement(judged, &findings)?;
        }
        explanation.shadow = shadow(judged, &findings);
        if let Some(route) = &mut explanation.route {
            route.conditions = findings.conditions;
        }
        explanation.tried = findings.tried;
    }
    explanation.notes = notes(judged, &explanation);
    Ok(explanation)
}

/// TLS comes first: of a client that does not pass the handshake no request is read.
fn rejected(judged: &Judged<'_>, reason: FailureReason) -> Explanation {
    // Several alerts stand for a certificate that cannot be read.
    let alert = reason
        .alert()
        .map_or_else(|| "unspecified".to_owned(), alert_name);
    Explanation {
        decision: Decision::Refuse,
        reason: reason.word().to_owned(),
        alert: Some(alert),
        request: request_facts(judged),
        client: client_facts(judged),
        ..Explanation::default()
    }
}

fn requirement(judged: &Judged<'_>, route: &Route) -> Option<RequirementFacts> {
    let required = judged
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

/// The reasons. `None` if the request did not come as far as to them.
fn findings(judged: &Judged<'_>) -> Option<Findings> {
    let has_reasons = match &judged.decided.decision {
        proxy::Decision::Permit(_) | proxy::Decision::Needs(Need::Authorizer) => true,
        proxy::Decision::Deny(refusal) => refusal.denied().is_some(),
        proxy::Decision::Needs(_) => false,
    };
    if !has_reasons {
        return None;
    }
    judged.facts(|facts| {
        let mut findings = Findings {
            conditions: Vec::new(),
            tried: Vec::new(),
            found: Err(reason("internal")),
        };
        findings.found = found(judged, facts, &mut findings);
        findings
    })
}

fn reason(word: &'static str) -> Reason {
    Reason { word, tried: None }
}

/// Looks at everything in the order of the decision, as far as that goes.
fn found(judged: &Judged<'_>, facts: &Facts<'_>, findings: &mut Findings) -> Found {
    let (decided, snapshot) = (judged.decided, judged.scene.snapshot);
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
        let condition = asked(condition, facts);
        let outcome = condition.outcome;
        findings.conditions.push(condition);
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
    let mut trial = Trial::new(&snapshot.policy, user, facts, &snapshot.places);
    let found = match route.admission.is_public() {
        true => trial.denied(required),
        false => trial.required(required),
    };
    findings.tried = trial.tried;
    found
}

/// That the reasons lead to what was judged, down to the permission.
fn agreement(judged: &Judged<'_>, findings: &Findings) -> Result<(), NoAnswer> {
    let told = |it: &Reason| {
        (
            it.word,
            it.tried
                .and_then(|at| findings.tried.get(at))
                .map(|it| it.permission.clone()),
        )
    };
    let by_reasons = match &findings.found {
        Ok((grant, hidden)) => (Some(told(grant)), hidden.as_ref().map(told)),
        // What is over is over; everything else may be hidden by shadow mode.
        Err(denied)
            if enforcement(judged).0 == Enforcement::Shadow
                && !denied.word.ends_with("_disabled") =>
        {
            (Some(("shadow", None)), Some(told(denied)))
        }
        Err(denied) => (None, Some(told(denied))),
    };
    let place = |permission: &Option<PermissionFacts>| {
        permission
            .as_ref()
            .map(|it| (it.place.clone(), it.role.clone()))
    };
    let in_short = |it: &Option<(&'static str, Option<PermissionFacts>)>| {
        it.as_ref()
            .map(|(word, permission)| (*word, place(permission)))
    };
    let by_judgement = judged_in_short(judged);
    let by_reasons = (in_short(&by_reasons.0), in_short(&by_reasons.1));
    if by_reasons == by_judgement {
        return Ok(());
    }
    Err(NoAnswer::Contradiction {
        found: format!("{by_reasons:?}"),
        judged: format!("{by_judgement:?}"),
    })
}

/// A reason, and where the permission stands that it is about, with its role.
type InShort = Option<(&'static str, Option<(String, Option<String>)>)>;

/// Why it goes on, and why not or why not without a trial.
fn judged_in_short(judged: &Judged<'_>) -> (InShort, InShort) {
    let places = &judged.scene.snapshot.places;
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
    match &judged.decided.decision {
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

/// What becomes of a refusal, and who says so.
fn enforcement(judged: &Judged<'_>) -> (Enforcement, &'static str) {
    let (policy, decided) = (&judged.scene.snapshot.policy, judged.decided);
    let route = decided.route.and_then(|route| route.enforcement);
    let user = decided
        .user
        .and_then(|user| policy.user(user))
        .and_then(|user| user.enforcement);
    let enforcement = policy.enforcement(decided.user, route);
    let origin = match (user, route) {
        (Some(said), _) if said == enforcement => "api_user",
        (_, Some(said)) if said == enforcement => "route",
        _ => "gateway",
    };
    (enforcement, origin)
}

/// Shadow mode, where it is on or a permission on trial is what matters.
fn shadow(judged: &Judged<'_>, findings: &Findings) -> Option<ShadowFacts> {
    let permission = |it: &Reason| {
        it.tried
            .and_then(|at| findings.tried.get(at))
            .map(|it| it.permission.clone())
    };
    let (enforcement, origin) = enforcement(judged);
    let origin = origin.to_owned();
    match (&findings.found, enforcement) {
        // A grant on trial hides that nothing else grants, and a `deny` on trial that it denies.
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
