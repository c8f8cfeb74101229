//! Routes: what each asks for, who answers, and into which listeners' tables it goes.

use super::trust::TrustDomains;
use super::{super::defaults, Assembly, preset};
use crate::config::{self, ClientAuth, PathMatch, Place, Respond, Spanned};
use crate::host::HostPattern;
use crate::route::{
    Admission, Extent, PathPattern, PathPatternError, Route, RouteLimits, Target, VouchedBy,
};
use crate::snapshot::ListenerPolicy;
use crate::upstream::{Accounts, Upstream};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Upstreams, and the ApiUsers that are somebody there.
type UpstreamsAndUsers<'a> = (
    &'a HashMap<Arc<str>, Arc<Upstream>>,
    &'a HashMap<Arc<str>, Arc<Accounts>>,
);

/// A route that is ready for the tables.
struct Ready<'c> {
    said: &'c config::Route,
    pattern: PathPattern,
    hosts: Vec<Option<HostPattern>>,
    route: Arc<Route>,
}

impl Assembly<'_> {
    pub(super) fn routes(
        &self,
        listeners: &mut [ListenerPolicy],
        upstreams: UpstreamsAndUsers<'_>,
        trust: &TrustDomains,
    ) -> Vec<Arc<Route>> {
        let routes = self.config.routes.iter();
        let mut ready: Vec<Ready<'_>> = routes
            .filter_map(|said| self.route(said, upstreams, self.vouched_by(said, trust, listeners)))
            .collect();
        // A route that names its listeners goes before one for all of them, whatever the order of the file.
        ready.sort_by_key(|route| route.said.listeners.is_empty());
        let mut used: HashSet<usize> = HashSet::new();
        for (index, route) in ready.iter().enumerate() {
            self.check_listener_names(&route.said.listeners);
            let chosen = listeners.iter_mut().filter(|listener| {
                let names = &route.said.listeners;
                names.is_empty() || names.iter().any(|name| *name.value == *listener.name)
            });
            for listener in chosen {
                for host in &route.hosts {
                    match listener
                        .routes
                        .insert(host.as_ref(), &route.pattern, route.route.clone())
                    {
                        Ok(()) => {
                            used.insert(index);
                        }
                        Err(other) => self.same_route(route, &other),
                    }
                }
            }
        }
        if self.depth == super::Depth::Warnings {
            let unused = ready
                .iter()
                .enumerate()
                .filter(|(index, _)| !used.contains(index))
                .map(|(_, route)| &route.route);
            self.warn_about_routes(listeners, unused);
            self.warn_about_paths(listeners);
        }
        ready.into_iter().map(|route| route.route).collect()
    }

    fn check_listener_names(&self, names: &[Spanned<String>]) {
        let known: Vec<String> = self
            .config
            .listeners
            .iter()
            .map(|listener| listener.name.value.clone())
            .collect();
        for name in names.iter().filter(|name| !known.contains(&name.value)) {
            let message = format!("there is no listener \"{}\"", name.value);
            self.problems
                .error(name.place, message, self.known("listeners", known.iter()));
        }
    }

    /// Two routes with the same host and path: contradictory, unless one names its listeners and the other does not.
    fn same_route(&self, route: &Ready<'_>, other: &Arc<Route>) {
        let one_is_for_all = |place: Place| {
            self.config
                .routes
                .iter()
                .any(|said| said.place == place && said.listeners.is_empty())
        };
        if one_is_for_all(route.said.place) && !one_is_for_all(other.place) {
            return;
        }
        if route.said.place == other.place {
            self.problems.error(
                route.said.place,
                "the route names a host twice",
                "name it once",
            );
            return;
        }
        let message = format!("another route already has {}", route.route.name);
        let hint = format!(
            "the other stands at {}; keep one",
            self.sources.describe(other.place)
        );
        self.problems.error(route.said.place, message, hint);
    }

    fn route<'c>(
        &self,
        said: &'c config::Route,
        (upstreams, accounts): UpstreamsAndUsers<'_>,
        vouched_by: Option<VouchedBy>,
    ) -> Option<Ready<'c>> {
        let target = self.target(said);
        let upstream = target
            .as_ref()
            .map(|target| self.check_upstream_name(said, target, upstreams));
        let path = said.path.as_ref()?;
        let pattern = self.path_pattern(said, path);
        self.lint_foreign_captures(path);
        let hosts = self.route_hosts(said);
        let admission = self.admission(said);
        let pattern = pattern?;
        let requirement = self.requirement(said, &pattern);
        let condition = self.condition(said.when.as_ref(), &pattern.captures().collect::<Vec<_>>());
        let name = route_name(said, &path.value);
        let enabled_until =
            self.enabled_until(&format!("route {name}"), said.enabled_until.as_ref());
        let credentials = self.credential_rule(said);
        let (target, hosts, admission, requirement) = (target?, hosts?, admission?, requirement?);
        let known_there = self.known_there(&target, admission, accounts, said.place);
        upstream??;
        let route = Arc::new(Route {
            limiter: self.route_limiter(said, &name),
            name,
            place: said.place,
            admission,
            vouched_by: vouched_by?,
            requirement,
            condition: condition.ok()?,
            captures: pattern.captures().map(Box::from).collect(),
            enabled_until,
            enforcement: said.shadow.as_ref().map(|said| said.value),
            forbidden: preset::forbidden(said),
            accepts: self.accepted_oddities(said),
            kept_headers: self.kept_headers(said),
            method_override: preset::method_override(said),
            limits: self.route_limits(said, &target),
            target,
            path_glob: path_glob(&pattern),
            pattern: pattern.clone(),
            hosts: hosts.clone().into(),
            depth: pattern.segments.len(),
            credentials: credentials?,
            authorizer: said
                .authorizer
                .as_ref()
                .map(|said| said.value.as_str().into()),
            known_there: known_there?,
        });
        Some(Ready {
            said,
            pattern,
            hosts,
            route,
        })
    }

    fn path_pattern(&self, said: &config::Route, path: &Spanned<String>) -> Option<PathPattern> {
        let exact = match &said.path_match {
            Some(chosen) => chosen.value == PathMatch::Exact,
            // The gateway's own answers stand at one path; upstreams usually own all below theirs.
            None => said.respond.is_some(),
        };
        let extent = if exact { Extent::Exact } else { Extent::Prefix };
        PathPattern::parse(&path.value, extent)
            .map_err(|error| {
                let hint = match error {
                    PathPatternError::Star => star_hint(&path.value),
                    _ => "write for example \"/api\" or \"/v1/objects/{type}\"".to_owned(),
                };
                self.problems.error(
                    path.place,
                    format!("\"{}\" is no path for a route: {error}", path.value),
                    hint,
                );
            })
            .ok()
    }

    /// `None` if the upstream is not there, whether nobody defined it or it could not be built.
    fn check_upstream_name(
        &self,
        said: &config::Route,
        target: &Target,
        upstreams: &HashMap<Arc<str>, Arc<Upstream>>,
    ) -> Option<()> {
        let Target::Upstream(name) = target else {
            return Some(());
        };
        if upstreams.contains_key(name) {
            return Some(());
        }
        if self.upstream_said(target).is_none() {
            let names = self
                .config
                .upstreams
                .iter()
                .map(|upstream| &upstream.name.value);
            let place = said
                .upstream
                .as_ref()
                .map_or(said.place, |named| named.place);
            self.problems.error(
                place,
                format!("there is no upstream \"{name}\""),
                self.known("upstreams", names),
            );
        }
        None
    }

    fn route_limits(&self, said: &config::Route, target: &Target) -> RouteLimits {
        let mut limits = vec![&said.limits];
        limits.extend(self.upstream_said(target).map(|upstream| &upstream.limits));
        limits.push(&self.config.limits);
        defaults::route_limits(&limits)
    }

    fn upstream_said(&self, target: &Target) -> Option<&config::Upstream> {
        let Target::Upstream(name) = target else {
            return None;
        };
        self.config
            .upstreams
            .iter()
            .find(|upstream| *upstream.name.value == **name)
    }

    fn target(&self, said: &config::Route) -> Option<Target> {
        match (&said.upstream, &said.respond) {
            (Some(upstream), None) => Some(Target::Upstream(upstream.value.as_str().into())),
            (
                None,
                Some(Spanned {
                    value: Respond::Whoami,
                    ..
                }),
            ) => Some(Target::Whoami),
            (
                None,
                Some(Spanned {
                    value: Respond::Jwks,
                    place,
                }),
            ) => {
                self.check_published_keys(*place);
                Some(Target::Jwks)
            }
            (Some(_), Some(respond)) => {
                let message = "a route has both `upstream` and `respond`, but only one can answer";
                self.problems.error(respond.place, message, "keep one");
                None
            }
            (None, None) => {
                let hint = "write `upstream = \"NAME\"`, or `respond = \"whoami\"`";
                self.problems
                    .error(said.place, "nobody answers this route", hint);
                None
            }
        }
    }

    fn route_hosts(&self, said: &config::Route) -> Option<Vec<Option<HostPattern>>> {
        if said.hosts.is_empty() {
            return Some(vec![None]);
        }
        let read = said.hosts.iter().map(|name| {
            let pattern = HostPattern::parse(&name.value);
            if pattern.is_none() {
                self.bad_host(name);
            }
            pattern.map(Some)
        });
        read.collect::<Vec<_>>().into_iter().collect()
    }

    fn admission(&self, said: &config::Route) -> Option<Admission> {
        let admission = match said.client_auth.as_ref().map(|said| said.value) {
            None | Some(ClientAuth::Required) => return Some(Admission::Authorized),
            Some(ClientAuth::Optional) => Admission::PublicWithIdentity,
            Some(ClientAuth::Off) => Admission::Public,
        };
        let place = said
            .client_auth
            .as_ref()
            .map_or(said.place, |said| said.place);
        if said.requirement.is_some() {
            let message = "a route that lets everybody in cannot have a requirement";
            self.problems.error(
                place,
                message,
                "remove `requirement`, or `client_auth` (then it is \"required\")",
            );
            return None;
        }
        if said
            .respond
            .as_ref()
            .is_some_and(|respond| respond.value == Respond::Whoami)
        {
            let message = "`whoami` has nothing to say to everybody";
            self.problems
                .error(place, message, "remove `client_auth` from this route");
            return None;
        }
        Some(admission)
    }
}

/// How to write what `/api/*` means elsewhere.
fn star_hint(path: &str) -> String {
    let before = path
        .split('*')
        .next()
        .unwrap_or_default()
        .trim_end_matches('/');
    let prefix = if before.is_empty() { "/" } else { before };
    format!(
        "write `path = \"{prefix}\"`, which covers that path and everything below it, `{{name}}` for any one segment, or \
         `%2A` for a star itself"
    )
}

fn route_name(said: &config::Route, path: &str) -> String {
    let hosts: Vec<&str> = said.hosts.iter().map(|host| host.value.as_str()).collect();
    format!("{}{path}", hosts.join(","))
}

/// The paths of a route as a pattern, for finding permissions that can never be used.
fn path_glob(pattern: &PathPattern) -> String {
    let segments = pattern.segments.iter().map(|segment| match segment {
        crate::route::Segment::Literal(text) => text.replace('*', "\\*"),
        crate::route::Segment::Capture(_) => "*".to_owned(),
    });
    let path = format!("/{}", segments.collect::<Vec<_>>().join("/"));
    if pattern.extent == Extent::Prefix {
        path + "*"
    } else {
        path
    }
}
