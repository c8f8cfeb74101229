//! From a decided question to its explanation: client, route, requirement, and the recorded steps of the decision.

use super::decided_question::DecidedQuestion;
use super::decision_summary::DecisionSummary;
use super::explanation::{ExplainedDecision, Explanation, RequirementFacts};
use super::facts::{client_facts, notes, request_facts, route_facts};
use super::question::ExplainError;
use super::recorder::Recorder;
use crate::error_text::alert_name;
use crate::route::{RequirementRule, Route};
use crate::tls::FailureReason;

/// The whole explanation.
pub(super) fn explanation(
    decided_question: &DecidedQuestion<'_>,
    recorded: Recorder<'_>,
) -> Result<Explanation, ExplainError> {
    if decided_question.contains_secret() {
        return Err(ExplainError::secret_in_question());
    }
    if let Some(reason) = decided_question.handshake_failure() {
        return Ok(rejected(decided_question, reason));
    }
    let summary = DecisionSummary::of(decided_question);
    let reached = decided_question.decided.route;
    let mut route = reached.map(|route| route_facts(decided_question, route));
    if let Some(route) = &mut route {
        route.conditions = recorded.conditions;
    }
    let mut explanation = Explanation {
        generation: None,
        decision: summary.decision,
        reason: summary.reason.word().to_owned(),
        status: summary.status,
        alert: None,
        detail: summary.detail,
        request: request_facts(decided_question),
        client: client_facts(decided_question),
        route,
        requirement: reached.and_then(|route| requirement(decided_question, route)),
        permission: summary.permission,
        tried: recorded.tried,
        shadow: recorded.shadow,
        notes: Vec::new(),
    };
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
