//! Processing of connections and requests. Read `connection`, then `request` (the decision), then `http1` and `http2`.

mod account;
mod activity;
mod question;
mod chain_identification;
mod checked_evidence;
mod client;
mod client_view;
mod connection;
mod connection_facts;
mod evidence;
mod date;
mod decision_context;
mod expiry;
mod forwarded;
mod forwarded_clients;
mod front_proxy_role;
mod handshake_record;
mod http1;
mod http2;
mod active_snapshot;
mod limits;
mod own_response;
mod plan;
mod recheck;
mod proxy_header;
mod record;
mod request;
mod request_id;
mod texts;
mod identity_cache;
mod watched_stream;
mod whoami;
mod whole_body;

pub use chain_identification::{ClientIdentification, identify_chain};
pub use connection::ProxyHandler;
pub use evidence::unless_denied;
pub use forwarded::identify_forwarded_chain;
pub use recheck::run_recheck_rounds;
pub use request::{
    Client, ClientIdentity, Decision, DecisionRounds, Evidence, Need, PresentedCredentials,
    RequestDecision, decide, decide_traced, decide_with, shows_its_own_certificate,
};

use request_id::{RequestId, request_id};

use crate::credentials::PasswordChecks;
use crate::snapshot::Snapshot;
use crate::telemetry::Telemetry;
use arc_swap::ArcSwap;
use std::sync::Arc;
use tokio::sync::watch;

/// State that all connections share.
pub struct Shared {
    /// The active snapshot.
    pub snapshot: ArcSwap<Snapshot>,
    /// Metrics and access log.
    pub telemetry: Arc<Telemetry>,
    /// Password checks that are running, and cached results.
    pub passwords: PasswordChecks,
    /// Notified after each change of the snapshot.
    changes: watch::Sender<()>,
}

impl Shared {
    /// State with a first snapshot.
    pub fn new(snapshot: Arc<Snapshot>, telemetry: Arc<Telemetry>) -> Self {
        Self {
            snapshot: ArcSwap::new(snapshot),
            telemetry,
            passwords: PasswordChecks::default(),
            changes: watch::Sender::new(()),
        }
    }

    /// Activates a snapshot. Open requests are rechecked by it.
    pub fn activate(&self, snapshot: Arc<Snapshot>) {
        self.snapshot.store(snapshot);
        self.changes.send_replace(());
    }
}
