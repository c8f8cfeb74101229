//! Whether a path leads to one route in every reading. Normalises nothing.

use super::Client;
use crate::host::HostName;
use crate::respond::Refusal;
use crate::route::{CanonicalTarget, Oddities, Oddity, Route, plain_reading};
use std::sync::Arc;

/// A path has no oddity but those that its route takes; and if an upstream reads it without them, it still is this
/// route's: `/admin;x/y` must not come by the route of `/` where there is one of `/admin`.
pub(super) fn leads_to_one_route(
    client: Client<'_>,
    host: &HostName<'_>,
    route: &Arc<Route>,
    target: &CanonicalTarget<'_>,
) -> Result<(), Refusal<'static>> {
    let evades = |path: &str| match route.accepts.contains(Oddity::LookAlike) {
        true => None,
        false => client.listener.routes.evaded(Some(host), path, route),
    };
    if target.oddities != Oddities::default() {
        oddities_lead_nowhere_else(client, host, route, target)?;
    }
    // With the slashes of whoever decodes them, which must not lead deeper.
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
        return Err(Refusal::OddPath(Oddity::LookAlike));
    }
    Ok(())
}

fn oddities_lead_nowhere_else(
    client: Client<'_>,
    host: &HostName<'_>,
    route: &Arc<Route>,
    target: &CanonicalTarget<'_>,
) -> Result<(), Refusal<'static>> {
    let routes = &client.listener.routes;
    if let Some(oddity) = target.oddities.first_beyond(route.accepts) {
        return Err(Refusal::OddPath(oddity));
    }
    for oddity in [Oddity::PathParameters, Oddity::EmptySegments] {
        if target.oddities.contains(oddity) {
            let plain = plain_reading(&target.path);
            let other = routes.find(Some(host), &plain);
            if !other.is_some_and(|(other, _)| Arc::ptr_eq(other, route)) {
                return Err(Refusal::OddPath(oddity));
            }
        }
    }
    // An encoded slash inside a capture makes a path longer for whoever decodes it, which must not lead deeper.
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
                return Err(Refusal::OddPath(oddity));
            }
        }
    }
    Ok(())
}
