//! Identifies the client of a certificate chain in one snapshot. Keeps nothing.

use super::request::ClientIdentity;
use crate::config::ClientAuth;
use crate::identity::{Identification, Principal};
use crate::snapshot::Snapshot;
use crate::tls::{
    ChainError, ChainVerification, FailureReason, HostPolicy, PeerCertificate, TrustDomainId,
};
use rustls::pki_types::{CertificateDer, UnixTime};
use std::time::Duration;

/// A client, for explanations.
pub struct ClientIdentification {
    /// The identity.
    pub identity: ClientIdentity,
    /// The verified certificate.
    pub certificate: Option<PeerCertificate>,
    /// The trust domain that verified the client.
    pub verified_by: Option<TrustDomainId>,
}

/// Identifies the client of a chain at a moment, by the policy of a host and the trust of this snapshot: for
/// explanations.
pub fn identify_chain(
    snapshot: &Snapshot,
    host: &HostPolicy,
    chain: &[CertificateDer<'_>],
    at: UnixTime,
) -> ClientIdentification {
    identify_with(snapshot, host, chain, |chain| {
        host.verify_chain_dry_run(chain, at)
    })
    .into()
}

/// The client of a chain, and how long the identification is valid.
pub(super) struct ChainIdentification {
    pub(super) identity: ClientIdentity,
    /// The verified certificate.
    pub(super) peer: Option<PeerCertificate>,
    /// The trust domain that verified the client.
    pub(super) verified_by: Option<TrustDomainId>,
    /// The last second, since 1970, for which the verification is valid.
    pub(super) until: i64,
    /// The time since the certificate expired, if that is tolerated for its user.
    pub(super) expired_for: Option<Duration>,
}

impl From<ChainIdentification> for ClientIdentification {
    fn from(identification: ChainIdentification) -> Self {
        Self {
            identity: identification.identity,
            certificate: identification.peer,
            verified_by: identification.verified_by,
        }
    }
}

impl ChainIdentification {
    pub(super) fn without_certificate(identity: ClientIdentity) -> Self {
        Self {
            identity,
            peer: None,
            verified_by: None,
            until: i64::MAX,
            expired_for: None,
        }
    }
}

/// Identifies the client of a chain, which `verify` verifies if there is a leaf and the host has trust domains.
pub(super) fn identify_with<'c>(
    snapshot: &Snapshot,
    host: &HostPolicy,
    chain: &[CertificateDer<'c>],
    verify: impl FnOnce(&[CertificateDer<'c>]) -> Result<ChainVerification, ChainError>,
) -> ChainIdentification {
    if host.trust_domains.is_empty() {
        return ChainIdentification::without_certificate(ClientIdentity::Anonymous);
    }
    let Some(leaf) = chain.first() else {
        return ChainIdentification::without_certificate(match host.client_auth {
            ClientAuth::Required => ClientIdentity::Refused(FailureReason::NoCertificate),
            ClientAuth::Optional | ClientAuth::Off => ClientIdentity::Anonymous,
        });
    };
    // Also called right after a full handshake. The verification of the handshake is cached, so that this is cheap.
    identify_leaf(snapshot, leaf, verify(chain))
}

/// Identifies the client of a leaf. `result` is that of the verification of its chain.
pub(super) fn identify_leaf(
    snapshot: &Snapshot,
    leaf: &CertificateDer<'_>,
    result: Result<ChainVerification, ChainError>,
) -> ChainIdentification {
    let verification = match result {
        Ok(verification) => verification,
        Err(error) => {
            return ChainIdentification::without_certificate(ClientIdentity::Refused(
                error.reason(),
            ));
        }
    };
    let peer = match PeerCertificate::read(verification.domain, leaf) {
        Ok(peer) => peer,
        Err(error) => {
            tracing::warn!(%error, "a verified certificate cannot be read");
            return ChainIdentification::without_certificate(ClientIdentity::Refused(
                FailureReason::InvalidCertificate,
            ));
        }
    };
    identify_user(snapshot, &verification, peer)
}

impl From<Identification> for ClientIdentity {
    fn from(identified: Identification) -> Self {
        match identified {
            Identification::Known(principal) => Self::Known(principal),
            Identification::Unknown => Self::UnknownUser,
            Identification::Ambiguous(one, other) => Self::AmbiguousIdentity(one, other),
            Identification::Reserved(name) => Self::ReservedName(name),
            Identification::Unusable(name) => Self::UnusableName(name),
        }
    }
}

/// Identifies the ApiUser of a verified certificate.
fn identify_user(
    snapshot: &Snapshot,
    verification: &ChainVerification,
    peer: PeerCertificate,
) -> ChainIdentification {
    let mut identity = ClientIdentity::from(snapshot.users.identify(&peer));
    if principal(&identity).is_some_and(|user| is_denied(snapshot, verification.domain, user)) {
        identity = ClientIdentity::Refused(FailureReason::Revoked);
    }
    let ChainVerification {
        domain,
        expired_for,
        until,
    } = *verification;
    let verified_by = Some(domain);
    let Some(over) = expired_for else {
        return ChainIdentification {
            identity,
            peer: Some(peer),
            verified_by,
            until,
            expired_for,
        };
    };
    // The trust domain tolerates the longest time of any of its users. The time of this user decides; an unknown client
    // has none.
    let user = principal(&identity).and_then(|principal| snapshot.users.get(principal.id));
    let tolerance = user.map_or(Duration::ZERO, |user| user.tolerate_expiry);
    if over > tolerance {
        let identity = ClientIdentity::Refused(FailureReason::Expired);
        return ChainIdentification {
            identity,
            peer: Some(peer),
            verified_by,
            until,
            expired_for: None,
        };
    }
    let lasting = i64::try_from(tolerance.as_secs()).unwrap_or(i64::MAX);
    let until = until.min(peer.not_after.saturating_add(lasting));
    ChainIdentification {
        identity,
        peer: Some(peer),
        verified_by,
        until,
        expired_for,
    }
}

/// Whether the deny list of the trust domain that verified the client names the user.
pub(super) fn is_denied(snapshot: &Snapshot, domain: TrustDomainId, user: &Principal) -> bool {
    snapshot
        .trust_domain(domain)
        .is_none_or(|domain| domain.revocation().denies_user(&user.name))
}

/// The ApiUser, if the client is one.
pub(super) fn principal(identity: &ClientIdentity) -> Option<&Principal> {
    match identity {
        ClientIdentity::Known(principal) => Some(principal),
        _ => None,
    }
}
