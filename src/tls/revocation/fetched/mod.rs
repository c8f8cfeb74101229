//! Revocation lists from URLs: when they are fetched, which are taken, and how it went. What was fetched lies in a folder,
//! and counts when that is loaded, as every other file; nothing here judges a client.

mod cache;
mod points;
mod schedule;

pub use cache::StoreError;

use super::super::trust::{Authorities, Path};
use super::super::verified::seconds;
use crate::fetch::{Answer, FetchError, FetchUrl, Question, Scheme, fetch};
use crate::tls::authority::Authority;
use aws_lc_rs::digest::{Context, SHA256};
use cache::{StoreOutcome, Stored, store};
use rustls::ClientConfig;
use rustls::pki_types::UnixTime;
use schedule::Source;
use std::collections::HashMap;
use std::path::{Path as FilePath, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Most URLs that certificates make us ask.
const MOST_FOLLOWED: usize = 64;
/// Most fetches at once for one trust domain.
const MOST_AT_ONCE: usize = 2;

/// What is fetched, and how.
#[derive(Debug)]
pub struct CrlFetchSettings {
    /// Where lists are.
    pub urls: Vec<FetchUrl>,
    /// Hosts whose distribution points are followed, in lower case, with a port if it is an unusual one.
    pub followed: Vec<String>,
    /// Where fetched lists lie.
    pub cache: PathBuf,
    /// The longest time between two fetches.
    pub refresh: Duration,
    /// From connecting to the last octet.
    pub timeout: Duration,
    /// Most octets of an answer.
    pub size_limit: usize,
    /// Who vouches for `https`.
    pub tls: Option<Arc<ClientConfig>>,
}

/// The lists of one trust domain that are fetched. Outlives reloads that change nothing about it.
#[derive(Debug)]
pub struct CrlFetch {
    settings: CrlFetchSettings,
    authorities: Vec<Authority>,
    /// SHA-256 of what all this was made from: equal means that nothing has changed.
    signature: [u8; 32],
    sources: Mutex<HashMap<FetchUrl, Source>>,
}

/// How a fetch ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrlFetched {
    /// There is a newer list on disk.
    New,
    /// What is on disk is the newest.
    Unchanged,
}

/// Why a fetch gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum CrlFetchError {
    /// Nothing came.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// What came does not count, or cannot be kept.
    #[error("what {0} sends cannot be used")]
    Store(String, #[source] StoreError),
    /// It is older, or number and time contradict each other.
    #[error("{0} sends a list that is not newer, by number and time, than the one that is here")]
    Older(String),
    /// Something of ours went wrong.
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

/// What is known of one URL, for `/status`.
#[derive(Clone, Debug)]
pub struct CrlSourceFacts {
    /// The URL.
    pub url: String,
    /// Seconds since 1970.
    pub last_success: Option<i64>,
    /// As in metrics; `None` before the first fetch has ended.
    pub last_result: Option<&'static str>,
}

impl CrlFetch {
    /// Goes on with what was before, if nothing about it has changed. `tls_signature` says from what `tls` was made.
    pub fn new(
        settings: CrlFetchSettings,
        authorities: &Authorities,
        tls_signature: &[u8],
        before: Option<&Arc<Self>>,
    ) -> Arc<Self> {
        let authorities: Vec<_> = authorities.all().cloned().collect();
        let signature = settings.signature(&authorities, tls_signature);
        if let Some(same) = before.filter(|before| before.signature == signature) {
            return same.clone();
        }
        let mut sources: HashMap<_, _> = settings
            .urls
            .iter()
            .map(|url| (url.clone(), Source::default()))
            .collect();
        // What certificates have told stays known; all is asked anew.
        let seen = before
            .into_iter()
            .flat_map(|before| before.lock().keys().cloned().collect::<Vec<_>>());
        sources.extend(
            seen.filter(|url| settings.may_follow(url))
                .map(|url| (url, Source::default())),
        );
        Arc::new(Self {
            settings,
            authorities,
            signature,
            sources: Mutex::new(sources),
        })
    }

    /// The folder of fetched lists.
    pub fn cache(&self) -> &FilePath {
        &self.settings.cache
    }

    /// What all this was made from.
    pub(super) fn signature(&self) -> &[u8; 32] {
        &self.signature
    }

    /// How it went so far, sorted by URL.
    pub fn facts(&self) -> Vec<CrlSourceFacts> {
        let fact = |(url, source): (&FetchUrl, &Source)| CrlSourceFacts {
            url: url.to_string(),
            last_success: source.last_success,
            last_result: source.last_result,
        };
        let mut facts: Vec<_> = self.lock().iter().map(fact).collect();
        facts.sort_unstable_by(|one, other| one.url.cmp(&other.url));
        facts
    }

    /// Takes note of where the certificates of a path, whose signatures are right, say that lists are.
    pub(super) fn saw(&self, path: &Path<'_>) {
        if self.settings.followed.is_empty() {
            return;
        }
        let certificates = std::iter::once(&path.leaf).chain(&path.intermediates);
        for url in certificates.flat_map(|der| points::distribution_points(der)) {
            let mut sources = self.lock();
            if sources.contains_key(&url) || !self.settings.may_follow(&url) {
                continue;
            }
            if sources.len() >= MOST_FOLLOWED.saturating_add(self.settings.urls.len()) {
                tracing::warn!(%url, "a distribution point is left out: there are too many");
                return;
            }
            tracing::info!(%url, "a certificate names a distribution point, which will be fetched");
            sources.insert(url, Source::default());
        }
    }

    /// A URL that is due; it then counts as being fetched. `None` while nothing is due, or enough are on their way.
    pub fn begin(&self, now: Instant) -> Option<FetchUrl> {
        let mut sources = self.lock();
        if sources
            .values()
            .filter(|source| source.is_running())
            .count()
            >= MOST_AT_ONCE
        {
            return None;
        }
        let (url, source) = sources.iter_mut().find(|(_, source)| source.is_due(now))?;
        source.begin();
        Some(url.clone())
    }

    /// Fetches a URL that [`begin`](Self::begin) gave, verifies what comes, and puts it into the folder if it is newer.
    ///
    /// # Errors
    /// [`CrlFetchError`]; then the folder is as it was, and it is tried again soon.
    pub async fn fetch(self: &Arc<Self>, url: &FetchUrl) -> Result<CrlFetched, CrlFetchError> {
        let result = self.try_fetch(url).await;
        let word = match &result {
            Ok(CrlFetched::New) => "new",
            Ok(CrlFetched::Unchanged) => "unchanged",
            Err(error) => error.word(),
        };
        if let Some(source) = self.lock().get_mut(url) {
            source.ended(
                word,
                result.is_ok(),
                self.settings.refresh,
                seconds(UnixTime::now()),
            );
        }
        result
    }

    async fn try_fetch(self: &Arc<Self>, url: &FetchUrl) -> Result<CrlFetched, CrlFetchError> {
        let known = self.lock().get(url).and_then(Source::known);
        let question = Question {
            url,
            tls: self.settings.tls.as_ref(),
            accept: "application/pkix-crl, application/octet-stream, application/x-pem-file, */*;q=0.1",
            largest: self.settings.size_limit,
            patience: self.settings.timeout,
            known: known.as_ref(),
        };
        let (octets, validators) = match fetch(question).await? {
            Answer::Unchanged => return Ok(CrlFetched::Unchanged),
            Answer::Content(octets, validators) => (octets, validators),
        };
        let this = self.clone();
        let now = seconds(UnixTime::now());
        let storing = tokio::task::spawn_blocking(move || {
            store(this.cache(), &octets, &this.authorities, now)
        });
        let stored = storing
            .await
            .map_err(|_| CrlFetchError::Interrupted(url.authority()))?;
        let Stored {
            outcome,
            files,
            next_update,
        } = stored.map_err(|error| CrlFetchError::Store(url.authority(), error))?;
        let fetched = match outcome {
            StoreOutcome::New => CrlFetched::New,
            StoreOutcome::Same => CrlFetched::Unchanged,
            StoreOutcome::Older => return Err(CrlFetchError::Older(url.authority())),
        };
        if let Some(source) = self.lock().get_mut(url) {
            source.keep(validators, files, next_update);
        }
        Ok(fetched)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<FetchUrl, Source>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CrlFetchSettings {
    /// Whether a certificate may make us ask there.
    fn may_follow(&self, url: &FetchUrl) -> bool {
        let is_host = |allowed: &String| {
            url.usual_host().as_ref() == Some(allowed) || url.authority() == **allowed
        };
        (url.scheme() == Scheme::Http || self.tls.is_some()) && self.followed.iter().any(is_host)
    }

    fn signature(&self, authorities: &[Authority], tls: &[u8]) -> [u8; 32] {
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
