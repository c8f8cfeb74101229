//! One client on every route and method. A route has many paths, so the result has certain decisions and conditional ones. An
//! example request of each route is decided, too; the two must agree.

use super::client::ExplainedClient;
use super::context::{ExplainedRequest, QuestionContext, listener};
use super::decision_summary::DecisionSummary;
use super::preset;
use super::question::{ExplainError, ExplainQuestion};
use super::reach::{RouteAccess, reach};
use super::route_decision::RouteDecision;
use super::route_row::RouteRow;
use super::text::TextLines;
use crate::authorize::{Denied, NoTrace};
use crate::host::{HostName, HostPattern};
use crate::proxy::Decision;
use crate::route::{Extent, RequirementRule, Route, Segment};
use crate::snapshot::{ListenerPolicy, Snapshot};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// The access of one client to each route.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllRoutes {
    /// The generation of the running gateway; `null` without one.
    pub generation: Option<u64>,
    /// Sorted by the name of the listener, then in config order.
    pub routes: Vec<RouteRow>,
    /// Listeners and routes without an answer, with the reason.
    pub unanswered: Vec<String>,
}

/// Explains each route.
pub(super) fn all_routes(
    snapshot: &Snapshot,
    question: &ExplainQuestion,
) -> Result<AllRoutes, ExplainError> {
    if !question.method.is_empty() || !question.url.is_empty() {
        return Err(ExplainError::invalid_question(
            "all routes are asked about, so no method and no URL is to be named",
        ));
    }
    let mut listeners: Vec<_> = match &question.listener {
        Some(name) => vec![listener(snapshot, Some(name))?],
        None => snapshot.listeners.values().collect(),
    };
    listeners.sort_by(|one, other| one.name.cmp(&other.name));
    let mut all = AllRoutes::default();
    let mut failed = None;
    for listener in listeners {
        for route in listener.routes.routes() {
            match on_route(snapshot, question, listener, route) {
                Ok(rows) => all.routes.extend(rows),
                Err(contradiction @ ExplainError::Contradiction { .. }) => {
                    return Err(contradiction);
                }
                Err(error) => {
                    all.unanswered.push(format!(
                        "listener \"{}\", route {}: {error}",
                        listener.name, route.name
                    ));
                    failed = failed.or(Some(error));
                }
            }
        }
    }
    match failed {
        Some(error) if all.routes.is_empty() => Err(error),
        _ => Ok(all),
    }
}

fn on_route(
    snapshot: &Snapshot,
    question: &ExplainQuestion,
    listener: &Arc<ListenerPolicy>,
    route: &Arc<Route>,
) -> Result<Vec<RouteRow>, ExplainError> {
    let (authority, path) = example(listener, route).ok_or_else(|| {
        ExplainError::invalid_question(
            "other routes take all its paths, or no host of the listener leads to it",
        )
    })?;
    let context = QuestionContext::at_host(snapshot, question, listener, &authority)?;
    let client = ExplainedClient::named(&context)?;
    if matches!(route.requirement, RequirementRule::Icinga2) {
        let request = ExplainedRequest::new(question, "GET", &authority, path)?;
        return context.decide(
            &client,
            &request,
            || NoTrace,
            |decided_question, _| preset::rows(decided_question, route),
        );
    }
    let mut rows = Vec::new();
    for method in route.requirement.methods() {
        let request = ExplainedRequest::new(question, method, &authority, path.clone())?;
        rows.push(row(&context, &client, &request, route)?);
    }
    Ok(rows)
}

/// A host and a path that lead to this route and no other.
fn example(listener: &ListenerPolicy, route: &Arc<Route>) -> Option<(String, String)> {
    const FILLINGS: usize = 40;
    let mut hosts: Vec<String> = Vec::new();
    for host in &route.hosts {
        match host {
            Some(HostPattern::Exact(name)) => hosts.push(name.clone()),
            Some(HostPattern::Wildcard(rest)) => hosts.push(format!("any.{rest}")),
            None => hosts.extend(
                ["localhost".to_owned(), "any.invalid".to_owned()]
                    .into_iter()
                    .chain(listener.hosts.names()),
            ),
        }
    }
    let leads_here = |host: &str, path: &str| {
        let name =
            HostName::parse_authority(host).filter(|name| listener.host(Some(name)).is_some())?;
        let (found, _) = listener.routes.find(Some(&name), path)?;
        Arc::ptr_eq(found, route).then_some(())
    };
    hosts.into_iter().find_map(|host| {
        let fillings = (0..FILLINGS).flat_map(|at| {
            let path = filled(route, &format!("x{at}"));
            // If another route matches the path itself, a path below it may still match this route.
            let below = (route.pattern.extent == Extent::Prefix)
                .then(|| format!("{}/x{at}", path.trim_end_matches('/')));
            [Some(path), below]
        });
        let path = fillings
            .flatten()
            .find(|path| leads_here(&host, path).is_some())?;
        Some((host, path))
    })
}

fn filled(route: &Route, value: &str) -> String {
    let segments = route.pattern.segments.iter().map(|segment| match segment {
        Segment::Literal(text) => text.as_str(),
        Segment::Capture(_) => value,
    });
    format!("/{}", segments.collect::<Vec<_>>().join("/"))
}

fn row(
    context: &QuestionContext<'_>,
    client: &ExplainedClient,
    request: &ExplainedRequest,
    route: &Route,
) -> Result<RouteRow, ExplainError> {
    context.decide(
        client,
        request,
        || NoTrace,
        |decided_question, _| {
            if decided_question.contains_secret() {
                return Err(ExplainError::secret_in_question());
            }
            let decided = decided_question.decided;
            let mut row = RouteRow::of(decided_question, route, &request.method);
            let is_sure = match &decided.decision {
                Decision::Permit(_) | Decision::Needs(_) => false,
                Decision::Deny(rejection) => rejection.denied().is_none_or(|denied| {
                    matches!(denied, Denied::UserDisabled | Denied::RouteDisabled)
                }),
            };
            if is_sure {
                row.reason = DecisionSummary::of(decided_question)
                    .reason
                    .word()
                    .to_owned();
                return Ok(row);
            }
            let reach = reach(context, decided.user, route, &request.method);
            agreement(&reach, &decided.decision)?;
            Ok(row.with(reach))
        },
    )
}

/// Checks that the access to the route includes the decision about the example request.
fn agreement(reach: &RouteAccess, decision: &Decision<'_>) -> Result<(), ExplainError> {
    let agrees = match (reach.decision, decision) {
        (RouteDecision::Permit, Decision::Permit(permit)) => permit.shadowed().is_none(),
        (RouteDecision::Shadow, Decision::Permit(_) | Decision::Needs(_))
        | (RouteDecision::Refuse, Decision::Deny(_))
        | (RouteDecision::Depends, _) => true,
        _ => false,
    };
    let decided = match decision {
        Decision::Permit(permit) => permit
            .shadowed()
            .map_or("permit", |denied| denied.reason().word()),
        Decision::Deny(rejection) => rejection.reason().word(),
        Decision::Needs(need) => need.unmet().reason().word(),
    };
    match agrees {
        true => Ok(()),
        false => Err(ExplainError::Contradiction {
            by_coverage: reach.decision.word().to_owned(),
            by_decision: decided.to_owned(),
        }),
    }
}

impl fmt::Display for AllRoutes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = TextLines::default();
        lines.generation(self.generation);
        let rows = self.routes.iter().map(|row| {
            let why = match row.depends_on.is_empty() {
                false => row.depends_on.join("; "),
                true => row
                    .permissions
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(", "),
            };
            let reason = if row.reason.is_empty() {
                "-"
            } else {
                &row.reason
            };
            let named = row.requirement.as_ref().filter(|_| row.method == "*");
            let request =
                named.map_or_else(|| format!("{} {}", row.method, row.path), Clone::clone);
            [
                row.listener.clone(),
                request,
                row.decision.word().to_owned(),
                reason.to_owned(),
                why,
            ]
        });
        lines.table(
            ["LISTENER", "REQUESTS", "DECISION", "REASON", "BY"],
            rows.collect(),
        );
        self.unanswered
            .iter()
            .for_each(|text| lines.line("unanswered", text));
        f.write_str(&lines.into_text())
    }
}
