//! What a permitted request takes of the limits of its ApiUser and of its route, before it goes on: one function for both
//! engines. Judges nothing.

use super::record::Record;
use crate::clock;
use crate::identity::Principal;
use crate::limit::{BodyEnd, Bounds, Limiter, Taken, smaller};
use crate::respond::{Limited, Refusal, Whose};
use crate::route::{Admission, Route, RouteLimits};
use crate::snapshot::Snapshot;
use std::sync::Arc;
use std::time::Instant;

/// What a request that goes on may use.
#[derive(Clone, Copy)]
pub(super) struct Allowance {
    /// The route's, or smaller ones of the ApiUser.
    pub(super) limits: RouteLimits,
    /// When its time is over.
    pub(super) until: Option<Instant>,
}

/// Takes it: of the ApiUser first, then of the route, so that a user who is over its own limit takes nothing that others
/// share. Who is refused by the second has taken nothing of the first. The record counts as under way from now on.
///
/// # Errors
/// What there is too little of, or that the body which is announced would be too large.
pub(super) fn take(
    record: &mut Record,
    snapshot: &Snapshot,
    (route, user): (&Route, Option<&Principal>),
    announced: Option<u64>,
) -> Result<Allowance, Refusal<'static>> {
    // A route that takes no notice of clients does not do so here.
    let user = user.filter(|_| route.admission != Admission::Public);
    let user = user.and_then(|user| snapshot.user_limiters.get(user.id.index()));
    let shared = route.limiter.as_ref();
    let of = |limiter: Option<&Arc<Limiter>>| {
        limiter.map(|limiter| *limiter.bounds()).unwrap_or_default()
    };
    let (own, common): (Bounds, Bounds) = (of(user), of(shared));
    let mut limits = route.limits;
    limits.body_size = smaller(limits.body_size, own.body_size);
    if announced
        .zip(limits.body_size)
        .is_some_and(|(announced, most)| announced > most)
    {
        return Err(Refusal::Body(BodyEnd::TooLarge));
    }
    let begun = record.begun();
    let of_user = taken(user, Whose::User, begun)?;
    let of_route = taken(shared, Whose::Route, begun)?;
    record.is_under_way([
        of_user.and_then(Taken::keep),
        of_route.and_then(Taken::keep),
    ]);
    // A time that the clock cannot count to never comes.
    let until =
        smaller(own.request_time, common.request_time).and_then(|time| begun.checked_add(time));
    Ok(Allowance { limits, until })
}

fn taken(
    limiter: Option<&Arc<Limiter>>,
    whose: Whose,
    now: Instant,
) -> Result<Option<Taken<'_>>, Refusal<'static>> {
    let taken = limiter
        .map(|limiter| limiter.take(now, clock::seconds))
        .transpose();
    taken.map_err(|exceeded| Refusal::Limited(Limited { whose, exceeded }))
}
