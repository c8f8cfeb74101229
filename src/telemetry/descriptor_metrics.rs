//! Metrics of file descriptors, read on each scrape.

use super::metric_maker::MetricMaker;
use crate::descriptors::{self, CLIENTS, UPSTREAMS};
use prometheus::{IntCounterVec, IntGauge, IntGaugeVec};

/// Handles of the metrics of file descriptors.
pub(super) struct DescriptorMetrics {
    /// `descriptor_limit`
    limit: IntGauge,
    /// `descriptor_budget{use}`
    budget: IntGaugeVec,
    /// `descriptors_used{use}`
    used: IntGaugeVec,
    /// `descriptors_refused_total{use}`
    refused: IntCounterVec,
}

impl DescriptorMetrics {
    pub(super) fn new(make: &MetricMaker<'_>) -> Self {
        let budget = "The limit in its parts: clients, upstreams, reserve";
        let refused = "Times that clients or upstreams needed more descriptors than their part has";
        Self {
            limit: make.gauge(
                "descriptor_limit",
                "File descriptors that the process may open",
            ),
            budget: make.gauges("descriptor_budget", budget, &["use"]),
            used: make.gauges(
                "descriptors_used",
                "Descriptors of clients and upstreams",
                &["use"],
            ),
            refused: make.counters("descriptors_refused_total", refused, &["use"]),
        }
    }

    /// Sets all metrics to the current values.
    pub(super) fn publish(&self) {
        let as_gauge = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let facts = descriptors::facts();
        self.limit
            .set(i64::try_from(facts.limit).unwrap_or(i64::MAX));
        self.budget
            .with_label_values(&["reserve"])
            .set(as_gauge(facts.reserve));
        for (name, share) in [("clients", &CLIENTS), ("upstreams", &UPSTREAMS)] {
            self.budget
                .with_label_values(&[name])
                .set(as_gauge(share.limit()));
            self.used
                .with_label_values(&[name])
                .set(as_gauge(share.used()));
            let refused = self.refused.with_label_values(&[name]);
            refused.inc_by(share.refused().saturating_sub(refused.get()));
        }
    }
}
