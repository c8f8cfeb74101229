//! What the gateway tells about itself: metrics, access log, audit log, own log. Decides nothing and never blocks a request.

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
mod once_a_day;
mod process;
mod rare_line;
mod series;
mod write_counted;

pub use access_log::{AccessEntry, AccessLog, AccessLogConfig};
pub use audit::{
    AuditCut, AuditDecision, AuditLogConfig, AuditOverlay, AuditRefusedSnapshot, AuditSnapshot,
    Reopened,
};
pub use certificates::{
    CertificatesSeen, MOST_CERTIFICATES, SeenCertificate, Sighting, Urgency, kept,
};
pub use local::CountsHere;
pub use log::{LogControl, LogError, check_filter};
pub use metrics::Metrics;
pub use once_a_day::OnceADay;
pub use rare_line::RareLine;
pub use series::{ListenerSeries, RouteSeries, UpstreamSeries};

use arc_swap::ArcSwapOption;
use audit::Audit;
use local::WorkerRequest;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;

/// Metrics, access log and audit log, shared by everything that runs.
#[derive(Default)]
pub struct Telemetry {
    /// Counters and gauges.
    pub metrics: Metrics,
    /// Users who were warned about because they came with an expired certificate.
    pub tolerated_today: OnceADay,
    /// Client certificates, for those who renew them.
    pub certificates: CertificatesSeen,
    access_log: ArcSwapOption<AccessLog>,
    audit: Audit,
    /// Threads that count for themselves.
    workers: Mutex<Vec<UnboundedSender<WorkerRequest>>>,
}

impl Telemetry {
    /// Puts an access log in force, keeping the one that is open if it is the same.
    ///
    /// # Errors
    /// If its file cannot be opened; the old log stays.
    pub fn set_access_log(&self, config: &AccessLogConfig) -> std::io::Result<()> {
        let current = self.access_log.load();
        if current.as_ref().is_some_and(|log| log.config() == config) {
            return Ok(());
        }
        self.access_log
            .store(Some(Arc::new(AccessLog::open(config)?)));
        Ok(())
    }

    /// Opens the access log anew, after its file was moved away. Then all earlier lines are in the old file, unless that
    /// takes longer than a second.
    ///
    /// # Errors
    /// If its file cannot be opened; the old log stays.
    pub fn reopen_access_log(&self, config: &AccessLogConfig) -> std::io::Result<()> {
        let new = Arc::new(AccessLog::open(config)?);
        let ended = self.access_log.swap(Some(new)).and_then(|old| old.ended());
        if let Some(ended) = ended {
            wait_for_end(&ended, "access", Duration::from_secs(1));
        }
        Ok(())
    }

    /// Writes out the lines that still wait, and takes no more. A disk that hangs is not waited for for ever.
    pub fn close_access_log(&self) {
        let ended = self.access_log.swap(None).and_then(|log| log.ended());
        if let Some(ended) = ended {
            wait_for_end(&ended, "access", Duration::from_secs(2));
        }
    }

    /// Whether lines are written at all; what nobody reads need not be put together.
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

    /// The metrics in Prometheus' text format, with what the workers have counted until now.
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

/// Waits until the thread of a log has written all, but not for ever.
fn wait_for_end(ended: &Receiver<()>, log: &str, patience: Duration) {
    if ended.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
        tracing::error!("the {log} log takes too long to be written; what still waits may be lost");
    }
}
