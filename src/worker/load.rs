//! How many connections each worker serves, and which worker takes the next one. Moves no connection itself.

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

/// Two workers' counts in one cache line would slow each other down. 128, since processors fetch lines in pairs.
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

/// A connection, counted at its worker until this is dropped.
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

    /// The way to all workers.
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

/// Which worker serves a connection that `accepting` has accepted. The kernel spreads connections by a hash, which is
/// fair only for many; with few that live long, some workers would have several and others none. To stay is cheaper,
/// so a worker keeps what it accepts unless it would have over an eighth, and more than one, above the least loaded.
pub(super) fn choose(accepting: usize, open: impl Iterator<Item = usize> + Clone) -> usize {
    let Some(own) = open.clone().nth(accepting) else {
        return 0;
    };
    // Of several with as few, the lowest: they fill up in turn.
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
        assert_eq!(chosen(1, &[0, 0]), 1, "nobody has any");
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
        /// Whoever accepts, the spread of connections that stay open is fair.
        #[test]
        fn nobody_has_much_more_than_another(
            workers in 1usize..9,
            accepting in prop::collection::vec(0usize..64, 0..400),
        ) {
            let mut open = vec![0usize; workers];
            for chance in accepting {
                let chosen = choose(chance % workers, open.iter().copied());
                open[chosen] += 1;
                let (least, most) = (*open.iter().min().expect("one"), *open.iter().max().expect("one"));
                prop_assert!(most <= least + 1 + least / 8, "{open:?}");
            }
        }
    }
}
