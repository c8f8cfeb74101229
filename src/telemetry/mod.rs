//! Observability of the gateway: metrics, access log, audit log, own log. Never blocks a request.

mod access_log;
mod audit;
pub mod build;
mod certificates;
mod descriptor_metrics;
mod line_queues;
mod local;
mod log;
mod metric_maker;
mod metrics;
mod daily_warnings;
mod process;
mod rare_line;
mod series;
mod write_counted;

pub use access_log::{AccessEntry, AccessLog, AccessLogConfig};
pub use audit::{
    AuditCut, AuditDecision, AuditLogConfig, AuditOverlay, AuditRejectedSnapshot, AuditSnapshot,
    Reopened,
};
pub use certificates::{
    CertificateSighting, CertificatesSeen, MOST_CERTIFICATES, SeenCertificate, Urgency, kept,
};
pub use daily_warnings::DailyWarnings;
pub use local::WorkerCounters;
pub use log::{LogControl, LogError, check_filter};
pub use metrics::Metrics;
pub use rare_line::RareLine;
pub use series::{ListenerSeries, RouteSeries, UpstreamSeries};

use arc_swap::ArcSwapOption;
use audit::Audit;
use local::WorkerRequest;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;

/// Metrics, access log and audit log of the process.
#[derive(Default)]
pub struct Telemetry {
    /// Counters and gauges.
    pub metrics: Metrics,
    /// Users that were warned about today because of an expired certificate.
    pub tolerated_today: DailyWarnings,
    /// Known client certificates, for renewal.
    pub certificates: CertificatesSeen,
    access_log: ArcSwapOption<AccessLog>,
    audit: Audit,
    /// Workers with counters of their own.
    workers: Mutex<Vec<UnboundedSender<WorkerRequest>>>,
}

impl Telemetry {
    /// Activates an access log. Keeps the open one if the config is equal.
    ///
    /// # Errors
    /// If its file cannot be opened; the old log is kept.
    pub fn set_access_log(&self, config: &AccessLogConfig) -> std::io::Result<()> {
        let current = self.access_log.load();
        if current.as_ref().is_some_and(|log| log.config() == config) {
            return Ok(());
        }
        self.access_log
            .store(Some(Arc::new(AccessLog::open(config)?)));
        Ok(())
    }

    /// Reopens the access log, after its file was moved. Afterwards all earlier lines are in the
    /// old file, unless that takes longer than a second.
    ///
    /// # Errors
    /// If its file cannot be opened; the old log is kept.
    pub fn reopen_access_log(&self, config: &AccessLogConfig) -> std::io::Result<()> {
        let new = Arc::new(AccessLog::open(config)?);
        let ended = self.access_log.swap(Some(new)).and_then(|old| old.ended());
        if let Some(ended) = ended {
            wait_for_end(&ended, "access", Duration::from_secs(1));
        }
        Ok(())
    }

    /// Writes the queued lines and accepts no more. Stops waiting after a timeout if the disk
    /// hangs.
    pub fn close_access_log(&self) {
        let ended = self.access_log.swap(None).and_then(|log| log.ended());
        if let Some(ended) = ended {
            wait_for_end(&ended, "access", Duration::from_secs(2));
        }
    }

    /// Whether lines are written. If not, entries need not be built.
    pub fn logs_access(&self) -> bool {
        self.access_log
            .load()
            .as_ref()
            .is_some_and(|log| log.config().format != crate::config::LogFormat::Off)
    }

    /// Writes one line.
    pub fn log_access(&self, entry: &AccessEntry<'_>) {
        if let Some(log) = self.access_log.load().as_ref() {
            log.write(entry);
        }
    }

    /// All metrics in Prometheus text format, including the current counts of the workers.
    pub async fn scrape(&self) -> String {
        self.add_up().await;
        let dropped = self
            .access_log
            .load()
            .as_ref()
            .map_or(0, |log| log.dropped_lines());
        self.metrics
            .access_log_dropped
            .set(i64::try_from(dropped).unwrap_or(i64::MAX));
        self.metrics.descriptors.publish();
        self.metrics.encode()
    }

    fn workers(&self) -> MutexGuard<'_, Vec<UnboundedSender<WorkerRequest>>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits until the thread of a log has written all lines, at most for `patience`.
fn wait_for_end(ended: &Receiver<()>, log: &str, patience: Duration) {
    if ended.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
        tracing::error!("the {log} log takes too long to be written; queued lines may be lost");
    }
}
