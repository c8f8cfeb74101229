//! Checking passwords away from the workers: a few at a time, with a bounded queue, remembered for a moment, and held
//! back after too many that were wrong. Decides nothing about requests.

use super::attempts::{Attempts, UserTag};
use super::{HashDigest, PasswordHash, Passwords, Source};
use crate::credentials::BasicCredentials;
use aws_lc_rs::hmac;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// Hashes that are computed at once, on as many cores.
const MOST_AT_ONCE: usize = 2;
/// Checks that wait for their turn.
const LONGEST_QUEUE: usize = 256;
/// How long one waits.
const PATIENCE: Duration = Duration::from_secs(5);
/// Right passwords that are remembered.
const MOST_REMEMBERED: usize = 10_000;

/// What all password checks of a process share. It outlives reloads.
///
/// The locks are shared between workers, and held for a look into a table: only requests with passwords take them. One
/// memory for each worker would hash a password as often as there are workers.
pub struct PasswordChecks {
    /// Made anew with each process, so that no tag means anything elsewhere.
    key: hmac::Key,
    remembered: Mutex<HashMap<[u8; 32], Remembered>>,
    attempts: Arc<Mutex<Attempts>>,
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
}

struct Remembered {
    hash: HashDigest,
    until: Instant,
}

/// A password that fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was hashed.
    Verified(HashDigest),
    /// It was hashed a moment ago.
    Remembered(HashDigest),
}

/// Why a password does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordFailure {
    /// It fits nobody of that name.
    Wrong,
    /// There were too many wrong ones.
    TooMany(Duration),
    /// Too many wait.
    Busy,
}

impl Default for PasswordChecks {
    fn default() -> Self {
        let mut key = zeroize::Zeroizing::new([0; 32]);
        // Without randomness a process has no TLS either, so this is never seen; tags stay private all the same.
        if aws_lc_rs::rand::fill(&mut *key).is_err() {
            tracing::error!("no randomness for the memory of passwords");
        }
        let at_once = std::thread::available_parallelism()
            .map_or(1, usize::from)
            .min(MOST_AT_ONCE);
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, &*key),
            remembered: Mutex::default(),
            attempts: Arc::default(),
            turns: Arc::new(Semaphore::new(at_once)),
            waiting: AtomicUsize::new(0),
        }
    }
}

impl PasswordChecks {
    /// Whether a password is a user's.
    ///
    /// # Errors
    /// [`PasswordFailure`]; an unknown user, one without a password and a wrong password are the same, and cost the same.
    pub async fn check(
        &self,
        passwords: &Passwords,
        said: &BasicCredentials,
        source: Source,
    ) -> Result<Verdict, PasswordFailure> {
        let (tag, user) = (self.tag(said), self.user_tag(&said.user));
        // Before the look into memory, which would tell whoever has no attempts left that a guess was right.
        self.may_try(passwords, user, source)?;
        if let Some(hash) = self.remembered(&tag, passwords, &said.user) {
            return Ok(Verdict::Remembered(hash));
        }
        let turn = self.turn().await?;
        // Others may have failed, or asked the same, while this one waited.
        self.may_try(passwords, user, source)?;
        if let Some(hash) = self.remembered(&tag, passwords, &said.user) {
            return Ok(Verdict::Remembered(hash));
        }
        let hash = self
            .hashed(passwords, said, (user, source), turn)
            .await
            .ok_or(PasswordFailure::Wrong)?;
        self.remember(passwords, tag, hash, Instant::now());
        Ok(Verdict::Verified(hash))
    }

    /// Which of the user's hashes the password fits. Computed on a thread of its own, which counts the outcome and gives
    /// back the turn also if nobody waits for it any more: who hangs up has tried all the same.
    async fn hashed(
        &self,
        passwords: &Passwords,
        said: &BasicCredentials,
        (user, source): (UserTag, Source),
        turn: tokio::sync::OwnedSemaphorePermit,
    ) -> Option<HashDigest> {
        let known = passwords.of(&said.user).cloned();
        let hashes = known
            .clone()
            .or_else(|| passwords.decoy(user).cloned())
            .unwrap_or_default();
        // An empty password is nobody's, and somebody else's hash proves nothing.
        let may_fit = known.is_some() && !said.password.is_empty();
        let (password, limits, attempts) = (
            said.password.clone(),
            passwords.limits,
            self.attempts.clone(),
        );
        let work = move || {
            let _turn = turn;
            let fitting = hashes
                .iter()
                .find(|hash| hash.fits(&password))
                .map(|hash: &PasswordHash| *hash.digest());
            let found = fitting.filter(|_| may_fit);
            let mut attempts = attempts.lock().unwrap_or_else(PoisonError::into_inner);
            match found {
                Some(_) => attempts.succeeded(user, source, Instant::now()),
                None => attempts.failed(&limits, user, source, Instant::now()),
            }
            found
        };
        tokio::task::spawn_blocking(work).await.ok().flatten()
    }

    async fn turn(&self) -> Result<tokio::sync::OwnedSemaphorePermit, PasswordFailure> {
        let place = Place::take(&self.waiting).ok_or(PasswordFailure::Busy)?;
        let turn = tokio::time::timeout(PATIENCE, self.turns.clone().acquire_owned()).await;
        drop(place);
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

    /// A hash that this password has fitted a moment ago, if it still is the user's.
    fn remembered(&self, tag: &[u8; 32], passwords: &Passwords, user: &str) -> Option<HashDigest> {
        passwords.remember?;
        let remembered = self
            .remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let found = remembered
            .get(tag)
            .filter(|found| found.until > Instant::now())?
            .hash;
        passwords.has(user, &found).then_some(found)
    }

    fn remember(&self, passwords: &Passwords, tag: [u8; 32], hash: HashDigest, now: Instant) {
        let Some(until) = passwords.remember.map(|time| now + time) else {
            return;
        };
        let mut remembered = self
            .remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= MOST_REMEMBERED {
            remembered.retain(|_, found| found.until > now);
        }
        if remembered.len() >= MOST_REMEMBERED {
            remembered.clear();
        }
        remembered.insert(tag, Remembered { hash, until });
    }

    /// What stands for user and password in memory.
    fn tag(&self, said: &BasicCredentials) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&said.user.len().to_le_bytes());
        context.update(said.user.as_bytes());
        context.update(said.password.as_bytes());
        let mut tag = [0; 32];
        tag.copy_from_slice(context.sign().as_ref());
        tag
    }

    fn user_tag(&self, user: &str) -> UserTag {
        let tag = hmac::sign(&self.key, user.as_bytes());
        tag.as_ref()
            .first_chunk()
            .map_or(0, |octets| u64::from_le_bytes(*octets))
    }

    fn attempts(&self) -> MutexGuard<'_, Attempts> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the queue.
struct Place<'c>(&'c AtomicUsize);

impl<'c> Place<'c> {
    fn take(waiting: &'c AtomicUsize) -> Option<Self> {
        let place = Self(waiting);
        (waiting.fetch_add(1, Ordering::Relaxed) < LONGEST_QUEUE).then_some(place)
    }
}

impl Drop for Place<'_> {
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
    async fn with_a_full_queue_nobody_waits_longer() {
        let (checks, alice) = (PasswordChecks::default(), passwords(&["alice"]));
        let places: Vec<_> = (0..LONGEST_QUEUE)
            .filter_map(|_| Place::take(&checks.waiting))
            .collect();
        let good = said("alice", "correct horse");
        assert_eq!(
            checks.check(&alice, &good, source()).await,
            Err(PasswordFailure::Busy)
        );
        drop(places);
        assert!(matches!(
            checks.check(&alice, &good, source()).await,
            Ok(Verdict::Verified(_))
        ));
        assert_eq!(checks.waiting.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn who_hangs_up_has_tried_all_the_same() {
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
            Ok(Verdict::Verified(_))
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
                Ok(Verdict::Remembered(_))
            ),
            "its own source"
        );
    }

    #[tokio::test]
    async fn a_hash_that_is_somebody_elses_proves_nothing() {
        let (checks, alice) = (PasswordChecks::default(), passwords(&["alice"]));
        for (user, password) in [("bob", "correct horse"), ("alice", ""), ("bob", "")] {
            assert_eq!(
                checks.check(&alice, &said(user, password), source()).await,
                Err(PasswordFailure::Wrong)
            );
        }
        let nobody = passwords(&[]);
        assert_eq!(
            checks.check(&nobody, &said("alice", ""), source()).await,
            Err(PasswordFailure::Wrong)
        );
    }
}
