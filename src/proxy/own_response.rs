//! The responses of routes that the gateway serves itself. Both HTTP engines use it. Decides nothing.

use super::checked_evidence::CheckedEvidence;
use super::client_view::ClientView;
use super::whoami;
use crate::respond::{GatewayResponse, Rejection, ResponseFormat};
use crate::route::Target;
use crate::snapshot::Snapshot;
use http::StatusCode;

/// The response to a permitted request. `None` if the route has an upstream.
pub(super) fn own_response(
    target: &Target,
    method: &str,
    snapshot: &Snapshot,
    view: &ClientView,
    checked: &CheckedEvidence,
    form: ResponseFormat,
) -> Option<Result<GatewayResponse, Rejection<'static>>> {
    match target {
        Target::Upstream(_) => None,
        Target::Whoami => {
            let answer = |user| whoami::answer(&snapshot.policy, user, view.peer.as_ref(), form);
            Some(
                checked
                    .user(view)
                    .map(answer)
                    .ok_or(Rejection::NoCertificate),
            )
        }
        // A public route has no requirement that would deny other methods.
        Target::Jwks if !matches!(method, "GET" | "HEAD") => Some(Err(Rejection::MethodNotAllowed)),
        Target::Jwks => Some(key_set(snapshot)),
    }
}

fn key_set(snapshot: &Snapshot) -> Result<GatewayResponse, Rejection<'static>> {
    let signer = snapshot
        .assertions
        .as_ref()
        .ok_or(Rejection::Internal("a key set without keys"))?;
    let body = signer.key_set().to_string();
    Ok(GatewayResponse {
        status: StatusCode::OK,
        content_type: "application/jwk-set+json",
        body,
        fields: Default::default(),
    })
}
