//! The denials of requests without a requirement, and of users without the permission. Decides nothing.

use super::decision::{Need, NoPermit};
use crate::authorize::Denied;
use crate::config::Forbidden;
use crate::head::{Fields, RequestHead};
use crate::respond::Rejection;
use crate::route::icinga2::{BadRequest, spoken_path};
use crate::route::{NoRequirement, Route};

/// The denial of a request for which the route has no requirement.
pub(super) fn without_requirement<'s, F: Fields + ?Sized>(
    why: NoRequirement,
    route: &Route,
    path: &str,
    head: &RequestHead<'_, F>,
) -> NoPermit<'s> {
    let rejection = match why {
        NoRequirement::MethodNotAllowed => Rejection::MethodNotAllowed,
        NoRequirement::NothingThere => match route.forbidden {
            Forbidden::Told => Rejection::NoRoute,
            // The same response as for an existing path that is forbidden.
            Forbidden::Absent => Rejection::Absent {
                denied: None,
                path: spoken_path(path).into(),
            },
        },
        NoRequirement::BadRequest(why) => Rejection::Icinga(why),
        NoRequirement::BodyNeeded if is_encoded(head.fields) => {
            Rejection::Icinga(BadRequest::EncodedBody)
        }
        NoRequirement::BodyNeeded => return NoPermit::Needs(Need::Body),
    };
    rejection.into()
}

/// The denial of a known user.
pub(super) fn denied<'s>(denied: Denied<'s>, route: &Route, path: &str) -> Rejection<'s> {
    match route.forbidden {
        Forbidden::Told => Rejection::Denied(denied),
        // Without a verdict the path is not known to be forbidden.
        Forbidden::Absent if matches!(denied, Denied::AuthorizerUnavailable(_)) => {
            Rejection::Denied(denied)
        }
        Forbidden::Absent => Rejection::Absent {
            denied: Some(denied),
            path: spoken_path(path).into(),
        },
    }
}

/// Whether the body is encoded. Icinga decodes no body, but another proxy in front of it could.
fn is_encoded<F: Fields + ?Sized>(fields: &F) -> bool {
    fields
        .values("content-encoding")
        .any(|coding| !coding.trim_ascii().eq_ignore_ascii_case(b"identity"))
}
