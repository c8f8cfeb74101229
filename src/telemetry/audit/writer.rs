//! The thread that writes the audit log, and the bounded queue to it. Whoever has a line never waits: what does not fit
//! is dropped and counted. Makes no line.

use super::AuditLogConfig;
use super::file::{AuditFile, Outcome};
use crate::telemetry::Metrics;
use prometheus::IntCounter;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// So many lines may wait, and so many bytes of them.
const MOST_LINES: usize = 16 * 1024;
const MOST_BYTES: usize = 32 * 1024 * 1024;
/// What comes within this is written at once. Whoever sends meanwhile wakes nobody.
const GATHER: Duration = Duration::from_millis(5);

/// A running writer. It ends when nobody holds it any more and all is written.
pub(super) struct Writer {
    queue: SyncSender<Vec<u8>>,
    shared: Arc<Shared>,
    dropped: IntCounter,
    ended: Mutex<Option<Receiver<()>>>,
}

/// What both sides of the queue see.
#[derive(Default)]
struct Shared {
    waiting_bytes: AtomicUsize,
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
        let (queue, lines) = sync_channel(MOST_LINES);
        let (running, ended) = sync_channel(1);
        let shared = Arc::<Shared>::default();
        let desk = Desk { file: Some(file), shared: shared.clone(), counts: Counts::of(metrics), told: None };
        std::thread::Builder::new().name("audit-log".to_owned()).spawn(move || {
            desk.work(&lines);
            // Only now, so that who waits for the end waits for the last line.
            drop::<SyncSender<()>>(running);
        })?;
        let dropped = metrics.audit_dropped.with_label_values(&["queue_full"]);
        Ok(Self { queue, shared, dropped, ended: Mutex::new(Some(ended)) })
    }

    /// Hands a line over.
    pub(super) fn write(&self, line: Vec<u8>) {
        let length = line.len();
        let waiting = self.shared.waiting_bytes.fetch_add(length, Ordering::Relaxed);
        if waiting > MOST_BYTES || self.queue.try_send(line).is_err() {
            self.shared.waiting_bytes.fetch_sub(length, Ordering::Relaxed);
            self.dropped.inc();
        }
    }

    /// The same for the few lines that must not be dropped. Not for workers: takes a lock.
    pub(super) fn write_event(&self, line: Vec<u8>) {
        self.shared.orders().events.push(line);
        self.knock();
    }

    /// Goes on in a file that is opened now.
    pub(super) fn reopen(&self, config: &AuditLogConfig) -> io::Result<()> {
        let file = AuditFile::open(config)?;
        self.shared.orders().file = Some(file);
        self.knock();
        Ok(())
    }

    fn knock(&self) {
        self.shared.ordered.store(true, Ordering::Release);
        // If the queue is full, the thread is awake and sees it anyway.
        let _ = self.queue.try_send(Vec::new());
    }

    /// Hears of the end; only once.
    pub(super) fn ended(&self) -> Option<Receiver<()>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).take()
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
    fn work(mut self, lines: &Receiver<Vec<u8>>) {
        let mut outcome = Outcome::default();
        while let Ok(first) = lines.recv() {
            self.take(&first, &mut outcome);
            let mut last = Ok(());
            while last.is_ok() {
                last = lines.try_recv().map(|line| self.take(&line, &mut outcome));
            }
            self.flush(&mut outcome);
            if last == Err(TryRecvError::Empty) {
                std::thread::sleep(GATHER);
            }
        }
        self.obey(&mut outcome);
        self.flush(&mut outcome);
        if let Some(file) = &self.file {
            file.sync();
        }
    }

    fn take(&mut self, line: &[u8], outcome: &mut Outcome) {
        self.obey(outcome);
        self.shared.waiting_bytes.fetch_sub(line.len(), Ordering::Relaxed);
        if let (Some(file), false) = (&mut self.file, line.is_empty()) {
            file.append(line, outcome);
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
        let Outcome { written, lost, write_error, rotate_error } = std::mem::take(outcome);
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
