//! Which connections of a listener may be open, over all workers, and the place of one among them. Accepts none.
//!
//! Where there is no place left, an older connection gives way to a new one: the oldest half-open connection, if these hold
//! more than an eighth of the places; else the connection that has been idle for longest; else the oldest half-open one. So a
//! flood of connections that prove nothing closes few that did, and idle connections keep out none. A connection with a
//! request under way never gives way.

use super::ClientSource;
use super::half_open::{
    HalfOpenConnection, HalfOpenConnections, HandshakeEviction, count_of_all,
    oldest_of_all_gives_way,
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

/// How long a new connection waits until another has given way.
const PATIENCE: Duration = Duration::from_secs(3);
/// Half-open connections give way before idle ones if they hold more than this part of the places.
const HALF_OPEN_PART: usize = 8;

/// Why a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rejection {
    /// The listener has as many connections as it may have.
    Connections,
    /// The process has as many client connections as there are descriptors for.
    Descriptors,
    /// Its source has as many half-open connections as it may have.
    Source,
    /// It was half-open, and gave way to a newer one.
    GaveWay,
    /// It was idle, and gave way to a newer one.
    IdleGaveWay,
}

impl Rejection {
    const ALL: [Self; 5] = [
        Self::Connections,
        Self::Descriptors,
        Self::Source,
        Self::GaveWay,
        Self::IdleGaveWay,
    ];

    /// The word in metrics and logs.
    fn word(self) -> &'static str {
        match self {
            Self::Connections => "limit",
            Self::Descriptors => "descriptors",
            Self::Source => "half_open_per_source",
            Self::GaveWay => "gave_way",
            Self::IdleGaveWay => "idle_gave_way",
        }
    }

    fn message(self) -> &'static str {
        match self {
            Self::IdleGaveWay => "idle connections closed for new ones",
            _ => "connections closed before their handshake finished",
        }
    }
}

/// The open connections of a listener.
pub(super) struct OpenConnections {
    listener: Arc<str>,
    /// No other listener has it.
    number: u64,
    count: AtomicU32,
    /// As it was for the last connection.
    limit: AtomicU32,
    gauge: prometheus::IntGauge,
    half_open: Arc<HalfOpenConnections>,
    rejected: [RejectionCount; 5],
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
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let metrics = &telemetry.metrics;
        let rejected = Rejection::ALL.map(|reason| RejectionCount {
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

    /// A place, if there is one left, or one becomes free within [`PATIENCE`]. What is rejected is counted.
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
    ) -> Result<Place, Rejection> {
        let half_open = open
            .half_open
            .begin(source, limits.half_open)
            .map_err(|_| Rejection::Source)?;
        let connection = NewConnection {
            half_open: &half_open,
            workers: at_worker.workers(),
            deadline: Instant::now() + PATIENCE,
        };
        let descriptor = connection
            .descriptor()
            .await
            .map_err(|NoPlace| Rejection::Descriptors)?;
        open.limit.store(limits.connections, Ordering::Relaxed);
        let counted = connection
            .counted_place(open, limits.connections)
            .await
            .map_err(|NoPlace| Rejection::Connections)?;
        Ok(Place {
            counted,
            source,
            half_open,
            _worker: at_worker,
            _descriptor: descriptor,
        })
    }

    /// Whether a connection had to give way to the last one.
    pub(super) fn is_crowded(&self) -> bool {
        CLIENTS.used() >= CLIENTS.limit()
            || self.count.load(Ordering::Relaxed) >= self.limit.load(Ordering::Relaxed)
    }

    /// Counts it, and says so now and then.
    fn reject(&self, reason: Rejection, source: ClientSource) {
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

/// There is no place, and no connection that may give way.
#[derive(Debug)]
struct NoPlace;

/// A new connection that has no place yet.
struct NewConnection<'a> {
    half_open: &'a HalfOpenConnection,
    workers: &'a Workers,
    deadline: Instant,
}

impl NewConnection<'_> {
    /// One of the descriptors for clients. If all are taken, another connection of the process gives way.
    async fn descriptor(&self) -> Result<Descriptor, NoPlace> {
        if let Some(descriptor) = CLIENTS.take() {
            return Ok(descriptor);
        }
        // Taken before another is told, so that none comes between.
        let descriptor = self
            .becomes_free(|| CLIENTS.take_for_another(GIVING_WAY))
            .await?;
        let oldest_half_open = || oldest_of_all_gives_way(self.half_open).map_err(|()| NoPlace);
        let half_open_first = are_many(count_of_all(), CLIENTS.limit());
        self.another_gives_way(half_open_first, oldest_half_open, IdleScope::Process)
            .await?;
        Ok(descriptor)
    }

    /// One of the connections of the listener. If that has as many connections as it may have, another one of it gives way.
    async fn counted_place(
        &self,
        open: &Arc<OpenConnections>,
        limit: u32,
    ) -> Result<CountedPlace, NoPlace> {
        if let Some(counted) = CountedPlace::take(open, limit) {
            return Ok(counted);
        }
        // A listener that is gone has no place at all.
        if limit == 0 {
            return Err(NoPlace);
        }
        let beyond = limit.saturating_add(u32::try_from(GIVING_WAY).unwrap_or(0));
        let counted = self
            .becomes_free(|| CountedPlace::take(open, beyond))
            .await?;
        let oldest_half_open = || {
            open.half_open
                .oldest_gives_way(self.half_open)
                .map_err(|()| NoPlace)
        };
        let half_open_first = are_many(
            open.half_open.count(),
            usize::try_from(limit).unwrap_or(usize::MAX),
        );
        self.another_gives_way(
            half_open_first,
            oldest_half_open,
            IdleScope::Listener(open.number),
        )
        .await?;
        Ok(counted)
    }

    /// Tells one connection to give way.
    async fn another_gives_way(
        &self,
        half_open_first: bool,
        oldest_half_open: impl Fn() -> Result<(), NoPlace>,
        scope: IdleScope,
    ) -> Result<(), NoPlace> {
        if half_open_first && oldest_half_open().is_ok() {
            return Ok(());
        }
        match idle::oldest_gives_way(self.workers, scope, self.deadline).await {
            Ok(()) => Ok(()),
            Err(NoneIdle) => oldest_half_open(),
        }
    }

    /// What `take` takes, once it is there. Waits where more connections were told to give way than may be closing at once.
    async fn becomes_free<T>(&self, take: impl Fn() -> Option<T>) -> Result<T, NoPlace> {
        taken_before(self.deadline, take).await.ok_or(NoPlace)
    }
}

/// Whether half-open connections, the new one included, hold so many places that they give way before idle ones.
fn are_many(half_open: usize, limit: usize) -> bool {
    half_open > limit / HALF_OPEN_PART + 1
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
            self.place.listener().reject(Rejection::Source, source);
            SourceRejected
        })
    }

    /// The handshake has finished: from now on the connection gives way only while it is idle ([`super::IdleWatch`]).
    ///
    /// # Errors
    /// [`HandshakeEviction`] if it was told to before: close the connection.
    pub fn handshake_finished(&self) -> Result<(), HandshakeEviction> {
        self.place
            .half_open
            .finish()
            .inspect_err(|_| self.gave_way())
    }

    /// Ends when a connection whose handshake has not finished must close, which is counted then.
    pub async fn told_to_give_way(&self) {
        self.place.half_open.told_to_give_way().await;
        self.gave_way();
    }

    /// The number of the listener, which no other listener has.
    pub(super) fn listener_number(&self) -> u64 {
        self.place.listener().number
    }

    /// Counts a connection that gave way while it was idle.
    pub(super) fn idle_gave_way(&self) {
        self.place
            .listener()
            .reject(Rejection::IdleGaveWay, self.place.source);
    }

    fn gave_way(&self) {
        self.place
            .listener()
            .reject(Rejection::GaveWay, self.place.source);
    }
}

struct Place {
    counted: CountedPlace,
    source: ClientSource,
    half_open: HalfOpenConnection,
    _worker: worker::OpenConnection,
    /// Given back when the socket is closed: whoever holds the place drops the socket first.
    _descriptor: Descriptor,
}

impl Place {
    fn listener(&self) -> &OpenConnections {
        &self.counted.0
    }
}

/// One of the connections of a listener, until this is dropped.
struct CountedPlace(Arc<OpenConnections>);

impl CountedPlace {
    /// One more, unless there are as many as the limit.
    fn take(open: &Arc<OpenConnections>, limit: u32) -> Option<Self> {
        let more = |count: u32| (count < limit).then_some(count.saturating_add(1));
        open.count
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
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
