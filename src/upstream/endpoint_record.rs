//! What all workers know together about one endpoint: on how many of them it is ejected. Written only when that changes, so
//! no request touches shared memory. Counts and logs the changes.

use super::health::{Ejection, EjectionCause};
use crate::reason::Reason;
use crate::telemetry::Telemetry;
use prometheus::IntGauge;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The shared facts about one endpoint of one upstream.
pub(super) struct EndpointRecord {
    upstream: Arc<str>,
    endpoint: String,
    /// Workers on which it is ejected.
    ejected_on: AtomicUsize,
    /// As `ejected_on`, over all upstreams of this name that still exist.
    gauge: IntGauge,
    telemetry: Arc<Telemetry>,
}

impl EndpointRecord {
    pub(super) fn new(upstream: &Arc<str>, endpoint: &str, telemetry: &Arc<Telemetry>) -> Self {
        let gauge = telemetry
            .metrics
            .upstream_endpoint_ejected
            .with_label_values(&[upstream, endpoint]);
        Self {
            upstream: upstream.clone(),
            endpoint: endpoint.to_owned(),
            ejected_on: AtomicUsize::new(0),
            gauge,
            telemetry: telemetry.clone(),
        }
    }

    /// Workers on which the endpoint is ejected.
    pub(super) fn ejected_on(&self) -> usize {
        self.ejected_on.load(Ordering::Relaxed)
    }

    /// Records an ejection on this worker. The first worker to eject the endpoint logs it.
    pub(super) fn ejected(&self, ejection: Ejection, reason: Reason) {
        let EndpointRecord {
            upstream, endpoint, ..
        } = self;
        let word = reason.word();
        let ejections = &self.telemetry.metrics.upstream_ejections;
        ejections
            .with_label_values(&[&**upstream, endpoint, word])
            .inc();
        let time = ejection.time.as_secs_f64();
        let EjectionCause::Failures(failures) = ejection.cause else {
            tracing::debug!(%upstream, endpoint, reason = word, seconds = time, "upstream endpoint failed its trial");
            return;
        };
        self.gauge.inc();
        if self.ejected_on.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!(%upstream, endpoint, reason = word, failures, seconds = time, "upstream endpoint ejected");
        } else {
            tracing::debug!(%upstream, endpoint, reason = word, failures, seconds = time, "upstream endpoint ejected by another worker");
        }
    }

    /// Records that this worker uses the endpoint again. The last worker to do so logs it.
    pub(super) fn returned(&self) {
        let EndpointRecord {
            upstream, endpoint, ..
        } = self;
        if self.forgotten() == 1 {
            tracing::info!(%upstream, endpoint, "upstream endpoint returned");
        } else {
            tracing::debug!(%upstream, endpoint, "upstream endpoint returned on one worker");
        }
    }

    /// Records that the worker that ejected the endpoint has dropped its state. Returns on how many workers the endpoint was
    /// ejected before.
    pub(super) fn forgotten(&self) -> usize {
        self.gauge.dec();
        self.ejected_on.fetch_sub(1, Ordering::Relaxed)
    }
}
