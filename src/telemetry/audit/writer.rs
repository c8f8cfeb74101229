//! The thread that writes the audit log. A line that does not fit into its queue is dropped and counted. Makes no line.

use super::AuditLogConfig;
use super::file::{AuditFile, Outcome};
use crate::telemetry::Metrics;
use crate::telemetry::line_queues::{LineQueues, LineReader};
use prometheus::IntCounter;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A running writer. It ends when nobody holds it any more and all is written.
pub(super) struct Writer {
    queues: LineQueues,
    shared: Arc<Shared>,
    dropped: IntCounter,
}

/// What the control thread and the writer see.
#[derive(Default)]
struct Shared {
    /// Whether there is something in `orders`.
    ordered: AtomicBool,
    orders: Mutex<Orders>,
}

/// From the control thread.
#[derive(Default)]
struct Orders {
    file: Option<AuditFile>,
    events: Vec<Vec<u8>>,
}

impl Shared {
    fn orders(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(file: AuditFile, metrics: &Metrics) -> io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let desk = Desk {
            file: Some(file),
            shared: shared.clone(),
            counts: Counts::of(metrics),
            told: None,
        };
        let queues = LineQueues::start("audit-log", move |reader| desk.work(reader))?;
        let dropped = metrics.audit_dropped.with_label_values(&["queue_full"]);
        Ok(Self {
            queues,
            shared,
            dropped,
        })
    }

    /// Hands a line over.
    pub(super) fn write(&self, line: &[u8]) {
        if self
            .queues
            .push(|lines| lines.extend_from_slice(line))
            .is_err()
        {
            self.dropped.inc();
        }
    }

    /// The same for the few lines that must not be dropped. Not for workers: takes a lock.
    pub(super) fn write_event(&self, line: Vec<u8>) {
        self.shared.orders().events.push(line);
        self.announce_orders();
    }

    /// Goes on in a file that is opened now.
    pub(super) fn reopen(&self, config: &AuditLogConfig) -> io::Result<()> {
        let file = AuditFile::open(config)?;
        self.shared.orders().file = Some(file);
        self.announce_orders();
        Ok(())
    }

    fn announce_orders(&self) {
        self.shared.ordered.store(true, Ordering::Release);
        self.queues.wake();
    }

    /// Disconnects when the writer has ended; only once.
    pub(super) fn ended(&self) -> Option<Receiver<()>> {
        self.queues.ended()
    }
}

/// Where the thread counts.
struct Counts {
    lines: IntCounter,
    lost: IntCounter,
    write_errors: IntCounter,
    rotate_errors: IntCounter,
}

impl Counts {
    fn of(metrics: &Metrics) -> Self {
        Self {
            lines: metrics.audit_lines.clone(),
            lost: metrics.audit_dropped.with_label_values(&["write_failed"]),
            write_errors: metrics.audit_errors.with_label_values(&["write"]),
            rotate_errors: metrics.audit_errors.with_label_values(&["rotate"]),
        }
    }
}

/// What the thread has.
struct Desk {
    /// Always there, but for the moment in which it is replaced.
    file: Option<AuditFile>,
    shared: Arc<Shared>,
    counts: Counts,
    /// When the log was last told of an error.
    told: Option<Instant>,
}

impl Desk {
    fn work(mut self, mut reader: LineReader) {
        let mut outcome = Outcome::default();
        loop {
            reader.take(|batch| self.append(batch, &mut outcome));
            self.obey(&mut outcome);
            self.flush(&mut outcome);
            if !reader.wait() {
                break;
            }
        }
        // The last order may have come after the last line.
        self.obey(&mut outcome);
        self.flush(&mut outcome);
        if let Some(file) = &self.file {
            file.sync();
        }
    }

    fn append(&mut self, batch: &[u8], outcome: &mut Outcome) {
        self.obey(outcome);
        if let Some(file) = &mut self.file {
            batch
                .split_inclusive(|byte| *byte == b'\n')
                .for_each(|line| file.append(line, outcome));
        }
    }

    /// Does what the control thread wants.
    fn obey(&mut self, outcome: &mut Outcome) {
        if !self.shared.ordered.swap(false, Ordering::Acquire) {
            return;
        }
        let Orders { file, events } = std::mem::take(&mut *self.shared.orders());
        if let Some(new) = file {
            self.file = Some(match self.file.take() {
                Some(old) => new.instead_of(old, outcome),
                None => new,
            });
        }
        for event in events {
            if let Some(file) = &mut self.file {
                file.append(&event, outcome);
            }
        }
    }

    fn flush(&mut self, outcome: &mut Outcome) {
        if let Some(file) = &mut self.file {
            file.flush(outcome);
        }
        let Outcome {
            written,
            lost,
            write_error,
            rotate_error,
        } = std::mem::take(outcome);
        self.counts.lines.inc_by(written);
        self.counts.lost.inc_by(lost);
        if let Some(error) = write_error {
            self.counts.write_errors.inc();
            self.tell(&error, "the audit log cannot be written; lines are lost");
        }
        if let Some(error) = rotate_error {
            self.counts.rotate_errors.inc();
            self.tell(&error, "the audit log cannot be rotated; it grows on");
        }
    }

    /// Once a minute: a disk stays full for a while.
    fn tell(&mut self, error: &io::Error, what: &str) {
        const PAUSE: Duration = Duration::from_secs(60);
        if self.told.is_none_or(|told| told.elapsed() >= PAUSE) {
            tracing::error!(%error, "{what}");
            self.told = Some(Instant::now());
        }
    }
}
