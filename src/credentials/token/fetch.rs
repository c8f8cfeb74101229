//! Keys from a URL: when they are fetched, how, and what stays in force if they cannot be. Verifies no token.

use super::{KeySet, KeySetError};
use arc_swap::ArcSwapOption;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio_rustls::TlsConnector;

/// The longest answer that is read.
const LARGEST: usize = 256 * 1024;
/// From connecting to the last byte.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between attempts after a failure, and between fetches that unknown keys ask for.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const ASKED_PAUSE: Duration = Duration::from_secs(30);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// An `https` URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwksUrl {
    host: String,
    port: u16,
    target: String,
    name: ServerName<'static>,
}

impl JwksUrl {
    /// Reads a URL. `None` if it is not `https://host[:port]/path`.
    pub fn parse(text: &str) -> Option<Self> {
        let uri: http::Uri = text.parse().ok()?;
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(host.clone()).ok()?;
        let target = uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
        let port = authority.port_u16().unwrap_or(443);
        (uri.scheme_str() == Some("https")).then_some(Self { host, port, target, name })
    }

    fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        format!("{host}:{}", self.port)
    }
}

/// Keys that are fetched. They outlive reloads that change nothing about them.
#[derive(Debug)]
pub struct RemoteKeys {
    url: JwksUrl,
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
pub enum FetchError {
    /// No connection.
    #[error("cannot connect to {0}")]
    Connect(String, #[source] std::io::Error),
    /// Not HTTP, or broken off, or too long.
    #[error("no usable answer from {0}")]
    Http(String, #[source] Box<dyn std::error::Error + Send + Sync>),
    /// Another status than 200.
    #[error("{0} answers {1}")]
    Status(String, http::StatusCode),
    /// It took too long.
    #[error("{0} takes too long")]
    Timeout(String),
    /// What came are no keys.
    #[error("what {0} sends cannot be used")]
    Keys(String, #[source] KeySetError),
}

impl RemoteKeys {
    /// Keys that will be fetched, and again after `refresh`.
    pub fn new(url: JwksUrl, tls: Arc<ClientConfig>, refresh: Duration, signature: Vec<u8>) -> Self {
        let (current, asked, schedule) = (ArcSwapOption::empty(), AtomicBool::new(false), Mutex::default());
        Self { url, tls, refresh, signature, current, asked, schedule }
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
            && schedule.began.is_none_or(|began| now.saturating_duration_since(began) >= ASKED_PAUSE);
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
    /// [`FetchError`]
    pub async fn fetch(&self) -> Result<(), FetchError> {
        let fetched = tokio::time::timeout(PATIENCE, self.get()).await;
        let fetched = fetched.unwrap_or_else(|_| Err(FetchError::Timeout(self.url.authority())));
        let mut schedule = self.schedule.lock().unwrap_or_else(PoisonError::into_inner);
        schedule.running = false;
        schedule.failures = if fetched.is_ok() { 0 } else { schedule.failures.saturating_add(1) };
        let pause = match schedule.failures {
            0 => self.refresh,
            count => SHORTEST_PAUSE.saturating_mul(1 << (count - 1).min(16)).min(LONGEST_PAUSE),
        };
        schedule.next = Some(Instant::now() + pause);
        drop(schedule);
        self.current.store(Some(Arc::new(fetched?)));
        Ok(())
    }

    async fn get(&self) -> Result<KeySet, FetchError> {
        let authority = self.url.authority();
        let broken = |error: Box<dyn std::error::Error + Send + Sync>| FetchError::Http(authority.clone(), error);
        let connect = |error| FetchError::Connect(authority.clone(), error);
        let socket = tokio::net::TcpStream::connect((self.url.host.as_str(), self.url.port)).await.map_err(connect)?;
        let stream = TlsConnector::from(self.tls.clone()).connect(self.url.name.clone(), socket).await;
        let stream = TokioIo::new(stream.map_err(connect)?);
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(stream).await.map_err(|error| broken(error.into()))?;
        let request = http::Request::get(&self.url.target)
            .header("host", &authority)
            .header("accept", "application/jwk-set+json, application/json")
            .body(Empty::<bytes::Bytes>::new())
            .map_err(|error| broken(error.into()))?;
        let answer = async {
            let answer = sender.send_request(request).await.map_err(|error| broken(error.into()))?;
            if answer.status() != http::StatusCode::OK {
                return Err(FetchError::Status(authority.clone(), answer.status()));
            }
            let body = Limited::new(answer.into_body(), LARGEST).collect().await.map_err(broken)?;
            KeySet::read(&body.to_bytes()).map_err(|error| FetchError::Keys(authority.clone(), error))
        };
        tokio::pin!(answer);
        tokio::select! {
            biased;
            answer = &mut answer => answer,
            // It may end behind the answer's last byte.
            _ = connection => answer.await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_urls_are_taken() {
        for bad in ["http://a/x", "https://", "/x", "https://u:p@a/x", "ftp://a", "https://a b/"] {
            assert_eq!(JwksUrl::parse(bad), None, "{bad}");
        }
        let url = JwksUrl::parse("https://[::1]:8443/keys?x=1").unwrap();
        assert_eq!((url.authority().as_str(), url.target.as_str()), ("[::1]:8443", "/keys?x=1"));
        assert_eq!(JwksUrl::parse("https://idp.example.org").unwrap().authority(), "idp.example.org:443");
    }

    #[test]
    fn it_is_fetched_when_due_or_asked_for_and_never_twice_at_once() {
        let provider = crate::tls::provider();
        let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let tls = tls.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
        let url = JwksUrl::parse("https://127.0.0.1:1/").unwrap();
        let keys = RemoteKeys::new(url, Arc::new(tls), Duration::from_secs(600), Vec::new());
        let now = Instant::now();
        assert!(keys.begin(now) && !keys.begin(now), "one at a time");
        let schedule =
            |next| *keys.schedule.lock().unwrap() = Schedule { began: Some(now), next, ..Schedule::default() };
        schedule(Some(now + keys.refresh));
        assert!(!keys.begin(now + ASKED_PAUSE));
        keys.ask();
        assert!(!keys.begin(now + ASKED_PAUSE / 2), "not so soon");
        assert!(keys.begin(now + ASKED_PAUSE));
        schedule(Some(now + keys.refresh));
        assert!(keys.begin(now + keys.refresh));
    }
}
