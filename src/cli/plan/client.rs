//! The client of a decision of the past: who it would be by a config.

use crate::cli::decisions::{Certificate, Decision};
use crate::identity::ForwardedRefusal;
use crate::proxy::{Standing, standing};
use crate::snapshot::{ListenerPolicy, Snapshot};
use crate::tls::{
    CommonName, CommonNameError, FailureReason, NameError, NameKind, PeerCertificate, TrustDomain,
    TrustDomainId,
};
use rustls::pki_types::UnixTime;
use std::sync::Arc;

/// Who a client would be.
pub(super) struct Who {
    pub(super) standing: Standing,
    pub(super) vouched_by: Option<TrustDomainId>,
    pub(super) peer: Option<PeerCertificate>,
}

impl Who {
    pub(super) fn of(
        snapshot: &Snapshot,
        listener: &ListenerPolicy,
        host: &crate::tls::HostPolicy,
        decision: &Decision,
    ) -> Self {
        let without = |standing| Self {
            standing,
            vouched_by: None,
            peer: None,
        };
        if let Some(by) = &decision.forwarded_by {
            let front = listener.front_proxy.as_ref();
            let speaks = |id| front.filter(|front| front.is_peer(id));
            return match (snapshot.users.named(by), front) {
                (Some(proxy), _) if speaks(proxy.id).is_none() => without(Standing::Known(proxy)),
                (Some(_), Some(front)) => Self::forwarded(
                    snapshot,
                    std::slice::from_ref(&front.trust_domain),
                    decision,
                    |id| front.is_peer(id),
                ),
                _ => without(Standing::UnknownUser),
            };
        }
        let Some(certificate) = decision.certificate.as_deref() else {
            return without(standing(snapshot, host, &[], UnixTime::now()).0);
        };
        let found = Self::vouched(snapshot, &host.trust_domains, decision, certificate);
        match (&found.standing, &listener.front_proxy) {
            // Whoever speaks for others has no rights of its own.
            (Standing::Known(user), Some(front)) if front.is_peer(user.id) => {
                without(Standing::Forwarded(ForwardedRefusal::Missing))
            }
            _ => found,
        }
    }

    /// For whom a front proxy spoke.
    fn forwarded(
        snapshot: &Snapshot,
        domains: &[Arc<TrustDomain>],
        decision: &Decision,
        is_proxy: impl Fn(crate::identity::UserId) -> bool,
    ) -> Self {
        let mut found = match (
            decision.certificate.as_deref(),
            decision.user.as_deref(),
            domains,
        ) {
            (Some(certificate), _, _) => Self::vouched(snapshot, domains, decision, certificate),
            // Only a name was forwarded; whoever it was is taken to be the same again.
            (None, Some(user), [domain]) => Self {
                standing: match snapshot.users.named(user) {
                    Some(user) if domain.revocation().denies_user(&user.name) => {
                        Standing::Refused(FailureReason::Denied)
                    }
                    Some(user) if snapshot.users.can_be_proven_in(domain.id, user.id) => {
                        Standing::Known(user)
                    }
                    _ => Standing::UnknownUser,
                },
                vouched_by: Some(domain.id),
                peer: None,
            },
            _ => Self {
                standing: Standing::Forwarded(ForwardedRefusal::Missing),
                vouched_by: None,
                peer: None,
            },
        };
        found.standing = match found.standing {
            Standing::Refused(reason) => Standing::Forwarded(ForwardedRefusal::Certificate(reason)),
            Standing::Known(user) if is_proxy(user.id) => {
                Standing::Forwarded(ForwardedRefusal::FrontProxyItself)
            }
            other => other,
        };
        found
    }

    /// Who a certificate is, vouched for by the domain of the same name; that is not looked at again.
    fn vouched(
        snapshot: &Snapshot,
        domains: &[Arc<TrustDomain>],
        decision: &Decision,
        said: &Certificate,
    ) -> Self {
        let refused = |reason| Self {
            standing: Standing::Refused(reason),
            vouched_by: None,
            peer: None,
        };
        if domains.is_empty() {
            return Self {
                standing: Standing::Anonymous,
                vouched_by: None,
                peer: None,
            };
        }
        let by_name =
            |domain: &&Arc<TrustDomain>| Some(&*domain.name) == decision.trust_domain.as_deref();
        let Some(domain) = domains.iter().find(by_name) else {
            return refused(FailureReason::UnknownIssuer);
        };
        let peer = peer(domain.id, said);
        let revocation = domain.revocation();
        let denied = revocation.denies_fingerprint(&peer.fingerprint)
            || peer
                .common_name
                .as_ref()
                .is_ok_and(|name| revocation.denies_common_name(name.as_str()));
        if denied {
            return refused(FailureReason::Denied);
        }
        let mut standing = Standing::from(snapshot.users.identify(&peer));
        if matches!(&standing, Standing::Known(user) if revocation.denies_user(&user.name)) {
            standing = Standing::Refused(FailureReason::Revoked);
        }
        Self {
            standing,
            vouched_by: Some(domain.id),
            peer: Some(peer),
        }
    }
}

/// The certificate as it was read then.
fn peer(trust_domain: TrustDomainId, said: &Certificate) -> PeerCertificate {
    let common_name = said
        .cn
        .as_deref()
        .map_or(Err(CommonNameError::Missing), CommonName::new);
    let kinds = [
        NameKind::Dns,
        NameKind::Uri,
        NameKind::Email,
        NameKind::Organization,
        NameKind::OrganizationalUnit,
    ];
    let unusable = kinds
        .into_iter()
        .filter(|kind| said.unusable.contains(&kind.to_string()));
    let time = |text: &Option<String>| text.as_deref().and_then(seconds).unwrap_or_default();
    PeerCertificate {
        trust_domain,
        common_name,
        dns_names: said.dns.clone(),
        uris: said.uris.clone(),
        emails: said.emails.clone(),
        organizations: said.o.clone(),
        organizational_units: said.ou.clone(),
        // Why they could not be used makes no difference.
        unusable_names: unusable.map(|kind| (kind, NameError::Unreadable)).collect(),
        other_names: said.other_names.clone(),
        subject: said.subject.clone(),
        issuer: said.issuer.clone(),
        serial: said.serial.clone(),
        fingerprint: said.fingerprint.clone().unwrap_or_default(),
        spki: said.spki.clone(),
        not_before: time(&said.not_before),
        not_after: time(&said.not_after),
    }
}

/// A time of the log.
pub(super) fn seconds(time: &str) -> Option<i64> {
    let format = &time::format_description::well_known::Rfc3339;
    time::OffsetDateTime::parse(time, format)
        .ok()
        .map(time::OffsetDateTime::unix_timestamp)
}
