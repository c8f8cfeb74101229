//! Assembly of routes, and their insertion into the route tables of listeners.

use super::trust::TrustDomains;
use super::{super::defaults, Assembly, preset};
use crate::config::{self, ClientAuth, PathMatch, Place, Respond, Spanned};
use crate::host::HostPattern;
use crate::route::{
    AcceptedDomains, Admission, Extent, PathPattern, PathPatternError, Route, RouteLimits, Target,
};
use crate::snapshot::ListenerPolicy;
use crate::upstream::{Accounts, Upstream};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Upstreams, and the accounts of ApiUsers there, by name of the upstream.
#[derive(Clone, Copy)]
pub(super) struct RouteUpstreams<'a> {
    pub(super) by_name: &'a HashMap<Arc<str>, Arc<Upstream>>,
    pub(super) accounts: &'a HashMap<Arc<str>, Arc<Accounts>>,
}

/// A route with its entry in the config and its keys in the route tables.
struct BuiltRoute<'c> {
    entry: &'c config::RouteEntry,
    pattern: PathPattern,
    hosts: Vec<Option<HostPattern>>,
    route: Arc<Route>,
}

impl Assembly<'_> {
    pub(super) fn routes(
        &self,
        listeners: &mut [ListenerPolicy],
        upstreams: RouteUpstreams<'_>,
        trust: &TrustDomains,
    ) -> Vec<Arc<Route>> {
        let routes = self.config.routes.iter();
        let mut built: Vec<BuiltRoute<'_>> = routes
            .filter_map(|entry| {
                self.route(
                    entry,
                    upstreams,
                    self.required_domains(entry, trust, listeners),
                )
            })
            .collect();
        // A route for named listeners takes precedence over one for all listeners, independent of the order in the
        // file.
        built.sort_by_key(|route| route.entry.listeners.is_empty());
        let mut used: HashSet<usize> = HashSet::new();
        for (index, route) in built.iter().enumerate() {
            self.check_listener_names(&route.entry.listeners);
            let own_listeners = listeners.iter_mut().filter(|listener| {
                let names = &route.entry.listeners;
                names.is_empty() || names.iter().any(|name| *name.value == *listener.name)
            });
            for listener in own_listeners {
                for host in &route.hosts {
                    match listener
                        .routes
                        .insert(host.as_ref(), &route.pattern, route.route.clone())
                    {
                        Ok(()) => {
                            used.insert(index);
                        }
                        Err(other) => self.report_duplicate(route, &other),
                    }
                }
            }
        }
        if self.depth == super::Depth::Warnings {
            let unused = built
                .iter()
                .enumerate()
                .filter(|(index, _)| !used.contains(index))
                .map(|(_, route)| &route.route);
            self.warn_about_routes(listeners, unused);
            self.warn_about_paths(listeners);
        }
        built.into_iter().map(|route| route.route).collect()
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

    /// Reports two routes with the same host and path, unless only one of them names its listeners.
    fn report_duplicate(&self, route: &BuiltRoute<'_>, other: &Arc<Route>) {
        let is_for_all_listeners = |place: Place| {
            self.config
                .routes
                .iter()
                .any(|entry| entry.place == place && entry.listeners.is_empty())
        };
        if is_for_all_listeners(route.entry.place) && !is_for_all_listeners(other.place) {
            return;
        }
        if route.entry.place == other.place {
            self.problems.error(
                route.entry.place,
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
        self.problems.error(route.entry.place, message, hint);
    }

    fn route<'c>(
        &self,
        entry: &'c config::RouteEntry,
        upstreams: RouteUpstreams<'_>,
        required_domains: Option<AcceptedDomains>,
    ) -> Option<BuiltRoute<'c>> {
        let target = self.target(entry);
        let upstream = target
            .as_ref()
            .map(|target| self.check_upstream_name(entry, target, upstreams.by_name));
        let path = entry.path.as_ref()?;
        let pattern = self.path_pattern(entry, path);
        self.lint_foreign_captures(path);
        let hosts = self.route_hosts(entry);
        let admission = self.admission(entry);
        let pattern = pattern?;
        let requirement = self.requirement(entry, &pattern);
        let condition =
            self.condition(entry.when.as_ref(), &pattern.captures().collect::<Vec<_>>());
        let name = route_name(entry, &path.value);
        let enabled_until =
            self.enabled_until(&format!("route {name}"), entry.enabled_until.as_ref());
        let credentials = self.credential_rule(entry);
        let target = target?;
        let hosts = hosts?;
        let admission = admission?;
        let requirement = requirement?;
        let known_users = self.known_users(&target, admission, upstreams.accounts, entry.place);
        upstream??;
        let route = Arc::new(Route {
            limiter: self.route_limiter(entry, &name),
            name,
            place: entry.place,
            admission,
            verified_by: required_domains?,
            requirement,
            condition: condition.ok()?,
            captures: pattern.captures().map(Box::from).collect(),
            enabled_until,
            enforcement: entry.shadow.as_ref().map(|setting| setting.value),
            forbidden: preset::forbidden(entry),
            accepts: self.accepted_oddities(entry),
            kept_headers: self.kept_headers(entry),
            method_override: preset::method_override(entry),
            limits: self.route_limits(entry, &target),
            target,
            path_glob: path_glob(&pattern),
            pattern: pattern.clone(),
            hosts: hosts.clone().into(),
            depth: pattern.segments.len(),
            credentials: credentials?,
            authorizer: entry
                .authorizer
                .as_ref()
                .map(|setting| setting.value.as_str().into()),
            known_users: known_users?,
        });
        Some(BuiltRoute {
            entry,
            pattern,
            hosts,
            route,
        })
    }

    fn path_pattern(
        &self,
        entry: &config::RouteEntry,
        path: &Spanned<String>,
    ) -> Option<PathPattern> {
        let exact = match &entry.path_match {
            Some(chosen) => chosen.value == PathMatch::Exact,
            // Built-in responses have a single path; upstreams usually serve everything below theirs.
            None => entry.respond.is_some(),
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

    /// Checks that the upstream exists. `None` if it is undefined, which is reported, or could not be built.
    fn check_upstream_name(
        &self,
        entry: &config::RouteEntry,
        target: &Target,
        upstreams: &HashMap<Arc<str>, Arc<Upstream>>,
    ) -> Option<()> {
        let Target::Upstream(name) = target else {
            return Some(());
        };
        if upstreams.contains_key(name) {
            return Some(());
        }
        if self.upstream_table(target).is_none() {
            let names = self
                .config
                .upstreams
                .iter()
                .map(|upstream| &upstream.name.value);
            let place = entry
                .upstream
                .as_ref()
                .map_or(entry.place, |named| named.place);
            self.problems.error(
                place,
                format!("there is no upstream \"{name}\""),
                self.known("upstreams", names),
            );
        }
        None
    }

    fn route_limits(&self, entry: &config::RouteEntry, target: &Target) -> RouteLimits {
        let mut limits = vec![&entry.limits];
        limits.extend(self.upstream_table(target).map(|upstream| &upstream.limits));
        limits.push(&self.config.limits);
        defaults::route_limits(&limits)
    }

    fn upstream_table(&self, target: &Target) -> Option<&config::UpstreamTable> {
        let Target::Upstream(name) = target else {
            return None;
        };
        self.config
            .upstreams
            .iter()
            .find(|upstream| *upstream.name.value == **name)
    }

    fn target(&self, entry: &config::RouteEntry) -> Option<Target> {
        match (&entry.upstream, &entry.respond) {
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
                self.problems.error(
                    entry.place,
                    "this route has neither `upstream` nor `respond`",
                    hint,
                );
                None
            }
        }
    }

    fn route_hosts(&self, entry: &config::RouteEntry) -> Option<Vec<Option<HostPattern>>> {
        if entry.hosts.is_empty() {
            return Some(vec![None]);
        }
        let read = entry.hosts.iter().map(|name| {
            let pattern = HostPattern::parse(&name.value);
            if pattern.is_none() {
                self.report_bad_host(name);
            }
            pattern.map(Some)
        });
        read.collect::<Vec<_>>().into_iter().collect()
    }

    fn admission(&self, entry: &config::RouteEntry) -> Option<Admission> {
        let admission = match entry.client_auth.as_ref().map(|setting| setting.value) {
            None | Some(ClientAuth::Required) => return Some(Admission::Authorized),
            Some(ClientAuth::Optional) => Admission::PublicWithIdentity,
            Some(ClientAuth::Off) => Admission::Public,
        };
        let place = entry
            .client_auth
            .as_ref()
            .map_or(entry.place, |setting| setting.place);
        if entry.requirement.is_some() {
            let message = "a route for all clients cannot have a requirement";
            self.problems.error(
                place,
                message,
                "remove `requirement`, or `client_auth` (then it is \"required\")",
            );
            return None;
        }
        if entry
            .respond
            .as_ref()
            .is_some_and(|respond| respond.value == Respond::Whoami)
        {
            let message = "`whoami` needs a client that is authenticated";
            self.problems
                .error(place, message, "remove `client_auth` from this route");
            return None;
        }
        Some(admission)
    }
}

/// Hint for a path with a star, such as `/api/*` in other routers.
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

fn route_name(entry: &config::RouteEntry, path: &str) -> String {
    let hosts: Vec<&str> = entry.hosts.iter().map(|host| host.value.as_str()).collect();
    format!("{}{path}", hosts.join(","))
}

/// The paths of a route as a glob, to find permissions that match no route.
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
