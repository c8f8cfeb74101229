//! Connections of one client share its view in one snapshot: certificate, user, and identity headers.
//!
//! Sharing grants nothing. A view belongs to one snapshot, and each connection compares its times with the clock. Only
//! views of users with a certificate that has not expired are shared, and no rejection is.

use super::{ClientIdentity, ClientView, ConnectedClient, FrontProxyRole, expiry, is_over};
use crate::buffer_pool::SharedValues;
use crate::host::HostName;
use crate::snapshot::Snapshot;
use crate::tls::ChainDigest;
use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::time::Instant;

/// All inputs, except the time, on which the view of a client in one snapshot depends.
#[derive(PartialEq, Eq, Hash)]
struct ViewKey {
    listener: Arc<str>,
    server_name: Option<HostName<'static>>,
    chain: ChainDigest,
    source: IpAddr,
}

/// The views of one snapshot. Keeps neither the snapshot nor the views alive.
struct SnapshotViews {
    snapshot: Weak<Snapshot>,
    views: SharedValues<ViewKey, ClientView>,
}

thread_local! {
    /// Nearly always the views of one snapshot.
    static VIEWS: RefCell<Vec<SnapshotViews>> = const { RefCell::new(Vec::new()) };
}

impl ConnectedClient {
    /// The view that another connection of this client has in this snapshot, if it is valid now.
    pub(super) fn shared_view(
        &self,
        snapshot: &Arc<Snapshot>,
        now: Instant,
    ) -> Option<Rc<ClientView>> {
        let key = self.key()?;
        let view = VIEWS.with_borrow(|all| {
            let views = all.iter().find(|views| views.is_of(snapshot))?;
            views.views.get(&key)
        })?;
        if !view.holds(snapshot, now) {
            return None;
        }
        // Each connection reports its certificate.
        if let Some(peer) = &view.peer {
            expiry::report(&self.telemetry, snapshot, &view.identity, peer);
        }
        Some(view)
    }

    /// Shares a view with other connections of this client.
    pub(super) fn share(&self, snapshot: &Arc<Snapshot>, view: &Rc<ClientView>) {
        if !view.can_be_shared() {
            return;
        }
        let Some(key) = self.key() else { return };
        VIEWS.with_borrow_mut(|all| {
            if !all.iter().any(|views| views.is_of(snapshot)) {
                all.retain(|views| views.snapshot.strong_count() > 0);
                all.push(SnapshotViews {
                    snapshot: Arc::downgrade(snapshot),
                    views: SharedValues::default(),
                });
            }
            if let Some(views) = all.iter_mut().find(|views| views.is_of(snapshot)) {
                views.views.insert(key, view);
            }
        });
    }

    /// `None` for clients without a certificate and clients behind a PROXY header, which share no view.
    fn key(&self) -> Option<ViewKey> {
        if self.facts.chain.is_empty() || self.remote.header.is_some() {
            return None;
        }
        Some(ViewKey {
            listener: self.listener.clone(),
            server_name: self.facts.server_name.clone(),
            chain: self.facts.chain.digest()?,
            source: self.remote.address,
        })
    }
}

impl SnapshotViews {
    /// The weak reference keeps the address from being used for another snapshot.
    fn is_of(&self, snapshot: &Arc<Snapshot>) -> bool {
        std::ptr::eq(self.snapshot.as_ptr(), Arc::as_ptr(snapshot))
    }
}

impl ClientView {
    /// A tolerated expired certificate is reported for each connection, so such a view is not shared.
    fn can_be_shared(&self) -> bool {
        let is_valid = self
            .peer
            .as_ref()
            .is_some_and(|peer| !is_over(peer.not_after));
        is_valid
            && matches!(
                (&self.identity, &self.role),
                (ClientIdentity::Known(_), FrontProxyRole::Own)
            )
    }
}
