//! Keeps fetched revocation lists fresh, on the control runtime. What is new on disk comes into force by a reload, as
//! every file that changes; here nothing is put into force.

use crate::clock;
use crate::error_text::with_causes;
use crate::fetch::FetchUrl;
use crate::proxy::Shared;
use crate::snapshot::Snapshot;
use crate::tls::{CrlFetch, CrlFetched, TrustDomain};
use std::sync::Arc;
use std::time::Instant;

/// Begins to fetch what is due.
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
    fetch: Arc<CrlFetch>,
    url: FetchUrl,
) {
    let result = fetch.fetch(&url).await;
    let (metrics, name) = (&shared.telemetry.metrics, &*domain.name);
    let word = match &result {
        Ok(CrlFetched::New) => "new",
        Ok(CrlFetched::Unchanged) => "unchanged",
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
                CrlFetched::New => {
                    tracing::info!(trust_domain = name, %url, "a new revocation list was fetched")
                }
                CrlFetched::Unchanged => {
                    tracing::debug!(trust_domain = name, %url, "the revocation list is the newest")
                }
            }
        }
        Err(error) => {
            // Those in force go on counting for as long as they say, and the policy says what happens without any.
            let (error, in_force) = (with_causes(&error), domain.revocation().facts().len());
            tracing::warn!(
                trust_domain = name, %url, result = word, lists_in_force = in_force, error,
                "a revocation list cannot be fetched"
            );
        }
    }
}
