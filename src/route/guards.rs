//! What a route guards its requests by, compared with that of another route that an upstream may take a path for. Finds no
//! route.

use super::{Oddity, Route, RouteLimits, Target};
use crate::condition::Condition;

impl Route {
    /// Whether a request that another route took was to be judged by this one, if the upstream reads its path as one of
    /// this route: this one asks for something else, or allows less. What lets everybody in is not evaded, but for its limits.
    pub fn is_evaded_by(&self, taken: &Self) -> bool {
        // The gateway's own answers are read by no upstream.
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

    /// Whether both ask the same of a client. Names every field, so that a new one is either compared or left out with a
    /// reason.
    fn guards_as(&self, other: &Self) -> bool {
        let Self {
            admission,
            vouched_by,
            requirement,
            condition,
            enabled_until,
            enforcement,
            method_override,
            target,
            authorizer,
            credentials,
            known_there,
            // Where the route is, and what it is called.
            name: _,
            pattern: _,
            hosts: _,
            path_glob: _,
            depth: _,
            place: _,
            captures: _,
            // What a client is told that was denied already.
            forbidden: _,
            // More or less of the same: see `is_stricter_than`.
            accepts: _,
            kept_headers: _,
            limits: _,
            limiter: _,
        } = self;
        *admission == other.admission
            && *vouched_by == other.vouched_by
            && requirement.is_same(&other.requirement)
            && condition.as_ref().map(Condition::text)
                == other.condition.as_ref().map(Condition::text)
            && *enabled_until == other.enabled_until
            && *enforcement == other.enforcement
            && *method_override == other.method_override
            && *target == other.target
            && *authorizer == other.authorizer
            && *credentials == other.credentials
            && *known_there == other.known_there
    }

    /// Whether this route lets less pass: smaller bodies, fewer requests, fewer oddities of paths, fewer of a
    /// client's header fields.
    fn is_stricter_than(&self, other: &Self) -> bool {
        // A timeout ends a request that an upstream is slow with, and keeps no client out.
        let RouteLimits {
            body_size,
            response_timeout: _,
            idle_timeout: _,
        } = self.limits;
        let takes_larger_bodies =
            body_size.is_some_and(|size| other.limits.body_size.is_none_or(|larger| larger > size));
        // Each route counts its own requests, so that equal limits on both are as if the other path were another client's.
        let is_limited_less = self.limiter.as_ref().is_some_and(|limiter| {
            other
                .limiter
                .as_ref()
                .is_none_or(|other| other.bounds() != limiter.bounds())
        });
        let mut accepted = self.accepts;
        // A route that tells look-alikes apart takes none for a path of this one.
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
