//! Authentication: the identity of a connection's client, the credentials of a request, and the ApiUser that both name.
//! Of a route it reads only which credentials are accepted.

use super::decision::{Need, NoPermit};
use crate::config::CredentialKind;
use crate::credentials::{CredentialFailure, CredentialProof, CredentialRule, ProofEvidence};
use crate::identity::{ForwardedRejection, Principal};
use crate::respond::Rejection;
use crate::tls::{FailureReason, UnusableName};
use std::sync::Arc;

/// The identity of the client of a connection in one snapshot.
#[derive(Clone, Debug)]
pub enum ClientIdentity {
    /// The client sent no certificate, and none is required.
    Anonymous,
    /// The certificate is valid and names an ApiUser.
    Known(Principal),
    /// The certificate is valid, but names no ApiUser.
    UnknownUser,
    /// The certificate is valid, but has no usable name.
    UnusableName(UnusableName),
    /// The certificate is valid, but names these two ApiUsers.
    AmbiguousIdentity(Arc<str>, Arc<str>),
    /// The certificate is valid, but this name in it is reserved in its trust domain.
    ReservedName(Box<str>),
    /// The client is a front proxy or behind one, and the forwarded identity is rejected.
    Forwarded(ForwardedRejection),
    /// The certificate is rejected.
    Refused(FailureReason),
}

/// The credentials of a request beside the certificate of its connection.
#[derive(Clone, Debug, Default)]
pub enum PresentedCredentials {
    /// Not checked, since most routes take no credentials. A route that takes some needs them checked for its decision.
    #[default]
    Unchecked,
    /// No credentials that the route accepts.
    Nothing,
    /// The credentials prove an ApiUser.
    Proven(CredentialProof),
    /// The credentials are rejected.
    Failed(CredentialFailure),
}

/// Rejects a client with an invalid certificate or an invalid forwarded identity, on every route.
pub(super) fn reject_invalid_client(identity: &ClientIdentity) -> Result<(), Rejection<'static>> {
    match identity {
        ClientIdentity::Refused(reason) => Err(Rejection::CertificateRefused(*reason)),
        ClientIdentity::Forwarded(rejection) if *rejection != ForwardedRejection::Missing => {
            Err(Rejection::Forwarded(*rejection))
        }
        _ => Ok(()),
    }
}

/// Whether the certificate of the connection is that of the authenticated user. A password can prove another user; then
/// neither conditions nor upstreams get the certificate. A token is bound to the certificate.
pub fn shows_its_own_certificate(
    identity: &ClientIdentity,
    presented: &PresentedCredentials,
) -> bool {
    match presented {
        PresentedCredentials::Proven(CredentialProof {
            principal,
            by: ProofEvidence::Password(_),
        }) => {
            matches!(identity, ClientIdentity::Known(named) if named.id == principal.id)
        }
        _ => true,
    }
}

/// The ApiUser that the accepted credentials of a route name. All of them must be valid and name the same ApiUser.
pub(super) fn authenticated_user<'p>(
    rule: CredentialRule,
    identity: &'p ClientIdentity,
    presented: &'p PresentedCredentials,
) -> Result<&'p Principal, NoPermit<'p>> {
    if rule.is_certificate_alone() {
        return Ok(principal(identity)?);
    }
    let failed = |why| Err(Rejection::Credential(why, rule).into());
    let shown = match presented {
        PresentedCredentials::Unchecked => return Err(NoPermit::Needs(Need::Credentials)),
        PresentedCredentials::Failed(why) => return failed(why.clone()),
        PresentedCredentials::Nothing => None,
        PresentedCredentials::Proven(proof) if rule.accepts(proof.kind()) => Some(&proof.principal),
        PresentedCredentials::Proven(_) => return failed(CredentialFailure::Missing),
    };
    let certificate = match identity {
        ClientIdentity::Anonymous | ClientIdentity::Forwarded(ForwardedRejection::Missing) => None,
        // A client with this certificate is rejected, also if its credentials prove a user.
        ClientIdentity::ReservedName(name) => return Err(Rejection::ReservedName(name).into()),
        _ if !rule.accepts(CredentialKind::Certificate) => None,
        shown => Some(principal(shown)?),
    };
    match (certificate, shown) {
        (Some(one), Some(other)) if one.id != other.id => failed(CredentialFailure::Contradictory),
        (Some(both), Some(_)) => Ok(both),
        (None, None) => failed(CredentialFailure::Missing),
        (Some(_), None) if rule.needs_all() => failed(CredentialFailure::Missing),
        (None, Some(_)) if rule.needs_all() && rule.accepts(CredentialKind::Certificate) => {
            Err(Rejection::NoCertificate.into())
        }
        (Some(one), None) | (None, Some(one)) => Ok(one),
    }
}

/// The ApiUser of a client.
///
/// # Errors
/// Why the client is none.
pub(super) fn principal(identity: &ClientIdentity) -> Result<&Principal, Rejection<'_>> {
    match identity {
        ClientIdentity::Known(principal) => Ok(principal),
        ClientIdentity::Anonymous => Err(Rejection::NoCertificate),
        ClientIdentity::UnknownUser => Err(Rejection::UnknownUser),
        ClientIdentity::UnusableName(error) => Err(Rejection::UnusableName(*error)),
        ClientIdentity::AmbiguousIdentity(one, other) => {
            Err(Rejection::AmbiguousIdentity { one, other })
        }
        ClientIdentity::ReservedName(name) => Err(Rejection::ReservedName(name)),
        ClientIdentity::Forwarded(rejection) => Err(Rejection::Forwarded(*rejection)),
        ClientIdentity::Refused(reason) => Err(Rejection::CertificateRefused(*reason)),
    }
}
