//! TLS 1.2 sessions of clients without ticket support: one store for the whole process, bounded in bytes, since a session
//! contains the client's certificate chain. Tickets need no store.

use rustls::server::StoresServerSessions;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use zeroize::Zeroizing;

/// Maximum size of all sessions and their index, in bytes.
const MAX_BYTES: usize = 16 * 1024 * 1024;
/// Maximum size of a session, in bytes. The client of a larger one does a full handshake.
const MAX_SESSION: usize = 4 * 1024;
/// Estimated overhead of an entry in both maps, in bytes, beside its key (stored twice) and its value.
const ENTRY_OVERHEAD: usize = 128;

/// The sessions of one host policy, invisible to other policies. Dropping this removes them.
#[derive(Debug)]
pub(super) struct Sessions {
    /// The unique number of the policy.
    policy: u64,
}

/// Identifies a session in the store.
#[derive(Clone, PartialEq, Eq, Hash)]
struct SessionKey {
    /// The number of the policy.
    policy: u64,
    /// The key that rustls chose.
    id: Vec<u8>,
}

#[derive(Default)]
struct Store {
    /// The insertion number and the content of each session.
    sessions: HashMap<SessionKey, (u64, Zeroizing<Vec<u8>>)>,
    /// Keys by insertion number, oldest first.
    order: BTreeMap<u64, SessionKey>,
    /// The next insertion number.
    next: u64,
    /// The size of all entries.
    bytes: usize,
}

fn store() -> MutexGuard<'static, Store> {
    static STORE: LazyLock<Mutex<Store>> = LazyLock::new(Mutex::default);
    // No operation under the lock can leave the store inconsistent.
    STORE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sessions {
    pub(super) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            policy: NEXT.fetch_add(1, Ordering::Relaxed),
        }
    }

    fn key(&self, id: Vec<u8>) -> SessionKey {
        SessionKey {
            policy: self.policy,
            id,
        }
    }
}

impl Drop for Sessions {
    fn drop(&mut self) {
        store().remove_policy(self.policy);
    }
}

impl StoresServerSessions for Sessions {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        let value = Zeroizing::new(value);
        if value.len() > MAX_SESSION {
            return false;
        }
        store().put(self.key(key), value, MAX_BYTES);
        true
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        let store = store();
        store
            .sessions
            .get(&self.key(key.to_vec()))
            .map(|(_, value)| value.to_vec())
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        store()
            .remove(&self.key(key.to_vec()))
            .map(|value| value.to_vec())
    }

    fn can_cache(&self) -> bool {
        true
    }
}

impl Store {
    fn put(&mut self, key: SessionKey, value: Zeroizing<Vec<u8>>, max_bytes: usize) {
        self.remove(&key);
        self.bytes += cost(&key, &value);
        self.order.insert(self.next, key.clone());
        self.sessions.insert(key, (self.next, value));
        self.next += 1;
        while self.bytes > max_bytes
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

    fn remove_policy(&mut self, policy: u64) {
        let keys: Vec<_> = self
            .sessions
            .keys()
            .filter(|key| key.policy == policy)
            .cloned()
            .collect();
        keys.iter().for_each(|key| drop(self.remove(key)));
    }
}

fn cost(key: &SessionKey, value: &[u8]) -> usize {
    ENTRY_OVERHEAD + 2 * key.id.len() + value.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_belong_to_their_policy_and_end_with_it() {
        let one = Sessions::new();
        let other = Sessions::new();
        assert!(one.put(vec![1], vec![7; 100]) && other.put(vec![1], vec![8; 100]));
        assert_eq!(
            (one.get(&[1]), other.get(&[1])),
            (Some(vec![7; 100]), Some(vec![8; 100]))
        );
        assert_eq!((one.take(&[1]), one.get(&[1])), (Some(vec![7; 100]), None));
        let policy = other.policy;
        drop(other);
        assert!(store().sessions.keys().all(|key| key.policy != policy));
    }

    #[test]
    fn a_large_session_is_not_kept_and_a_small_one_is() {
        let sessions = Sessions::new();
        assert!(!sessions.put(vec![1], vec![0; MAX_SESSION + 1]));
        assert_eq!(sessions.get(&[1]), None);
        assert!(sessions.put(vec![1], vec![0; MAX_SESSION]));
        assert!(sessions.get(&[1]).is_some());
    }

    #[test]
    fn the_store_is_bounded_in_bytes_and_the_oldest_go_first() {
        let mut store = Store::default();
        let most = 10 * (ENTRY_OVERHEAD + 64 + 1000);
        for number in 0..50 {
            store.put(
                SessionKey {
                    policy: u64::from(number % 3),
                    id: vec![number; 32],
                },
                Zeroizing::new(vec![0; 1000]),
                most,
            );
            assert!(store.bytes <= most);
        }
        let mut kept: Vec<u8> = store.sessions.keys().map(|key| key.id[0]).collect();
        kept.sort_unstable();
        assert_eq!(kept, (40..50).collect::<Vec<u8>>());
        // The same key again takes no more room.
        let before = (store.bytes, store.order.len());
        let key = SessionKey {
            policy: 1,
            id: vec![49; 32],
        };
        store.put(key, Zeroizing::new(vec![0; 1000]), most);
        assert_eq!((store.bytes, store.order.len()), before);
        (0..3).for_each(|policy| store.remove_policy(policy));
        assert_eq!(
            (store.bytes, store.order.len(), store.sessions.len()),
            (0, 0, 0)
        );
    }
}
