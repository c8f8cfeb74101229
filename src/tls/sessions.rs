//! TLS 1.2 sessions of clients that take no tickets: one store for the whole process, bounded in bytes. A session holds its
//! client's certificate chain, so a client could make it large. Tickets need no store.

use rustls::server::StoresServerSessions;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use zeroize::Zeroizing;

/// All sessions together, with what it takes to find them.
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// A larger session is not kept: its client shakes hands in full.
const LONGEST_SESSION: usize = 4 * 1024;
/// What an entry costs beside its key (twice) and its value: places in both maps.
const ENTRY: usize = 128;

/// The sessions of one host policy. No other can find them; dropped, they are forgotten.
#[derive(Debug)]
pub(super) struct Sessions {
    /// Tells the sessions of this policy from all others.
    policy: u64,
}

/// Which policy's, and which of them.
type SessionKey = (u64, Vec<u8>);

#[derive(Default)]
struct Store {
    /// By key: when it was put, and the session.
    sessions: HashMap<SessionKey, (u64, Zeroizing<Vec<u8>>)>,
    /// Oldest first.
    order: BTreeMap<u64, SessionKey>,
    next: u64,
    bytes: usize,
}

fn store() -> MutexGuard<'static, Store> {
    static STORE: LazyLock<Mutex<Store>> = LazyLock::new(Mutex::default);
    // Nothing in here can stop halfway.
    STORE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sessions {
    pub(super) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            policy: NEXT.fetch_add(1, Ordering::Relaxed),
        }
    }
}

impl Drop for Sessions {
    fn drop(&mut self) {
        store().forget_policy(self.policy);
    }
}

impl StoresServerSessions for Sessions {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        let value = Zeroizing::new(value);
        if value.len() > LONGEST_SESSION {
            return false;
        }
        store().put((self.policy, key), value, MOST_BYTES);
        true
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        let store = store();
        store
            .sessions
            .get(&(self.policy, key.to_vec()))
            .map(|(_, value)| value.to_vec())
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        store()
            .remove(&(self.policy, key.to_vec()))
            .map(|value| value.to_vec())
    }

    fn can_cache(&self) -> bool {
        true
    }
}

impl Store {
    fn put(&mut self, key: SessionKey, value: Zeroizing<Vec<u8>>, most: usize) {
        self.remove(&key);
        self.bytes += cost(&key, &value);
        self.order.insert(self.next, key.clone());
        self.sessions.insert(key, (self.next, value));
        self.next += 1;
        while self.bytes > most
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.remove(&oldest);
        }
    }

    fn remove(&mut self, key: &SessionKey) -> Option<Zeroizing<Vec<u8>>> {
        let (number, value) = self.sessions.remove(key)?;
        self.order.remove(&number);
        self.bytes -= cost(key, &value);
        Some(value)
    }

    fn forget_policy(&mut self, policy: u64) {
        let keys: Vec<_> = self
            .sessions
            .keys()
            .filter(|(of, _)| *of == policy)
            .cloned()
            .collect();
        keys.iter().for_each(|key| drop(self.remove(key)));
    }
}

fn cost(key: &SessionKey, value: &[u8]) -> usize {
    ENTRY + 2 * key.1.len() + value.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_belong_to_their_policy_and_end_with_it() {
        let (one, other) = (Sessions::new(), Sessions::new());
        assert!(one.put(vec![1], vec![7; 100]) && other.put(vec![1], vec![8; 100]));
        assert_eq!(
            (one.get(&[1]), other.get(&[1])),
            (Some(vec![7; 100]), Some(vec![8; 100]))
        );
        assert_eq!((one.take(&[1]), one.get(&[1])), (Some(vec![7; 100]), None));
        let policy = other.policy;
        drop(other);
        assert!(store().sessions.keys().all(|(of, _)| *of != policy));
    }

    #[test]
    fn a_large_session_is_not_kept_and_a_small_one_is() {
        let sessions = Sessions::new();
        assert!(!sessions.put(vec![1], vec![0; LONGEST_SESSION + 1]));
        assert_eq!(sessions.get(&[1]), None);
        assert!(sessions.put(vec![1], vec![0; LONGEST_SESSION]));
        assert!(sessions.get(&[1]).is_some());
    }

    #[test]
    fn the_store_is_bounded_in_bytes_and_the_oldest_go_first() {
        let mut store = Store::default();
        let most = 10 * (ENTRY + 64 + 1000);
        for number in 0..50 {
            store.put(
                (u64::from(number % 3), vec![number; 32]),
                Zeroizing::new(vec![0; 1000]),
                most,
            );
            assert!(store.bytes <= most);
        }
        let mut kept: Vec<u8> = store.sessions.keys().map(|(_, key)| key[0]).collect();
        kept.sort_unstable();
        assert_eq!(kept, (40..50).collect::<Vec<u8>>());
        // The same key again takes no more room.
        let before = (store.bytes, store.order.len());
        store.put((1, vec![49; 32]), Zeroizing::new(vec![0; 1000]), most);
        assert_eq!((store.bytes, store.order.len()), before);
        (0..3).for_each(|policy| store.forget_policy(policy));
        assert_eq!(
            (store.bytes, store.order.len(), store.sessions.len()),
            (0, 0, 0)
        );
    }
}
