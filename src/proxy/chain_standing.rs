//! Who a chain of certificates is in one snapshot, and for how long that holds. Keeps nothing.

use super::request::Standing;
use crate::config::ClientAuth;
use crate::identity::{Identified, Principal};
use crate::snapshot::Snapshot;
use crate::tls::{ChainError, FailureReason, HostPolicy, PeerCertificate, TrustDomainId, Vouched};
use rustls::pki_types::{CertificateDer, UnixTime};
use std::time::Duration;

/// Who a client is, its certificate if that counts, and who vouches for it.
pub type Stands = (Standing, Option<PeerCertificate>, Option<TrustDomainId>);

/// Who a chain would be under a host's policy at a moment, judged by this snapshot's trust: for explanations.
pub fn standing(
    snapshot: &Snapshot,
    host: &HostPolicy,
    chain: &[CertificateDer<'_>],
    at: UnixTime,
) -> Stands {
    stand(snapshot, host, chain, |chain| host.would_vouch(chain, at)).into()
}

/// Who a chain is, and for how long that holds.
pub(super) struct Stood {
    pub(super) standing: Standing,
    pub(super) peer: Option<PeerCertificate>,
    pub(super) vouched_by: Option<TrustDomainId>,
    pub(super) until: i64,
    /// How long its certificate has been over, if its user is let in all the same.
    pub(super) expired_for: Option<Duration>,
}

impl From<Stood> for Stands {
    fn from(stood: Stood) -> Self {
        (stood.standing, stood.peer, stood.vouched_by)
    }
}

impl Stood {
    pub(super) fn without_certificate(standing: Standing) -> Self {
        Self {
            standing,
            peer: None,
            vouched_by: None,
            until: i64::MAX,
            expired_for: None,
        }
    }
}

pub(super) fn stand<'c>(
    snapshot: &Snapshot,
    host: &HostPolicy,
    chain: &[CertificateDer<'c>],
    vouch: impl FnOnce(&[CertificateDer<'c>]) -> Result<Vouched, ChainError>,
) -> Stood {
    if host.trust_domains.is_empty() {
        return Stood::without_certificate(Standing::Anonymous);
    }
    let Some(leaf) = chain.first() else {
        return Stood::without_certificate(match host.client_auth {
            ClientAuth::Required => Standing::Refused(FailureReason::NoCertificate),
            ClientAuth::Optional | ClientAuth::Off => Standing::Anonymous,
        });
    };
    // Always asked, also right after a full handshake: what was verified then is remembered, so that it costs little.
    vouched_for(snapshot, leaf, vouch(chain))
}

/// Who a leaf is whose chain was judged.
pub(super) fn vouched_for(
    snapshot: &Snapshot,
    leaf: &CertificateDer<'_>,
    judged: Result<Vouched, ChainError>,
) -> Stood {
    let vouched = match judged {
        Ok(vouched) => vouched,
        Err(error) => return Stood::without_certificate(Standing::Refused(error.reason())),
    };
    let peer = match PeerCertificate::read(vouched.domain, leaf) {
        Ok(peer) => peer,
        Err(error) => {
            tracing::warn!(%error, "a verified certificate cannot be read");
            return Stood::without_certificate(Standing::Refused(
                FailureReason::InvalidCertificate,
            ));
        }
    };
    who(snapshot, &vouched, peer)
}

impl From<Identified> for Standing {
    fn from(identified: Identified) -> Self {
        match identified {
            Identified::Known(principal) => Self::Known(principal),
            Identified::Unknown => Self::UnknownUser,
            Identified::Ambiguous(one, other) => Self::AmbiguousIdentity(one, other),
            Identified::Reserved(name) => Self::ReservedName(name),
            Identified::Unusable(name) => Self::UnusableName(name),
        }
    }
}

/// The ApiUser behind a certificate that counts.
fn who(snapshot: &Snapshot, vouched: &Vouched, peer: PeerCertificate) -> Stood {
    let mut standing = Standing::from(snapshot.users.identify(&peer));
    if principal(&standing).is_some_and(|user| is_denied(snapshot, vouched.domain, user)) {
        standing = Standing::Refused(FailureReason::Revoked);
    }
    let Vouched {
        domain,
        expired_for,
        until,
    } = *vouched;
    let vouched_by = Some(domain);
    let Some(over) = expired_for else {
        return Stood {
            standing,
            peer: Some(peer),
            vouched_by,
            until,
            expired_for,
        };
    };
    // The domain tolerates what the most patient of its users does. Who this is decides, and strangers get nothing.
    let user = principal(&standing).and_then(|principal| snapshot.users.get(principal.id));
    let tolerance = user.map_or(Duration::ZERO, |user| user.tolerate_expiry);
    if over > tolerance {
        let standing = Standing::Refused(FailureReason::Expired);
        return Stood {
            standing,
            peer: Some(peer),
            vouched_by,
            until,
            expired_for: None,
        };
    }
    let lasting = i64::try_from(tolerance.as_secs()).unwrap_or(i64::MAX);
    let until = until.min(peer.not_after.saturating_add(lasting));
    Stood {
        standing,
        peer: Some(peer),
        vouched_by,
        until,
        expired_for,
    }
}

/// Whether the deny list of the domain that vouched names the user.
pub(super) fn is_denied(snapshot: &Snapshot, domain: TrustDomainId, user: &Principal) -> bool {
    snapshot
        .trust_domain(domain)
        .is_none_or(|domain| domain.revocation().denies_user(&user.name))
}

pub(super) fn principal(standing: &Standing) -> Option<&Principal> {
    match standing {
        Standing::Known(principal) => Some(principal),
        _ => None,
    }
}
