//! The first line of an explanation: what becomes of the request. Finds out nothing.

use crate::proxy::Judgement;
use crate::respond::Refusal;

/// What becomes of the request. An external authorizer is never asked from here.
pub(super) fn decision(judgement: &Judgement<'_, '_>) -> String {
    match &judgement.outcome {
        Ok(_) => "permit".to_owned(),
        Err(Refusal::AuthorizerUnasked) => {
            let name = judgement.route.and_then(|route| route.authorizer.as_deref()).unwrap_or_default();
            format!("depends on authorizer \"{name}\"; the gateway itself permits this")
        }
        Err(refusal) => {
            let detail = refusal.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
            format!("refuse ({} {}{detail})", refusal.status().as_u16(), refusal.word())
        }
    }
}
