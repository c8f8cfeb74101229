//! The thread that writes the audit log. A line that does not fit into its queue is dropped and
//! counted.

use super::AuditLogConfig;
use super::file::{AuditFile, WriteOutcome};
use crate::telemetry::Metrics;
use crate::telemetry::line_queues::{LineQueues, LineReader};
use prometheus::IntCounter;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A running writer. It ends after it is dropped and all lines are written.
pub(super) struct AuditWriter {
    queues: LineQueues,
    shared: Arc<SharedChanges>,
    dropped: IntCounter,
}

/// State shared by the control thread and the writer.
#[derive(Default)]
struct SharedChanges {
    /// Whether `pending` has changes.
    has_changes: AtomicBool,
    pending: Mutex<PendingChanges>,
}

/// Changes from the control thread.
#[derive(Default)]
struct PendingChanges {
    file: Option<AuditFile>,
    events: Vec<Vec<u8>>,
}

impl SharedChanges {
    fn pending(&self) -> MutexGuard<'_, PendingChanges> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AuditWriter {
    /// Starts the thread.
    pub(super) fn start(file: AuditFile, metrics: &Metrics) -> io::Result<Self> {
        let shared = Arc::<SharedChanges>::default();
        let thread = WriterThread {
            file: Some(file),
            shared: shared.clone(),
            counts: AuditCounters::of(metrics),
            last_logged: None,
        };
        let queues = LineQueues::start("audit-log", move |reader| thread.run(reader))?;
        let dropped = metrics.audit_dropped.with_label_values(&["queue_full"]);
        Ok(Self {
            queues,
            shared,
            dropped,
        })
    }

    /// Queues a line.
    pub(super) fn write(&self, line: &[u8]) {
        if self
            .queues
            .push(|lines| lines.extend_from_slice(line))
            .is_err()
        {
            self.dropped.inc();
        }
    }

    /// Queues a line that must not be dropped. Takes a lock, so workers must not call it.
    pub(super) fn write_event(&self, line: Vec<u8>) {
        self.shared.pending().events.push(line);
        self.announce_changes();
    }

    /// Continues in a newly opened file.
    pub(super) fn reopen(&self, config: &AuditLogConfig) -> io::Result<()> {
        let file = AuditFile::open(config)?;
        self.shared.pending().file = Some(file);
        self.announce_changes();
        Ok(())
    }

    fn announce_changes(&self) {
        self.shared.has_changes.store(true, Ordering::Release);
        self.queues.wake();
    }

    /// A channel that disconnects when the writer has ended. `None` if it was taken before.
    pub(super) fn ended(&self) -> Option<Receiver<()>> {
        self.queues.ended()
    }
}

/// The counters of the thread.
struct AuditCounters {
    lines: IntCounter,
    lost: IntCounter,
    write_errors: IntCounter,
    rotate_errors: IntCounter,
}

impl AuditCounters {
    fn of(metrics: &Metrics) -> Self {
        Self {
            lines: metrics.audit_lines.clone(),
            lost: metrics.audit_dropped.with_label_values(&["write_failed"]),
            write_errors: metrics.audit_errors.with_label_values(&["write"]),
            rotate_errors: metrics.audit_errors.with_label_values(&["rotate"]),
        }
    }
}

/// The state of the thread.
struct WriterThread {
    /// Only `None` while it is replaced.
    file: Option<AuditFile>,
    shared: Arc<SharedChanges>,
    counts: AuditCounters,
    /// Time of the last logged error.
    last_logged: Option<Instant>,
}

impl WriterThread {
    fn run(mut self, mut reader: LineReader) {
        let mut outcome = WriteOutcome::default();
        loop {
            reader.take(|batch| self.append(batch, &mut outcome));
            self.apply_changes(&mut outcome);
            self.flush(&mut outcome);
            if !reader.wait() {
                break;
            }
        }
        // The last change may follow the last line.
        self.apply_changes(&mut outcome);
        self.flush(&mut outcome);
        if let Some(file) = &self.file {
            file.sync();
        }
    }

    fn append(&mut self, batch: &[u8], outcome: &mut WriteOutcome) {
        self.apply_changes(outcome);
        if let Some(file) = &mut self.file {
            batch
                .split_inclusive(|byte| *byte == b'\n')
                .for_each(|line| file.append(line, outcome));
        }
    }

    /// Applies the changes of the control thread.
    fn apply_changes(&mut self, outcome: &mut WriteOutcome) {
        if !self.shared.has_changes.swap(false, Ordering::Acquire) {
            return;
        }
        let PendingChanges { file, events } = std::mem::take(&mut *self.shared.pending());
        if let Some(new) = file {
            self.file = Some(match self.file.take() {
                Some(old) => new.replacing(old, outcome),
                None => new,
            });
        }
        for event in events {
            if let Some(file) = &mut self.file {
                file.append(&event, outcome);
            }
        }
    }

    fn flush(&mut self, outcome: &mut WriteOutcome) {
        if let Some(file) = &mut self.file {
            file.flush(outcome);
        }
        let WriteOutcome {
            written,
            lost,
            write_error,
            rotate_error,
        } = std::mem::take(outcome);
        self.counts.lines.inc_by(written);
        self.counts.lost.inc_by(lost);
        if let Some(error) = write_error {
            self.counts.write_errors.inc();
            self.log_error(&error, "the audit log cannot be written; lines are lost");
        }
        if let Some(error) = rotate_error {
            self.counts.rotate_errors.inc();
            self.log_error(&error, "the audit log cannot be rotated; it grows further");
        }
    }

    /// Logs an error at most once a minute, since a disk stays full for a while.
    fn log_error(&mut self, error: &io::Error, message: &str) {
        const PAUSE: Duration = Duration::from_secs(60);
        if self
            .last_logged
            .is_none_or(|logged| logged.elapsed() >= PAUSE)
        {
            tracing::error!(%error, "{message}");
            self.last_logged = Some(Instant::now());
        }
    }
}
