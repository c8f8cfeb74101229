//! The audit log: what was decided and what came into force, for those who answer for it later. Lines go through
//! bounded queues to a thread of its own, so no thread waits for a disk; what does not fit is counted. Decides nothing.

mod entry;
mod file;
mod recent;
mod writer;

pub use entry::{AuditCut, AuditDecision, AuditOverlay, AuditRefusedSnapshot, AuditSnapshot};
pub(super) use recent::Recent;

use super::{Metrics, Telemetry, wait_for_end};
use crate::config::AuditedDecisions;
use arc_swap::ArcSwapOption;
use file::AuditFile;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use writer::Writer;

/// Where the audit log goes and what is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditLogConfig {
    /// File to append to.
    pub path: PathBuf,
    /// Which decisions.
    pub decisions: AuditedDecisions,
    /// Longest file; `None` is no limit.
    pub size_limit: Option<u64>,
    /// How many older files are kept.
    pub keep: u32,
}

/// An open audit log.
struct AuditLog {
    config: AuditLogConfig,
    writer: Arc<Writer>,
}

/// Whether a log was opened anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reopened {
    /// It was.
    Yes,
    /// There is no such log.
    ThereIsNone,
}

/// What is kept of decisions, and for how long.
#[derive(Default)]
pub(super) struct Audit {
    log: ArcSwapOption<AuditLog>,
    /// For how many seconds each worker remembers its decisions; 0 is not at all.
    recent_for: AtomicU64,
    /// Whether there is either, which every request asks.
    on: AtomicBool,
    /// The snapshot in force, or about to be.
    generation: AtomicU64,
    /// The overlay on it.
    overlay: AtomicU64,
}

impl Audit {
    fn note_whether_on(&self) {
        let on = self.log.load().is_some() || self.recent_for.load(Ordering::Relaxed) > 0;
        self.on.store(on, Ordering::Relaxed);
    }

    pub(super) fn recent_for(&self) -> u64 {
        self.recent_for.load(Ordering::Relaxed)
    }
}

impl Telemetry {
    /// Puts an audit log in force, keeping what is open if it is the same.
    ///
    /// # Errors
    /// If its file cannot be opened; then all stays as it was.
    pub fn set_audit_log(&self, config: Option<&AuditLogConfig>) -> std::io::Result<()> {
        let current = self.audit.log.load_full();
        if current.as_ref().map(|log| &log.config) == config {
            return Ok(());
        }
        let log = config
            .map(|config| AuditLog::open(config, current.as_deref(), &self.metrics))
            .transpose()?;
        self.audit.log.store(log.map(Arc::new));
        self.audit.note_whether_on();
        Ok(())
    }

    /// Opens the file of the audit log anew, after it was moved away.
    ///
    /// # Errors
    /// If it cannot be opened; the old one stays.
    pub fn reopen_audit_log(&self) -> std::io::Result<Reopened> {
        match self.audit.log.load_full() {
            Some(log) => log.writer.reopen(&log.config).map(|()| Reopened::Yes),
            None => Ok(Reopened::ThereIsNone),
        }
    }

    /// Writes out the lines that still wait, and takes no more. A disk that hangs is not waited for for ever.
    pub fn close_audit_log(&self) {
        let log = self.audit.log.swap(None);
        self.audit.note_whether_on();
        let Some(ended) = log.as_ref().and_then(|log| log.writer.ended()) else {
            return;
        };
        drop(log);
        wait_for_end(&ended, "audit", Duration::from_secs(10));
    }

    /// The snapshot that comes into force next; to be told before it does, so that what is cut by it names it.
    pub fn audit_version(&self, generation: u64, overlay: u64) {
        self.audit.generation.store(generation, Ordering::Relaxed);
        self.audit.overlay.store(overlay, Ordering::Relaxed);
    }

    /// For how long each worker remembers what it decides, for the admin listener; zero is not at all.
    pub fn remember_decisions_for(&self, time: Duration) {
        // What is shorter than a second is still something.
        let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
        self.audit.recent_for.store(seconds, Ordering::Relaxed);
        self.audit.note_whether_on();
    }

    /// Whether decisions are remembered there.
    pub fn remembers_decisions(&self) -> bool {
        self.audit.recent_for() > 0
    }

    /// Whether anybody wants to know of decisions; what nobody reads need not be put together.
    pub fn audits(&self) -> bool {
        self.audit.on.load(Ordering::Relaxed)
    }

    /// Tells of a decision. `certificate` is a JSON value that was made once for the client.
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
            // Behind the last field, within the brace.
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

    /// Tells that something was cut.
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

    /// Tells of a snapshot, or of one that was refused. These are never dropped for want of room.
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
    /// Opens a log. What is written to the same file already goes on with the new settings, since two writers would
    /// rotate it under each other's feet.
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
        let writer = Arc::new(Writer::start(AuditFile::open(&config)?, metrics)?);
        Ok(Self { config, writer })
    }
}

#[cfg(test)]
mod tests;
