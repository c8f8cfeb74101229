//! Takes a permitted request from the limits of its ApiUser and of its route. Both HTTP engines use it. Decides nothing.

use super::record::Record;
use crate::clock;
use crate::identity::Principal;
use crate::limit::{BodyEnd, Bounds, Limiter, LimiterReservation, smaller};
use crate::respond::{ExceededLimit, LimitOwner, Rejection};
use crate::route::{Admission, Route, RouteLimits};
use crate::snapshot::Snapshot;
use std::sync::Arc;
use std::time::Instant;

/// The limits of one permitted request.
#[derive(Clone, Copy)]
pub(super) struct Allowance {
    /// Those of the route, or smaller ones of the ApiUser.
    pub(super) limits: RouteLimits,
    /// The deadline of the request.
    pub(super) until: Option<Instant>,
}

/// Takes a request from the limits of the ApiUser first, then of the route, so that a user over its own limit uses
/// nothing of a shared one. If the route's limit is exceeded, the ApiUser's is not used either. The record holds both
/// slots from now on.
///
/// # Errors
/// The limit that is exceeded, or a body with an announced length that is too large.
pub(super) fn take(
    record: &mut Record,
    snapshot: &Snapshot,
    route: &Route,
    user: Option<&Principal>,
    announced: Option<u64>,
) -> Result<Allowance, Rejection<'static>> {
    // A public route identifies no client.
    let user = user.filter(|_| route.admission != Admission::Public);
    let user = user.and_then(|user| snapshot.user_limiters.get(user.id.index()));
    let shared = route.limiter.as_ref();
    let bounds = |limiter: Option<&Arc<Limiter>>| -> Bounds {
        limiter.map(|limiter| *limiter.bounds()).unwrap_or_default()
    };
    let own = bounds(user);
    let common = bounds(shared);
    let mut limits = route.limits;
    limits.body_size = smaller(limits.body_size, own.body_size);
    if announced
        .zip(limits.body_size)
        .is_some_and(|(announced, most)| announced > most)
    {
        return Err(Rejection::Body(BodyEnd::TooLarge));
    }
    let begun = record.begun();
    let of_user = reserve(user, LimitOwner::User, begun)?;
    let of_route = reserve(shared, LimitOwner::Route, begun)?;
    record.hold_slots([
        of_user.and_then(LimiterReservation::keep),
        of_route.and_then(LimiterReservation::keep),
    ]);
    // A time beyond the range of the clock is no limit.
    let until =
        smaller(own.request_time, common.request_time).and_then(|time| begun.checked_add(time));
    Ok(Allowance { limits, until })
}

fn reserve(
    limiter: Option<&Arc<Limiter>>,
    owner: LimitOwner,
    now: Instant,
) -> Result<Option<LimiterReservation<'_>>, Rejection<'static>> {
    let taken = limiter
        .map(|limiter| limiter.take(now, clock::seconds))
        .transpose();
    taken.map_err(|exceeded| Rejection::Limited(ExceededLimit { owner, exceeded }))
}
