//! The request's way. Read `connection`, then `request` (the judgement), then `exchange`.

mod activity;
mod client;
mod connection;
mod exchange;
mod guard;
mod record;
mod recycled;
mod request;
mod texts;
mod whoami;

pub use client::{ChainSeen, standing};
pub use connection::ProxyHandler;
pub use request::{Client, Judgement, Standing, decide};

use crate::snapshot::Snapshot;
use crate::telemetry::Telemetry;
use arc_swap::ArcSwap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// What all connections share.
pub struct Shared {
    /// The snapshot that is in force.
    pub snapshot: ArcSwap<Snapshot>,
    /// Metrics and access log.
    pub telemetry: Arc<Telemetry>,
}

/// A name for one request, also the id of its decision: unique over restarts, and no secret.
fn request_id() -> String {
    static PROCESS: OnceLock<u64> = OnceLock::new();
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let process = PROCESS.get_or_init(|| u64::from_le_bytes(crate::tls::random()));
    format!("{process:016x}-{:x}", COUNT.fetch_add(1, Ordering::Relaxed))
}
