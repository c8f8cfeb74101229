//! Connections of one client share what a snapshot sees of it: certificate, user, and what upstreams are told. Looks at no
//! client itself.
//!
//! Sharing gives no right. A view belongs to one snapshot; each connection compares its times with the clock as if it were
//! its own; and only clients are shared who are users by a certificate that has not expired. No refusal is.

use super::{ClientView, ConnectedClient, Standing, Voice, expiry, is_over};
use crate::host::HostName;
use crate::recycled::SharedValues;
use crate::snapshot::Snapshot;
use crate::tls::ChainDigest;
use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::time::Instant;

/// All on which it depends, beside the time, what one snapshot sees of a client.
#[derive(PartialEq, Eq, Hash)]
struct ViewKey {
    listener: Arc<str>,
    server_name: Option<HostName<'static>>,
    chain: ChainDigest,
    source: IpAddr,
}

/// The views of one snapshot. Keeps neither it nor them alive.
struct SnapshotViews {
    snapshot: Weak<Snapshot>,
    views: SharedValues<ViewKey, ClientView>,
}

thread_local! {
    /// Nearly always of one snapshot.
    static VIEWS: RefCell<Vec<SnapshotViews>> = const { RefCell::new(Vec::new()) };
}

impl ConnectedClient {
    /// What another connection of this client has found in this snapshot, if it holds now.
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
        // Each connection tells of its certificate.
        if let Some(peer) = &view.peer {
            expiry::tell(&self.telemetry, snapshot, &view.standing, peer);
        }
        Some(view)
    }

    /// Lets other connections of this client find what was found here.
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

    /// `None` for clients that share nothing: those without a certificate, and those behind a PROXY header.
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
    /// The address stays the snapshot's own for as long as this refers to it.
    fn is_of(&self, snapshot: &Arc<Snapshot>) -> bool {
        std::ptr::eq(self.snapshot.as_ptr(), Arc::as_ptr(snapshot))
    }
}

impl ClientView {
    /// That an expired certificate is tolerated is told of for each connection, so such a view is a connection's own.
    fn can_be_shared(&self) -> bool {
        let is_valid = self
            .peer
            .as_ref()
            .is_some_and(|peer| !is_over(peer.not_after));
        is_valid
            && matches!(
                (&self.standing, &self.voice),
                (Standing::Known(_), Voice::Own)
            )
    }
}
