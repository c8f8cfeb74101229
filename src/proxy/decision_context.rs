//! The snapshot and the client for which a request is decided. Decides nothing.

use super::Shared;
use super::active_snapshot::{ActiveSnapshot, in_force};
use super::client::ConnectedClient;
use super::client_view::ClientView;
use crate::head::Fields;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

/// A snapshot, and the client as that snapshot identifies it.
pub(super) struct DecisionContext {
    pub(super) in_force: Rc<ActiveSnapshot>,
    pub(super) view: Rc<ClientView>,
}

impl DecisionContext {
    /// The active snapshot, and the client of a request with these fields.
    pub(super) fn at<F: Fields + ?Sized>(
        shared: &Arc<Shared>,
        client: &ConnectedClient,
        fields: &F,
        now: Instant,
    ) -> Self {
        let in_force = in_force(shared);
        let snapshot = &in_force.snapshot;
        let view = client.client_of_request(client.view(snapshot, now), fields, snapshot, now);
        Self { in_force, view }
    }
}
