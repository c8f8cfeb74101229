//! How many connections a listener has open, over all workers, and the place of one among them. Refuses none itself.

use crate::worker;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// The open connections of a listener.
pub(super) struct OpenConnections {
    count: AtomicU32,
    gauge: prometheus::IntGauge,
}

impl OpenConnections {
    pub(super) fn new(gauge: prometheus::IntGauge) -> Arc<Self> {
        Arc::new(Self { count: AtomicU32::new(0), gauge })
    }

    /// A place, if there is one left.
    pub(super) fn take(open: &Arc<Self>, limit: u32, at_worker: worker::OpenConnection) -> Option<ConnectionPlace> {
        let before = open.count.fetch_add(1, Ordering::Relaxed);
        open.gauge.inc();
        let place = Place { listener: open.clone(), _worker: at_worker };
        (before < limit).then(|| ConnectionPlace { _place: Arc::new(place) })
    }
}

/// A connection's place among those that may be open; given back when the last clone is dropped.
#[derive(Clone)]
pub struct ConnectionPlace {
    _place: Arc<Place>,
}

struct Place {
    listener: Arc<OpenConnections>,
    _worker: worker::OpenConnection,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.listener.count.fetch_sub(1, Ordering::Relaxed);
        self.listener.gauge.dec();
    }
}
