//! The snapshot and the client for which a request is decided. Decides nothing.

use super::Shared;
use super::active_snapshot::{ActiveSnapshot, active_snapshot};
use super::client::ConnectedClient;
use super::client_view::ClientView;
use crate::head::Fields;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

/// A snapshot, and the client as that snapshot identifies it.
pub(super) struct DecisionContext {
    pub(super) active: Rc<ActiveSnapshot>,
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
        let active = active_snapshot(shared);
        let snapshot = &active.snapshot;
        let view = client.client_of_request(client.view(snapshot, now), fields, snapshot, now);
        Self { active, view }
    }
}
