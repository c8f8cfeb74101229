//! The request's way. Read `connection`, then `request` (the judgement), then `exchange`.

mod activity;
mod client;
mod connection;
mod credentials;
mod exchange;
mod guard;
mod http1;
mod in_force;
mod record;
mod request;
mod request_id;
mod texts;
mod whoami;

pub use client::{ChainSeen, standing};
pub use connection::ProxyHandler;
pub use in_force::let_go_of_old_snapshots;
pub use request::{Client, Judgement, Presented, Standing, decide, decide_presented};

use request_id::{RequestId, request_id};

use crate::credentials::PasswordChecks;
use crate::snapshot::Snapshot;
use crate::telemetry::Telemetry;
use arc_swap::ArcSwap;
use std::sync::Arc;

/// What all connections share.
pub struct Shared {
    /// The snapshot that is in force.
    pub snapshot: ArcSwap<Snapshot>,
    /// Metrics and access log.
    pub telemetry: Arc<Telemetry>,
    /// Passwords that are being checked, or were.
    pub passwords: PasswordChecks,
}
