//! Fetches issuer keys from a URL: schedule, request, and retention of the last keys after a failure.

use super::{KeySet, KeySetError};
use crate::fetch::{FetchError, FetchRequest, FetchResponse, FetchUrl, fetch};
use arc_swap::ArcSwapOption;
use rustls::ClientConfig;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Largest accepted response, in bytes.
const MAX_RESPONSE: usize = 256 * 1024;
/// Maximum time from connecting to the last byte.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Shortest pause after a failure. It doubles with each failure.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause after a failure.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// Shortest time between fetches because of unknown keys.
const EARLY_FETCH_PAUSE: Duration = Duration::from_secs(30);

/// Keys from a URL. They outlive reloads that do not change their settings.
#[derive(Debug)]
pub struct RemoteKeys {
    url: FetchUrl,
    tls: Arc<ClientConfig>,
    refresh: Duration,
    /// The settings, for comparison.
    signature: Vec<u8>,
    current: ArcSwapOption<KeySet>,
    /// A token had an unknown key.
    early_fetch_requested: AtomicBool,
    schedule: Mutex<Schedule>,
}

#[derive(Debug, Default)]
struct Schedule {
    running: bool,
    began: Option<Instant>,
    next: Option<Instant>,
    failures: u32,
}

/// The reason why keys could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum KeyFetchError {
    /// The fetch failed.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The response is not a valid key set.
    #[error("the response of {0} cannot be used")]
    Keys(String, #[source] KeySetError),
}

impl RemoteKeys {
    /// Creates an empty set, to be fetched now and again after each `refresh`.
    pub fn new(
        url: FetchUrl,
        tls: Arc<ClientConfig>,
        refresh: Duration,
        signature: Vec<u8>,
    ) -> Self {
        Self {
            url,
            tls,
            refresh,
            signature,
            current: ArcSwapOption::empty(),
            early_fetch_requested: AtomicBool::new(false),
            schedule: Mutex::default(),
        }
    }

    /// The settings of these keys, for comparison: equal signatures mean equal settings.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// The keys of the last successful fetch.
    pub fn current(&self) -> Option<Arc<KeySet>> {
        self.current.load_full()
    }

    /// Requests an early fetch. It is delayed if the last fetch was recent.
    pub(super) fn request_fetch(&self) {
        self.early_fetch_requested.store(true, Ordering::Relaxed);
    }

    /// Whether a fetch is due. If so, it is marked as running.
    pub fn begin(&self, now: Instant) -> bool {
        let mut schedule = self.schedule.lock().unwrap_or_else(PoisonError::into_inner);
        let is_early = self.early_fetch_requested.load(Ordering::Relaxed)
            && schedule
                .began
                .is_none_or(|began| now.saturating_duration_since(began) >= EARLY_FETCH_PAUSE);
        let is_due = schedule.next.is_none_or(|next| next <= now) || is_early;
        if schedule.running || !is_due {
            return false;
        }
        self.early_fetch_requested.store(false, Ordering::Relaxed);
        schedule.running = true;
        schedule.began = Some(now);
        true
    }

    /// Fetches the keys and activates them. After a failure the last keys stay active, and the next attempt is soon.
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
        let question = FetchRequest {
            url: &self.url,
            tls: Some(&self.tls),
            accept: "application/jwk-set+json, application/json",
            largest: MAX_RESPONSE,
            patience: TIMEOUT,
            known: None,
        };
        let unusable = |error| KeyFetchError::Keys(self.url.authority(), error);
        match fetch(question).await? {
            FetchResponse::Content(bytes, _) => KeySet::read(&bytes).map_err(unusable),
            // Unreachable: the request is not conditional.
            FetchResponse::Unchanged => Err(unusable(KeySetError::Malformed)),
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
        assert!(!keys.begin(now + EARLY_FETCH_PAUSE));
        keys.request_fetch();
        assert!(!keys.begin(now + EARLY_FETCH_PAUSE / 2), "not so soon");
        assert!(keys.begin(now + EARLY_FETCH_PAUSE));
        schedule(Some(now + keys.refresh));
        assert!(keys.begin(now + keys.refresh));
    }
}
