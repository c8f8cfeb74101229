//! What the gateway answers itself on a route that says so: one function for both engines. Judges nothing.

use super::client::ClientView;
use super::credentials::Checked;
use super::whoami;
use crate::respond::{Form, OwnAnswer, Refusal};
use crate::route::Target;
use crate::snapshot::Snapshot;
use http::StatusCode;

/// The answer to a permitted request; `None` where an upstream answers.
pub(super) fn own_answer(
    target: &Target,
    method: &str,
    snapshot: &Snapshot,
    (view, checked): (&ClientView, &Checked),
    form: Form,
) -> Option<Result<OwnAnswer, Refusal<'static>>> {
    match target {
        Target::Upstream(_) => None,
        Target::Whoami => {
            let answer = |user| whoami::answer(&snapshot.policy, user, view.peer.as_ref(), form);
            Some(checked.user(view).map(answer).ok_or(Refusal::NoCertificate))
        }
        // A route for everybody has no requirement that would refuse other methods.
        Target::Jwks if !matches!(method, "GET" | "HEAD") => Some(Err(Refusal::MethodNotAllowed)),
        Target::Jwks => Some(key_set(snapshot)),
    }
}

fn key_set(snapshot: &Snapshot) -> Result<OwnAnswer, Refusal<'static>> {
    let signer = snapshot
        .assertions
        .as_ref()
        .ok_or(Refusal::Internal("a key set without keys"))?;
    let body = signer.key_set().to_string();
    Ok(OwnAnswer {
        status: StatusCode::OK,
        content_type: "application/jwk-set+json",
        body,
        fields: Default::default(),
    })
}
