//! Unused connections to one endpoint, newest first, each thread for itself: a connection stays with the worker that
//! opened it. Opens none, and does not know what they speak.
//!
//! The newest is taken first, so a connection at depth `n` is only used while more than `n` are in use. One that was unused
//! for the idle timeout is closed. So a pool keeps as many as were in use at once within the last idle timeout, and needs no
//! size to follow the load; its capacity is only a bound.

use crate::clock;
use crate::descriptors::{Descriptor, UPSTREAMS, taken_before};
use crate::here::{self, Key, KeyId, State};
use crate::worker;
use std::any::Any;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How long a request waits for the descriptor of an unused connection of another thread.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long it takes at most to close a connection that is given up.
const CLOSING: Duration = Duration::from_millis(100);

/// What can be kept in a pool. One kind of connection never meets another, also of the same endpoint.
pub trait Connection: 'static {
    /// Whether another request may go on it, as far as is known without a look at the network.
    fn is_usable(&mut self) -> bool;

    /// Whose requests it carries, if not everybody's. Asked often, and always says the same.
    fn whose(&self) -> Option<KeyId> {
        None
    }
}

/// What names the pools of one endpoint, and how much they keep.
#[derive(Debug)]
pub struct PoolKey {
    key: Key,
    /// Of each thread.
    capacity: Capacity,
    idle_timeout: Duration,
}

/// The most unused connections that a thread keeps for one endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capacity {
    /// As many as were in use at once within the last idle timeout. None is kept while seven eighths of the process's
    /// descriptors for upstreams are in use.
    AsNeeded,
    /// The same, and at most this many.
    AtMost(usize),
}

impl Capacity {
    fn most(self) -> usize {
        match self {
            Self::AsNeeded => usize::MAX,
            Self::AtMost(most) => most,
        }
    }
}

/// Names the pools of one endpoint, for connections that are under way.
pub type PoolId = KeyId;

struct Pool<C> {
    unused: Vec<Unused<C>>,
    capacity: usize,
    idle_timeout: Duration,
}

struct Unused<C> {
    connection: C,
    since: Instant,
}

impl PoolKey {
    /// Pools that keep up to `capacity` connections on each thread, each for `idle_timeout` without use.
    pub fn new(capacity: Capacity, idle_timeout: Duration) -> Self {
        Self {
            key: Key::new(),
            capacity,
            idle_timeout,
        }
    }

    /// The name, for [`put`].
    pub fn id(&self) -> PoolId {
        self.key.id()
    }
}

/// The connection used last on this thread, which is the least likely to be stale: of those that are `whose`, and never
/// another's. All of an endpoint's share one pool, so that what is kept stays bounded however many are somebody there.
pub fn take<C: Connection>(of: &PoolKey, whose: Option<KeyId>) -> Option<C> {
    let empty = || Pool::<C> {
        unused: Vec::new(),
        capacity: of.capacity.most(),
        idle_timeout: of.idle_timeout,
    };
    let (taken, _stale) = here::with(&of.key, empty, |pool| pool.take(whose, clock::now().into()))?;
    taken
}

/// Keeps a connection for another request on this thread, which must have come by [`take`] before: that makes the
/// pool. Closed is what is not usable, too much, or of an endpoint that is no longer in force.
pub fn put<C: Connection>(of: PoolId, connection: C) {
    // Another thread may need a descriptor: that of a connection which is used less, if there is one.
    if UPSTREAMS.is_nearly_used_up() && !here::give_up_one() {
        return;
    }
    // Whether it can be used is asked when it is taken, and now and then.
    let mut connection = Some(connection);
    let _stale = here::with_existing(of, |pool: &mut Pool<C>| {
        pool.put(&mut connection, clock::now().into())
    });
}

impl<C: Connection> Pool<C> {
    /// A usable one, and what was found stale on the way.
    fn take(&mut self, whose: Option<KeyId>, now: Instant) -> (Option<C>, Vec<Unused<C>>) {
        let mut stale = Vec::new();
        while let Some(at) = self.position(whose) {
            let mut idle = self.unused.remove(at);
            if idle.is_fresh(self.idle_timeout, now) && idle.connection.is_usable() {
                return (Some(idle.connection), stale);
            }
            stale.push(idle);
        }
        (None, stale)
    }

    /// Nearly always the last one. Among many that are others', only the newest are looked at.
    fn position(&self, whose: Option<KeyId>) -> Option<usize> {
        const MOST_SEARCHED: usize = 1024;
        let first = self.unused.len().saturating_sub(MOST_SEARCHED);
        let newest = self.unused.get(first..)?;
        newest
            .iter()
            .rposition(|idle| idle.connection.whose() == whose)
            .map(|at| first + at)
    }

    /// What gives place, at most what comes.
    fn put(&mut self, connection: &mut Option<C>, now: Instant) -> Vec<Unused<C>> {
        // The oldest stand in front; they go first, when they are too old or too many.
        let fresh_from = self
            .unused
            .iter()
            .position(|idle| idle.is_fresh(self.idle_timeout, now));
        let stale = fresh_from.unwrap_or(self.unused.len());
        let too_many = (self.unused.len() - stale)
            .saturating_add(1)
            .saturating_sub(self.capacity);
        let going = stale.saturating_add(too_many).min(self.unused.len());
        let gone = self.unused.drain(..going).collect();
        if self.unused.len() < self.capacity
            && let Some(connection) = connection.take()
        {
            self.unused.push(Unused {
                connection,
                since: now,
            });
        }
        gone
    }
}

impl<C> Unused<C> {
    fn is_fresh(&self, idle_timeout: Duration, now: Instant) -> bool {
        now.saturating_duration_since(self.since) < idle_timeout
    }
}

impl<C: Connection> State for Pool<C> {
    fn take_stale(&mut self) -> Box<dyn Any> {
        let (idle_timeout, now) = (self.idle_timeout, clock::now().into());
        let is_stale = |idle: &mut Unused<C>| {
            !idle.is_fresh(idle_timeout, now) || !idle.connection.is_usable()
        };
        Box::new(self.unused.extract_if(.., is_stale).collect::<Vec<_>>())
    }

    /// The oldest.
    fn give_up_one(&mut self) -> Option<Box<dyn Any>> {
        (!self.unused.is_empty()).then(|| Box::new(self.unused.remove(0)) as Box<dyn Any>)
    }
}

/// A descriptor for a connection: an unused connection is closed for it if need be, of this thread first, and then of another
/// worker. `None` if all that there may be are in use, or none became free within a second.
pub async fn descriptor() -> Option<Descriptor> {
    if let Some(taken) = UPSTREAMS.take() {
        return Some(taken);
    }
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline && here::give_up_one() {
        if let Some(taken) = given_up(deadline).await {
            return Some(taken);
        }
    }
    let workers = worker::all()?;
    for index in (0..workers.count()).filter(|index| Some(*index) != worker::index()) {
        while let Ok(Ok(true)) = timeout_at(deadline, workers.ask(index, here::give_up_one)).await {
            if let Some(taken) = given_up(deadline).await {
                return Some(taken);
            }
        }
    }
    None
}

/// The descriptor of a connection that was given up, whose own task may have to close it. `None` if other requests took it.
async fn given_up(deadline: Instant) -> Option<Descriptor> {
    taken_before(deadline.min(Instant::now() + CLOSING), || {
        UPSTREAMS.take_for_another(0)
    })
    .await
}

#[cfg(test)]
mod tests;
