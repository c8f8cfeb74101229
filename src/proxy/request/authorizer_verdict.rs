//! Applies the verdict of an external authorizer to a request that the gateway permits. Sends nothing.

use super::decision::{Need, NoPermit};
use crate::authorize::Denied;
use crate::authorizer::{Opinion, Verdict};
use crate::config::WhenUnavailable;
use crate::identity::Principal;
use crate::route::Route;

/// Why the external authorizer denies the request, if it does. A verdict is valid for the whole request, but only if it
/// is from the authorizer of the route and about the same user.
pub(super) fn denied_by_authorizer(
    route: &Route,
    known: Option<&Principal>,
    verdict: Option<&Verdict>,
) -> Result<Option<Denied<'static>>, NoPermit<'static>> {
    let Some(name) = &route.authorizer else {
        return Ok(None);
    };
    let user = known.map(|known| &*known.name);
    let is_valid = |verdict: &&Verdict| verdict.by == *name && verdict.about.as_deref() == user;
    let verdict = verdict
        .filter(is_valid)
        .ok_or(NoPermit::Needs(Need::Authorizer))?;
    let detail = || verdict.detail().unwrap_or_default();
    Ok(match verdict.opinion {
        Opinion::Permit(_) | Opinion::Nothing(_, WhenUnavailable::Permit) => None,
        Opinion::Deny(_) => Some(Denied::AuthorizerDenied(detail())),
        Opinion::Nothing(_, WhenUnavailable::Refuse) => {
            Some(Denied::AuthorizerUnavailable(detail()))
        }
    })
}
