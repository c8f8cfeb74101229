//! The request's way. Read `connection`, then `request` (the judgement), then `exchange`.

mod account;
mod activity;
mod asking;
mod chain_standing;
mod client;
mod connection;
mod connection_facts;
mod credentials;
mod date;
mod exchange;
mod expiry;
mod forwarded;
mod guard;
mod handshake_record;
mod http1;
mod in_force;
mod limits;
mod own_answer;
mod present;
mod proxy_header;
mod record;
mod refusal_record;
mod request;
mod request_id;
mod texts;
mod told;
mod watched_stream;
mod whoami;

pub use chain_standing::{Stands, standing};
pub use connection::ProxyHandler;
pub use credentials::unless_denied;
pub use forwarded::standing_behind;
pub use present::make_rounds;
pub use request::{
    Client, Decision, DecisionRounds, Evidence, Need, Presented, RequestDecision, Standing, decide,
    decide_with, shows_its_own_certificate,
};

use request_id::{RequestId, request_id};

use crate::credentials::PasswordChecks;
use crate::snapshot::Snapshot;
use crate::telemetry::Telemetry;
use arc_swap::ArcSwap;
use std::sync::Arc;
use tokio::sync::watch;

/// What all connections share.
pub struct Shared {
    /// The snapshot that is in force.
    pub snapshot: ArcSwap<Snapshot>,
    /// Metrics and access log.
    pub telemetry: Arc<Telemetry>,
    /// Passwords that are being checked, or were.
    pub passwords: PasswordChecks,
    /// Told after each change of the snapshot.
    changes: watch::Sender<()>,
}

impl Shared {
    /// With a first snapshot.
    pub fn new(snapshot: Arc<Snapshot>, telemetry: Arc<Telemetry>) -> Self {
        let (passwords, changes) = (PasswordChecks::default(), watch::Sender::new(()));
        Self {
            snapshot: ArcSwap::new(snapshot),
            telemetry,
            passwords,
            changes,
        }
    }

    /// From now on this snapshot judges all requests, those under way included.
    pub fn put_into_force(&self, snapshot: Arc<Snapshot>) {
        self.snapshot.store(snapshot);
        self.changes.send_replace(());
    }
}
