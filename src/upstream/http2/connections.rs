//! The HTTP/2 connections of a worker to one endpoint: which one takes a stream, who opens another one, and which are closed
//! because they are idle.

use super::connection::UpstreamConnection;
use super::stream::Http2Stream;
use crate::clock;
use crate::pool::Capacity;
use crate::thread_state::{self, StateKey, StateKeyId, ThreadState, WeakStateKey};
use std::any::Any;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::Notify;

/// Requests that wait for one connection that is being opened. Upstreams usually permit at least this many streams.
const WAITING_PER_CONNECTION: usize = 100;

/// The key of the connections to one endpoint, with their limits.
pub(in crate::upstream) struct ConnectionSet {
    key: StateKey,
    idle_timeout: Duration,
    /// Maximum idle connections per worker.
    capacity: Capacity,
}

/// The connections of one worker.
struct Connections {
    open: Vec<Rc<UpstreamConnection>>,
    idle_timeout: Duration,
    capacity: Capacity,
    opening: Rc<Opening>,
}

/// Connections that are being opened.
#[derive(Default)]
struct Opening {
    count: Cell<usize>,
    waiting: Cell<usize>,
    last: Cell<LastOpening>,
    changed: Notify,
}

/// How the last attempt to open a connection ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum LastOpening {
    /// With an HTTP/2 connection; also before the first attempt.
    #[default]
    Shared,
    /// With a failure, or HTTP/1.1. Requests do not wait for each other.
    NotShared,
}

/// How a request gets a stream.
pub(in crate::upstream) enum StreamAdmission {
    /// On a connection with room.
    Stream(Http2Stream),
    /// On a connection that the caller opens.
    Open(OpeningGuard),
}

/// Counts a connection that is being opened until it is dropped.
pub(in crate::upstream) struct OpeningGuard {
    opening: Rc<Opening>,
    outcome: LastOpening,
}

impl ConnectionSet {
    pub(in crate::upstream) fn new(capacity: Capacity, idle_timeout: Duration) -> Self {
        Self {
            key: StateKey::new(),
            idle_timeout,
            capacity,
        }
    }

    /// A stream on a connection of `owner` with room.
    pub(in crate::upstream) fn stream(&self, owner: Option<StateKeyId>) -> Option<Http2Stream> {
        self.with(|connections| connections.stream(owner))?
    }

    /// A stream, or the task to open a connection. Waits while other requests open enough of them.
    pub(in crate::upstream) async fn admit(
        &self,
        owner: Option<StateKeyId>,
    ) -> Option<StreamAdmission> {
        loop {
            if let Some(stream) = self.stream(owner) {
                return Some(StreamAdmission::Stream(stream));
            }
            let opening = self.with(|connections| connections.opening.clone())?;
            let room = opening.count.get() * WAITING_PER_CONNECTION;
            if opening.last.get() == LastOpening::NotShared || opening.waiting.get() >= room {
                return Some(StreamAdmission::Open(OpeningGuard::new(opening)));
            }
            let waiting = Waiting::new(&opening);
            opening.changed.notified().await;
            drop(waiting);
        }
    }

    /// Shares a new connection with other requests of its owner.
    pub(in crate::upstream) fn add(&self, connection: Rc<UpstreamConnection>) {
        self.with(|connections| connections.open.push(connection));
    }

    fn with<T>(&self, act: impl FnOnce(&mut Connections) -> T) -> Option<T> {
        let empty = || Connections {
            open: Vec::new(),
            idle_timeout: self.idle_timeout,
            capacity: self.capacity,
            opening: Rc::default(),
        };
        thread_state::with(&self.key, empty, act)
    }
}

impl Connections {
    /// The first connection with room takes the stream, so that the others become idle and are closed.
    fn stream(&mut self, owner: Option<StateKeyId>) -> Option<Http2Stream> {
        let mut of_owner = self
            .open
            .iter()
            .filter(|connection| connection.owner().map(WeakStateKey::id) == owner);
        of_owner.find_map(Http2Stream::on)
    }
}

impl ThreadState for Connections {
    fn take_stale(&mut self) -> Box<dyn Any> {
        let now = clock::now();
        let most = match self.capacity {
            Capacity::AsNeeded => usize::MAX,
            Capacity::AtMost(most) => most,
        };
        let mut idle = 0;
        let idle_timeout = self.idle_timeout;
        let stale = self.open.extract_if(.., |connection| {
            if !connection.is_usable() {
                return true;
            }
            if !connection.is_idle() {
                return false;
            }
            idle += 1;
            let age = now.saturating_duration_since(connection.idle_since.get());
            age >= idle_timeout || idle > most
        });
        Box::new(stale.collect::<Vec<_>>())
    }

    fn give_up_one(&mut self) -> Option<Box<dyn Any>> {
        let at = self
            .open
            .iter()
            .position(|connection| connection.is_idle())?;
        Some(Box::new(self.open.remove(at)))
    }
}

impl OpeningGuard {
    fn new(opening: Rc<Opening>) -> Self {
        opening.count.set(opening.count.get() + 1);
        Self {
            opening,
            outcome: LastOpening::NotShared,
        }
    }

    /// The connection was opened and shared.
    pub(in crate::upstream) fn succeeded(mut self) {
        self.outcome = LastOpening::Shared;
    }
}

impl Drop for OpeningGuard {
    fn drop(&mut self) {
        self.opening.count.set(self.opening.count.get() - 1);
        self.opening.last.set(self.outcome);
        self.opening.changed.notify_waiters();
    }
}

/// Counts a request that waits.
struct Waiting<'a>(&'a Opening);

impl<'a> Waiting<'a> {
    fn new(opening: &'a Opening) -> Self {
        opening.waiting.set(opening.waiting.get() + 1);
        Self(opening)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.set(self.0.waiting.get() - 1);
    }
}
