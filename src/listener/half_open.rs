//! The connections of a listener whose handshake has not finished: counted by source, and told to give way, the oldest
//! first. Closes none itself.
//!
//! One lock for each listener, taken twice for each connection and never for a request. Memory is bounded by the number of
//! connections: a source without a half-open connection is forgotten.

use super::ClientSource;
use prometheus::IntGauge;
use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tokio::sync::Notify;

/// The half-open connections of one listener.
pub(super) struct HalfOpenConnections {
    state: Mutex<State>,
    gauge: IntGauge,
}

#[derive(Default)]
struct State {
    /// By number: the oldest stands first.
    waiting: BTreeMap<u64, HandshakeEntry>,
    by_source: HashMap<ClientSource, u32>,
}

struct HandshakeEntry {
    source: Option<ClientSource>,
    give_way: Arc<Notify>,
}

/// One of them, until its handshake finishes or this is dropped.
pub(super) struct HalfOpenConnection {
    listener: Arc<HalfOpenConnections>,
    number: u64,
    give_way: Arc<Notify>,
}

/// A source has as many half-open connections as it may have.
#[derive(Debug)]
pub(super) struct SourceLimitReached;

/// The connection was told to give way before its handshake finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandshakeEviction;

/// Of all listeners, since they share the descriptors of the process.
static LISTENERS: Mutex<Vec<Weak<HalfOpenConnections>>> = Mutex::new(Vec::new());

impl HalfOpenConnections {
    pub(super) fn new(gauge: IntGauge) -> Arc<Self> {
        let made = Arc::new(Self {
            state: Mutex::default(),
            gauge,
        });
        let mut listeners = LISTENERS.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|listener| listener.strong_count() > 0);
        listeners.push(Arc::downgrade(&made));
        made
    }

    /// Counts one more, at its source if that has a limit.
    pub(super) fn begin(
        self: &Arc<Self>,
        source: ClientSource,
        limit: Option<NonZeroU32>,
    ) -> Result<HalfOpenConnection, SourceLimitReached> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let mut state = self.state();
        if let Some(limit) = limit {
            state.count(source, limit)?;
        }
        let give_way = Arc::<Notify>::default();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let source = limit.map(|_| source);
        state.waiting.insert(
            number,
            HandshakeEntry {
                source,
                give_way: give_way.clone(),
            },
        );
        self.gauge.inc();
        Ok(HalfOpenConnection {
            listener: self.clone(),
            number,
            give_way,
        })
    }

    /// Tells the oldest to give way, unless that is `except`.
    pub(super) fn oldest_gives_way(&self, except: &HalfOpenConnection) -> Result<(), ()> {
        let mut state = self.state();
        let number = state
            .oldest()
            .filter(|number| *number != except.number)
            .ok_or(())?;
        let waiting = state.remove(number).ok_or(())?;
        self.gauge.dec();
        waiting.give_way.notify_one();
        Ok(())
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.state().waiting.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many there are of all listeners.
pub(super) fn count_of_all() -> usize {
    let listeners = LISTENERS.lock().unwrap_or_else(PoisonError::into_inner);
    listeners
        .iter()
        .filter_map(Weak::upgrade)
        .map(|listener| listener.count())
        .sum()
}

/// Tells the oldest of all listeners to give way, unless that is `except`.
pub(super) fn oldest_of_all_gives_way(except: &HalfOpenConnection) -> Result<(), ()> {
    let listeners = LISTENERS.lock().unwrap_or_else(PoisonError::into_inner);
    let with_oldest = listeners.iter().filter_map(|listener| {
        let listener = listener.upgrade()?;
        let oldest = listener.state().oldest()?;
        Some((oldest, listener))
    });
    let (_, listener) = with_oldest.min_by_key(|(oldest, _)| *oldest).ok_or(())?;
    listener.oldest_gives_way(except)
}

impl State {
    fn count(&mut self, source: ClientSource, limit: NonZeroU32) -> Result<(), SourceLimitReached> {
        let count = self.by_source.entry(source).or_default();
        if *count >= limit.get() {
            return Err(SourceLimitReached);
        }
        *count += 1;
        Ok(())
    }

    fn oldest(&self) -> Option<u64> {
        self.waiting.first_key_value().map(|(number, _)| *number)
    }

    fn remove(&mut self, number: u64) -> Option<HandshakeEntry> {
        let waiting = self.waiting.remove(&number)?;
        if let Some(source) = waiting.source
            && let Some(count) = self.by_source.get_mut(&source)
        {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.by_source.remove(&source);
            }
        }
        Some(waiting)
    }
}

impl HalfOpenConnection {
    /// Counts it at this source, where only now it is known: a PROXY header has announced it.
    pub(super) fn count_at(
        &self,
        source: ClientSource,
        limit: NonZeroU32,
    ) -> Result<(), SourceLimitReached> {
        let mut state = self.listener.state();
        let is_counted = state
            .waiting
            .get(&self.number)
            .is_none_or(|waiting| waiting.source.is_some());
        if is_counted {
            return Ok(());
        }
        state.count(source, limit)?;
        if let Some(waiting) = state.waiting.get_mut(&self.number) {
            waiting.source = Some(source);
        }
        Ok(())
    }

    /// The handshake has finished: the connection is half-open no more.
    pub(super) fn finish(&self) -> Result<(), HandshakeEviction> {
        self.leave().map(drop).ok_or(HandshakeEviction)
    }

    /// Ends when it is told to give way.
    pub(super) async fn told_to_give_way(&self) {
        self.give_way.notified().await;
    }

    fn leave(&self) -> Option<HandshakeEntry> {
        let left = self.listener.state().remove(self.number);
        if left.is_some() {
            self.listener.gauge.dec();
        }
        left
    }
}

impl Drop for HalfOpenConnection {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn half_open() -> Arc<HalfOpenConnections> {
        HalfOpenConnections::new(IntGauge::new("half_open", "x").unwrap())
    }

    fn source(last: u8) -> ClientSource {
        ClientSource::of([192, 0, 2, last].into())
    }

    const TWO: Option<NonZeroU32> = NonZeroU32::new(2);

    #[test]
    fn a_source_is_limited_until_one_of_its_handshakes_finishes_or_ends() {
        let all = half_open();
        let (one, two) = (
            all.begin(source(1), TWO).unwrap(),
            all.begin(source(1), TWO).unwrap(),
        );
        assert!(all.begin(source(1), TWO).is_err());
        assert!(all.begin(source(2), TWO).is_ok(), "another source");
        one.finish().unwrap();
        let three = all.begin(source(1), TWO).unwrap();
        assert!(all.begin(source(1), TWO).is_err());
        drop(two);
        let _four = all.begin(source(1), TWO).unwrap();
        assert!(
            all.begin(source(1), None).is_ok(),
            "without a limit nothing is counted"
        );
        drop((one, three));
        let state = all.state();
        assert_eq!(
            (state.waiting.len(), state.by_source.len(), all.gauge.get()),
            (1, 1, 1)
        );
        drop(state);
    }

    #[test]
    fn addresses_of_one_network_are_one_source() {
        let of = |text: &str| ClientSource::of(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1:2:3"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("192.0.2.1"), of("::ffff:192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }

    #[test]
    fn the_oldest_gives_way_and_never_one_that_has_finished() {
        let all = half_open();
        let connections: Vec<_> = (0..3)
            .map(|_| all.begin(source(1), None).unwrap())
            .collect();
        let [first, second, third] = connections.as_slice() else {
            panic!("three")
        };
        first.finish().unwrap();
        all.oldest_gives_way(third).unwrap();
        assert_eq!(second.finish(), Err(HandshakeEviction));
        assert_eq!(all.oldest_gives_way(third), Err(()), "there is no other");
        assert_eq!(third.finish(), Ok(()));
    }

    #[tokio::test]
    async fn whoever_gives_way_hears_of_it_also_if_it_listens_later() {
        let all = half_open();
        let (old, new) = (
            all.begin(source(1), None).unwrap(),
            all.begin(source(2), None).unwrap(),
        );
        all.oldest_gives_way(&new).unwrap();
        old.told_to_give_way().await;
    }

    #[test]
    fn a_source_that_is_announced_later_is_counted_once() {
        let all = half_open();
        let two = TWO.unwrap();
        let proxied: Vec<_> = (0..3)
            .map(|_| all.begin(source(9), None).unwrap())
            .collect();
        let counted = proxied
            .iter()
            .map(|connection| connection.count_at(source(1), two).is_ok());
        assert_eq!(counted.collect::<Vec<_>>(), [true, true, false]);
        assert!(
            proxied[0].count_at(source(1), two).is_ok(),
            "it is counted already"
        );
        drop(proxied);
        assert!(all.state().by_source.is_empty());
    }

    proptest! {
        #[test]
        fn counts_are_those_of_the_connections_that_are_there(
            steps in prop::collection::vec((0u8..4, 0usize..8, 0u8..4), 0..80),
        ) {
            let all = half_open();
            let mut open: Vec<(u8, HalfOpenConnection)> = Vec::new();
            for (from, at, what) in steps {
                let count = open.iter().filter(|(of, _)| *of == from).count();
                match what {
                    0 if !open.is_empty() => drop(open.remove(at % open.len())),
                    1 if !open.is_empty() => prop_assert!(open.remove(at % open.len()).1.finish().is_ok()),
                    _ => {
                        let begun = all.begin(source(from), TWO);
                        prop_assert_eq!(begun.is_ok(), count < 2);
                        open.extend(begun.ok().map(|begun| (from, begun)));
                    }
                }
                let sources: std::collections::HashSet<_> = open.iter().map(|(from, _)| *from).collect();
                prop_assert_eq!(all.state().by_source.len(), sources.len());
                prop_assert_eq!(all.gauge.get(), open.len() as i64);
            }
        }
    }
}
