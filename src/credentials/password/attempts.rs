//! How many wrong passwords are too many: for each user, and for each source. Bounded, whoever tries. Checks none.

use crate::listener::ClientSource;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Users and sources remembered at once, each.
const MOST_KEYS: usize = 10_000;
/// How long a source is known to be a user's own after a right password.
const OWN_SOURCE: Duration = Duration::from_secs(24 * 3600);

/// How many wrong passwords are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptLimits {
    /// For one user in a window, from sources that it has not come from.
    pub failures_per_user: u32,
    /// From one source in a window.
    pub failures_per_source: u32,
    /// How long failures count.
    pub window: Duration,
}

impl Default for AttemptLimits {
    fn default() -> Self {
        Self {
            failures_per_user: 10,
            failures_per_source: 10,
            window: Duration::from_secs(60),
        }
    }
}

/// Where attempts come from: an IPv4 address, or the /64 of an IPv6 address, which one party has as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// One address, or one network.
    Known(ClientSource),
    /// All that are too many to be told apart.
    Others,
}

impl Source {
    /// The source that an address belongs to.
    pub fn of(address: IpAddr) -> Self {
        Self::Known(ClientSource::of(address))
    }
}

/// A user as it is counted: a tag that nobody outside can choose to collide.
pub(super) type UserTag = u64;

/// Failures of one key since its window began.
#[derive(Clone, Copy, Debug)]
struct Failures {
    since: Instant,
    count: u32,
}

/// All failures that count now.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    users: HashMap<UserTag, Failures>,
    sources: HashMap<Source, Failures>,
    /// Where a user has come from with the right password, and when last.
    own: HashMap<(UserTag, Source), Instant>,
}

impl Attempts {
    /// How long this user from this source has to wait. `None` if it may try.
    ///
    /// The limit of a user holds only for sources that it has not come from within a day: so strangers can slow down
    /// each other, and not the user.
    pub(super) fn wait(
        &self,
        limits: &AttemptLimits,
        user: UserTag,
        source: Source,
        now: Instant,
    ) -> Option<Duration> {
        let source = self.counted_as(source);
        let left = |failures: Option<&Failures>, most: u32| {
            let failures = failures.filter(|failures| failures.count >= most)?;
            limits
                .window
                .checked_sub(now.saturating_duration_since(failures.since))
                .filter(|left| !left.is_zero())
        };
        let of_source = left(self.sources.get(&source), limits.failures_per_source);
        let is_own = self
            .own
            .get(&(user, source))
            .is_some_and(|last| now.saturating_duration_since(*last) < OWN_SOURCE);
        let of_user = if is_own {
            None
        } else {
            left(self.users.get(&user), limits.failures_per_user)
        };
        of_source.max(of_user)
    }

    /// A wrong password.
    pub(super) fn failed(
        &mut self,
        limits: &AttemptLimits,
        user: UserTag,
        source: Source,
        now: Instant,
    ) {
        let window = limits.window;
        make_room(&mut self.users, |failures| {
            now.saturating_duration_since(failures.since) < window
        });
        make_room(&mut self.sources, |failures| {
            now.saturating_duration_since(failures.since) < window
        });
        let source = self.counted_as(source);
        count(&mut self.sources, source, window, now);
        // A user that is not counted any more is still held back by source.
        if self.users.len() < MOST_KEYS || self.users.contains_key(&user) {
            count(&mut self.users, user, window, now);
        }
    }

    /// A right password.
    pub(super) fn succeeded(&mut self, user: UserTag, source: Source, now: Instant) {
        make_room(&mut self.own, |last| {
            now.saturating_duration_since(*last) < OWN_SOURCE
        });
        if self.own.len() < MOST_KEYS || self.own.contains_key(&(user, source)) {
            self.own.insert((user, source), now);
        }
    }

    /// Where there are too many sources, new ones share one count, rather than none being counted.
    fn counted_as(&self, source: Source) -> Source {
        if self.sources.len() < MOST_KEYS || self.sources.contains_key(&source) {
            source
        } else {
            Source::Others
        }
    }
}

/// Forgets what no longer counts, but only when there is no room.
fn make_room<K: Eq + Hash, V>(map: &mut HashMap<K, V>, mut counts: impl FnMut(&V) -> bool) {
    if map.len() >= MOST_KEYS {
        map.retain(|_, value| counts(value));
    }
}

fn count<K: Eq + Hash>(map: &mut HashMap<K, Failures>, key: K, window: Duration, now: Instant) {
    match map.entry(key) {
        Entry::Occupied(mut there) if now.saturating_duration_since(there.get().since) < window => {
            there.get_mut().count = there.get().count.saturating_add(1);
        }
        entry => {
            entry.insert_entry(Failures {
                since: now,
                count: 1,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: AttemptLimits = AttemptLimits {
        failures_per_user: 3,
        failures_per_source: 5,
        window: Duration::from_secs(60),
    };

    fn source(last: u8) -> Source {
        Source::of(IpAddr::from([192, 0, 2, last]))
    }

    #[test]
    fn a_user_is_held_back_for_strangers_and_not_for_itself() {
        let (mut attempts, now) = (Attempts::default(), Instant::now());
        attempts.succeeded(7, source(1), now);
        for stranger in 2..5 {
            assert_eq!(attempts.wait(&LIMITS, 7, source(9), now), None);
            attempts.failed(&LIMITS, 7, source(stranger), now);
        }
        assert_eq!(
            attempts.wait(&LIMITS, 7, source(9), now),
            Some(LIMITS.window),
            "no stranger gets a fourth try"
        );
        assert_eq!(
            attempts.wait(&LIMITS, 7, source(1), now),
            None,
            "its own source"
        );
        assert_eq!(
            attempts.wait(&LIMITS, 8, source(9), now),
            None,
            "another user"
        );
        let later = now + LIMITS.window;
        assert_eq!(attempts.wait(&LIMITS, 7, source(9), later), None);
        attempts.failed(&LIMITS, 7, source(9), later);
        assert_eq!(
            attempts.wait(&LIMITS, 7, source(9), later),
            None,
            "a new window begins with one"
        );
    }

    #[test]
    fn a_source_is_held_back_whatever_names_it_tries() {
        let (mut attempts, now) = (Attempts::default(), Instant::now());
        (0..5).for_each(|user| attempts.failed(&LIMITS, user, source(1), now));
        assert_eq!(
            attempts.wait(&LIMITS, 99, source(1), now + Duration::from_secs(20)),
            Some(Duration::from_secs(40))
        );
        assert_eq!(attempts.wait(&LIMITS, 99, source(2), now), None);
    }

    #[test]
    fn an_ipv6_source_is_its_network() {
        let of = |text: &str| Source::of(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1:2:3"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), source(1));
    }

    #[test]
    fn however_many_try_memory_is_bounded_and_nobody_is_uncounted() {
        let (mut attempts, now) = (Attempts::default(), Instant::now());
        for number in 0..(MOST_KEYS as u32 + 50) {
            attempts.failed(
                &LIMITS,
                u64::from(number),
                Source::of(IpAddr::from(number.to_be_bytes())),
                now,
            );
        }
        assert!(attempts.users.len() <= MOST_KEYS && attempts.sources.len() <= MOST_KEYS + 1);
        let fresh = Source::of(IpAddr::from([250, 0, 0, 1]));
        assert!(
            attempts.wait(&LIMITS, 1_000_000, fresh, now).is_some(),
            "new sources share one count"
        );
        assert_eq!(
            attempts.wait(&LIMITS, 1_000_000, fresh, now + LIMITS.window),
            None
        );
        attempts.failed(&LIMITS, 1, fresh, now + LIMITS.window);
        assert!(
            attempts.sources.len() < 3,
            "what no longer counts makes room"
        );
    }
}
