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
        Self { key: Key::new(), capacity, idle_timeout }
    }

    /// The name, for [`put`].
    pub fn id(&self) -> PoolId {
        self.key.id()
    }
}

/// The connection used last on this thread, which is the least likely to be stale: of those that are `whose`, and never
/// another's. All of an endpoint's share one pool, so that what is kept stays bounded however many are somebody there.
pub fn take<C: Connection>(of: &PoolKey, whose: Option<KeyId>) -> Option<C> {
    let empty = || Pool::<C> { unused: Vec::new(), capacity: of.capacity.most(), idle_timeout: of.idle_timeout };
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
    let _stale = here::with_existing(of, |pool: &mut Pool<C>| pool.put(&mut connection, clock::now().into()));
}

impl<C: Connection> Pool<C> {
    /// A usable one, and what was found stale on the way.
    fn take(&mut self, whose: Option<KeyId>, now: Instant) -> (Option<C>, Vec<Unused<C>>) {
        let mut stale = Vec::new();
        // Nearly always the last one.
        while let Some(at) = self.unused.iter().rposition(|idle| idle.connection.whose() == whose) {
            let mut idle = self.unused.remove(at);
            if idle.is_fresh(self.idle_timeout, now) && idle.connection.is_usable() {
                return (Some(idle.connection), stale);
            }
            stale.push(idle);
        }
        (None, stale)
    }

    /// What gives place, at most what comes.
    fn put(&mut self, connection: &mut Option<C>, now: Instant) -> Vec<Unused<C>> {
        // The oldest stand in front; they go first, when they are too old or too many.
        let fresh_from = self.unused.iter().position(|idle| idle.is_fresh(self.idle_timeout, now));
        let stale = fresh_from.unwrap_or(self.unused.len());
        let too_many = (self.unused.len() - stale).saturating_add(1).saturating_sub(self.capacity);
        let going = stale.saturating_add(too_many).min(self.unused.len());
        let gone = self.unused.drain(..going).collect();
        if self.unused.len() < self.capacity
            && let Some(connection) = connection.take()
        {
            self.unused.push(Unused { connection, since: now });
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
        let is_stale = |idle: &mut Unused<C>| !idle.is_fresh(idle_timeout, now) || !idle.connection.is_usable();
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
    taken_before(deadline.min(Instant::now() + CLOSING), || UPSTREAMS.take_for_another(0)).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::cell::{Cell, RefCell};
    use std::rc::Rc;

    const LONG: Duration = Duration::from_secs(3600);

    /// A connection with a number; 0 is never usable.
    #[derive(Debug, PartialEq)]
    struct Numbered(u32);

    impl Connection for Numbered {
        fn is_usable(&mut self) -> bool {
            self.0 > 0
        }
    }

    fn pool(most: usize, idle_timeout: Duration) -> PoolKey {
        PoolKey::new(Capacity::AtMost(most), idle_timeout)
    }

    fn as_needed(idle_timeout: Duration) -> PoolKey {
        PoolKey::new(Capacity::AsNeeded, idle_timeout)
    }

    fn taken(key: &PoolKey) -> Option<u32> {
        take(key, None).map(|Numbered(number)| number)
    }

    /// Somebody's connection with a number.
    struct Owned(Option<KeyId>, u32);

    impl Connection for Owned {
        fn is_usable(&mut self) -> bool {
            true
        }

        fn whose(&self) -> Option<KeyId> {
            self.0
        }
    }

    #[test]
    fn the_last_comes_first_and_the_oldest_goes_first() {
        let key = PoolKey::new(Capacity::AtMost(2), LONG);
        assert_eq!(taken(&key), None);
        (1..=3).for_each(|number| put(key.id(), Numbered(number)));
        assert_eq!([taken(&key), taken(&key), taken(&key)], [Some(3), Some(2), None]);
    }

    /// A pool, its clock, and how many connections were opened for it.
    struct Simulation {
        pool: Pool<Numbered>,
        now: Instant,
        opened: u32,
    }

    impl Simulation {
        fn use_at_once(&mut self, count: usize) {
            let in_use: Vec<_> = (0..count)
                .map(|_| {
                    let (taken, _stale) = self.pool.take(None, self.now);
                    taken.unwrap_or_else(|| {
                        self.opened += 1;
                        Numbered(self.opened)
                    })
                })
                .collect();
            for connection in in_use {
                self.pool.put(&mut Some(connection), self.now);
            }
        }
    }

    #[test]
    fn as_many_are_kept_as_were_in_use_at_once_within_the_idle_timeout() {
        let (idle_timeout, step) = (Duration::from_secs(30), Duration::from_secs(1));
        let pool = Pool { unused: Vec::new(), capacity: Capacity::AsNeeded.most(), idle_timeout };
        let mut simulation = Simulation { pool, now: Instant::now(), opened: 0 };
        (0..3).for_each(|_| simulation.use_at_once(500));
        assert_eq!(simulation.opened, 500, "none is opened anew");
        for _ in 0..29 {
            simulation.now += step;
            simulation.use_at_once(20);
        }
        simulation.use_at_once(500);
        assert_eq!(simulation.opened, 500, "the timeout has not passed");
        for _ in 0..30 {
            simulation.now += step;
            simulation.use_at_once(20);
        }
        assert_eq!(simulation.pool.unused.len(), 20, "only as many as were in use at once since then");
        assert_eq!(simulation.opened, 500);
    }

    #[test]
    fn nothing_is_kept_that_cannot_be_used() {
        for (key, number) in
            [(pool(0, LONG), 1), (pool(9, LONG), 0), (pool(9, Duration::ZERO), 1), (as_needed(Duration::ZERO), 1)]
        {
            assert_eq!(taken(&key), None);
            put(key.id(), Numbered(number));
            assert_eq!(taken(&key), None);
        }
        let never_asked = pool(9, LONG);
        put(never_asked.id(), Numbered(1));
        assert_eq!(taken(&never_asked), None, "there was no pool to put it in");
    }

    #[test]
    fn threads_endpoints_and_kinds_are_kept_apart() {
        struct Other;
        impl Connection for Other {
            fn is_usable(&mut self) -> bool {
                true
            }
        }
        let (key, neighbour) = (pool(9, LONG), as_needed(LONG));
        assert_eq!((taken(&key), taken(&neighbour)), (None, None));
        assert!(take::<Other>(&key, None).is_none());
        put(key.id(), Numbered(1));
        assert!(take::<Other>(&key, None).is_none());
        assert_eq!(taken(&neighbour), None);
        std::thread::scope(|scope| {
            scope.spawn(|| assert_eq!(taken(&key), None));
        });
        assert_eq!(taken(&key), Some(1));
    }

    /// Puts another into its pool when it ends, as a task may do that ends with its connection.
    struct Successor(PoolId, Rc<Cell<u32>>, RefCell<Option<Box<Successor>>>, Cell<bool>);

    impl Connection for Successor {
        fn is_usable(&mut self) -> bool {
            self.3.get()
        }
    }

    impl Drop for Successor {
        fn drop(&mut self) {
            self.1.set(self.1.get() + 1);
            if let Some(next) = self.2.take() {
                put(self.0, *next);
            }
        }
    }

    #[test]
    fn pools_end_with_their_endpoint_and_an_end_may_come_back() {
        let ended = Rc::new(Cell::new(0));
        let key = pool(1, LONG);
        assert!(take::<Successor>(&key, None).is_none());
        let make = |next| Successor(key.id(), ended.clone(), RefCell::new(next), Cell::new(true));
        put(key.id(), make(Some(Box::new(make(None)))));
        put(key.id(), make(None));
        assert_eq!(ended.get(), 2, "the first gave place, and its successor took that of the second");
        put(key.id(), make(Some(Box::new(make(None)))));
        drop(key);
        here::tidy();
        assert_eq!(ended.get(), 5);
    }

    proptest! {
        /// Against one list for each owner, of which together the oldest go first.
        #[test]
        fn nobody_gets_the_connection_of_another(
            capacity in 0usize..5,
            steps in prop::collection::vec((0usize..4, any::<bool>()), 0..60),
        ) {
            let (key, owners) = (pool(capacity, LONG), [Key::new(), Key::new(), Key::new()]);
            let id = |owner: usize| owners.get(owner).map(Key::id);
            prop_assert!(take::<Owned>(&key, None).is_none());
            let mut list: Vec<(usize, u32)> = Vec::new();
            for (number, (owner, puts)) in (1..).zip(steps) {
                if puts {
                    put(key.id(), Owned(id(owner), number));
                    list.push((owner, number));
                    let excess = list.len().saturating_sub(capacity);
                    list.drain(..excess);
                } else {
                    let at = list.iter().rposition(|(whose, _)| *whose == owner);
                    let expected = at.map(|at| list.remove(at).1);
                    let found = take::<Owned>(&key, id(owner));
                    prop_assert!(found.iter().all(|found| found.0 == id(owner)));
                    prop_assert_eq!(found.map(|found| found.1), expected);
                }
            }
        }

        /// Against the simplest pool there is: a list.
        #[test]
        fn a_pool_is_a_stack_without_its_bottom(
            capacity in 0usize..5,
            steps in prop::collection::vec(prop::option::of(1u32..100), 0..60),
        ) {
            let key = pool(capacity, LONG);
            prop_assert_eq!(taken(&key), None);
            let mut list: Vec<u32> = Vec::new();
            for step in steps {
                match step {
                    Some(number) => {
                        put(key.id(), Numbered(number));
                        list.push(number);
                        let excess = list.len().saturating_sub(capacity);
                        list.drain(..excess);
                    }
                    None => prop_assert_eq!(taken(&key), list.pop()),
                }
                here::tidy();
            }
        }
    }
}
