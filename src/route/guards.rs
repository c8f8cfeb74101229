//! Compares the checks of a route with those of another route, for paths that an upstream may read
//! as the other route's. Finds no route.

use super::{Oddity, Route, RouteLimits, Target};
use crate::condition::Condition;

impl Route {
    /// Whether a request that route `taken` accepted evades this route, if the upstream reads its
    /// path as one of this route: this route requires something else, or permits less. A route that
    /// is open to everyone is evaded only in its limits.
    pub fn is_evaded_by(&self, taken: &Self) -> bool {
        // No upstream reads the paths of the gateway's own responses.
        let has_upstreams = [self, taken]
            .iter()
            .all(|route| matches!(route.target, Target::Upstream(_)));
        has_upstreams && (!self.is_open() && !self.guards_as(taken) || self.is_stricter_than(taken))
    }

    fn is_open(&self) -> bool {
        self.admission.is_public()
            && self.condition.is_none()
            && self.authorizer.is_none()
            && self.enabled_until.is_none()
    }

    /// Whether both routes have the same requirements. Lists every field, so that a new field is
    /// either compared or excluded with a reason.
    fn guards_as(&self, other: &Self) -> bool {
        let Self {
            admission,
            verified_by,
            requirement,
            condition,
            enabled_until,
            enforcement,
            method_override,
            target,
            authorizer,
            credentials,
            known_users,
            // Location and name of the route.
            name: _,
            pattern: _,
            hosts: _,
            path_glob: _,
            depth: _,
            place: _,
            captures: _,
            // The response to a request that is already denied.
            forbidden: _,
            // Differences of degree: see `is_stricter_than`.
            accepts: _,
            kept_headers: _,
            limits: _,
            limiter: _,
        } = self;
        *admission == other.admission
            && *verified_by == other.verified_by
            && requirement.is_same(&other.requirement)
            && condition.as_ref().map(Condition::text)
                == other.condition.as_ref().map(Condition::text)
            && *enabled_until == other.enabled_until
            && *enforcement == other.enforcement
            && *method_override == other.method_override
            && *target == other.target
            && *authorizer == other.authorizer
            && *credentials == other.credentials
            && *known_users == other.known_users
    }

    /// Whether this route permits less: smaller bodies, fewer requests, fewer path oddities, fewer
    /// of a client's header fields.
    fn is_stricter_than(&self, other: &Self) -> bool {
        // Timeouts end requests of slow upstreams and deny no client.
        let RouteLimits {
            body_size,
            response_timeout: _,
            idle_timeout: _,
        } = self.limits;
        let takes_larger_bodies =
            body_size.is_some_and(|size| other.limits.body_size.is_none_or(|larger| larger > size));
        // Each route counts its own requests. With equal limits, a second path counts like a second
        // client.
        let is_limited_less = self.limiter.as_ref().is_some_and(|limiter| {
            other
                .limiter
                .as_ref()
                .is_none_or(|other| other.bounds() != limiter.bounds())
        });
        let mut accepted = self.accepts;
        // A route that distinguishes look-alikes does not take one for a path of this route.
        accepted.insert(Oddity::LookAlike);
        let keeps_more = || {
            other
                .kept_headers
                .iter()
                .any(|name| !self.kept_headers.contains(name))
        };
        takes_larger_bodies
            || is_limited_less
            || other.accepts.first_beyond(accepted).is_some()
            || !self.is_open() && keeps_more()
    }
}
