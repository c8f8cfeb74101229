//! The client of a past decision, as a config would identify it.

use crate::cli::decisions::{LoggedCertificate, LoggedDecision};
use crate::identity::ForwardedRejection;
use crate::proxy::{ClientIdentity, identify_chain};
use crate::snapshot::{ListenerPolicy, Snapshot};
use crate::tls::{
    CommonName, CommonNameError, FailureReason, NameError, NameKind, PeerCertificate, TrustDomain,
    TrustDomainId,
};
use rustls::pki_types::UnixTime;
use std::sync::Arc;

/// The identity of a client by a config.
pub(super) struct ReplayedClient {
    pub(super) identity: ClientIdentity,
    pub(super) verified_by: Option<TrustDomainId>,
    pub(super) peer: Option<PeerCertificate>,
}

impl ReplayedClient {
    pub(super) fn of(
        snapshot: &Snapshot,
        listener: &ListenerPolicy,
        host: &crate::tls::HostPolicy,
        decision: &LoggedDecision,
    ) -> Self {
        let without = |identity| Self {
            identity,
            verified_by: None,
            peer: None,
        };
        if let Some(by) = &decision.forwarded_by {
            let front = listener.front_proxy.as_ref();
            let front_proxy_of = |id| front.filter(|front| front.is_peer(id));
            return match (snapshot.users.named(by), front) {
                (Some(proxy), _) if front_proxy_of(proxy.id).is_none() => {
                    without(ClientIdentity::Known(proxy))
                }
                (Some(_), Some(front)) => Self::forwarded(
                    snapshot,
                    std::slice::from_ref(&front.trust_domain),
                    decision,
                    |id| front.is_peer(id),
                ),
                _ => without(ClientIdentity::UnknownUser),
            };
        }
        let Some(certificate) = decision.certificate.as_deref() else {
            return without(identify_chain(snapshot, host, &[], UnixTime::now()).identity);
        };
        let client = Self::by_certificate(snapshot, &host.trust_domains, decision, certificate);
        match (&client.identity, &listener.front_proxy) {
            // A front proxy has no permissions of its own.
            (ClientIdentity::Known(user), Some(front)) if front.is_peer(user.id) => {
                without(ClientIdentity::Forwarded(ForwardedRejection::Missing))
            }
            _ => client,
        }
    }

    /// The client that a front proxy forwarded.
    fn forwarded(
        snapshot: &Snapshot,
        domains: &[Arc<TrustDomain>],
        decision: &LoggedDecision,
        is_proxy: impl Fn(crate::identity::UserId) -> bool,
    ) -> Self {
        let mut client = match (
            decision.certificate.as_deref(),
            decision.user.as_deref(),
            domains,
        ) {
            (Some(certificate), _, _) => {
                Self::by_certificate(snapshot, domains, decision, certificate)
            }
            // Only a name was forwarded: assume the same user.
            (None, Some(user), [domain]) => Self {
                identity: match snapshot.users.named(user) {
                    Some(user) if domain.revocation().denies_user(&user.name) => {
                        ClientIdentity::Refused(FailureReason::Denied)
                    }
                    Some(user) if snapshot.users.can_be_proven_in(domain.id, user.id) => {
                        ClientIdentity::Known(user)
                    }
                    _ => ClientIdentity::UnknownUser,
                },
                verified_by: Some(domain.id),
                peer: None,
            },
            _ => Self {
                identity: ClientIdentity::Forwarded(ForwardedRejection::Missing),
                verified_by: None,
                peer: None,
            },
        };
        client.identity = match client.identity {
            ClientIdentity::Refused(reason) => {
                ClientIdentity::Forwarded(ForwardedRejection::Certificate(reason))
            }
            ClientIdentity::Known(user) if is_proxy(user.id) => {
                ClientIdentity::Forwarded(ForwardedRejection::FrontProxyItself)
            }
            other => other,
        };
        client
    }

    /// The client by its certificate, for the trust domain of the same name. The chain is not verified again.
    fn by_certificate(
        snapshot: &Snapshot,
        domains: &[Arc<TrustDomain>],
        decision: &LoggedDecision,
        logged: &LoggedCertificate,
    ) -> Self {
        let refused = |reason| Self {
            identity: ClientIdentity::Refused(reason),
            verified_by: None,
            peer: None,
        };
        if domains.is_empty() {
            return Self {
                identity: ClientIdentity::Anonymous,
                verified_by: None,
                peer: None,
            };
        }
        let by_name =
            |domain: &&Arc<TrustDomain>| Some(&*domain.name) == decision.trust_domain.as_deref();
        let Some(domain) = domains.iter().find(by_name) else {
            return refused(FailureReason::UnknownIssuer);
        };
        let peer = peer(domain.id, logged);
        let revocation = domain.revocation();
        let denied = revocation.denies_fingerprint(&peer.fingerprint)
            || peer
                .common_name
                .as_ref()
                .is_ok_and(|name| revocation.denies_common_name(name.as_str()));
        if denied {
            return refused(FailureReason::Denied);
        }
        let mut identity = ClientIdentity::from(snapshot.users.identify(&peer));
        if matches!(&identity, ClientIdentity::Known(user) if revocation.denies_user(&user.name)) {
            identity = ClientIdentity::Refused(FailureReason::Revoked);
        }
        Self {
            identity,
            verified_by: Some(domain.id),
            peer: Some(peer),
        }
    }
}

/// The certificate from the log.
fn peer(trust_domain: TrustDomainId, logged: &LoggedCertificate) -> PeerCertificate {
    let common_name = logged
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
        .filter(|kind| logged.unusable.contains(&kind.to_string()));
    let time = |text: &Option<String>| text.as_deref().and_then(seconds).unwrap_or_default();
    PeerCertificate {
        trust_domain,
        common_name,
        dns_names: logged.dns.clone(),
        uris: logged.uris.clone(),
        emails: logged.emails.clone(),
        organizations: logged.o.clone(),
        organizational_units: logged.ou.clone(),
        // The kind of the error makes no difference.
        unusable_names: unusable.map(|kind| (kind, NameError::Unreadable)).collect(),
        other_names: logged.other_names.clone(),
        subject: logged.subject.clone(),
        issuer: logged.issuer.clone(),
        serial: logged.serial.clone(),
        fingerprint: logged.fingerprint.clone().unwrap_or_default(),
        spki: logged.spki.clone(),
        not_before: time(&logged.not_before),
        not_after: time(&logged.not_after),
    }
}

/// A time of the log in seconds since 1970.
pub(super) fn seconds(time: &str) -> Option<i64> {
    let format = &time::format_description::well_known::Rfc3339;
    time::OffsetDateTime::parse(time, format)
        .ok()
        .map(time::OffsetDateTime::unix_timestamp)
}
