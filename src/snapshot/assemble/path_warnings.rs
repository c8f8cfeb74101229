//! Lint of route paths that an upstream may confuse, and of host routes that take requests from a stricter route for
//! all hosts. `check` alone runs it.

use super::Assembly;
use crate::host::{HostName, HostPattern};
use crate::route::{Extent, PathPattern, Route, Segment, Target};
use crate::snapshot::ListenerPolicy;
use std::collections::HashSet;
use std::sync::Arc;

impl Assembly<'_> {
    pub(super) fn warn_about_paths(&self, listeners: &[ListenerPolicy]) {
        if self.problems.any_error() {
            return;
        }
        let mut reported = HashSet::new();
        for listener in listeners {
            let routes = listener.routes.routes();
            for route in routes
                .iter()
                .filter(|route| matches!(route.target, Target::Upstream(_)))
            {
                let lint = RouteLint {
                    listener,
                    route,
                    path: example_path(&route.pattern),
                };
                let mut warnings = Vec::new();
                for host in example_hosts(route) {
                    let host = host.as_deref().and_then(HostName::parse);
                    warnings.extend(lint.look_alike(host.as_ref()));
                    warnings.extend(lint.less_strict_below(host.as_ref()));
                }
                lint.override_of_all_hosts(&routes, &mut warnings);
                for warning in warnings {
                    if reported.insert(warning.message.clone()) {
                        self.problems
                            .warning(route.place, warning.message, warning.hint);
                    }
                }
            }
        }
    }
}

/// A warning about a route.
struct PathWarning {
    message: String,
    hint: &'static str,
}

/// A route on one listener, and a path that it takes.
struct RouteLint<'a> {
    listener: &'a ListenerPolicy,
    route: &'a Arc<Route>,
    path: String,
}

impl RouteLint<'_> {
    /// Two routes with the same folded path. Requests for one are rejected, since the upstream may confuse it with the
    /// other.
    fn look_alike(&self, host: Option<&HostName<'_>>) -> Option<PathWarning> {
        let accepts_look_alike = self.route.accepts.contains(crate::route::Oddity::LookAlike);
        let is_selected = self
            .finds(host, &self.path)
            .is_some_and(|route| Arc::ptr_eq(route, self.route));
        let other = self
            .listener
            .routes
            .evaded(host, &self.path, self.route)
            .filter(|_| is_selected && !accepts_look_alike)?;
        let message = format!(
            "requests for route {} are rejected (400 look_alike_path): to an upstream that ignores case, final slashes and \
             the like they belong to route {}, which asks for something else",
            self.route.name, other.name
        );
        let hint = "let both ask for the same, or write `look_alike_path = \"keep\"` if the upstream tells them apart";
        Some(PathWarning { message, hint })
    }

    /// An exact route with stricter requirements than the prefix route that receives the paths below it.
    fn less_strict_below(&self, host: Option<&HostName<'_>>) -> Option<PathWarning> {
        if self.route.pattern.extent != Extent::Exact || self.path.ends_with('/') {
            return None;
        }
        let other = self
            .finds(host, &format!("{}/x", self.path))
            .filter(|other| self.route.is_evaded_by(other))?;
        let message = format!(
            "route {} is exact, and paths below it go to route {}, which asks for something else",
            self.route.name, other.name
        );
        let hint = "write `match = \"prefix\"` if they belong to it, or a route of their own";
        Some(PathWarning { message, hint })
    }

    /// A route for a host takes precedence over every route for all hosts, even over a longer path. Warns if it is less
    /// strict.
    fn override_of_all_hosts(&self, all: &[&Arc<Route>], warnings: &mut Vec<PathWarning>) {
        for host in example_hosts(self.route).into_iter().flatten() {
            let name = HostName::parse(&host);
            for guarded in all.iter().filter(|other| other.hosts.contains(&None)) {
                let path = example_path(&guarded.pattern);
                let is_selected = self
                    .finds(name.as_ref(), &path)
                    .is_some_and(|route| Arc::ptr_eq(route, self.route));
                if !is_selected || !guarded.is_evaded_by(self.route) {
                    continue;
                }
                let message = format!(
                    "route {} takes `{path}` on its hosts, where route {} for all hosts asks for something else: a \
                     host's own routes go before those for all hosts, independent of their paths",
                    self.route.name, guarded.name
                );
                let hint = "write the route for all hosts again with this `host`, or take `host` from this one";
                warnings.push(PathWarning { message, hint });
            }
        }
    }

    fn finds(&self, host: Option<&HostName<'_>>, path: &str) -> Option<&Arc<Route>> {
        self.listener
            .routes
            .find(host, path)
            .map(|(route, _)| route)
    }
}

/// An example path that matches the pattern.
fn example_path(pattern: &PathPattern) -> String {
    let segments = pattern.segments.iter().map(|segment| match segment {
        Segment::Literal(text) => text.as_str(),
        Segment::Capture(_) => "x",
    });
    format!("/{}", segments.collect::<Vec<_>>().join("/"))
}

/// An example name for each host of a route; `None` means any host.
fn example_hosts(route: &Route) -> Vec<Option<String>> {
    let example = |host: &HostPattern| match host {
        HostPattern::Exact(name) => name.clone(),
        HostPattern::Wildcard(rest) => format!("any.{rest}"),
    };
    route
        .hosts
        .iter()
        .map(|host| host.as_ref().map(example))
        .collect()
}
