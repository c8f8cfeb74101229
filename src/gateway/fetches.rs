//! Starts due fetches of token keys and revocation lists, on the control runtime.

use super::{crl_fetch, token_keys};
use crate::proxy::Shared;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// Interval between checks for due fetches. A check is cheap, and most configs have nothing to fetch.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);

/// Starts due fetches for as long as the gateway runs.
pub(super) async fn keep_fresh(shared: Arc<Shared>) {
    let mut ticks = interval(CHECK_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let snapshot = shared.snapshot.load();
        token_keys::fetch_due(&shared, &snapshot);
        crl_fetch::fetch_due(&shared, &snapshot);
    }
}
