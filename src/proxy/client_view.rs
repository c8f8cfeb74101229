//! A client as one snapshot identifies it. Identifies no client itself.

use super::chain_identification::principal;
use super::expiry::Expiry;
use super::front_proxy_role::FrontProxyRole;
use super::request::{Client, ClientIdentity};
use crate::clock;
use crate::identity::{IdentityBlock, IdentitySelection, Principal, UserId};
use crate::snapshot::{ListenerPolicy, Snapshot, SnapshotVersion};
use crate::tls::{HostPolicy, PeerCertificate, PresentedCertificate, TrustDomainId};
use std::cell::{Cell, OnceCell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The policies of the listener and of the server name of a connection.
#[derive(Clone)]
pub(super) struct ClientPolicies {
    pub(super) listener: Arc<ListenerPolicy>,
    pub(super) host: Arc<HostPolicy>,
}

/// A client as one snapshot identifies it. Connections of the same client share the view, so it has no facts about a
/// single connection.
pub(super) struct ClientView {
    pub(super) version: SnapshotVersion,
    /// When the times of its certificate were last compared with the clock.
    pub(super) checked: Cell<Instant>,
    /// The last second, since 1970, for which the verification of its chain is valid.
    pub(super) until: i64,
    /// `None` if the listener or the host is gone.
    pub(super) policies: Option<ClientPolicies>,
    pub(super) identity: ClientIdentity,
    /// The verified certificate.
    pub(super) peer: Option<PeerCertificate>,
    /// The fields of a rejected certificate. Only for logs.
    pub(super) refused: Option<PresentedCertificate>,
    /// The trust domain that verified the client. Also set if a front proxy forwarded a name without a certificate.
    pub(super) verified_by: Option<TrustDomainId>,
    pub(super) role: FrontProxyRole,
    /// The identity headers for upstreams, the newest last. Nearly always one.
    pub(super) identity_headers: RefCell<Vec<IdentityHeaderCache>>,
    pub(super) expiry: Expiry,
    /// The address of the client.
    pub(super) source: IpAddr,
    /// The certificate as JSON for the audit log, written when it is first used.
    pub(super) certificate_json: OnceCell<Option<Box<str>>>,
}

/// The identity headers about one user for upstreams with the same selection.
pub(super) struct IdentityHeaderCache {
    pub(super) selection: Arc<IdentitySelection>,
    pub(super) user: Option<UserId>,
    pub(super) certificate: CertificateDisclosure,
    pub(super) block: Rc<IdentityBlock>,
}

/// Whether an upstream gets the certificate of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CertificateDisclosure {
    Disclosed,
    /// A password proved another user than the certificate names. An upstream gets one identity only.
    Hidden,
}

/// Whether this second, since 1970, has passed.
pub(super) fn is_over(second: i64) -> bool {
    let now = clock::signed_seconds();
    // With a clock before 1970 every certificate is expired.
    now == 0 || now > second
}

impl ClientView {
    /// Whether the view is that of this snapshot, and its certificate is still valid.
    pub(super) fn holds(&self, snapshot: &Snapshot, now: Instant) -> bool {
        self.version == snapshot.version() && self.still_holds(now)
    }

    /// A certificate can expire during a connection and a generation. The wall clock is read at most ten times a second;
    /// certificates have a resolution of one second.
    fn still_holds(&self, now: Instant) -> bool {
        const FRESH: Duration = Duration::from_millis(100);
        if now.saturating_duration_since(self.checked.get()) < FRESH {
            return true;
        }
        let holds = matches!(self.identity, ClientIdentity::Refused(_))
            || self.peer.is_none()
            || !is_over(self.until) && !self.expiry.is_outdated();
        // A failed check is not remembered, so that each connection that shares the view fails it too.
        if holds {
            self.checked.set(now);
        }
        holds
    }

    /// The client for [`decide`](super::request::decide). `None` if its listener or host is gone.
    pub(super) fn client(&self) -> Option<Client<'_>> {
        let policies = self.policies.as_ref()?;
        Some(Client {
            listener: &policies.listener,
            host: &policies.host,
            identity: &self.identity,
            verified_by: self.verified_by,
            certificate: self.peer.as_ref(),
            source: self.source,
            now: clock::signed_seconds(),
        })
    }

    /// The ApiUser, if the client is one.
    pub(super) fn principal(&self) -> Option<&Principal> {
        principal(&self.identity)
    }

    /// The ApiUser of the front proxy that named the client.
    pub(super) fn forwarded_by(&self) -> Option<&str> {
        match &self.role {
            FrontProxyRole::Forwarded { by, .. } => Some(by),
            FrontProxyRole::Own | FrontProxyRole::ForOthers(_) => None,
        }
    }
}
