//! What a client may do on a route by one method.

use super::explanation::PermissionFacts;
use super::judged::Judged;
use super::reach::Reach;
use super::route_decision::RouteDecision;
use crate::route::{Extent, Route, Segment};
use serde::{Deserialize, Serialize};

/// What a client may do on a route by one method.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteRow {
    /// The listener.
    pub listener: String,
    /// Host and path of the route.
    pub route: String,
    /// Where it stands in the config.
    pub place: String,
    /// The method; `*` for a route with a preset, which has a row for each requirement.
    pub method: String,
    /// The paths: `{name}` is a capture, and `/...` is what may follow.
    pub path: String,
    /// What is required, with captures as in the config.
    pub requirement: Option<String>,
    /// What would happen.
    pub decision: RouteDecision,
    /// The reason in one word; empty where it depends.
    pub reason: String,
    /// What it depends on.
    pub depends_on: Vec<String>,
    /// The permissions that decide, or may.
    pub permissions: Vec<PermissionFacts>,
}

impl RouteRow {
    pub(super) fn of(judged: &Judged<'_>, route: &Route, method: &str) -> Self {
        Self {
            listener: judged.scene.listener.name.to_string(),
            route: route.name.clone(),
            place: judged.scene.snapshot.places.describe(route.place),
            method: method.to_owned(),
            path: written(route),
            ..Self::default()
        }
    }

    pub(super) fn with(self, reach: Reach) -> Self {
        let Reach {
            decision,
            reason,
            depends_on,
            permissions,
            requirement,
        } = reach;
        Self {
            requirement,
            decision,
            reason: reason.to_owned(),
            depends_on,
            permissions,
            ..self
        }
    }
}

/// The route's path for people.
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
