//! Routes whose paths an upstream may take for one another, and routes of a host that take what a route for all hosts
//! guards: found by `check`, never in the way of a start.

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
        let mut told = HashSet::new();
        for listener in listeners {
            let routes = listener.routes.routes();
            for route in routes.iter().filter(|route| matches!(route.target, Target::Upstream(_))) {
                for host in example_hosts(route) {
                    let host = host.as_deref().and_then(HostName::parse);
                    self.warn_about_look_alikes(listener, route, host.as_ref(), &mut told);
                    self.warn_about_what_lies_below(listener, route, host.as_ref(), &mut told);
                }
                self.warn_about_hosts(listener, route, &routes, &mut told);
            }
        }
    }

    /// Two routes with one folded path: requests for the one are rejected, since the upstream may take them for the other.
    fn warn_about_look_alikes(
        &self,
        listener: &ListenerPolicy,
        route: &Arc<Route>,
        host: Option<&HostName<'_>>,
        told: &mut HashSet<String>,
    ) {
        let path = example_path(&route.pattern);
        let takes = listener.routes.find(host, &path).is_some_and(|(found, _)| Arc::ptr_eq(found, route));
        let keeps = route.accepts.contains(crate::route::Oddity::LookAlike);
        let Some(other) = listener.routes.evaded(host, &path, route).filter(|_| takes && !keeps) else { return };
        let message = format!(
            "requests for route {} are rejected (400 look_alike_path): to an upstream that ignores case, final slashes and \
             the like they belong to route {}, which asks for something else",
            route.name, other.name
        );
        let hint = "let both ask for the same, or write `look_alike_path = \"keep\"` if the upstream tells them apart";
        self.tell(route, message, hint, told);
    }

    /// An exact route that asks for more than the prefix below which it stands.
    fn warn_about_what_lies_below(
        &self,
        listener: &ListenerPolicy,
        route: &Arc<Route>,
        host: Option<&HostName<'_>>,
        told: &mut HashSet<String>,
    ) {
        let path = example_path(&route.pattern);
        if route.pattern.extent != Extent::Exact || path.ends_with('/') {
            return;
        }
        let below = format!("{path}/x");
        let Some((other, _)) = listener.routes.find(host, &below) else { return };
        if !route.is_evaded_by(other) {
            return;
        }
        let message = format!(
            "route {} is exact, and paths below it go to route {}, which asks for something else",
            route.name, other.name
        );
        let hint = "write `match = \"prefix\"` if they belong to it, or a route of their own";
        self.tell(route, message, hint, told);
    }

    /// A route of a host goes before every route for all hosts, also where the path of that is longer.
    fn warn_about_hosts(
        &self,
        listener: &ListenerPolicy,
        route: &Arc<Route>,
        all: &[&Arc<Route>],
        told: &mut HashSet<String>,
    ) {
        for host in example_hosts(route).into_iter().flatten() {
            let name = HostName::parse(&host);
            for guarded in all.iter().filter(|other| other.hosts.contains(&None)) {
                let path = example_path(&guarded.pattern);
                let taken = listener.routes.find(name.as_ref(), &path).is_some_and(|(it, _)| Arc::ptr_eq(it, route));
                if !taken || !guarded.is_evaded_by(route) {
                    continue;
                }
                let message = format!(
                    "route {} takes `{path}` on its hosts, where route {} for all hosts asks for something else: a \
                     host's own routes go before those for all hosts, whatever their paths",
                    route.name, guarded.name
                );
                let hint = "write the route for all hosts again with this `host`, or take `host` from this one";
                self.tell(route, message, hint, told);
            }
        }
    }

    fn tell(&self, route: &Route, message: String, hint: &str, told: &mut HashSet<String>) {
        if told.insert(message.clone()) {
            self.problems.warning(route.place, message, hint);
        }
    }
}

/// A path that the pattern itself means.
fn example_path(pattern: &PathPattern) -> String {
    let segments = pattern.segments.iter().map(|segment| match segment {
        Segment::Literal(text) => text.as_str(),
        Segment::Capture(_) => "x",
    });
    format!("/{}", segments.collect::<Vec<_>>().join("/"))
}

/// A name for each host of a route; `None` is any.
fn example_hosts(route: &Route) -> Vec<Option<String>> {
    let example = |host: &HostPattern| match host {
        HostPattern::Exact(name) => name.clone(),
        HostPattern::Wildcard(rest) => format!("any.{rest}"),
    };
    route.hosts.iter().map(|host| host.as_ref().map(example)).collect()
}
