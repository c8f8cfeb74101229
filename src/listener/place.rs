//! Which connections of a listener may be open, over all workers, and the place of one among them. Accepts none.
//!
//! Where there is no place left, the oldest connection whose handshake has not finished gives way to a new one, so that a
//! flood of connections that prove nothing keeps out none that can.

use super::ClientSource;
use super::half_open::{GaveWay, HalfOpenConnection, HalfOpenConnections, oldest_of_all_gives_way};
use crate::descriptors::{CLIENTS, Descriptor, GIVING_WAY};
use crate::telemetry::{RareLine, Telemetry};
use crate::worker;
use prometheus::IntCounter;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Why a connection is closed before its handshake finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rejection {
    /// The listener has as many connections as it may have.
    Connections,
    /// The process has as many client connections as there are descriptors for.
    Descriptors,
    /// Its source has as many half-open connections as it may have.
    Source,
    /// It gave way to a newer one.
    GaveWay,
}

impl Rejection {
    const ALL: [Self; 4] = [Self::Connections, Self::Descriptors, Self::Source, Self::GaveWay];

    /// The word in metrics and logs.
    fn word(self) -> &'static str {
        match self {
            Self::Connections => "limit",
            Self::Descriptors => "descriptors",
            Self::Source => "half_open_per_source",
            Self::GaveWay => "gave_way",
        }
    }
}

/// The open connections of a listener.
pub(super) struct OpenConnections {
    listener: Arc<str>,
    count: AtomicU32,
    /// As it was for the last connection.
    limit: AtomicU32,
    gauge: prometheus::IntGauge,
    half_open: Arc<HalfOpenConnections>,
    rejected: [RejectionCount; 4],
}

struct RejectionCount {
    reason: Rejection,
    counter: IntCounter,
    line: RareLine,
}

/// What one more connection may take.
#[derive(Clone, Copy, Debug)]
pub struct PlaceLimits {
    /// Connections of the listener.
    pub connections: u32,
    /// Half-open connections of its source; `None` is no limit.
    pub half_open: Option<NonZeroU32>,
}

impl OpenConnections {
    pub(super) fn new(listener: Arc<str>, telemetry: &Telemetry) -> Arc<Self> {
        let metrics = &telemetry.metrics;
        let rejected = Rejection::ALL.map(|reason| RejectionCount {
            reason,
            counter: metrics.connections_refused.with_label_values(&[&*listener, reason.word()]),
            line: RareLine::default(),
        });
        let gauge = metrics.connections_open.with_label_values(&[&*listener]);
        let half_open = HalfOpenConnections::new(metrics.half_open_connections.with_label_values(&[&*listener]));
        let count = AtomicU32::new(0);
        let limit = AtomicU32::new(u32::MAX);
        Arc::new(Self { listener, count, limit, gauge, half_open, rejected })
    }

    /// A place, if there is one left or one is made. What is rejected is counted.
    pub(super) fn take(
        open: &Arc<Self>,
        client: IpAddr,
        limits: PlaceLimits,
        at_worker: worker::OpenConnection,
    ) -> Option<ConnectionPlace> {
        let source = ClientSource::of(client);
        let reject = |reason| {
            open.reject(reason, source);
            None
        };
        let Ok(half_open) = open.half_open.begin(source, limits.half_open) else { return reject(Rejection::Source) };
        let Some(descriptor) = descriptor_of_client(&half_open) else { return reject(Rejection::Descriptors) };
        open.limit.store(limits.connections, Ordering::Relaxed);
        let before = open.count.fetch_add(1, Ordering::Relaxed);
        open.gauge.inc();
        let place = Place { listener: open.clone(), source, half_open, _worker: at_worker, _descriptor: descriptor };
        if before >= limits.connections {
            let beyond = u32::try_from(GIVING_WAY).unwrap_or(0);
            // A listener that is gone has no place at all.
            let made = limits.connections > 0
                && before < limits.connections.saturating_add(beyond)
                && open.half_open.oldest_gives_way(&place.half_open).is_ok();
            if !made {
                return reject(Rejection::Connections);
            }
        }
        Some(ConnectionPlace { place: Arc::new(place) })
    }

    /// Whether a connection had to give way to the last one.
    pub(super) fn is_crowded(&self) -> bool {
        CLIENTS.used() >= CLIENTS.limit() || self.count.load(Ordering::Relaxed) >= self.limit.load(Ordering::Relaxed)
    }

    /// Counts it, and says so now and then.
    fn reject(&self, reason: Rejection, source: ClientSource) {
        let Some(count) = self.rejected.iter().find(|count| count.reason == reason) else { return };
        count.counter.inc();
        if let Some(since_last_line) = count.line.due() {
            tracing::warn!(
                listener = &*self.listener, reason = reason.word(), %source, since_last_line,
                "connections closed before their handshake finished"
            );
        }
    }
}

/// One of the descriptors for clients. If all are taken, the oldest half-open connection of the process gives way.
fn descriptor_of_client(half_open: &HalfOpenConnection) -> Option<Descriptor> {
    if let Some(descriptor) = CLIENTS.take() {
        return Some(descriptor);
    }
    let descriptor = CLIENTS.take_beyond(GIVING_WAY)?;
    oldest_of_all_gives_way(half_open).is_ok().then_some(descriptor)
}

/// A connection's place among those that may be open; given back when the last clone is dropped.
#[derive(Clone)]
pub struct ConnectionPlace {
    place: Arc<Place>,
}

/// The source of a client has as many half-open connections as it may have; that is counted already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceRejected;

impl ConnectionPlace {
    /// Counts a half-open connection at the address that a trusted proxy has announced.
    ///
    /// # Errors
    /// [`SourceRejected`]: close the connection.
    pub fn announce(&self, client: IpAddr, limit: NonZeroU32) -> Result<(), SourceRejected> {
        let source = ClientSource::of(client);
        self.place.half_open.count_at(source, limit).map_err(|_| {
            self.place.listener.reject(Rejection::Source, source);
            SourceRejected
        })
    }

    /// The handshake has finished: from now on the connection gives way to none.
    ///
    /// # Errors
    /// [`GaveWay`] if it was told to before: close the connection.
    pub fn handshake_finished(&self) -> Result<(), GaveWay> {
        self.place.half_open.finish().inspect_err(|_| self.gave_way())
    }

    /// Ends when a connection whose handshake has not finished must close, which is counted then.
    pub async fn told_to_give_way(&self) {
        self.place.half_open.told_to_give_way().await;
        self.gave_way();
    }

    fn gave_way(&self) {
        self.place.listener.reject(Rejection::GaveWay, self.place.source);
    }
}

struct Place {
    listener: Arc<OpenConnections>,
    source: ClientSource,
    half_open: HalfOpenConnection,
    _worker: worker::OpenConnection,
    /// Given back when the socket is closed: whoever holds the place drops the socket first.
    _descriptor: Descriptor,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.listener.count.fetch_sub(1, Ordering::Relaxed);
        self.listener.gauge.dec();
    }
}
