//! Pools of idle connections to one endpoint, one pool per thread: a connection stays with the worker that opened it. Opens
//! none, and is independent of their protocol.
//!
//! The newest connection is taken first, so a connection at depth `n` is only used while more than `n` are in use. A
//! connection that was idle for the idle timeout is closed. So a pool holds as many connections as were in use at once within
//! the last idle timeout, and follows the load without a configured size. The capacity is an upper bound.

use crate::clock;
use crate::descriptors::{Descriptor, UPSTREAMS, taken_before};
use crate::thread_state::{self, StateKey, StateKeyId, ThreadState};
use crate::worker;
use std::any::Any;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How long a request waits for the descriptor of an idle connection of another thread.
const DESCRIPTOR_TIMEOUT: Duration = Duration::from_secs(1);
/// Time limit for closing an idle connection to free its descriptor.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(100);

/// A connection that can be pooled. Each type has pools of its own, even for the same endpoint.
pub trait PooledConnection: 'static {
    /// Whether it can carry another request, as far as is known without I/O.
    fn is_usable(&mut self) -> bool;

    /// The owner to which its requests are restricted; `None` if unrestricted. Must be cheap and constant.
    fn owner(&self) -> Option<StateKeyId> {
        None
    }
}

/// The key of the pools of one endpoint, with their limits.
#[derive(Debug)]
pub struct PoolKey {
    key: StateKey,
    /// Per thread.
    capacity: Capacity,
    idle_timeout: Duration,
}

/// The maximum number of idle connections per thread for one endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capacity {
    /// As many as were in use at once within the last idle timeout. While seven eighths of the process's descriptors for
    /// upstreams are in use, a connection is kept only in place of another.
    AsNeeded,
    /// As [`Self::AsNeeded`], and at most this many.
    AtMost(usize),
}

impl Capacity {
    fn max(self) -> usize {
        match self {
            Self::AsNeeded => usize::MAX,
            Self::AtMost(max) => max,
        }
    }
}

/// The number of a [`PoolKey`], held by connections in use.
pub type PoolId = StateKeyId;

struct Pool<C> {
    idle: Vec<IdleConnection<C>>,
    capacity: usize,
    idle_timeout: Duration,
}

struct IdleConnection<C> {
    connection: C,
    since: Instant,
}

impl PoolKey {
    /// Pools that keep up to `capacity` connections on each thread, each for `idle_timeout` without use.
    pub fn new(capacity: Capacity, idle_timeout: Duration) -> Self {
        Self {
            key: StateKey::new(),
            capacity,
            idle_timeout,
        }
    }

    /// The number, for [`put`].
    pub fn id(&self) -> PoolId {
        self.key.id()
    }
}

/// Takes the most recently used connection of `owner` on this thread, which is the least likely to be stale, and never one of
/// another owner. All owners share the pool of an endpoint, so its size is bounded for any number of owners.
pub fn take<C: PooledConnection>(pool_key: &PoolKey, owner: Option<StateKeyId>) -> Option<C> {
    let empty = || Pool::<C> {
        idle: Vec::new(),
        capacity: pool_key.capacity.max(),
        idle_timeout: pool_key.idle_timeout,
    };
    let (connection, _stale) = thread_state::with(&pool_key.key, empty, |pool| {
        pool.take(owner, clock::now().into())
    })?;
    connection
}

/// Pools a connection for another request on this thread. [`take`] must have been called on this thread before, since it
/// creates the pool. The connection is closed if the pool is full, or if its endpoint is no longer active.
pub fn put<C: PooledConnection>(pool_id: PoolId, connection: C) {
    // Another thread may need a descriptor: free that of a less used connection. If there is none, close this one.
    if UPSTREAMS.is_nearly_used_up() && !thread_state::give_up_one() {
        return;
    }
    // `is_usable` is checked by `take`, and periodically.
    let mut connection = Some(connection);
    let _stale = thread_state::with_existing(pool_id, |pool: &mut Pool<C>| {
        pool.put(&mut connection, clock::now().into())
    });
}

impl<C: PooledConnection> Pool<C> {
    /// A usable connection, and the stale ones removed during the search.
    fn take(
        &mut self,
        owner: Option<StateKeyId>,
        now: Instant,
    ) -> (Option<C>, Vec<IdleConnection<C>>) {
        let mut stale = Vec::new();
        while let Some(at) = self.position(owner) {
            let mut idle = self.idle.remove(at);
            if idle.is_fresh(self.idle_timeout, now) && idle.connection.is_usable() {
                return (Some(idle.connection), stale);
            }
            stale.push(idle);
        }
        (None, stale)
    }

    /// The index of the newest connection of `owner`, nearly always the last. Only the newest are searched.
    fn position(&self, owner: Option<StateKeyId>) -> Option<usize> {
        const MAX_SEARCHED: usize = 1024;
        let first = self.idle.len().saturating_sub(MAX_SEARCHED);
        let newest = self.idle.get(first..)?;
        newest
            .iter()
            .rposition(|idle| idle.connection.owner() == owner)
            .map(|at| first + at)
    }

    /// Adds `connection` if there is room, and leaves it in the option otherwise. Returns the removed connections, at most all.
    fn put(&mut self, connection: &mut Option<C>, now: Instant) -> Vec<IdleConnection<C>> {
        // The oldest are in front. They are removed first, if too old or too many.
        let fresh_from = self
            .idle
            .iter()
            .position(|idle| idle.is_fresh(self.idle_timeout, now));
        let stale = fresh_from.unwrap_or(self.idle.len());
        let too_many = (self.idle.len() - stale)
            .saturating_add(1)
            .saturating_sub(self.capacity);
        let removed = stale.saturating_add(too_many).min(self.idle.len());
        let removed = self.idle.drain(..removed).collect();
        if self.idle.len() < self.capacity
            && let Some(connection) = connection.take()
        {
            self.idle.push(IdleConnection {
                connection,
                since: now,
            });
        }
        removed
    }
}

impl<C> IdleConnection<C> {
    fn is_fresh(&self, idle_timeout: Duration, now: Instant) -> bool {
        now.saturating_duration_since(self.since) < idle_timeout
    }
}

impl<C: PooledConnection> ThreadState for Pool<C> {
    fn take_stale(&mut self) -> Box<dyn Any> {
        let idle_timeout = self.idle_timeout;
        let now = clock::now().into();
        let is_stale = |idle: &mut IdleConnection<C>| {
            !idle.is_fresh(idle_timeout, now) || !idle.connection.is_usable()
        };
        Box::new(self.idle.extract_if(.., is_stale).collect::<Vec<_>>())
    }

    /// Removes the oldest connection.
    fn give_up_one(&mut self) -> Option<Box<dyn Any>> {
        (!self.idle.is_empty()).then(|| Box::new(self.idle.remove(0)) as Box<dyn Any>)
    }
}

/// A descriptor for a new connection. If none is free, an idle connection is closed, first of this thread, then of another
/// worker. `None` if all are in use, or none became free within a second.
pub async fn descriptor() -> Option<Descriptor> {
    if let Some(descriptor) = UPSTREAMS.take() {
        return Some(descriptor);
    }
    let deadline = Instant::now() + DESCRIPTOR_TIMEOUT;
    while Instant::now() < deadline && thread_state::give_up_one() {
        if let Some(descriptor) = freed_descriptor(deadline).await {
            return Some(descriptor);
        }
    }
    let workers = worker::all()?;
    for index in (0..workers.count()).filter(|index| Some(*index) != worker::index()) {
        while let Ok(Ok(true)) =
            timeout_at(deadline, workers.ask(index, thread_state::give_up_one)).await
        {
            if let Some(descriptor) = freed_descriptor(deadline).await {
                return Some(descriptor);
            }
        }
    }
    None
}

/// The descriptor of a closed idle connection. Its task may need time to close it. `None` if another request took it.
async fn freed_descriptor(deadline: Instant) -> Option<Descriptor> {
    taken_before(deadline.min(Instant::now() + CLOSE_TIMEOUT), || {
        UPSTREAMS.take_for_another(0)
    })
    .await
}

#[cfg(test)]
mod tests;
