//! The number of connections of each worker, and the choice of the worker for a new connection.

use super::Workers;
use crate::telemetry::Metrics;
use prometheus::{IntCounter, IntGauge};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The open connections of one worker.
pub(super) struct Load {
    open: OwnCacheLine,
    gauge: IntGauge,
    total: IntCounter,
}

/// Prevents false sharing between the counters of two workers. 128 bytes, since processors fetch lines in pairs.
#[repr(align(128))]
struct OwnCacheLine(AtomicUsize);

impl Load {
    pub(super) fn new(index: usize, metrics: &Metrics) -> Self {
        let worker = index.to_string();
        Self {
            open: OwnCacheLine(AtomicUsize::new(0)),
            gauge: metrics
                .worker_connections_open
                .with_label_values(&[&worker]),
            total: metrics.worker_connections.with_label_values(&[&worker]),
        }
    }

    pub(super) fn open(&self) -> usize {
        self.open.0.load(Ordering::Relaxed)
    }
}

/// Counts a connection at its worker until this is dropped.
pub struct OpenConnection {
    workers: Workers,
    index: usize,
}

impl OpenConnection {
    pub(super) fn new(workers: Workers, index: usize) -> Self {
        if let Some(load) = workers.load(index) {
            load.open.0.fetch_add(1, Ordering::Relaxed);
            load.gauge.inc();
            load.total.inc();
        }
        Self { workers, index }
    }

    /// All workers.
    pub fn workers(&self) -> &Workers {
        &self.workers
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        if let Some(load) = self.workers.load(self.index) {
            load.open.0.fetch_sub(1, Ordering::Relaxed);
            load.gauge.dec();
        }
    }
}

/// The worker that serves a connection accepted by `accepting`. The kernel distributes connections by a hash, which is even
/// only for many connections. With a few long-lived ones, some workers would have several and others none. Moving costs more
/// than staying, so a worker keeps its connection unless it would exceed the least loaded by over an eighth, and by more than one.
pub(super) fn choose(accepting: usize, open: impl Iterator<Item = usize> + Clone) -> usize {
    let Some(own) = open.clone().nth(accepting) else {
        return 0;
    };
    // Of several with the same count, the lowest index: they fill up in turn.
    let Some((least_loaded, least)) = open.enumerate().min_by_key(|(_, open)| *open) else {
        return accepting;
    };
    let with_this_one = own.saturating_add(1);
    if with_this_one > least.saturating_add(1 + least / 8) {
        least_loaded
    } else {
        accepting
    }
}

#[cfg(test)]
mod tests {
    use super::choose;
    use proptest::prelude::*;

    #[test]
    fn a_worker_keeps_what_it_accepts_unless_it_has_clearly_more() {
        let chosen = |accepting, open: &[usize]| choose(accepting, open.iter().copied());
        assert_eq!(chosen(1, &[0, 0]), 1, "no worker has any");
        assert_eq!(chosen(1, &[0, 1]), 0, "one has none");
        assert_eq!(chosen(0, &[0, 1]), 0);
        assert_eq!(chosen(1, &[8, 9]), 1, "an eighth more is fair");
        assert_eq!(chosen(1, &[8, 10]), 0);
        assert_eq!(
            chosen(2, &[80, 7, 90, 7]),
            1,
            "the first of the least loaded"
        );
        assert_eq!(chosen(0, &[5]), 0, "alone");
    }

    proptest! {
        /// Open connections are distributed evenly for any accepting worker.
        #[test]
        fn no_worker_has_many_more_than_another(
            workers in 1usize..9,
            accepting in prop::collection::vec(0usize..64, 0..400),
        ) {
            let mut open = vec![0usize; workers];
            for chance in accepting {
                let chosen = choose(chance % workers, open.iter().copied());
                open[chosen] += 1;
                let least = *open.iter().min().expect("one");
                let most = *open.iter().max().expect("one");
                prop_assert!(most <= least + 1 + least / 8, "{open:?}");
            }
        }
    }
}
