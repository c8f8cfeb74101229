//! Refetches revocation lists, on the control runtime. A new list is written to disk, and a reload activates it, as
//! for every file that changes.

use crate::clock;
use crate::error_text::with_causes;
use crate::fetch::FetchUrl;
use crate::proxy::Shared;
use crate::snapshot::Snapshot;
use crate::tls::{CrlFetchOutcome, CrlFetcher, TrustDomain};
use std::sync::Arc;
use std::time::Instant;

/// Starts all due fetches.
pub(super) fn fetch_due(shared: &Arc<Shared>, snapshot: &Snapshot) {
    for domain in &snapshot.trust_domains {
        let Some(fetch) = domain.revocation().fetch() else {
            continue;
        };
        while let Some(url) = fetch.begin(Instant::now()) {
            tokio::spawn(fetch_one(
                shared.clone(),
                domain.clone(),
                fetch.clone(),
                url,
            ));
        }
    }
}

async fn fetch_one(
    shared: Arc<Shared>,
    domain: Arc<TrustDomain>,
    fetch: Arc<CrlFetcher>,
    url: FetchUrl,
) {
    let result = fetch.fetch(&url).await;
    let metrics = &shared.telemetry.metrics;
    let name = &*domain.name;
    let word = match &result {
        Ok(CrlFetchOutcome::New) => "new",
        Ok(CrlFetchOutcome::Unchanged) => "unchanged",
        Err(error) => error.word(),
    };
    metrics.crl_fetches.with_label_values(&[name, word]).inc();
    match result {
        Ok(fetched) => {
            let gauge = metrics
                .crl_fetch_last_success
                .with_label_values(&[name, &url.to_string()]);
            gauge.set(clock::signed_seconds());
            match fetched {
                CrlFetchOutcome::New => {
                    tracing::info!(trust_domain = name, %url, "a new revocation list was fetched")
                }
                CrlFetchOutcome::Unchanged => {
                    tracing::debug!(trust_domain = name, %url, "the revocation list is the newest")
                }
            }
        }
        Err(error) => {
            // Active lists stay valid until they expire. Without a list the policy of the domain applies.
            let error = with_causes(&error);
            let active_lists = domain.revocation().facts().len();
            tracing::warn!(
                trust_domain = name, %url, result = word, lists_in_force = active_lists, error,
                "a revocation list cannot be fetched"
            );
        }
    }
}
