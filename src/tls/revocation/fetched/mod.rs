//! Revocation lists from URLs: schedule, acceptance and status of fetches. Fetched lists are stored in a folder and
//! become active when it is loaded, like any other file. Checks no client.

mod cache;
mod points;
mod schedule;

pub use cache::StoreError;

use crate::fetch::{FetchError, FetchRequest, FetchResponse, FetchScheme, FetchUrl, fetch};
use crate::tls::authorities::Authorities;
use crate::tls::authority::AuthorityFacts;
use crate::tls::certification_path::CertificationPath;
use crate::tls::validity::seconds;
use aws_lc_rs::digest::{Context, SHA256};
use cache::{StoreOutcome, StoreReport, store};
use rustls::ClientConfig;
use rustls::pki_types::UnixTime;
use schedule::CrlSource;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Maximum number of URLs from certificates.
const MAX_FOLLOWED: usize = 64;
/// Maximum number of concurrent fetches of one trust domain.
const MAX_CONCURRENT: usize = 2;

/// The settings for fetched lists of one trust domain.
#[derive(Debug)]
pub struct CrlFetchSettings {
    /// The configured URLs.
    pub urls: Vec<FetchUrl>,
    /// Hosts of distribution points that may be fetched, in lower case, with a port unless it is the default.
    pub followed: Vec<String>,
    /// The folder for fetched lists.
    pub cache: PathBuf,
    /// Maximum time between two fetches.
    pub refresh: Duration,
    /// Maximum time from connecting to the last byte.
    pub timeout: Duration,
    /// Maximum size of a response, in bytes.
    pub size_limit: usize,
    /// The TLS config for `https`, with the anchors of the servers.
    pub tls: Option<Arc<ClientConfig>>,
}

/// Fetches the lists of one trust domain. Survives reloads that do not change its inputs.
#[derive(Debug)]
pub struct CrlFetcher {
    settings: CrlFetchSettings,
    authorities: Vec<AuthorityFacts>,
    /// SHA-256 over the inputs, to detect changes.
    signature: [u8; 32],
    sources: Mutex<HashMap<FetchUrl, CrlSource>>,
}

/// The outcome of a successful fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrlFetchOutcome {
    /// A newer list was stored on disk.
    New,
    /// The list on disk is the newest.
    Unchanged,
}

/// Why a fetch failed.
#[derive(Debug, thiserror::Error)]
pub enum CrlFetchError {
    /// The HTTP request failed.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The response is not a usable list, or cannot be stored.
    #[error("what {0} sends cannot be used")]
    Store(String, #[source] StoreError),
    /// The list is older than the stored one, or number and date contradict each other.
    #[error("{0} sends a list that is not newer, by number and time, than the one that is here")]
    Older(String),
    /// The task that stores the list failed.
    #[error("reading what {0} sends was broken off")]
    Interrupted(String),
}

impl CrlFetchError {
    /// The word in metrics and `/status`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Fetch(FetchError::TooLarge(..)) => "too_large",
            Self::Fetch(FetchError::Timeout(_)) => "timeout",
            Self::Fetch(_) => "unreachable",
            Self::Store(_, StoreError::Unusable(_)) => "unusable",
            Self::Store(_, StoreError::Unwritable(..)) => "unwritable",
            Self::Older(_) => "older",
            Self::Interrupted(_) => "interrupted",
        }
    }
}

/// Facts of one URL, for `/status`.
#[derive(Clone, Debug)]
pub struct CrlSourceFacts {
    /// The URL.
    pub url: String,
    /// Seconds since 1970.
    pub last_success: Option<i64>,
    /// The result word, as in metrics; `None` before the first fetch has ended.
    pub last_result: Option<&'static str>,
}

impl CrlFetcher {
    /// Returns `previous` if its inputs are equal, or else a new fetcher. `tls_signature` identifies the inputs of `tls`.
    pub fn new(
        settings: CrlFetchSettings,
        authorities: &Authorities,
        tls_signature: &[u8],
        previous: Option<&Arc<Self>>,
    ) -> Arc<Self> {
        let authorities: Vec<_> = authorities.all().cloned().collect();
        let signature = settings.signature(&authorities, tls_signature);
        if let Some(same) = previous.filter(|previous| previous.signature == signature) {
            return same.clone();
        }
        let mut sources: HashMap<_, _> = settings
            .urls
            .iter()
            .map(|url| (url.clone(), CrlSource::default()))
            .collect();
        // URLs from certificates stay known; each is fetched again.
        let known = previous
            .into_iter()
            .flat_map(|previous| previous.lock().keys().cloned().collect::<Vec<_>>());
        sources.extend(
            known
                .filter(|url| settings.may_follow(url))
                .map(|url| (url, CrlSource::default())),
        );
        Arc::new(Self {
            settings,
            authorities,
            signature,
            sources: Mutex::new(sources),
        })
    }

    /// The folder of fetched lists.
    pub fn cache(&self) -> &Path {
        &self.settings.cache
    }

    /// SHA-256 over the inputs.
    pub(super) fn signature(&self) -> &[u8; 32] {
        &self.signature
    }

    /// Facts of all URLs, sorted by URL.
    pub fn facts(&self) -> Vec<CrlSourceFacts> {
        let fact = |(url, source): (&FetchUrl, &CrlSource)| CrlSourceFacts {
            url: url.to_string(),
            last_success: source.last_success,
            last_result: source.last_result,
        };
        let mut facts: Vec<_> = self.lock().iter().map(fact).collect();
        facts.sort_unstable_by(|one, other| one.url.cmp(&other.url));
        facts
    }

    /// Schedules the distribution points in the certificates of a path with valid signatures.
    pub(super) fn note_distribution_points(&self, path: &CertificationPath<'_>) {
        if self.settings.followed.is_empty() {
            return;
        }
        let certificates = std::iter::once(&path.leaf).chain(&path.intermediates);
        for url in certificates.flat_map(|der| points::distribution_points(der)) {
            let mut sources = self.lock();
            if sources.contains_key(&url) || !self.settings.may_follow(&url) {
                continue;
            }
            if sources.len() >= MAX_FOLLOWED.saturating_add(self.settings.urls.len()) {
                tracing::warn!(%url, "a distribution point is left out: there are too many");
                return;
            }
            tracing::info!(%url, "a certificate names a distribution point, which will be fetched");
            sources.insert(url, CrlSource::default());
        }
    }

    /// Returns a URL that is due and marks it as running. `None` if nothing is due, or `MAX_CONCURRENT` are running.
    pub fn begin(&self, now: Instant) -> Option<FetchUrl> {
        let mut sources = self.lock();
        if sources
            .values()
            .filter(|source| source.is_running())
            .count()
            >= MAX_CONCURRENT
        {
            return None;
        }
        let (url, source) = sources.iter_mut().find(|(_, source)| source.is_due(now))?;
        source.begin();
        Some(url.clone())
    }

    /// Fetches a URL from [`begin`](Self::begin), verifies the lists, and stores them if they are newer.
    ///
    /// # Errors
    /// [`CrlFetchError`]; the folder is then unchanged, and the fetch is retried soon.
    pub async fn fetch(self: &Arc<Self>, url: &FetchUrl) -> Result<CrlFetchOutcome, CrlFetchError> {
        let result = self.try_fetch(url).await;
        let word = match &result {
            Ok(CrlFetchOutcome::New) => "new",
            Ok(CrlFetchOutcome::Unchanged) => "unchanged",
            Err(error) => error.word(),
        };
        if let Some(source) = self.lock().get_mut(url) {
            source.end(
                word,
                result.is_ok(),
                self.settings.refresh,
                seconds(UnixTime::now()),
            );
        }
        result
    }

    async fn try_fetch(self: &Arc<Self>, url: &FetchUrl) -> Result<CrlFetchOutcome, CrlFetchError> {
        let validators = self.lock().get(url).and_then(CrlSource::current_validators);
        let question = FetchRequest {
            url,
            tls: self.settings.tls.as_ref(),
            accept: "application/pkix-crl, application/octet-stream, application/x-pem-file, */*;q=0.1",
            largest: self.settings.size_limit,
            patience: self.settings.timeout,
            known: validators.as_ref(),
        };
        let (bytes, validators) = match fetch(question).await? {
            FetchResponse::Unchanged => return Ok(CrlFetchOutcome::Unchanged),
            FetchResponse::Content(bytes, validators) => (bytes, validators),
        };
        let this = self.clone();
        let now = seconds(UnixTime::now());
        let storing = tokio::task::spawn_blocking(move || {
            store(this.cache(), &bytes, &this.authorities, now)
        });
        let stored = storing
            .await
            .map_err(|_| CrlFetchError::Interrupted(url.authority()))?;
        let StoreReport {
            outcome,
            files,
            next_update,
        } = stored.map_err(|error| CrlFetchError::Store(url.authority(), error))?;
        let fetched = match outcome {
            StoreOutcome::New => CrlFetchOutcome::New,
            StoreOutcome::Same => CrlFetchOutcome::Unchanged,
            StoreOutcome::Older => return Err(CrlFetchError::Older(url.authority())),
        };
        if let Some(source) = self.lock().get_mut(url) {
            source.keep(validators, files, next_update);
        }
        Ok(fetched)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<FetchUrl, CrlSource>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CrlFetchSettings {
    /// Whether a URL from a certificate may be fetched.
    fn may_follow(&self, url: &FetchUrl) -> bool {
        let is_host = |allowed: &String| {
            url.usual_host().as_ref() == Some(allowed) || url.authority() == **allowed
        };
        (url.scheme() == FetchScheme::Http || self.tls.is_some())
            && self.followed.iter().any(is_host)
    }

    fn signature(&self, authorities: &[AuthorityFacts], tls: &[u8]) -> [u8; 32] {
        let Self {
            urls,
            followed,
            cache,
            refresh,
            timeout,
            size_limit,
            tls: _,
        } = self;
        let keys: Vec<_> = authorities
            .iter()
            .map(|authority| (authority.key, authority.may_sign_crls))
            .collect();
        let text = format!(
            "{urls:?} {followed:?} {cache:?} {refresh:?} {timeout:?} {size_limit} {keys:?} "
        );
        let mut context = Context::new(&SHA256);
        context.update(text.as_bytes());
        context.update(tls);
        let mut signature = [0; 32];
        signature
            .iter_mut()
            .zip(context.finish().as_ref())
            .for_each(|(to, from)| *to = *from);
        signature
    }
}

#[cfg(test)]
mod tests;
