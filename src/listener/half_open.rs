//! Half-open connections, which have not finished their handshake: counts per source, and eviction of the oldest.
//!
//! Each listener has one lock, taken twice per connection and never for a request. Memory is bounded by the number of
//! connections: a source without half-open connections has no entry.

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
    /// By number; the first is the oldest.
    handshakes: BTreeMap<u64, HandshakeEntry>,
    by_source: HashMap<ClientSource, u32>,
}

struct HandshakeEntry {
    source: Option<ClientSource>,
    eviction: Arc<Notify>,
}

/// One half-open connection, until its handshake finishes or this is dropped.
pub(super) struct HalfOpenConnection {
    listener: Arc<HalfOpenConnections>,
    number: u64,
    eviction: Arc<Notify>,
}

/// A source is at its limit of half-open connections.
#[derive(Debug)]
pub(super) struct SourceLimitReached;

/// The connection was evicted before its handshake finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandshakeEviction;

/// All listeners of the process, since they share its file descriptors.
static LISTENERS: Mutex<Vec<Weak<HalfOpenConnections>>> = Mutex::new(Vec::new());

impl HalfOpenConnections {
    pub(super) fn new(gauge: IntGauge) -> Arc<Self> {
        let connections = Arc::new(Self {
            state: Mutex::default(),
            gauge,
        });
        let mut listeners = LISTENERS.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|listener| listener.strong_count() > 0);
        listeners.push(Arc::downgrade(&connections));
        connections
    }

    /// Registers a connection. Counts it for its source if there is a limit.
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
        let eviction = Arc::<Notify>::default();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let source = limit.map(|_| source);
        state.handshakes.insert(
            number,
            HandshakeEntry {
                source,
                eviction: eviction.clone(),
            },
        );
        self.gauge.inc();
        Ok(HalfOpenConnection {
            listener: self.clone(),
            number,
            eviction,
        })
    }

    /// Evicts the oldest connection, unless that is `except`.
    pub(super) fn evict_oldest(&self, except: &HalfOpenConnection) -> Result<(), ()> {
        let mut state = self.state();
        let number = state
            .oldest()
            .filter(|number| *number != except.number)
            .ok_or(())?;
        let entry = state.remove(number).ok_or(())?;
        self.gauge.dec();
        entry.eviction.notify_one();
        Ok(())
    }

    /// Number of half-open connections.
    pub(super) fn count(&self) -> usize {
        self.state().handshakes.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Number of half-open connections of all listeners.
pub(super) fn count_of_process() -> usize {
    let listeners = LISTENERS.lock().unwrap_or_else(PoisonError::into_inner);
    listeners
        .iter()
        .filter_map(Weak::upgrade)
        .map(|listener| listener.count())
        .sum()
}

/// Evicts the oldest connection of all listeners, unless that is `except`.
pub(super) fn evict_oldest_of_process(except: &HalfOpenConnection) -> Result<(), ()> {
    let listeners = LISTENERS.lock().unwrap_or_else(PoisonError::into_inner);
    let with_oldest = listeners.iter().filter_map(|listener| {
        let listener = listener.upgrade()?;
        let oldest = listener.state().oldest()?;
        Some((oldest, listener))
    });
    let (_, listener) = with_oldest.min_by_key(|(oldest, _)| *oldest).ok_or(())?;
    listener.evict_oldest(except)
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
        self.handshakes.first_key_value().map(|(number, _)| *number)
    }

    fn remove(&mut self, number: u64) -> Option<HandshakeEntry> {
        let entry = self.handshakes.remove(&number)?;
        if let Some(source) = entry.source
            && let Some(count) = self.by_source.get_mut(&source)
        {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.by_source.remove(&source);
            }
        }
        Some(entry)
    }
}

impl HalfOpenConnection {
    /// Counts the connection for a source that became known later, by a PROXY header. No effect if it is counted.
    pub(super) fn count_at(
        &self,
        source: ClientSource,
        limit: NonZeroU32,
    ) -> Result<(), SourceLimitReached> {
        let mut state = self.listener.state();
        let is_counted = state
            .handshakes
            .get(&self.number)
            .is_none_or(|entry| entry.source.is_some());
        if is_counted {
            return Ok(());
        }
        state.count(source, limit)?;
        if let Some(entry) = state.handshakes.get_mut(&self.number) {
            entry.source = Some(source);
        }
        Ok(())
    }

    /// Removes the connection after its handshake.
    pub(super) fn finish(&self) -> Result<(), HandshakeEviction> {
        self.leave().map(drop).ok_or(HandshakeEviction)
    }

    /// Waits for the eviction.
    pub(super) async fn evicted(&self) {
        self.eviction.notified().await;
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
        let one = all.begin(source(1), TWO).unwrap();
        let two = all.begin(source(1), TWO).unwrap();
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
            (
                state.handshakes.len(),
                state.by_source.len(),
                all.gauge.get()
            ),
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
        all.evict_oldest(third).unwrap();
        assert_eq!(second.finish(), Err(HandshakeEviction));
        assert_eq!(all.evict_oldest(third), Err(()), "there is no other");
        assert_eq!(third.finish(), Ok(()));
    }

    #[tokio::test]
    async fn an_eviction_is_noticed_also_by_a_later_wait() {
        let all = half_open();
        let old = all.begin(source(1), None).unwrap();
        let new = all.begin(source(2), None).unwrap();
        all.evict_oldest(&new).unwrap();
        old.evicted().await;
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
        fn counts_match_the_open_connections(
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
                        let connection = all.begin(source(from), TWO);
                        prop_assert_eq!(connection.is_ok(), count < 2);
                        open.extend(connection.ok().map(|connection| (from, connection)));
                    }
                }
                let sources: std::collections::HashSet<_> = open.iter().map(|(from, _)| *from).collect();
                prop_assert_eq!(all.state().by_source.len(), sources.len());
                prop_assert_eq!(all.gauge.get(), open.len() as i64);
            }
        }
    }
}
