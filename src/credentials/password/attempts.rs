//! Limits wrong passwords per user and per source, in bounded memory. Verifies no password.

use crate::listener::ClientSource;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Maximum number of users, and of sources, in memory.
const MAX_KEYS: usize = 10_000;
/// How long a source is exempt from a user's limit after a correct password.
const KNOWN_SOURCE_TTL: Duration = Duration::from_secs(24 * 3600);

/// Limits of wrong passwords.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptLimits {
    /// For one user in a window, from sources without a recent correct password of this user.
    pub failures_per_user: u32,
    /// From one source in a window.
    pub failures_per_source: u32,
    /// How long failures are counted.
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

/// The source of attempts: an IPv4 address, or the /64 of an IPv6 address, since one client usually has the entire /64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// One address or /64 network.
    Known(ClientSource),
    /// All sources beyond the maximum; they share one counter.
    Others,
}

impl Source {
    /// The source that an address belongs to.
    pub fn of(address: IpAddr) -> Self {
        Self::Known(ClientSource::of(address))
    }
}

/// A keyed hash of a user name, so that clients cannot choose names that collide.
pub(super) type UserTag = u64;

/// Failures of one user or source since its window began.
#[derive(Clone, Copy, Debug)]
struct Failures {
    since: Instant,
    count: u32,
}

/// The failures within their windows.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    users: HashMap<UserTag, Failures>,
    sources: HashMap<Source, Failures>,
    /// The last correct password for each pair of user and source.
    known_sources: HashMap<(UserTag, Source), Instant>,
}

impl Attempts {
    /// How long this user from this source must wait. `None` if an attempt is allowed.
    ///
    /// The limit of a user applies only to sources without a correct password within a day, so that attackers delay each
    /// other, but not the user.
    pub(super) fn wait(
        &self,
        limits: &AttemptLimits,
        user: UserTag,
        source: Source,
        now: Instant,
    ) -> Option<Duration> {
        let source = self.counter_of(source);
        let remaining = |failures: Option<&Failures>, limit: u32| {
            let failures = failures.filter(|failures| failures.count >= limit)?;
            limits
                .window
                .checked_sub(now.saturating_duration_since(failures.since))
                .filter(|wait| !wait.is_zero())
        };
        let source_wait = remaining(self.sources.get(&source), limits.failures_per_source);
        let is_known = self
            .known_sources
            .get(&(user, source))
            .is_some_and(|last| now.saturating_duration_since(*last) < KNOWN_SOURCE_TTL);
        let user_wait = if is_known {
            None
        } else {
            remaining(self.users.get(&user), limits.failures_per_user)
        };
        source_wait.max(user_wait)
    }

    /// Counts a wrong password.
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
        let source = self.counter_of(source);
        count(&mut self.sources, source, window, now);
        // The source limit still applies if there is no room to count the user.
        if self.users.len() < MAX_KEYS || self.users.contains_key(&user) {
            count(&mut self.users, user, window, now);
        }
    }

    /// Records a correct password.
    pub(super) fn succeeded(&mut self, user: UserTag, source: Source, now: Instant) {
        make_room(&mut self.known_sources, |last| {
            now.saturating_duration_since(*last) < KNOWN_SOURCE_TTL
        });
        if self.known_sources.len() < MAX_KEYS || self.known_sources.contains_key(&(user, source)) {
            self.known_sources.insert((user, source), now);
        }
    }

    /// The key that a source is counted under. Beyond the maximum, new sources share one counter.
    fn counter_of(&self, source: Source) -> Source {
        if self.sources.len() < MAX_KEYS || self.sources.contains_key(&source) {
            source
        } else {
            Source::Others
        }
    }
}

/// Removes expired entries if the map is full.
fn make_room<K: Eq + Hash, V>(map: &mut HashMap<K, V>, mut is_current: impl FnMut(&V) -> bool) {
    if map.len() >= MAX_KEYS {
        map.retain(|_, value| is_current(value));
    }
}

fn count<K: Eq + Hash>(map: &mut HashMap<K, Failures>, key: K, window: Duration, now: Instant) {
    match map.entry(key) {
        Entry::Occupied(mut entry) if now.saturating_duration_since(entry.get().since) < window => {
            entry.get_mut().count = entry.get().count.saturating_add(1);
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
    fn a_user_is_delayed_by_failed_attempts_of_others_only() {
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
    fn a_source_is_limited_across_user_names() {
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
    fn memory_is_bounded_and_every_failure_is_counted() {
        let (mut attempts, now) = (Attempts::default(), Instant::now());
        for number in 0..(MAX_KEYS as u32 + 50) {
            attempts.failed(
                &LIMITS,
                u64::from(number),
                Source::of(IpAddr::from(number.to_be_bytes())),
                now,
            );
        }
        assert!(attempts.users.len() <= MAX_KEYS && attempts.sources.len() <= MAX_KEYS + 1);
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
