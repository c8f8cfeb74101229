//! Refetches the keys of token issuers, on the control runtime.

use crate::credentials::RemoteKeys;
use crate::error_text::with_causes;
use crate::proxy::Shared;
use crate::snapshot::Snapshot;
use std::sync::Arc;
use std::time::Instant;

/// Starts all due fetches.
pub(super) fn fetch_due(shared: &Arc<Shared>, snapshot: &Snapshot) {
    for issuer in snapshot.credentials.issuers.iter() {
        let Some(remote) = issuer
            .remote()
            .filter(|remote| remote.begin(Instant::now()))
        else {
            continue;
        };
        tokio::spawn(fetch_one(
            shared.clone(),
            issuer.name().clone(),
            remote.clone(),
        ));
    }
}

async fn fetch_one(shared: Arc<Shared>, issuer: Arc<str>, remote: Arc<RemoteKeys>) {
    let fetched = remote.fetch().await;
    let result = if fetched.is_ok() {
        "success"
    } else {
        "failure"
    };
    shared
        .telemetry
        .metrics
        .token_key_fetches
        .with_label_values(&[&*issuer, result])
        .inc();
    match fetched {
        Ok(()) => tracing::debug!(issuer = &*issuer, "token keys fetched"),
        Err(error) => {
            let error = with_causes(&error);
            let has_old_keys = remote.current().is_some();
            tracing::warn!(
                issuer = &*issuer,
                error,
                old_keys_stay = has_old_keys,
                "token keys cannot be fetched"
            );
        }
    }
}
