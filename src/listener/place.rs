//! Connection limits of listeners over all workers, and eviction of connections when a limit is reached.
//!
//! At a limit, a new connection evicts an older one: the oldest half-open connection if half-open ones hold more than
//! an eighth of the places, else the connection that is idle for longest, else the oldest half-open one. A flood of
//! unauthenticated connections therefore closes few authenticated ones, and idle connections block no new one. A
//! connection with an active request is never evicted.

use super::ClientSource;
use super::half_open::{
    HalfOpenConnection, HalfOpenConnections, HandshakeEviction, count_of_process,
    evict_oldest_of_process,
};
use super::idle::{self, IdleScope, NoneIdle};
use crate::descriptors::{CLIENTS, Descriptor, GIVING_WAY, taken_before};
use crate::telemetry::{RareLine, Telemetry};
use crate::worker::{self, Workers};
use prometheus::IntCounter;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// How long a new connection waits for an eviction.
const PATIENCE: Duration = Duration::from_secs(3);
/// Half-open connections are evicted before idle ones if they hold more than this fraction (1/8) of the places.
const HALF_OPEN_FRACTION: usize = 8;

/// Why a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ConnectionRejection {
    /// The listener is at its connection limit.
    Connections,
    /// All file descriptors for client connections are in use.
    Descriptors,
    /// The source is at its limit of half-open connections.
    Source,
    /// It was half-open, and a newer connection evicted it.
    HandshakeEvicted,
    /// It was idle, and a newer connection evicted it.
    IdleEvicted,
}

impl ConnectionRejection {
    const ALL: [Self; 5] = [
        Self::Connections,
        Self::Descriptors,
        Self::Source,
        Self::HandshakeEvicted,
        Self::IdleEvicted,
    ];

    /// The reason word in metrics and logs.
    fn word(self) -> &'static str {
        match self {
            Self::Connections => "limit",
            Self::Descriptors => "descriptors",
            Self::Source => "half_open_per_source",
            Self::HandshakeEvicted => "gave_way",
            Self::IdleEvicted => "idle_gave_way",
        }
    }

    fn message(self) -> &'static str {
        match self {
            Self::IdleEvicted => "idle connections closed for new ones",
            _ => "connections closed before their handshake finished",
        }
    }
}

/// The open connections of a listener.
pub(super) struct OpenConnections {
    listener: Arc<str>,
    /// Unique number of the listener.
    number: u64,
    count: AtomicU32,
    /// The limit at the last connection.
    limit: AtomicU32,
    gauge: prometheus::IntGauge,
    half_open: Arc<HalfOpenConnections>,
    rejected: [RejectionCount; 5],
}

struct RejectionCount {
    reason: ConnectionRejection,
    counter: IntCounter,
    line: RareLine,
}

/// Limits that a new connection is checked against.
#[derive(Clone, Copy, Debug)]
pub struct PlaceLimits {
    /// Connections of the listener.
    pub connections: u32,
    /// Half-open connections of its source; `None` means no limit.
    pub half_open: Option<NonZeroU32>,
}

impl OpenConnections {
    pub(super) fn new(listener: Arc<str>, telemetry: &Telemetry) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let metrics = &telemetry.metrics;
        let rejected = ConnectionRejection::ALL.map(|reason| RejectionCount {
            reason,
            counter: metrics
                .connections_refused
                .with_label_values(&[&*listener, reason.word()]),
            line: RareLine::default(),
        });
        let gauge = metrics.connections_open.with_label_values(&[&*listener]);
        let half_open = HalfOpenConnections::new(
            metrics
                .half_open_connections
                .with_label_values(&[&*listener]),
        );
        let count = AtomicU32::new(0);
        let limit = AtomicU32::new(u32::MAX);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Arc::new(Self {
            listener,
            number,
            count,
            limit,
            gauge,
            half_open,
            rejected,
        })
    }

    /// Takes a place. At a limit, waits up to [`PATIENCE`] for an eviction. `None` is a rejection, which was counted.
    pub(super) async fn take(
        open: &Arc<Self>,
        client: IpAddr,
        limits: PlaceLimits,
        at_worker: worker::OpenConnection,
    ) -> Option<ConnectionPlace> {
        let source = ClientSource::of(client);
        match Self::place(open, source, limits, at_worker).await {
            Ok(place) => Some(ConnectionPlace {
                place: Arc::new(place),
            }),
            Err(reason) => {
                open.reject(reason, source);
                None
            }
        }
    }

    async fn place(
        open: &Arc<Self>,
        source: ClientSource,
        limits: PlaceLimits,
        at_worker: worker::OpenConnection,
    ) -> Result<PlaceState, ConnectionRejection> {
        let half_open = open
            .half_open
            .begin(source, limits.half_open)
            .map_err(|_| ConnectionRejection::Source)?;
        let connection = NewConnection {
            half_open: &half_open,
            workers: at_worker.workers(),
            deadline: Instant::now() + PATIENCE,
        };
        let descriptor = connection
            .descriptor()
            .await
            .map_err(|NoPlace| ConnectionRejection::Descriptors)?;
        open.limit.store(limits.connections, Ordering::Relaxed);
        let counted = connection
            .counted_place(open, limits.connections)
            .await
            .map_err(|NoPlace| ConnectionRejection::Connections)?;
        Ok(PlaceState {
            counted,
            source,
            half_open,
            _worker: at_worker,
            _descriptor: descriptor,
        })
    }

    /// Whether the listener or the process is at its limit.
    pub(super) fn is_crowded(&self) -> bool {
        CLIENTS.used() >= CLIENTS.limit()
            || self.count.load(Ordering::Relaxed) >= self.limit.load(Ordering::Relaxed)
    }

    /// Counts a rejection, and logs it at a limited rate.
    fn reject(&self, reason: ConnectionRejection, source: ClientSource) {
        let Some(count) = self.rejected.iter().find(|count| count.reason == reason) else {
            return;
        };
        count.counter.inc();
        if let Some(since_last_line) = count.line.due() {
            tracing::warn!(
                listener = &*self.listener, reason = reason.word(), %source, since_last_line,
                "{}", reason.message()
            );
        }
    }
}

/// No place is free, and no connection can be evicted.
#[derive(Debug)]
struct NoPlace;

/// A new connection without a place.
struct NewConnection<'a> {
    half_open: &'a HalfOpenConnection,
    workers: &'a Workers,
    deadline: Instant,
}

impl NewConnection<'_> {
    /// Takes a client descriptor. If all are in use, evicts another connection of the process.
    async fn descriptor(&self) -> Result<Descriptor, NoPlace> {
        if let Some(descriptor) = CLIENTS.take() {
            return Ok(descriptor);
        }
        // Taken before the eviction, so that no third connection takes it.
        let descriptor = self
            .wait_for(|| CLIENTS.take_for_another(GIVING_WAY))
            .await?;
        let evict_half_open = || evict_oldest_of_process(self.half_open).map_err(|()| NoPlace);
        let half_open_first = exceeds_fraction(count_of_process(), CLIENTS.limit());
        self.evict_another(half_open_first, evict_half_open, IdleScope::Process)
            .await?;
        Ok(descriptor)
    }

    /// Takes one of the connections of the listener. At the limit, evicts another connection of it.
    async fn counted_place(
        &self,
        open: &Arc<OpenConnections>,
        limit: u32,
    ) -> Result<CountedPlace, NoPlace> {
        if let Some(counted) = CountedPlace::take(open, limit) {
            return Ok(counted);
        }
        // The limit of a removed listener is 0.
        if limit == 0 {
            return Err(NoPlace);
        }
        let beyond = limit.saturating_add(u32::try_from(GIVING_WAY).unwrap_or(0));
        let counted = self.wait_for(|| CountedPlace::take(open, beyond)).await?;
        let evict_half_open = || {
            open.half_open
                .evict_oldest(self.half_open)
                .map_err(|()| NoPlace)
        };
        let half_open_first = exceeds_fraction(
            open.half_open.count(),
            usize::try_from(limit).unwrap_or(usize::MAX),
        );
        self.evict_another(
            half_open_first,
            evict_half_open,
            IdleScope::Listener(open.number),
        )
        .await?;
        Ok(counted)
    }

    /// Evicts one connection.
    async fn evict_another(
        &self,
        half_open_first: bool,
        evict_half_open: impl Fn() -> Result<(), NoPlace>,
        scope: IdleScope,
    ) -> Result<(), NoPlace> {
        if half_open_first && evict_half_open().is_ok() {
            return Ok(());
        }
        match idle::evict_oldest(self.workers, scope, self.deadline).await {
            Ok(()) => Ok(()),
            Err(NoneIdle) => evict_half_open(),
        }
    }

    /// Waits until `take` succeeds. Waits only while more evicted connections are closing than allowed.
    async fn wait_for<T>(&self, take: impl Fn() -> Option<T>) -> Result<T, NoPlace> {
        taken_before(self.deadline, take).await.ok_or(NoPlace)
    }
}

/// Whether half-open connections, the new one included, hold more than [`HALF_OPEN_FRACTION`] of the places.
fn exceeds_fraction(half_open: usize, limit: usize) -> bool {
    half_open > limit / HALF_OPEN_FRACTION + 1
}

/// The place of one connection within the limits. Dropping the last clone frees it.
#[derive(Clone)]
pub struct ConnectionPlace {
    place: Arc<PlaceState>,
}

/// The source of a client is at its limit of half-open connections. The rejection was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceRejected;

impl ConnectionPlace {
    /// Counts a half-open connection for the client address in the PROXY header of a trusted proxy.
    ///
    /// # Errors
    /// [`SourceRejected`]: close the connection.
    pub fn announce(&self, client: IpAddr, limit: NonZeroU32) -> Result<(), SourceRejected> {
        let source = ClientSource::of(client);
        self.place.half_open.count_at(source, limit).map_err(|_| {
            self.place
                .listener()
                .reject(ConnectionRejection::Source, source);
            SourceRejected
        })
    }

    /// Marks the handshake as finished. From now on only [`super::IdleWatch`] can evict the connection, while it is
    /// idle.
    ///
    /// # Errors
    /// [`HandshakeEviction`] if it was evicted before: close the connection.
    pub fn handshake_finished(&self) -> Result<(), HandshakeEviction> {
        self.place
            .half_open
            .finish()
            .inspect_err(|_| self.count_handshake_eviction())
    }

    /// Waits for the eviction during the handshake, and counts it.
    pub async fn evicted(&self) {
        self.place.half_open.evicted().await;
        self.count_handshake_eviction();
    }

    /// The unique number of the listener.
    pub(super) fn listener_number(&self) -> u64 {
        self.place.listener().number
    }

    /// Counts an eviction of an idle connection.
    pub(super) fn count_idle_eviction(&self) {
        self.place
            .listener()
            .reject(ConnectionRejection::IdleEvicted, self.place.source);
    }

    fn count_handshake_eviction(&self) {
        self.place
            .listener()
            .reject(ConnectionRejection::HandshakeEvicted, self.place.source);
    }
}

struct PlaceState {
    counted: CountedPlace,
    source: ClientSource,
    half_open: HalfOpenConnection,
    _worker: worker::OpenConnection,
    /// Must outlive the socket: holders of the place drop the socket first.
    _descriptor: Descriptor,
}

impl PlaceState {
    fn listener(&self) -> &OpenConnections {
        &self.counted.0
    }
}

/// One counted connection of a listener. Dropping it decrements the count.
struct CountedPlace(Arc<OpenConnections>);

impl CountedPlace {
    /// Increments the count, unless it is at the limit.
    fn take(open: &Arc<OpenConnections>, limit: u32) -> Option<Self> {
        let increment = |count: u32| (count < limit).then_some(count.saturating_add(1));
        open.count
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, increment)
            .ok()?;
        open.gauge.inc();
        Some(Self(open.clone()))
    }
}

impl Drop for CountedPlace {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::Relaxed);
        self.0.gauge.dec();
    }
}
