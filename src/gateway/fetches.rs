//! Looks what is due to be fetched from elsewhere, on the control runtime. Fetches nothing itself.

use super::{crl_fetch, token_keys};
use crate::proxy::Shared;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// How often it is looked what is due. Most configs have nothing to fetch, and a look is cheap.
const LOOK: Duration = Duration::from_millis(500);

/// Has fetched what is due, for as long as the gateway runs.
pub(super) async fn keep_fresh(shared: Arc<Shared>) {
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let snapshot = shared.snapshot.load();
        token_keys::fetch_due(&shared, &snapshot);
        crl_fetch::fetch_due(&shared, &snapshot);
    }
}
