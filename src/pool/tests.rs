//! Pools of numbers, against lists of them.

use super::*;
use proptest::prelude::*;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

const LONG: Duration = Duration::from_secs(3600);

/// A connection with a number; 0 is never usable.
#[derive(Debug, PartialEq)]
struct Numbered(u32);

impl PooledConnection for Numbered {
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

/// A connection with an owner and a number.
struct Owned(Option<StateKeyId>, u32);

impl PooledConnection for Owned {
    fn is_usable(&mut self) -> bool {
        true
    }

    fn owner(&self) -> Option<StateKeyId> {
        self.0
    }
}

#[test]
fn the_last_comes_first_and_the_oldest_goes_first() {
    let key = PoolKey::new(Capacity::AtMost(2), LONG);
    assert_eq!(taken(&key), None);
    (1..=3).for_each(|number| put(key.id(), Numbered(number)));
    assert_eq!(
        [taken(&key), taken(&key), taken(&key)],
        [Some(3), Some(2), None]
    );
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
    let idle_timeout = Duration::from_secs(30);
    let step = Duration::from_secs(1);
    let pool = Pool {
        idle: Vec::new(),
        capacity: Capacity::AsNeeded.max(),
        idle_timeout,
    };
    let mut simulation = Simulation {
        pool,
        now: Instant::now(),
        opened: 0,
    };
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
    assert_eq!(
        simulation.pool.idle.len(),
        20,
        "only as many as were in use at once since then"
    );
    assert_eq!(simulation.opened, 500);
}

#[test]
fn among_many_of_others_only_the_newest_are_searched() {
    let (key, owners) = (as_needed(LONG), [StateKey::new(), StateKey::new()]);
    let [one, other] = owners.each_ref().map(|owner| Some(owner.id()));
    for (between, found) in [(1023, true), (1024, false)] {
        assert!(take::<Owned>(&key, None).is_none());
        put(key.id(), Owned(one, 0));
        (0..between).for_each(|number| put(key.id(), Owned(other, number)));
        assert_eq!(take::<Owned>(&key, one).is_some(), found, "{between}");
        while take::<Owned>(&key, other).is_some() {}
    }
}

#[test]
fn nothing_is_kept_that_cannot_be_used() {
    for (key, number) in [
        (pool(0, LONG), 1),
        (pool(9, LONG), 0),
        (pool(9, Duration::ZERO), 1),
        (as_needed(Duration::ZERO), 1),
    ] {
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
    impl PooledConnection for Other {
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
struct Successor(
    PoolId,
    Rc<Cell<u32>>,
    RefCell<Option<Box<Successor>>>,
    Cell<bool>,
);

impl PooledConnection for Successor {
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
    assert_eq!(
        ended.get(),
        2,
        "the first gave place, and its successor took that of the second"
    );
    put(key.id(), make(Some(Box::new(make(None)))));
    drop(key);
    thread_state::tidy();
    assert_eq!(ended.get(), 5);
}

proptest! {
    /// Against one list for each owner, of which together the oldest go first.
    #[test]
    fn a_connection_is_used_by_its_owner_only(
        capacity in 0usize..5,
        steps in prop::collection::vec((0usize..4, any::<bool>()), 0..60),
    ) {
        let (key, owners) = (pool(capacity, LONG), [StateKey::new(), StateKey::new(), StateKey::new()]);
        let id = |owner: usize| owners.get(owner).map(StateKey::id);
        prop_assert!(take::<Owned>(&key, None).is_none());
        let mut list: Vec<(usize, u32)> = Vec::new();
        for (number, (owner, puts)) in (1..).zip(steps) {
            if puts {
                put(key.id(), Owned(id(owner), number));
                list.push((owner, number));
                let excess = list.len().saturating_sub(capacity);
                list.drain(..excess);
            } else {
                let at = list.iter().rposition(|(other, _)| *other == owner);
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
            thread_state::tidy();
        }
    }
}
