//! Checks passwords on blocking threads: a few at a time, with a bounded queue, a short-lived cache, and limits of wrong
//! attempts.

use super::attempts::{Attempts, UserTag};
use super::{HashDigest, PasswordHash, Passwords, Source};
use crate::credentials::BasicCredentials;
use aws_lc_rs::hmac;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// Maximum number of hashes that are computed concurrently.
const MAX_CONCURRENT: usize = 2;
/// Maximum number of waiting checks.
const MAX_QUEUE: usize = 256;
/// Maximum time in the queue.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum number of cached passwords.
const MAX_CACHED: usize = 10_000;

/// The state of all password checks of a process. It outlives reloads.
///
/// The locks are shared between workers, held for one table lookup, and taken only by requests with passwords. A cache
/// per worker would hash each password once per worker.
pub struct PasswordChecks {
    /// Random for each process, so that tags are meaningless elsewhere.
    key: hmac::Key,
    cache: Mutex<HashMap<[u8; 32], CachedPassword>>,
    attempts: Arc<Mutex<Attempts>>,
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
}

struct CachedPassword {
    hash: HashDigest,
    until: Instant,
}

/// A correct password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordVerdict {
    /// The password was hashed now.
    Verified(HashDigest),
    /// The password was found in the cache.
    Remembered(HashDigest),
}

/// The reason why a password is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordFailure {
    /// Wrong password, unknown user, or a user without a password.
    Wrong,
    /// Too many wrong passwords; the time until the next attempt is allowed.
    TooMany(Duration),
    /// The queue is full, or the time in it expired.
    Busy,
}

impl Default for PasswordChecks {
    fn default() -> Self {
        let mut key = zeroize::Zeroizing::new([0; 32]);
        // Without randomness TLS does not work either, so this is not reached in practice. The tags never leave the
        // process in any case.
        if aws_lc_rs::rand::fill(&mut *key).is_err() {
            tracing::error!("no randomness for the memory of passwords");
        }
        let concurrent = std::thread::available_parallelism()
            .map_or(1, usize::from)
            .min(MAX_CONCURRENT);
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, &*key),
            cache: Mutex::default(),
            attempts: Arc::default(),
            turns: Arc::new(Semaphore::new(concurrent)),
            waiting: AtomicUsize::new(0),
        }
    }
}

impl PasswordChecks {
    /// Verifies a user's password.
    ///
    /// # Errors
    /// [`PasswordFailure`]. An unknown user, a user without a password and a wrong password give the same error after the
    /// same work.
    pub async fn check(
        &self,
        passwords: &Passwords,
        credentials: &BasicCredentials,
        source: Source,
    ) -> Result<PasswordVerdict, PasswordFailure> {
        let tag = self.tag(credentials);
        let user = self.user_tag(&credentials.user);
        // Before the cache lookup: a cache hit would reveal a correct guess beyond the limit.
        self.may_try(passwords, user, source)?;
        if let Some(hash) = self.cached(&tag, passwords, &credentials.user) {
            return Ok(PasswordVerdict::Remembered(hash));
        }
        let turn = self.turn().await?;
        // While this check waited, other checks may have failed, or cached the same password.
        self.may_try(passwords, user, source)?;
        if let Some(hash) = self.cached(&tag, passwords, &credentials.user) {
            return Ok(PasswordVerdict::Remembered(hash));
        }
        let hash = self
            .hash_and_count(passwords, credentials, user, source, turn)
            .await
            .ok_or(PasswordFailure::Wrong)?;
        self.store(passwords, tag, hash, Instant::now());
        Ok(PasswordVerdict::Verified(hash))
    }

    /// The hash of the user that the password matches. Computed on a blocking thread, which counts the result and releases
    /// the turn even if the request is cancelled: a disconnected client's attempt counts as well.
    async fn hash_and_count(
        &self,
        passwords: &Passwords,
        credentials: &BasicCredentials,
        user: UserTag,
        source: Source,
        turn: tokio::sync::OwnedSemaphorePermit,
    ) -> Option<HashDigest> {
        let known = passwords.of(&credentials.user).cloned();
        let hashes = known
            .clone()
            .or_else(|| passwords.decoy(user).cloned())
            .unwrap_or_default();
        // An empty password is never correct, and a match with a decoy hash proves nothing.
        let may_match = known.is_some() && !credentials.password.is_empty();
        let password = credentials.password.clone();
        let limits = passwords.limits;
        let attempts = self.attempts.clone();
        let work = move || {
            let _turn = turn;
            let matching = hashes
                .iter()
                .find(|hash| hash.matches(&password))
                .map(|hash: &PasswordHash| *hash.digest());
            let verified = matching.filter(|_| may_match);
            let mut attempts = attempts.lock().unwrap_or_else(PoisonError::into_inner);
            match verified {
                Some(_) => attempts.succeeded(user, source, Instant::now()),
                None => attempts.failed(&limits, user, source, Instant::now()),
            }
            verified
        };
        tokio::task::spawn_blocking(work).await.ok().flatten()
    }

    async fn turn(&self) -> Result<tokio::sync::OwnedSemaphorePermit, PasswordFailure> {
        let slot = QueueSlot::take(&self.waiting).ok_or(PasswordFailure::Busy)?;
        let turn = tokio::time::timeout(QUEUE_TIMEOUT, self.turns.clone().acquire_owned()).await;
        drop(slot);
        turn.ok().and_then(Result::ok).ok_or(PasswordFailure::Busy)
    }

    fn may_try(
        &self,
        passwords: &Passwords,
        user: UserTag,
        source: Source,
    ) -> Result<(), PasswordFailure> {
        let wait = self
            .attempts()
            .wait(&passwords.limits, user, source, Instant::now());
        wait.map_or(Ok(()), |wait| Err(PasswordFailure::TooMany(wait)))
    }

    /// The cached hash for a tag, if the hash still belongs to the user.
    fn cached(&self, tag: &[u8; 32], passwords: &Passwords, user: &str) -> Option<HashDigest> {
        passwords.remember?;
        let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let hash = cache
            .get(tag)
            .filter(|cached| cached.until > Instant::now())?
            .hash;
        passwords.has(user, &hash).then_some(hash)
    }

    /// Adds a verified password to the cache.
    fn store(&self, passwords: &Passwords, tag: [u8; 32], hash: HashDigest, now: Instant) {
        let Some(until) = passwords.remember.map(|time| now + time) else {
            return;
        };
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= MAX_CACHED {
            cache.retain(|_, cached| cached.until > now);
        }
        if cache.len() >= MAX_CACHED {
            cache.clear();
        }
        cache.insert(tag, CachedPassword { hash, until });
    }

    /// The keyed hash of user and password; the cache key.
    fn tag(&self, credentials: &BasicCredentials) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&credentials.user.len().to_le_bytes());
        context.update(credentials.user.as_bytes());
        context.update(credentials.password.as_bytes());
        let mut tag = [0; 32];
        tag.copy_from_slice(context.sign().as_ref());
        tag
    }

    fn user_tag(&self, user: &str) -> UserTag {
        let tag = hmac::sign(&self.key, user.as_bytes());
        tag.as_ref()
            .first_chunk()
            .map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }

    fn attempts(&self) -> MutexGuard<'_, Attempts> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the queue.
struct QueueSlot<'c>(&'c AtomicUsize);

impl<'c> QueueSlot<'c> {
    fn take(waiting: &'c AtomicUsize) -> Option<Self> {
        let slot = Self(waiting);
        (waiting.fetch_add(1, Ordering::Relaxed) < MAX_QUEUE).then_some(slot)
    }
}

impl Drop for QueueSlot<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::AttemptLimits;

    const HASH: &str = "$5$abcdefgh$ruMep1ijHnJPZbETDNiumskxcX3kN4lzZd5VlsqE7eB";

    fn said(user: &str, password: &str) -> BasicCredentials {
        BasicCredentials {
            user: user.into(),
            password: password.to_owned().into(),
        }
    }

    fn passwords(users: &[&str]) -> Passwords {
        let mut passwords = Passwords::new(AttemptLimits::default(), None);
        users
            .iter()
            .for_each(|user| passwords.add(user, vec![PasswordHash::parse(HASH).unwrap()]));
        passwords
    }

    fn source() -> Source {
        Source::of([192, 0, 2, 1].into())
    }

    #[tokio::test]
    async fn with_a_full_queue_a_check_fails_at_once() {
        let (checks, alice) = (PasswordChecks::default(), passwords(&["alice"]));
        let places: Vec<_> = (0..MAX_QUEUE)
            .filter_map(|_| QueueSlot::take(&checks.waiting))
            .collect();
        let good = said("alice", "correct horse");
        assert_eq!(
            checks.check(&alice, &good, source()).await,
            Err(PasswordFailure::Busy)
        );
        drop(places);
        assert!(matches!(
            checks.check(&alice, &good, source()).await,
            Ok(PasswordVerdict::Verified(_))
        ));
        assert_eq!(checks.waiting.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn an_attempt_counts_although_the_client_hangs_up() {
        let (checks, alice) = (PasswordChecks::default(), passwords(&["alice"]));
        let tries = usize::try_from(alice.limits.failures_per_source).unwrap();
        let turns = u32::try_from(checks.turns.available_permits()).unwrap();
        let counted = || {
            checks
                .attempts()
                .wait(&alice.limits, 0, source(), Instant::now())
                .is_some()
        };
        for _ in 0..tries {
            let wrong = said("alice", "wrong");
            let mut attempt = Box::pin(checks.check(&alice, &wrong, source()));
            assert!(!counted());
            // Now it is being hashed, or was.
            let _ = std::future::poll_fn(|context| {
                std::task::Poll::Ready(attempt.as_mut().poll(context))
            })
            .await;
            drop(attempt);
            // The turn comes back when it is counted.
            drop(checks.turns.acquire_many(turns).await);
        }
        assert!(counted());
    }

    #[tokio::test]
    async fn what_is_remembered_tells_nothing_to_those_without_attempts() {
        let (checks, mut alice) = (PasswordChecks::default(), passwords(&["alice"]));
        alice.remember = Some(Duration::from_secs(60));
        let (good, wrong) = (said("alice", "correct horse"), said("alice", "wrong"));
        let stranger = Source::of([192, 0, 2, 2].into());
        assert!(matches!(
            checks.check(&alice, &good, source()).await,
            Ok(PasswordVerdict::Verified(_))
        ));
        for _ in 0..alice.limits.failures_per_user {
            assert_eq!(
                checks.check(&alice, &wrong, stranger).await,
                Err(PasswordFailure::Wrong)
            );
        }
        assert!(matches!(
            checks.check(&alice, &good, stranger).await,
            Err(PasswordFailure::TooMany(_))
        ));
        assert!(
            matches!(
                checks.check(&alice, &good, source()).await,
                Ok(PasswordVerdict::Remembered(_))
            ),
            "its own source"
        );
    }

    #[tokio::test]
    async fn the_hash_of_another_user_proves_nothing() {
        let (checks, alice) = (PasswordChecks::default(), passwords(&["alice"]));
        for (user, password) in [("bob", "correct horse"), ("alice", ""), ("bob", "")] {
            assert_eq!(
                checks.check(&alice, &said(user, password), source()).await,
                Err(PasswordFailure::Wrong)
            );
        }
        let no_users = passwords(&[]);
        assert_eq!(
            checks.check(&no_users, &said("alice", ""), source()).await,
            Err(PasswordFailure::Wrong)
        );
    }
}
