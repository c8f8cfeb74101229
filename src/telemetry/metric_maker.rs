//! Creates and registers metrics. Knows no individual metric.

use prometheus::core::Collector;
use prometheus::{HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

/// Registers each metric that it creates. A duplicate name is a bug that every test detects; in a
/// release build that metric counts without being exported.
pub(super) struct MetricMaker<'a>(&'a Registry);

impl<'a> MetricMaker<'a> {
    pub(super) fn new(registry: &'a Registry) -> Self {
        Self(registry)
    }

    pub(super) fn register<C: Collector + Clone + 'static>(
        &self,
        made: prometheus::Result<C>,
    ) -> C {
        #[expect(
            clippy::expect_used,
            reason = "names and labels are literals of the gateway"
        )]
        let metric = made.expect("a valid metric name");
        let registered = self.0.register(Box::new(metric.clone()));
        debug_assert!(registered.is_ok(), "two metrics of one name");
        metric
    }

    pub(super) fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.register(IntCounter::new(name, help))
    }

    pub(super) fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.register(IntCounterVec::new(Opts::new(name, help), labels))
    }

    pub(super) fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.register(IntGauge::new(name, help))
    }

    pub(super) fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.register(IntGaugeVec::new(Opts::new(name, help), labels))
    }

    /// Buckets for the remaining lifetimes of certificates, from expired to years.
    pub(super) fn lifetimes(name: &str, help: &str) -> HistogramOpts {
        const DAY: f64 = 24.0 * 3600.0;
        let days = [
            1.0, 7.0, 14.0, 30.0, 60.0, 90.0, 180.0, 365.0, 730.0, 1825.0, 3650.0,
        ];
        let buckets = [0.0, 3600.0]
            .into_iter()
            .chain(days.map(|days| days * DAY))
            .collect();
        HistogramOpts::new(name, help).buckets(buckets)
    }

    /// Buckets for durations from 0.5 ms to 60 s.
    pub(super) fn durations(name: &str, help: &str) -> HistogramOpts {
        let buckets = [
            0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
            30.0, 60.0,
        ];
        HistogramOpts::new(name, help).buckets(buckets.to_vec())
    }
}
