//! The access of a client to a route by one method.

use super::decided_question::DecidedQuestion;
use super::explanation::PermissionFacts;
use super::reach::RouteAccess;
use super::route_decision::RouteDecision;
use crate::reason::DecisionReason;
use crate::route::{Extent, Route, Segment};
use serde::{Deserialize, Serialize};

/// The access of a client to a route by one method.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteRow {
    /// The listener.
    pub listener: String,
    /// Host and path of the route.
    pub route: String,
    /// The place of the route in the config.
    pub place: String,
    /// The method; `*` for a route with a preset, which has a row for each requirement.
    pub method: String,
    /// The paths: `{name}` is a capture, and `/...` any continuation.
    pub path: String,
    /// The requirement, with captures as in the config.
    pub requirement: Option<String>,
    /// The decision.
    pub decision: RouteDecision,
    /// The reason word; empty if the decision depends.
    pub reason: String,
    /// The conditions of the decision.
    pub depends_on: Vec<String>,
    /// The permissions that decide, or may decide.
    pub permissions: Vec<PermissionFacts>,
}

impl RouteRow {
    pub(super) fn of(decided_question: &DecidedQuestion<'_>, route: &Route, method: &str) -> Self {
        Self {
            listener: decided_question.context.listener.name.to_string(),
            route: route.name.clone(),
            place: decided_question
                .context
                .snapshot
                .places
                .describe(route.place),
            method: method.to_owned(),
            path: written(route),
            ..Self::default()
        }
    }

    pub(super) fn with(self, reach: RouteAccess) -> Self {
        let RouteAccess {
            decision,
            reason,
            depends_on,
            permissions,
            requirement,
        } = reach;
        Self {
            requirement,
            decision,
            reason: reason.map_or("", DecisionReason::word).to_owned(),
            depends_on,
            permissions,
            ..self
        }
    }
}

/// The path of the route as text.
fn written(route: &Route) -> String {
    let segments = route.pattern.segments.iter().map(|segment| match segment {
        Segment::Literal(text) => text.clone(),
        Segment::Capture(name) => format!("{{{name}}}"),
    });
    let path = format!("/{}", segments.collect::<Vec<_>>().join("/"));
    match route.pattern.extent {
        Extent::Exact => path,
        Extent::Prefix => format!("{}/...", path.trim_end_matches('/')),
    }
}
