//! The audit log of decisions and active snapshots. Lines go through bounded queues to a separate
//! thread, so no thread waits for a disk; overflow is counted.

mod entry;
mod file;
mod recent;
mod writer;

pub use entry::{AuditCut, AuditDecision, AuditOverlay, AuditRejectedSnapshot, AuditSnapshot};
pub(super) use recent::RecentDecisions;

use super::{Metrics, Telemetry, wait_for_end};
use crate::config::AuditedDecisions;
use arc_swap::ArcSwapOption;
use file::AuditFile;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use writer::AuditWriter;

/// Target and content of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditLogConfig {
    /// The file to append to.
    pub path: PathBuf,
    /// The decisions to log.
    pub decisions: AuditedDecisions,
    /// Maximum bytes of a file; `None` is no limit.
    pub size_limit: Option<u64>,
    /// Number of rotated files that are kept.
    pub keep: u32,
}

/// An open audit log.
struct AuditLog {
    config: AuditLogConfig,
    writer: Arc<AuditWriter>,
}

/// Whether a log was reopened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reopened {
    /// The log was reopened.
    Yes,
    /// No log is configured.
    NoLog,
}

/// Storage of decisions: the log, and the memory of recent ones.
#[derive(Default)]
pub(super) struct Audit {
    log: ArcSwapOption<AuditLog>,
    /// Seconds for which each worker keeps its decisions; 0 keeps none.
    recent_for: AtomicU64,
    /// Whether decisions are logged or kept. Every request reads it.
    on: AtomicBool,
    /// The active snapshot, or the one about to become active.
    generation: AtomicU64,
    /// The overlay on the snapshot.
    overlay: AtomicU64,
}

impl Audit {
    fn update_on(&self) {
        let on = self.log.load().is_some() || self.recent_for.load(Ordering::Relaxed) > 0;
        self.on.store(on, Ordering::Relaxed);
    }

    pub(super) fn recent_for(&self) -> u64 {
        self.recent_for.load(Ordering::Relaxed)
    }
}

impl Telemetry {
    /// Activates an audit log. Keeps the open one if the config is equal.
    ///
    /// # Errors
    /// If its file cannot be opened; then nothing changes.
    pub fn set_audit_log(&self, config: Option<&AuditLogConfig>) -> std::io::Result<()> {
        let current = self.audit.log.load_full();
        if current.as_ref().map(|log| &log.config) == config {
            return Ok(());
        }
        let log = config
            .map(|config| AuditLog::open(config, current.as_deref(), &self.metrics))
            .transpose()?;
        self.audit.log.store(log.map(Arc::new));
        self.audit.update_on();
        Ok(())
    }

    /// Reopens the audit log file, after it was moved.
    ///
    /// # Errors
    /// If it cannot be opened; the old file is kept.
    pub fn reopen_audit_log(&self) -> std::io::Result<Reopened> {
        match self.audit.log.load_full() {
            Some(log) => log.writer.reopen(&log.config).map(|()| Reopened::Yes),
            None => Ok(Reopened::NoLog),
        }
    }

    /// Writes the queued lines and accepts no more. Stops waiting after a timeout if the disk
    /// hangs.
    pub fn close_audit_log(&self) {
        let log = self.audit.log.swap(None);
        self.audit.update_on();
        let Some(ended) = log.as_ref().and_then(|log| log.writer.ended()) else {
            return;
        };
        drop(log);
        wait_for_end(&ended, "audit", Duration::from_secs(10));
    }

    /// Sets the snapshot that becomes active next. Call it before the activation, so that withdrawn
    /// permissions name that snapshot.
    pub fn audit_version(&self, generation: u64, overlay: u64) {
        self.audit.generation.store(generation, Ordering::Relaxed);
        self.audit.overlay.store(overlay, Ordering::Relaxed);
    }

    /// Sets how long each worker keeps its decisions for the admin listener; zero keeps none.
    pub fn remember_decisions_for(&self, time: Duration) {
        // Rounds up, so that a fraction of a second does not become zero.
        let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
        self.audit.recent_for.store(seconds, Ordering::Relaxed);
        self.audit.update_on();
    }

    /// Whether workers keep decisions.
    pub fn remembers_decisions(&self) -> bool {
        self.audit.recent_for() > 0
    }

    /// Whether decisions are logged or kept. If not, entries need not be built.
    pub fn audits(&self) -> bool {
        self.audit.on.load(Ordering::Relaxed)
    }

    /// Records a decision. `certificate` is a JSON value that was rendered once per client.
    pub fn audit_decision(&self, mut entry: AuditDecision<'_>, certificate: Option<&str>) {
        let log = self.audit.log.load();
        let sampled = log.as_ref().map(|log| log.config.decisions);
        let wanted = sampled.is_some_and(|decisions| entry.is_wanted(decisions));
        let recent_for = self.audit.recent_for();
        if !wanted && recent_for == 0 {
            return;
        }
        if let (true, Some(AuditedDecisions::Sample(share))) = (wanted, sampled) {
            entry.sample = entry.may_be_left_out().then_some(share);
        }
        let Ok(mut line) = serde_json::to_vec(&entry) else {
            return;
        };
        if let Some(certificate) = certificate {
            // After the last field, within the brace.
            line.pop();
            line.extend_from_slice(b",\"certificate\":");
            line.extend_from_slice(certificate.as_bytes());
            line.push(b'}');
        }
        line.push(b'\n');
        if recent_for > 0 {
            self.remember(&line);
        }
        if let (true, Some(log)) = (wanted, log.as_ref()) {
            log.writer.write(&line);
        }
    }

    /// Records the withdrawal of a permission.
    pub fn audit_cut(&self, mut cut: AuditCut<'_>) {
        cut.generation = self.audit.generation.load(Ordering::Relaxed);
        cut.overlay = self.audit.overlay.load(Ordering::Relaxed);
        if let (Some(log), Some(line)) = (self.audit.log.load().as_ref(), line_of(&cut)) {
            log.writer.write(&line);
        }
    }

    /// Whether there is an audit log.
    pub fn has_audit_log(&self) -> bool {
        self.audit.log.load().is_some()
    }

    /// Records the activation or rejection of a snapshot. These lines are never dropped.
    pub fn audit_event(&self, event: &impl Serialize) {
        if let (Some(log), Some(line)) = (self.audit.log.load().as_ref(), line_of(event)) {
            log.writer.write_event(line);
        }
    }
}

fn line_of(event: &impl Serialize) -> Option<Vec<u8>> {
    let mut line = serde_json::to_vec(event).ok()?;
    line.push(b'\n');
    Some(line)
}

impl AuditLog {
    /// Opens a log. A log on the same file continues with the new settings, since two writers would
    /// conflict in rotation.
    fn open(
        config: &AuditLogConfig,
        current: Option<&Self>,
        metrics: &Metrics,
    ) -> std::io::Result<Self> {
        let config = config.clone();
        if let Some(same) = current.filter(|log| log.config.path == config.path) {
            same.writer.reopen(&config)?;
            return Ok(Self {
                config,
                writer: same.writer.clone(),
            });
        }
        let writer = Arc::new(AuditWriter::start(AuditFile::open(&config)?, metrics)?);
        Ok(Self { config, writer })
    }
}

#[cfg(test)]
mod tests;
