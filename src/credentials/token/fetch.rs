//! Keys from a URL: when they are fetched, how, and what stays in force if they cannot be. Verifies no token.

use super::{KeySet, KeySetError};
use crate::fetch::{Answer, FetchError, FetchUrl, Question, fetch};
use arc_swap::ArcSwapOption;
use rustls::ClientConfig;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The longest answer that is read.
const LARGEST: usize = 256 * 1024;
/// From connecting to the last byte.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between attempts after a failure, and between fetches that unknown keys ask for.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const ASKED_PAUSE: Duration = Duration::from_secs(30);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// Keys that are fetched. They outlive reloads that change nothing about them.
#[derive(Debug)]
pub struct RemoteKeys {
    url: FetchUrl,
    tls: Arc<ClientConfig>,
    refresh: Duration,
    /// What all this was made from.
    signature: Vec<u8>,
    current: ArcSwapOption<KeySet>,
    /// A token with an unknown key has come.
    asked: AtomicBool,
    schedule: Mutex<Schedule>,
}

#[derive(Debug, Default)]
struct Schedule {
    running: bool,
    began: Option<Instant>,
    next: Option<Instant>,
    failures: u32,
}

/// Why keys could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum KeyFetchError {
    /// Nothing came.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// What came are no keys.
    #[error("what {0} sends cannot be used")]
    Keys(String, #[source] KeySetError),
}

impl RemoteKeys {
    /// Keys that will be fetched, and again after `refresh`.
    pub fn new(
        url: FetchUrl,
        tls: Arc<ClientConfig>,
        refresh: Duration,
        signature: Vec<u8>,
    ) -> Self {
        let (current, asked, schedule) = (
            ArcSwapOption::empty(),
            AtomicBool::new(false),
            Mutex::default(),
        );
        Self {
            url,
            tls,
            refresh,
            signature,
            current,
            asked,
            schedule,
        }
    }

    /// What these were made from: equal means that nothing has changed.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// The last that were fetched.
    pub fn current(&self) -> Option<Arc<KeySet>> {
        self.current.load_full()
    }

    /// Asks for an early fetch, which comes if the last was not a moment ago.
    pub(super) fn ask(&self) {
        self.asked.store(true, Ordering::Relaxed);
    }

    /// Whether it is time to fetch; then it counts as begun.
    pub fn begin(&self, now: Instant) -> bool {
        let mut schedule = self.schedule.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = self.asked.load(Ordering::Relaxed)
            && schedule
                .began
                .is_none_or(|began| now.saturating_duration_since(began) >= ASKED_PAUSE);
        let due = schedule.next.is_none_or(|next| next <= now) || asked;
        if schedule.running || !due {
            return false;
        }
        self.asked.store(false, Ordering::Relaxed);
        (schedule.running, schedule.began) = (true, Some(now));
        true
    }

    /// Fetches, and puts in force what came. After a failure the last stay in force, and it is tried again soon.
    ///
    /// # Errors
    /// [`KeyFetchError`]
    pub async fn fetch(&self) -> Result<(), KeyFetchError> {
        let fetched = self.get().await;
        let mut schedule = self.schedule.lock().unwrap_or_else(PoisonError::into_inner);
        schedule.running = false;
        schedule.failures = if fetched.is_ok() {
            0
        } else {
            schedule.failures.saturating_add(1)
        };
        let pause = match schedule.failures {
            0 => self.refresh,
            count => SHORTEST_PAUSE
                .saturating_mul(1 << (count - 1).min(16))
                .min(LONGEST_PAUSE),
        };
        schedule.next = Some(Instant::now() + pause);
        drop(schedule);
        self.current.store(Some(Arc::new(fetched?)));
        Ok(())
    }

    async fn get(&self) -> Result<KeySet, KeyFetchError> {
        let question = Question {
            url: &self.url,
            tls: Some(&self.tls),
            accept: "application/jwk-set+json, application/json",
            largest: LARGEST,
            patience: PATIENCE,
            known: None,
        };
        let unusable = |error| KeyFetchError::Keys(self.url.authority(), error);
        match fetch(question).await? {
            Answer::Content(octets, _) => KeySet::read(&octets).map_err(unusable),
            // Nobody has asked whether it is.
            Answer::Unchanged => Err(unusable(KeySetError::Malformed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_fetched_when_due_or_asked_for_and_never_twice_at_once() {
        let provider = crate::tls::provider();
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap();
        let tls = tls
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let url = FetchUrl::parse("https://127.0.0.1:1/").unwrap();
        let keys = RemoteKeys::new(url, Arc::new(tls), Duration::from_secs(600), Vec::new());
        let now = Instant::now();
        assert!(keys.begin(now) && !keys.begin(now), "one at a time");
        let schedule = |next| {
            *keys.schedule.lock().unwrap() = Schedule {
                began: Some(now),
                next,
                ..Schedule::default()
            }
        };
        schedule(Some(now + keys.refresh));
        assert!(!keys.begin(now + ASKED_PAUSE));
        keys.ask();
        assert!(!keys.begin(now + ASKED_PAUSE / 2), "not so soon");
        assert!(keys.begin(now + ASKED_PAUSE));
        schedule(Some(now + keys.refresh));
        assert!(keys.begin(now + keys.refresh));
    }
}
