//! Who asks: the standing of a connection's client, what a request shows beside its certificate, and whom both name. Looks
//! at no route but at the credentials that it takes.

use super::decision::{Need, NoPermit};
use crate::config::CredentialKind;
use crate::credentials::{CredentialFailure, CredentialRule, Proof, ProvenBy};
use crate::identity::{ForwardedRefusal, Principal};
use crate::respond::Refusal;
use crate::tls::{FailureReason, UnusableName};
use std::sync::Arc;

/// What is known about the client of a connection in one snapshot.
#[derive(Clone, Debug)]
pub enum Standing {
    /// It showed no certificate, and need not.
    Anonymous,
    /// Its certificate counts and names an ApiUser.
    Known(Principal),
    /// Its certificate counts, but is no ApiUser's.
    UnknownUser,
    /// Its certificate counts, but has no name that could be anybody's.
    UnusableName(UnusableName),
    /// Its certificate counts, but leads to these two ApiUsers.
    AmbiguousIdentity(Arc<str>, Arc<str>),
    /// Its certificate counts, but this name of it is reserved in its trust domain.
    ReservedName(Box<str>),
    /// It came by a front proxy, or as one, and nobody is recognized in what that said.
    Forwarded(ForwardedRefusal),
    /// Its certificate does not count (any more).
    Refused(FailureReason),
}

/// What a request shows beside the certificate of its connection.
#[derive(Clone, Debug, Default)]
pub enum Presented {
    /// Nobody has looked: most routes do not ask. One that does has it looked at, and is judged again.
    #[default]
    Unchecked,
    /// Nothing that the route takes.
    Nothing,
    /// Somebody is proven.
    Proven(Proof),
    /// What is shown does not count.
    Failed(CredentialFailure),
}

/// Whose certificate does not count is refused whatever it asks for, and so is who is named wrongly by a proxy in front.
pub(super) fn refuse_who_never_counts(standing: &Standing) -> Result<(), Refusal<'static>> {
    match standing {
        Standing::Refused(reason) => Err(Refusal::CertificateRefused(*reason)),
        Standing::Forwarded(refusal) if *refusal != ForwardedRefusal::Missing => {
            Err(Refusal::Forwarded(*refusal))
        }
        _ => Ok(()),
    }
}

/// Whether the certificate of the connection is of who is judged. A password may have proven another one than it names, and
/// nobody is told of two people, neither conditions nor upstreams. A token is bound to the certificate.
pub fn shows_its_own_certificate(standing: &Standing, presented: &Presented) -> bool {
    match presented {
        Presented::Proven(Proof {
            principal,
            by: ProvenBy::Password(_),
        }) => {
            matches!(standing, Standing::Known(named) if named.id == principal.id)
        }
        _ => true,
    }
}

/// Whom the credentials that a route takes name. What is shown must be good, and all of it must name the same ApiUser.
pub(super) fn proven<'p>(
    rule: CredentialRule,
    standing: &'p Standing,
    presented: &'p Presented,
) -> Result<&'p Principal, NoPermit<'p>> {
    if rule.is_certificate_alone() {
        return Ok(principal(standing)?);
    }
    let failed = |why| Err(Refusal::Credential(why, rule).into());
    let shown = match presented {
        Presented::Unchecked => return Err(NoPermit::Needs(Need::Credentials)),
        Presented::Failed(why) => return failed(why.clone()),
        Presented::Nothing => None,
        Presented::Proven(proof) if rule.accepts(proof.kind()) => Some(&proof.principal),
        Presented::Proven(_) => return failed(CredentialFailure::Missing),
    };
    let certificate = match standing {
        Standing::Anonymous | Standing::Forwarded(ForwardedRefusal::Missing) => None,
        // Whoever has this certificate becomes nobody, also by what it shows beside it.
        Standing::ReservedName(name) => return Err(Refusal::ReservedName(name).into()),
        _ if !rule.accepts(CredentialKind::Certificate) => None,
        shown => Some(principal(shown)?),
    };
    match (certificate, shown) {
        (Some(one), Some(other)) if one.id != other.id => failed(CredentialFailure::Contradictory),
        (Some(both), Some(_)) => Ok(both),
        (None, None) => failed(CredentialFailure::Missing),
        (Some(_), None) if rule.needs_all() => failed(CredentialFailure::Missing),
        (None, Some(_)) if rule.needs_all() && rule.accepts(CredentialKind::Certificate) => {
            Err(Refusal::NoCertificate.into())
        }
        (Some(one), None) | (None, Some(one)) => Ok(one),
    }
}

pub(super) fn principal(standing: &Standing) -> Result<&Principal, Refusal<'_>> {
    match standing {
        Standing::Known(principal) => Ok(principal),
        Standing::Anonymous => Err(Refusal::NoCertificate),
        Standing::UnknownUser => Err(Refusal::UnknownUser),
        Standing::UnusableName(error) => Err(Refusal::UnusableName(*error)),
        Standing::AmbiguousIdentity(one, other) => Err(Refusal::AmbiguousIdentity { one, other }),
        Standing::ReservedName(name) => Err(Refusal::ReservedName(name)),
        Standing::Forwarded(refusal) => Err(Refusal::Forwarded(*refusal)),
        Standing::Refused(reason) => Err(Refusal::CertificateRefused(*reason)),
    }
}
