//! Passwords: the hashes of each user, and the check of a password. Independent of HTTP.

mod attempts;
mod check;
mod hash;

pub use attempts::{AttemptLimits, Source};
pub use check::{PasswordChecks, PasswordFailure, PasswordVerdict};
pub use hash::{HashDigest, HashError, PasswordHash, hash_password};

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// The passwords of all users, and the settings of checks.
#[derive(Debug)]
pub struct Passwords {
    by_user: HashMap<Arc<str>, Arc<[PasswordHash]>>,
    /// The same hashes in order, to choose decoys from.
    in_order: Vec<Arc<[PasswordHash]>>,
    /// Limits of wrong passwords.
    pub limits: AttemptLimits,
    /// How long a correct password stays in the cache; `None` disables the cache.
    pub remember: Option<Duration>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self::new(AttemptLimits::default(), Some(Duration::from_secs(60)))
    }
}

impl Passwords {
    /// Creates an empty set.
    pub fn new(limits: AttemptLimits, remember: Option<Duration>) -> Self {
        Self {
            by_user: HashMap::new(),
            in_order: Vec::new(),
            limits,
            remember,
        }
    }

    /// Adds the password hashes of a user; any one of them may match. An empty list is ignored: then no password matches,
    /// not even an empty one.
    pub fn add(&mut self, user: &str, hashes: Vec<PasswordHash>) {
        if hashes.is_empty() {
            return;
        }
        let hashes: Arc<[PasswordHash]> = hashes.into();
        self.by_user.insert(user.into(), hashes.clone());
        self.in_order.push(hashes);
    }

    /// Whether no user has a password.
    pub fn is_empty(&self) -> bool {
        self.by_user.is_empty()
    }

    /// Whether a user has any password.
    pub fn has_any(&self, user: &str) -> bool {
        self.by_user.contains_key(user)
    }

    /// One of the hashes of a user.
    pub fn any_of(&self, user: &str) -> Option<HashDigest> {
        self.by_user.get(user)?.first().map(|hash| *hash.digest())
    }

    /// Whether a user has a password with this hash.
    pub fn has(&self, user: &str, hash: &HashDigest) -> bool {
        self.by_user
            .get(user)
            .is_some_and(|hashes| hashes.iter().any(|known| known.digest() == hash))
    }

    /// The hashes of a user.
    fn of(&self, user: &str) -> Option<&Arc<[PasswordHash]>> {
        self.by_user.get(user)
    }

    /// Hashes of some user, to check instead of missing ones, so that the time of a check does not reveal whether the user
    /// exists.
    fn decoy(&self, choice: u64) -> Option<&Arc<[PasswordHash]>> {
        let count = u64::try_from(self.in_order.len())
            .ok()
            .filter(|count| *count > 0)?;
        self.in_order.get(usize::try_from(choice % count).ok()?)
    }
}
