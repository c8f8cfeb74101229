//! Checks that every reading of a path leads to the same route. Normalises nothing.

use super::Client;
use crate::host::HostName;
use crate::respond::Rejection;
use crate::route::{CanonicalTarget, Oddities, Oddity, Route, plain_reading};
use std::sync::Arc;

/// Checks that a path has only oddities that its route accepts, and that it leads to the same route if an upstream
/// reads it without them: `/admin;x/y` must not use the route of `/` if there is one of `/admin`.
pub(super) fn leads_to_one_route(
    client: Client<'_>,
    host: &HostName<'_>,
    route: &Arc<Route>,
    target: &CanonicalTarget<'_>,
) -> Result<(), Rejection<'static>> {
    let evades = |path: &str| match route.accepts.contains(Oddity::LookAlike) {
        true => None,
        false => client.listener.routes.evaded(Some(host), path, route),
    };
    if target.oddities != Oddities::default() {
        oddities_lead_nowhere_else(client, host, route, target)?;
    }
    // An upstream may decode slashes. The decoded path must not lead to a deeper route.
    let slashes = [
        (Oddity::EncodedSlash, "%2F"),
        (Oddity::EncodedBackslash, "%5C"),
    ];
    let goes_deeper = |(oddity, escape): (Oddity, &str)| {
        target.oddities.contains(oddity)
            && evades(&target.path.replace(escape, "/"))
                .is_some_and(|other| other.depth >= route.depth)
    };
    if evades(&target.path).is_some() || slashes.into_iter().any(goes_deeper) {
        return Err(Rejection::OddPath(Oddity::LookAlike));
    }
    Ok(())
}

fn oddities_lead_nowhere_else(
    client: Client<'_>,
    host: &HostName<'_>,
    route: &Arc<Route>,
    target: &CanonicalTarget<'_>,
) -> Result<(), Rejection<'static>> {
    let routes = &client.listener.routes;
    if let Some(oddity) = target.oddities.first_beyond(route.accepts) {
        return Err(Rejection::OddPath(oddity));
    }
    for oddity in [Oddity::PathParameters, Oddity::EmptySegments] {
        if target.oddities.contains(oddity) {
            let plain = plain_reading(&target.path);
            let other = routes.find(Some(host), &plain);
            if !other.is_some_and(|(other, _)| Arc::ptr_eq(other, route)) {
                return Err(Rejection::OddPath(oddity));
            }
        }
    }
    // An upstream that decodes a slash inside a capture sees a longer path, which must not lead to a deeper route.
    for (oddity, escape) in [
        (Oddity::EncodedSlash, "%2F"),
        (Oddity::EncodedBackslash, "%5C"),
    ] {
        if target.oddities.contains(oddity) {
            let plain = plain_reading(&target.path.replace(escape, "/"));
            let other = routes.find(Some(host), &plain);
            let goes_deeper =
                |other: &Arc<Route>| !Arc::ptr_eq(other, route) && other.depth >= route.depth;
            if other.is_some_and(|(other, _)| goes_deeper(other)) {
                return Err(Rejection::OddPath(oddity));
            }
        }
    }
    Ok(())
}
