//! Queues log lines for the thread that writes them. Each thread appends to its own queue, so that
//! workers share no cache line that a log line modifies. Knows neither files nor the meaning of
//! lines.

use crate::thread_state::{self, StateKey, ThreadState};
use std::any::Any;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::Thread;
use std::time::Duration;

/// Maximum queued bytes per thread, not counting the last line.
const MAX_QUEUED: usize = 8 * 1024 * 1024;
/// Capacity that an emptied queue keeps.
const KEPT_CAPACITY: usize = 256 * 1024;
/// Pause of the writer after a batch, so that lines in the meantime cause no wake-up.
const BATCH_INTERVAL: Duration = Duration::from_millis(5);

/// The sending side of a log. The writer ends after this is dropped and all queues are empty.
pub(super) struct LineQueues {
    key: StateKey,
    shared: Arc<SharedQueues>,
    ended: Mutex<Option<Receiver<()>>>,
}

/// A queue had no room for a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct QueueFull;

#[derive(Default)]
struct SharedQueues {
    queues: Mutex<Vec<Arc<Queue>>>,
    /// Set once, before the first line.
    writer: OnceLock<Thread>,
    is_closed: AtomicBool,
}

/// The queue of one thread. Processors fetch two cache lines at a time, hence the alignment.
#[repr(align(128))]
struct Queue {
    lines: Mutex<Vec<u8>>,
    /// Swapped with `lines` by the writer. Only the writer locks it.
    batch: Mutex<Vec<u8>>,
    /// The writer sets this before it sleeps; the thread that clears it wakes the writer.
    writer_sleeps: AtomicBool,
}

/// A thread's handle of its queue.
struct OwnQueue(Arc<Queue>);

impl ThreadState for OwnQueue {
    fn take_stale(&mut self) -> Box<dyn Any> {
        Box::new(())
    }
}

impl LineQueues {
    /// Starts a thread with this name, which runs `write`.
    ///
    /// # Errors
    /// If the thread cannot be created.
    pub(super) fn start(
        name: &str,
        write: impl FnOnce(LineReader) + Send + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::<SharedQueues>::default();
        let reader = LineReader {
            shared: shared.clone(),
            queues: Vec::new(),
            next: WriterStep::Sleep,
        };
        let (running, ended) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                write(reader);
                // Signals the end only after the last line is written.
                drop::<SyncSender<()>>(running);
            })?;
        let _ = shared.writer.set(thread.thread().clone());
        Ok(Self {
            key: StateKey::new(),
            shared,
            ended: Mutex::new(Some(ended)),
        })
    }

    /// Appends the line that `write_line` writes, including its line feed. Never waits for the
    /// disk.
    ///
    /// # Errors
    /// [`QueueFull`] if the limit is reached. Then `write_line` is not called.
    pub(super) fn push(&self, write_line: impl FnOnce(&mut Vec<u8>)) -> Result<(), QueueFull> {
        let add_queue = || OwnQueue(self.shared.add_queue());
        thread_state::with(&self.key, add_queue, |own| {
            own.0.push(write_line, &self.shared)
        })
        .unwrap_or(Err(QueueFull))
    }

    /// Wakes the writer without a line.
    pub(super) fn wake(&self) {
        self.shared.wake();
    }

    /// A channel that disconnects when the writer has ended. `None` if it was taken before.
    pub(super) fn ended(&self) -> Option<Receiver<()>> {
        lock(&self.ended).take()
    }
}

impl Drop for LineQueues {
    fn drop(&mut self) {
        self.shared.is_closed.store(true, Ordering::Release);
        self.shared.wake();
    }
}

impl SharedQueues {
    fn add_queue(&self) -> Arc<Queue> {
        // The writer has not seen this queue and may be asleep.
        let queue = Queue {
            lines: Mutex::default(),
            batch: Mutex::default(),
            writer_sleeps: AtomicBool::new(true),
        };
        let queue = Arc::new(queue);
        lock(&self.queues).push(queue.clone());
        queue
    }

    fn wake(&self) {
        if let Some(writer) = self.writer.get() {
            writer.unpark();
        }
    }
}

impl Queue {
    fn push(
        &self,
        write_line: impl FnOnce(&mut Vec<u8>),
        shared: &SharedQueues,
    ) -> Result<(), QueueFull> {
        let mut lines = lock(&self.lines);
        if lines.len() >= MAX_QUEUED {
            return Err(QueueFull);
        }
        write_line(&mut lines);
        drop(lines);
        // The lock orders this after the writer's last check of the queue: it has seen the line, or
        // the flag is set.
        if self.writer_sleeps.load(Ordering::Relaxed)
            && self.writer_sleeps.swap(false, Ordering::Relaxed)
        {
            shared.wake();
        }
        Ok(())
    }

    fn is_empty(&self) -> bool {
        lock(&self.lines).is_empty()
    }
}

/// The receiving side, for the writer.
pub(super) struct LineReader {
    shared: Arc<SharedQueues>,
    /// The queues at the last check.
    queues: Vec<Arc<Queue>>,
    next: WriterStep,
}

/// The writer's next step after it has checked all queues.
#[derive(Clone, Copy, PartialEq, Eq)]
enum WriterStep {
    /// There were lines.
    Pause,
    /// There were no lines.
    Sleep,
    /// There were none, and no line can follow.
    End,
}

impl LineReader {
    /// Empties all queues and passes their content to `write`: whole lines, in order per thread.
    /// Does not wait.
    pub(super) fn take(&mut self, mut write: impl FnMut(&[u8])) {
        // Read first, so that lines queued before the end are found below.
        let is_closed = self.shared.is_closed.load(Ordering::Acquire);
        self.next = if is_closed {
            WriterStep::End
        } else {
            WriterStep::Sleep
        };
        self.update_queues();
        for queue in &self.queues {
            let mut batch = lock(&queue.batch);
            std::mem::swap(&mut *lock(&queue.lines), &mut *batch);
            if !batch.is_empty() {
                self.next = WriterStep::Pause;
                write(&batch);
                batch.clear();
                batch.shrink_to(KEPT_CAPACITY);
            }
        }
    }

    /// Takes and waits until no line can follow.
    pub(super) fn take_all(mut self, mut write: impl FnMut(&[u8])) {
        loop {
            self.take(&mut write);
            if !self.wait() {
                return;
            }
        }
    }

    /// Adds new queues and removes those of ended threads.
    fn update_queues(&mut self) {
        self.queues.clear();
        let mut queues = lock(&self.shared.queues);
        queues.retain(|queue| Arc::strong_count(queue) > 1 || !queue.is_empty());
        self.queues.extend(queues.iter().cloned());
    }

    /// Waits until `take` is worth calling again. `false`: all lines are written and none can
    /// follow.
    pub(super) fn wait(&mut self) -> bool {
        match self.next {
            WriterStep::Pause => std::thread::sleep(BATCH_INTERVAL),
            WriterStep::Sleep => self.sleep(),
            WriterStep::End => {}
        }
        self.next != WriterStep::End
    }

    /// Sleeps until there is a line or [`LineQueues::wake`] is called.
    fn sleep(&self) {
        for queue in &self.queues {
            queue.writer_sleeps.store(true, Ordering::Relaxed);
        }
        if self.queues.iter().all(|queue| queue.is_empty()) {
            std::thread::park();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn every_line_of_every_thread_arrives_in_the_order_of_its_thread() {
        let written = Arc::<Mutex<Vec<u8>>>::default();
        let for_writer = written.clone();
        let write = move |batch: &[u8]| lock(&for_writer).extend_from_slice(batch);
        let queues =
            Arc::new(LineQueues::start("lines", move |reader| reader.take_all(write)).unwrap());
        let ended = queues.ended().unwrap();
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let queues = queues.clone();
                std::thread::spawn(move || {
                    for number in 0..10_000 {
                        let line = format!("{thread} {number}\n");
                        queues
                            .push(|lines| lines.extend_from_slice(line.as_bytes()))
                            .unwrap();
                        if number % 1000 == 0 {
                            // Lets the writer fall asleep now and then.
                            std::thread::yield_now();
                        }
                    }
                })
            })
            .collect();
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
        drop(queues);
        assert!(ended.recv().is_err(), "the writer ends");
        let written = String::from_utf8(std::mem::take(&mut *lock(&written))).unwrap();
        for thread in 0..4 {
            let prefix = format!("{thread} ");
            let numbers = written
                .lines()
                .filter_map(|line| line.strip_prefix(&prefix));
            assert!(
                numbers.eq((0..10_000).map(|number: u32| number.to_string())),
                "thread {thread}"
            );
        }
    }

    #[test]
    fn a_line_wakes_a_sleeping_writer_and_so_does_a_call() {
        let (sender, seen) = channel();
        let queues = LineQueues::start("lines", move |mut reader| {
            loop {
                let mut batches = Vec::new();
                reader.take(|batch| batches.push(batch.to_vec()));
                sender.send(batches.concat()).unwrap();
                if !reader.wait() {
                    return;
                }
            }
        })
        .unwrap();
        let patience = Duration::from_secs(30);
        assert_eq!(seen.recv_timeout(patience).unwrap(), b"");
        for _ in 0..3 {
            queues
                .push(|lines| lines.extend_from_slice(b"a\n"))
                .unwrap();
            assert!(
                std::iter::from_fn(|| seen.recv_timeout(patience).ok())
                    .any(|batch| batch == b"a\n")
            );
            // After a pause it finds nothing, and sleeps.
            assert_eq!(seen.recv_timeout(patience).unwrap(), b"");
            queues.wake();
            assert_eq!(seen.recv_timeout(patience).unwrap(), b"");
        }
    }

    #[test]
    fn a_writer_that_hangs_costs_lines_but_no_time() {
        let (go_on, held) = channel::<()>();
        let written = Arc::<Mutex<usize>>::default();
        let for_writer = written.clone();
        let queues = LineQueues::start("lines", move |reader| {
            let _ = held.recv();
            reader.take_all(|batch| *lock(&for_writer) += batch.len());
        })
        .unwrap();
        let line = [b'x'; 64 * 1024];
        let push = || queues.push(|lines| lines.extend_from_slice(&line));
        let fitting = MAX_QUEUED / line.len();
        assert!((0..fitting).all(|_| push().is_ok()));
        assert_eq!(push(), Err(QueueFull));
        let ended = queues.ended().unwrap();
        drop((go_on, queues));
        assert!(ended.recv().is_err(), "the writer ends");
        assert_eq!(*lock(&written), MAX_QUEUED);
    }
}
