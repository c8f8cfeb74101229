//! Selects the route for a host and a canonical path. Pure: no socket, no clock, no permission.

mod guards;
mod name;
mod path;
mod path_pattern;
pub mod icinga2;
mod requirement;
mod table;

pub use name::Name;
pub use path::{
    CanonicalTarget, Oddities, Oddity, OtherReadings, PathError, canonical_literal, decoded,
    folded_letters, folded_pattern, has_one_reading, hex_pair, other_readings, plain_reading,
};
pub use path_pattern::{Extent, PathPattern, PathPatternError, Segment};
pub use requirement::{
    Demand, NoRequirement, Requirement, RequirementRule, Template, TemplateError, TemplatePart,
};
pub use table::{Captured, PathTable};

use crate::condition::Condition;
use crate::config::{Enforcement, Forbidden, MethodOverride, Place};
use crate::credentials::CredentialRule;
use crate::host::{HostName, HostPattern, HostTable};
use crate::identity::UserId;
use crate::limit::Limiter;
use crate::tls::TrustDomainId;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// A route: where its requests are sent, and what they require.
#[derive(Debug)]
pub struct Route {
    /// Host and path as configured, for logs and metrics.
    pub name: String,
    /// The path pattern.
    pub pattern: PathPattern,
    /// The hosts; `None` is every host.
    pub hosts: Box<[Option<HostPattern>]>,
    /// The path as a pattern with `*`, for detecting permissions that can never match.
    pub path_glob: String,
    /// Number of segments in the path.
    pub depth: usize,
    /// Position of the route in the config.
    pub place: Place,
    /// The clients that are admitted.
    pub admission: Admission,
    /// The trust domains of which one must have verified the client.
    pub verified_by: AcceptedDomains,
    /// The permission that an ApiUser needs.
    pub requirement: RequirementRule,
    /// A condition on every request, independent of the client.
    pub condition: Option<Condition>,
    /// The names of the captures, in path order.
    pub captures: Box<[Box<str>]>,
    /// The last second in which the route is enabled, in seconds since 1970.
    pub enabled_until: Option<i64>,
    /// Whether denials are enforced; `None` if the route does not set it.
    pub enforcement: Option<Enforcement>,
    /// The response to ApiUsers without the permission.
    pub forbidden: Forbidden,
    /// The path oddities that the route accepts.
    pub accepts: Oddities,
    /// Names of clients' header fields that are forwarded here although they are removed by
    /// default.
    pub kept_headers: Box<[Box<str>]>,
    /// How method overrides are handled.
    pub method_override: MethodOverride,
    /// What responds to the requests.
    pub target: Target,
    /// The authorizer that is asked about permitted requests, by name.
    pub authorizer: Option<Arc<str>>,
    /// Sizes and timeouts.
    pub limits: RouteLimits,
    /// The rate limiter that all requests of the route share.
    pub limiter: Option<Arc<Limiter>>,
    /// The credentials that a client may use.
    pub credentials: CredentialRule,
    /// The ApiUsers with an account at the upstream.
    pub known_users: UpstreamUsers,
}

/// The ApiUsers whose requests are forwarded, by their accounts at the upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpstreamUsers {
    /// All. Users without an account use the gateway's credentials.
    Any,
    /// Only these ApiUsers of the same snapshot. Each has its own account.
    Only(Arc<HashSet<UserId>>),
}

impl UpstreamUsers {
    /// Whether requests of this ApiUser are forwarded. `None` is an unknown client.
    pub fn takes(&self, user: Option<UserId>) -> bool {
        match self {
            Self::Any => true,
            Self::Only(users) => user.is_some_and(|user| users.contains(&user)),
        }
    }
}

/// The clients that a route admits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// ApiUsers that meet the requirement.
    Authorized,
    /// All clients. The identity is sent to the upstream if it is known (`client_auth = "optional"`
    /// on the route itself).
    PublicWithIdentity,
    /// All clients. No identity is sent to the upstream (`client_auth = "off"` on the route
    /// itself).
    Public,
}

impl Admission {
    /// Whether all clients are admitted.
    pub fn is_public(self) -> bool {
        matches!(self, Self::PublicWithIdentity | Self::Public)
    }
}

/// The trust domains of which one must have verified the clients of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AcceptedDomains {
    /// The trust domain of the host.
    Any,
    /// One of these domains of the same snapshot.
    OneOf(Box<[TrustDomainId]>),
}

impl AcceptedDomains {
    /// Whether `domain` is accepted. `None` is an unverified client.
    pub fn takes(&self, domain: Option<TrustDomainId>) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(domains) => domain.is_some_and(|domain| domains.contains(&domain)),
        }
    }
}

/// What responds to the requests of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The upstream with this name.
    Upstream(Arc<str>),
    /// The gateway responds with the identity of the client.
    Whoami,
    /// The gateway responds with the keys that verify its assertions.
    Jwks,
}

/// Sizes and timeouts of one route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteLimits {
    /// Maximum bytes of a request body; `None` is no limit.
    pub body_size: Option<u64>,
    /// Maximum time from the end of the request to the response head.
    pub response_timeout: Duration,
    /// Maximum time without a transferred byte; `None` is no limit.
    pub idle_timeout: Option<Duration>,
}

/// The routes of one host.
#[derive(Clone, Debug, Default)]
struct HostRoutes {
    paths: PathTable<Arc<Route>>,
    /// Routes by folded path. Several routes may share one.
    folded: PathTable<Vec<Arc<Route>>>,
}

/// The routes of one listener.
#[derive(Clone, Debug, Default)]
pub struct RouteTable {
    hosts: HostTable<HostRoutes>,
    /// The first route with an upstream.
    first: Option<Arc<Route>>,
    /// Whether any route has other requirements than `first`. If not, no route can be evaded.
    differ: bool,
    /// Whether any route's path differs from its folded form.
    any_unfolded: bool,
}

impl RouteTable {
    /// Adds a route.
    ///
    /// # Errors
    /// The route that already has this host and path.
    pub fn insert(
        &mut self,
        host: Option<&HostPattern>,
        pattern: &PathPattern,
        route: Arc<Route>,
    ) -> Result<(), Arc<Route>> {
        if self.hosts.get_mut(host).is_none() {
            // It was just looked up, so it is free.
            let _ = self.hosts.insert(host, HostRoutes::default());
        }
        if let Target::Upstream(_) = route.target {
            let first = self.first.get_or_insert_with(|| route.clone());
            self.differ |= first.is_evaded_by(&route) || route.is_evaded_by(first);
        }
        let Some(routes) = self.hosts.get_mut(host) else {
            return Ok(());
        };
        let entry = routes.paths.entry(pattern);
        if let Some(existing) = entry {
            return Err(existing.clone());
        }
        *entry = Some(route.clone());
        let folded = pattern.folded();
        self.any_unfolded |= folded != *pattern;
        routes
            .folded
            .entry(&folded)
            .get_or_insert_default()
            .push(route);
        Ok(())
    }

    /// All routes, in the order of the config.
    pub fn routes(&self) -> Vec<&Arc<Route>> {
        let mut routes: Vec<_> = self
            .hosts
            .iter()
            .flat_map(|routes| routes.paths.values())
            .collect();
        // A route with several hosts occurs several times.
        routes.sort_by_key(|route| route.place);
        routes.dedup_by_key(|route| Arc::as_ptr(route));
        routes
    }

    /// The route for a host and a canonical path, with the captured segments. The routes of a host
    /// precede the routes for all hosts.
    pub fn find<'t, 'p>(
        &'t self,
        host: Option<&HostName<'_>>,
        path: &'p str,
    ) -> Option<(&'t Arc<Route>, Captured<'p>)> {
        self.hosts
            .covering(host)
            .find_map(|routes| routes.paths.find(path))
    }

    /// The route that is evaded by routing a canonical path to `taken`, if the upstream reads the
    /// folded path.
    pub fn evaded<'t>(
        &'t self,
        host: Option<&HostName<'_>>,
        path: &str,
        taken: &Arc<Route>,
    ) -> Option<&'t Arc<Route>> {
        if !self.differ {
            return None;
        }
        path::with_folded(path, |folded| {
            if folded == path && !self.any_unfolded {
                return None;
            }
            let (candidates, _) = self
                .hosts
                .covering(host)
                .find_map(|routes| routes.folded.find(folded))?;
            candidates
                .iter()
                .find(|other| !Arc::ptr_eq(other, taken) && other.is_evaded_by(taken))
        })
    }
}
