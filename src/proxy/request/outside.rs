//! What an external authorizer has against a request that the gateway itself permits. Asks nobody.

use super::decision::{Need, NoPermit};
use crate::authorize::Denied;
use crate::authorizer::{Opinion, Verdict};
use crate::config::WhenUnavailable;
use crate::identity::Principal;
use crate::route::Route;

/// Why it may not go on, if so. What an authorizer has said counts for the request as long as that lasts, but only as its
/// own word, and about the same user.
pub(super) fn denied_by_authorizer(
    route: &Route,
    known: Option<&Principal>,
    verdict: Option<&Verdict>,
) -> Result<Option<Denied<'static>>, NoPermit<'static>> {
    let Some(name) = &route.authorizer else {
        return Ok(None);
    };
    let user = known.map(|known| &*known.name);
    let counts = |verdict: &&Verdict| verdict.by == *name && verdict.about.as_deref() == user;
    let verdict = verdict
        .filter(counts)
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
