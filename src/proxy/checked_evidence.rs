//! Evidence for a decision, checked against one snapshot. Gathers none.

use super::client_view::ClientView;
use super::request::{Evidence, PresentedCredentials};
use crate::authorizer::Verdict;
use crate::credentials::CredentialProof;
use crate::forward::UpstreamAuthorization;
use crate::identity::Principal;

/// The evidence that is valid in one snapshot, and what follows from it for the upstream request.
#[derive(Default)]
pub(super) struct CheckedEvidence {
    pub(super) evidence: Evidence,
}

impl CheckedEvidence {
    /// The `Authorization` field of the upstream request. One that the gateway took as proof is not forwarded.
    pub(super) fn authorization<'u>(&self, ours: Option<&'u [u8]>) -> UpstreamAuthorization<'u> {
        let without = match self.evidence.presented {
            PresentedCredentials::Proven(_) => UpstreamAuthorization::Removed,
            _ => UpstreamAuthorization::OfClient,
        };
        UpstreamAuthorization::of(ours, without)
    }

    /// The fields that the external authorizer adds to the upstream request.
    pub(super) fn authorizer_fields(&self) -> &[(http::HeaderName, http::HeaderValue)] {
        self.verdict().map(Verdict::fields).unwrap_or_default()
    }

    /// The verdict of the external authorizer.
    pub(super) fn verdict(&self) -> Option<&Verdict> {
        self.evidence.verdict.as_ref()
    }

    /// The ApiUser on whose behalf a permitted request is made.
    pub(super) fn user<'a>(&'a self, view: &'a ClientView) -> Option<&'a Principal> {
        self.proof()
            .map(|proof| &proof.principal)
            .or_else(|| view.principal())
    }

    /// The proof by a password or a token.
    pub(super) fn proof(&self) -> Option<&CredentialProof> {
        match &self.evidence.presented {
            PresentedCredentials::Proven(proof) => Some(proof),
            _ => None,
        }
    }
}
