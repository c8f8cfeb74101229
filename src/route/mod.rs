//! Host and canonical path to the route. Pure: no socket, no clock, no permission.

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

/// Where requests of a kind go, and what they need.
#[derive(Debug)]
pub struct Route {
    /// Host and path as configured, for logs and metrics.
    pub name: String,
    /// Its path.
    pub pattern: PathPattern,
    /// Its hosts; `None` is every host.
    pub hosts: Box<[Option<HostPattern>]>,
    /// The paths it takes as a pattern with `*`, for finding permissions that can never be used.
    pub path_glob: String,
    /// How many segments its path names.
    pub depth: usize,
    /// Where the route stands in the config.
    pub place: Place,
    /// Whom the route lets in.
    pub admission: Admission,
    /// Who must have vouched for the client.
    pub vouched_by: VouchedBy,
    /// What an ApiUser needs.
    pub requirement: RequirementRule,
    /// What else must be true of a request, whoever asks.
    pub condition: Option<Condition>,
    /// The names of its captures, in the order of the path.
    pub captures: Box<[Box<str>]>,
    /// The last second, since 1970, in which it is there.
    pub enabled_until: Option<i64>,
    /// What becomes of refusals on it; `None` if the route does not say.
    pub enforcement: Option<Enforcement>,
    /// What ApiUsers without the right are told.
    pub forbidden: Forbidden,
    /// Which oddities of paths the route takes.
    pub accepts: Oddities,
    /// Names of clients' header fields that are sent on, and removed elsewhere.
    pub kept_headers: Box<[Box<str>]>,
    /// What happens to overriding methods.
    pub method_override: MethodOverride,
    /// Who answers.
    pub target: Target,
    /// Who is asked about requests that are permitted, by name.
    pub authorizer: Option<Arc<str>>,
    /// Sizes and timeouts.
    pub limits: RouteLimits,
    /// What all of its requests share, if they are limited.
    pub limiter: Option<Arc<Limiter>>,
    /// What a client may prove itself by.
    pub credentials: CredentialRule,
    /// Who may go on to the upstream.
    pub known_there: KnownThere,
}

/// Who may go on to an upstream, as far as that is about credentials there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KnownThere {
    /// Everybody, whoever is nobody there with the gateway's credentials.
    Anybody,
    /// Only these ApiUsers, of the same snapshot, each with its own.
    Only(Arc<HashSet<UserId>>),
}

impl KnownThere {
    /// Whether requests of this ApiUser may go on; `None` is somebody unknown.
    pub fn takes(&self, user: Option<UserId>) -> bool {
        match self {
            Self::Anybody => true,
            Self::Only(users) => user.is_some_and(|user| users.contains(&user)),
        }
    }
}

/// Whom a route lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// ApiUsers that have the requirement.
    Authorized,
    /// Everybody; who the client is goes up if it is known (`client_auth = "optional"` on the route itself).
    PublicWithIdentity,
    /// Everybody; nothing about the client goes up (`client_auth = "off"` on the route itself).
    Public,
}

impl Admission {
    /// Whether it lets everybody in.
    pub fn is_public(self) -> bool {
        matches!(self, Self::PublicWithIdentity | Self::Public)
    }
}

/// Who must have vouched for the clients of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VouchedBy {
    /// Whichever trust domain the host asks.
    Any,
    /// One of these, of the same snapshot.
    OneOf(Box<[TrustDomainId]>),
}

impl VouchedBy {
    /// Whether this domain will do; `None` is nobody.
    pub fn takes(&self, domain: Option<TrustDomainId>) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(domains) => domain.is_some_and(|domain| domains.contains(&domain)),
        }
    }
}

/// Who answers a route's requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The upstream with this name.
    Upstream(Arc<str>),
    /// The gateway says who the client is.
    Whoami,
    /// The gateway publishes the keys that assertions are verified with.
    Jwks,
}

/// Sizes and timeouts of one route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteLimits {
    /// Bytes of a request body; `None` is no limit.
    pub body_size: Option<u64>,
    /// Request sent until the response head arrives.
    pub response_timeout: Duration,
    /// No byte moves; `None` is no limit.
    pub idle_timeout: Option<Duration>,
}

/// The routes of one host.
#[derive(Clone, Debug, Default)]
struct HostRoutes {
    paths: PathTable<Arc<Route>>,
    /// By their folded paths, which several may have in common.
    folded: PathTable<Vec<Arc<Route>>>,
}

/// The routes of one listener.
#[derive(Clone, Debug, Default)]
pub struct RouteTable {
    hosts: HostTable<HostRoutes>,
    /// The first one that leads to an upstream.
    first: Option<Arc<Route>>,
    /// Whether any asks for something else than that, so that it matters which one a path leads to.
    differ: bool,
    /// Whether the path of any route is other than its folded form.
    any_unfolded: bool,
}

impl RouteTable {
    /// Adds a route. Gives back the one that has the same host and path already.
    ///
    /// # Errors
    /// The route that is there.
    pub fn insert(
        &mut self,
        host: Option<&HostPattern>,
        pattern: &PathPattern,
        route: Arc<Route>,
    ) -> Result<(), Arc<Route>> {
        if self.hosts.get_mut(host).is_none() {
            // Cannot be taken: it was just looked up.
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
        if let Some(there) = entry {
            return Err(there.clone());
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
        // One that has several hosts stands several times.
        routes.sort_by_key(|route| route.place);
        routes.dedup_by_key(|route| Arc::as_ptr(route));
        routes
    }

    /// The route for a host and a canonical path, with the captured segments. A host's own routes go before
    /// those for every host.
    pub fn find<'t, 'p>(
        &'t self,
        host: Option<&HostName<'_>>,
        path: &'p str,
    ) -> Option<(&'t Arc<Route>, Captured<'p>)> {
        self.hosts
            .covering(host)
            .find_map(|routes| routes.paths.find(path))
    }

    /// The route that is evaded by taking a canonical path as one of `taken`, if the upstream reads it in its folded form.
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
            let (alike, _) = self
                .hosts
                .covering(host)
                .find_map(|routes| routes.folded.find(folded))?;
            alike
                .iter()
                .find(|other| !Arc::ptr_eq(other, taken) && other.is_evaded_by(taken))
        })
    }
}
