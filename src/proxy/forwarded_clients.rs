//! The clients that a front proxy has named on one connection. Identifies none.

use super::client_view::ClientView;
use super::request::ClientIdentity;
use crate::identity::{ForwardedRejection, Said};
use crate::snapshot::Snapshot;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

/// The maximum number of clients that are kept for a connection.
const MOST_KEPT: usize = 64;

/// The clients that the front proxy of a connection has named, the latest first.
#[derive(Default)]
pub(super) struct ForwardedClients {
    clients: RefCell<Vec<ForwardedClient>>,
}

/// A client, and the fields by which the front proxy named it.
struct ForwardedClient {
    identity: Option<Box<[u8]>>,
    chain: Option<Box<[u8]>>,
    view: Rc<ClientView>,
}

impl ForwardedClient {
    fn has_fields(&self, fields: &Said<'_>) -> bool {
        self.identity.as_deref() == fields.identity && self.chain.as_deref() == fields.chain
    }
}

impl ForwardedClients {
    /// The client that was named by the same fields before, if its view is still valid.
    pub(super) fn find(
        &self,
        fields: &Said<'_>,
        snapshot: &Snapshot,
        now: Instant,
    ) -> Option<Rc<ClientView>> {
        let mut clients = self.clients.borrow_mut();
        let index = clients
            .iter()
            .position(|client| client.has_fields(fields))?;
        if !clients.get(index)?.view.holds(snapshot, now) {
            clients.remove(index);
            return None;
        }
        clients.get_mut(..=index)?.rotate_right(1);
        clients.first().map(|client| client.view.clone())
    }

    /// Keeps a client. A rejected certificate is never kept, since it can become valid a moment later.
    pub(super) fn keep(&self, fields: &Said<'_>, view: &Rc<ClientView>) {
        if matches!(&view.identity, ClientIdentity::Forwarded(rejection) if *rejection != ForwardedRejection::Missing)
        {
            return;
        }
        let mut clients = self.clients.borrow_mut();
        clients.truncate(MOST_KEPT - 1);
        clients.insert(
            0,
            ForwardedClient {
                identity: fields.identity.map(Into::into),
                chain: fields.chain.map(Into::into),
                view: view.clone(),
            },
        );
    }
}
