//! Keeps the keys of token issuers fresh, on the control runtime. Fetches nothing itself, and judges no token.

use crate::proxy::Shared;
use crate::respond::with_causes;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often it is looked what is due. Most configs have nothing to fetch, and a look is cheap.
const LOOK: Duration = Duration::from_millis(500);

/// Fetches what is due, for as long as the gateway runs.
pub(super) async fn keep_fresh(shared: Arc<Shared>) {
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let snapshot = shared.snapshot.load();
        for issuer in snapshot.credentials.issuers.iter() {
            let Some(remote) = issuer.remote().filter(|remote| remote.begin(Instant::now())) else { continue };
            let (issuer, remote, telemetry) = (issuer.name().clone(), remote.clone(), shared.telemetry.clone());
            tokio::spawn(async move {
                let fetched = remote.fetch().await;
                let result = if fetched.is_ok() { "success" } else { "failure" };
                telemetry.metrics.token_key_fetches.with_label_values(&[&*issuer, result]).inc();
                match fetched {
                    Ok(()) => tracing::debug!(issuer = &*issuer, "token keys fetched"),
                    Err(error) => {
                        let (error, stay) = (with_causes(&error), remote.current().is_some());
                        tracing::warn!(issuer = &*issuer, error, old_keys_stay = stay, "token keys cannot be fetched");
                    }
                }
            });
        }
    }
}
