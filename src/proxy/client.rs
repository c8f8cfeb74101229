//! The client of a connection, identified by the active snapshot: once for each generation, and again after each reload.
//! The clients that a front proxy names are in `forwarded`.

mod shared;

use super::chain_identification::{ChainIdentification, identify_with, principal};
use super::client_view::{ClientPolicies, ClientView, is_over};
use super::expiry::{self, Expiry};
use super::forwarded_clients::ForwardedClients;
use super::front_proxy_role::{FrontProxyRole, RemoteEnd};
use super::request::ClientIdentity;
use crate::snapshot::Snapshot;
use crate::telemetry::Telemetry;
use crate::tls::{FailureReason, HandshakeFacts, PresentedCertificate};
use rustls::pki_types::UnixTime;
use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

/// The client of one connection.
pub(super) struct ConnectedClient {
    pub(super) listener: Arc<str>,
    pub(super) facts: HandshakeFacts,
    pub(super) remote: RemoteEnd,
    telemetry: Arc<Telemetry>,
    /// The clients that this client has named, if it is a front proxy.
    pub(super) forwarded: ForwardedClients,
    view: RefCell<Option<Rc<ClientView>>>,
}

/// The policies and the front proxy role of an identified client.
pub(super) struct ClientRole {
    pub(super) policies: Option<ClientPolicies>,
    pub(super) role: FrontProxyRole,
}

impl ConnectedClient {
    /// A client after its handshake.
    pub(super) fn new(
        listener: Arc<str>,
        facts: HandshakeFacts,
        remote: RemoteEnd,
        telemetry: Arc<Telemetry>,
    ) -> Self {
        Self {
            listener,
            facts,
            remote,
            telemetry,
            forwarded: ForwardedClients::default(),
            view: RefCell::default(),
        }
    }

    /// Records the remaining validity of the certificate, right after the handshake. The first request reuses the view.
    pub(super) fn observe(&self, snapshot: &Arc<Snapshot>, now: Instant) {
        if let Some(peer) = &self.view(snapshot, now).peer {
            expiry::observe(&self.telemetry, snapshot, peer);
        }
    }

    /// The client as this snapshot identifies it now.
    pub(super) fn view(&self, snapshot: &Arc<Snapshot>, now: Instant) -> Rc<ClientView> {
        if let Some(view) = &*self.view.borrow()
            && view.holds(snapshot, now)
        {
            return view.clone();
        }
        let view = self.shared_view(snapshot, now).unwrap_or_else(|| {
            let view = Rc::new(self.identify(snapshot, now));
            self.share(snapshot, &view);
            view
        });
        *self.view.borrow_mut() = Some(view.clone());
        view
    }

    /// The ApiUser of the latest view.
    pub(super) fn known_user(&self) -> Option<Arc<str>> {
        self.view
            .borrow()
            .as_ref()
            .and_then(|view| view.principal())
            .map(|user| user.name.clone())
    }

    /// Why the client of a removed listener is rejected, if it is. The host policy is gone too. If the trust domain that
    /// verified the chain still exists, the chain is verified against it.
    pub(super) fn rejected_without_listener(
        &self,
        snapshot: &Snapshot,
        before: &ClientView,
    ) -> Option<FailureReason> {
        let peer = before.peer.as_ref()?;
        let policies = before.policies.as_ref()?;
        let name = &policies.host.trust_domain(peer.trust_domain)?.name;
        let domain = snapshot
            .trust_domains
            .iter()
            .find(|domain| domain.name == *name)?;
        if let Err(error) = domain.verify_chain(&self.facts.chain, UnixTime::now()) {
            return Some(error.reason());
        }
        let user = before.principal()?;
        domain
            .revocation()
            .denies_user(&user.name)
            .then_some(FailureReason::Revoked)
    }

    fn identify(&self, snapshot: &Snapshot, now: Instant) -> ClientView {
        let listener = snapshot.listeners.get(&self.listener);
        let policies = listener.and_then(|listener| {
            let host = listener.host(self.facts.server_name.as_ref())?;
            Some(ClientPolicies {
                listener: listener.clone(),
                host: host.clone(),
            })
        });
        let mut identification = match &policies {
            Some(ClientPolicies { host, .. }) => {
                identify_with(snapshot, host, &self.facts.chain, |chain| {
                    host.verify_chain(chain, UnixTime::now())
                })
            }
            None => ChainIdentification::without_certificate(ClientIdentity::Refused(
                FailureReason::UnknownServerName,
            )),
        };
        let front = policies
            .as_ref()
            .and_then(|policies| policies.listener.front_proxy.as_ref());
        let role = match FrontProxyRole::of(&self.remote, front, &identification.identity) {
            Ok(role) => role,
            Err(rejection) => {
                identification.identity = ClientIdentity::Forwarded(rejection);
                FrontProxyRole::Own
            }
        };
        self.new_view(snapshot, now, ClientRole { policies, role }, identification)
    }

    /// A view of an identified client. Reports the expiry of its certificate.
    pub(super) fn new_view(
        &self,
        snapshot: &Snapshot,
        now: Instant,
        role: ClientRole,
        identification: ChainIdentification,
    ) -> ClientView {
        let ChainIdentification {
            identity,
            peer,
            verified_by,
            until,
            expired_for,
        } = identification;
        let ClientRole { policies, role } = role;
        let expiry = Expiry::of(&snapshot.expiry, peer.as_ref());
        if let Some(peer) = &peer {
            expiry::report(&self.telemetry, snapshot, &identity, peer);
            if let (Some(expired_for), Some(user)) = (expired_for, principal(&identity)) {
                expiry::report_tolerated(&self.telemetry, snapshot, user, peer, expired_for);
            }
        }
        let refused = match (&identity, &peer, &role) {
            (ClientIdentity::Refused(_), None, FrontProxyRole::Own) => self
                .facts
                .chain
                .first()
                .and_then(PresentedCertificate::read),
            _ => None,
        };
        ClientView {
            version: snapshot.version(),
            checked: Cell::new(now),
            until,
            policies,
            identity,
            peer,
            refused,
            verified_by,
            role,
            identity_headers: RefCell::default(),
            expiry,
            source: self.remote.source(),
            certificate_json: OnceCell::new(),
        }
    }
}
