//! External authorizers: queried about requests that the gateway itself permits, so they can only restrict. They receive only
//! verified facts about the client. `proxy` decides, with the verdict as an input.

mod authorizers;
mod ext_authz;
mod forward_auth;
mod grpc;
mod http1;
mod http2;
mod memory;
mod messages;
mod progress;
mod question;
mod verdict;

pub use authorizers::Authorizers;
pub use memory::KeyPart;
pub use question::Question;
pub use verdict::{AuthorizerError, Denial, Opinion, Verdict, VerdictFields};

use crate::config::WhenUnavailable;
use crate::descriptors::UPSTREAMS;
use crate::endpoint::{Endpoint, EndpointScheme};
use crate::error_text::with_causes;
use crate::fetch::FetchUrl;
use crate::forward::FieldNames;
use crate::telemetry::Telemetry;
use bytes::Bytes;
use http::Request;
use http_body_util::Empty;
use memory::{CachedVerdict, VerdictCache, VerdictKey};
use progress::QuestionProgress;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::Semaphore;
use tokio::time::timeout_at;
use verdict::VerdictResult;

/// An external authorizer.
pub struct Authorizer {
    /// The name.
    pub name: Arc<str>,
    /// The client's header fields that it receives.
    pub shown: FieldNames,
    /// The fields of its response that are added to the upstream request.
    pub taken: FieldNames,
    /// Digest of its settings; equal for equal authorizers.
    pub signature: Vec<u8>,
    client: AuthorizerClient,
    timeout: Duration,
    unavailable: WhenUnavailable,
    cache: Option<VerdictCache>,
    /// Limits concurrent requests of all workers.
    permits: Semaphore,
    /// Whether the last request was answered, so that only changes are logged.
    is_available: AtomicBool,
    telemetry: Arc<Telemetry>,
}

/// The settings of an authorizer.
#[derive(Debug)]
pub struct AuthorizerSettings {
    /// The name.
    pub name: Arc<str>,
    /// The API.
    pub protocol: AuthorizerApi,
    /// The endpoint.
    pub endpoint: Endpoint,
    /// Maximum time until the verdict.
    pub timeout: Duration,
    /// The decision if there is no verdict.
    pub unavailable: WhenUnavailable,
    /// Lifetime of cached verdicts and the parts of the cache key; `None` disables the cache.
    pub cache: Option<(Duration, Vec<KeyPart>)>,
    /// The client's header fields that it receives.
    pub shown: FieldNames,
    /// The fields of its response that are added to the upstream request.
    pub taken: FieldNames,
    /// Maximum number of concurrent requests.
    pub concurrency: usize,
}

/// The API of an authorizer.
#[derive(Debug)]
pub enum AuthorizerApi {
    /// HTTP, at this URL.
    ForwardAuth(FetchUrl),
    /// gRPC.
    ExtAuthz(EndpointScheme),
}

/// The connections to an authorizer.
enum AuthorizerClient {
    ForwardAuth(FetchUrl, http1::Http1),
    /// The URL of the method, and the connections.
    ExtAuthz(String, http2::Http2),
}

/// An encoded question, independent of the lifetime of the client request.
pub struct EncodedQuestion {
    /// The ApiUser of the request.
    about: Option<Arc<str>>,
    key: Option<VerdictKey>,
    message: Result<Message, AuthorizerError>,
}

enum Message {
    Http(Request<Empty<Bytes>>),
    Grpc(Request<Bytes>),
}

impl Authorizer {
    /// Creates an authorizer.
    pub fn new(
        settings: AuthorizerSettings,
        signature: Vec<u8>,
        telemetry: Arc<Telemetry>,
    ) -> Self {
        let AuthorizerSettings {
            endpoint,
            timeout,
            concurrency,
            ..
        } = settings;
        let client = match settings.protocol {
            AuthorizerApi::ForwardAuth(url) => AuthorizerClient::ForwardAuth(
                url,
                http1::Http1::new(endpoint, concurrency, timeout),
            ),
            AuthorizerApi::ExtAuthz(scheme) => {
                let scheme = if scheme == EndpointScheme::Https {
                    "https"
                } else {
                    "http"
                };
                let url = format!("{scheme}://{}{}", endpoint.authority, ext_authz::METHOD);
                AuthorizerClient::ExtAuthz(url, http2::Http2::new(endpoint, timeout))
            }
        };
        Self {
            name: settings.name,
            shown: settings.shown,
            taken: settings.taken,
            signature,
            client,
            timeout,
            unavailable: settings.unavailable,
            cache: settings
                .cache
                .map(|(lifetime, parts)| VerdictCache::new(lifetime, parts)),
            permits: Semaphore::new(concurrency),
            is_available: AtomicBool::new(true),
            telemetry,
        }
    }

    /// Encodes a question.
    pub fn encode(&self, question: &Question<'_>) -> EncodedQuestion {
        let message = match &self.client {
            AuthorizerClient::ForwardAuth(url, _) => {
                forward_auth::request(url, question).map(Message::Http)
            }
            AuthorizerClient::ExtAuthz(url, _) => {
                let message = ext_authz::request(question, SystemTime::now());
                let request = grpc::request(url, &message, self.timeout).map(Message::Grpc);
                request.ok_or(AuthorizerError::Unaskable("the question cannot be written"))
            }
        };
        let about = question.known.user.map(|user| user.name.clone());
        EncodedQuestion {
            about,
            key: self.cache.as_ref().and_then(|cache| cache.key(question)),
            message,
        }
    }

    /// Returns the cached verdict, or queries the authorizer. Takes at most the timeout.
    pub async fn ask(&self, encoded: EncodedQuestion) -> Verdict {
        let cache_entry = self.cache.as_ref().zip(encoded.key);
        if let Some(cached) = cache_entry
            .as_ref()
            .and_then(|(cache, key)| cache.get(key, Instant::now()))
        {
            self.count("remembered");
            return self.verdict(cached, encoded.about);
        }
        let start = Instant::now();
        let result = self.query(encoded.message).await;
        let duration = self
            .telemetry
            .metrics
            .authorizer_duration
            .with_label_values(&[&*self.name]);
        duration.observe(start.elapsed().as_secs_f64());
        self.count(match &result {
            Ok(Ok(_)) => "permitted",
            Ok(Err(_)) => "denied",
            Err(error) => error.word(),
        });
        self.log_availability(result.as_ref().err());
        match result {
            Ok(answer) => {
                let answer = answer.map(Arc::new);
                if let Some((cache, key)) = cache_entry {
                    cache.put(key, answer.clone(), Instant::now());
                }
                self.verdict(answer, encoded.about)
            }
            Err(error) => self.unavailable_verdict(error, encoded.about),
        }
    }

    /// Sends the message, waiting for a permit if necessary, within the timeout.
    async fn query(&self, message: Result<Message, AuthorizerError>) -> VerdictResult {
        let message = message?;
        let deadline = tokio::time::Instant::now() + self.timeout;
        let free = self.permits.try_acquire().ok();
        let waited = free.is_none();
        let _permit = match free {
            Some(permit) => permit,
            None => match timeout_at(deadline, self.permits.acquire()).await {
                Ok(Ok(permit)) => permit,
                _ => return Err(AuthorizerError::Busy),
            },
        };
        let progress = QuestionProgress::default();
        let result = timeout_at(deadline, self.send(message, &progress)).await;
        if let (Err(_), AuthorizerClient::ExtAuthz(_, client)) = (&result, &self.client) {
            // The connection may be dead.
            client.forget();
        }
        // The authorizer is blamed for a timeout only if it had the question almost the whole time. Every question waits
        // briefly until the task of its connection runs.
        let was_queued = progress.queued_for() > self.timeout / 10;
        let error = if waited || was_queued {
            AuthorizerError::Busy
        } else if UPSTREAMS.is_nearly_used_up() {
            // The time may have been spent waiting for a descriptor.
            AuthorizerError::NoDescriptors
        } else {
            AuthorizerError::Timeout
        };
        result.unwrap_or(Err(error))
    }

    async fn send(&self, message: Message, progress: &QuestionProgress) -> VerdictResult {
        match (&self.client, message) {
            (AuthorizerClient::ForwardAuth(_, client), Message::Http(request)) => {
                forward_auth::answer(&client.ask(request).await?, &self.taken)
            }
            (AuthorizerClient::ExtAuthz(_, client), Message::Grpc(request)) => {
                ext_authz::answer(&client.ask(request, progress).await?, &self.taken)
            }
            _ => Err(AuthorizerError::Unaskable(
                "a question to another authorizer",
            )),
        }
    }

    fn verdict(&self, answer: CachedVerdict, about: Option<Arc<str>>) -> Verdict {
        let opinion = answer.map_or_else(Opinion::Deny, Opinion::Permit);
        Verdict {
            by: self.name.clone(),
            about,
            opinion,
        }
    }

    /// The configured decision without a verdict. Errors on the side of the gateway always deny.
    fn unavailable_verdict(&self, error: AuthorizerError, about: Option<Arc<str>>) -> Verdict {
        let unavailable = if error.is_local() {
            WhenUnavailable::Refuse
        } else {
            self.unavailable
        };
        if unavailable == WhenUnavailable::Permit {
            self.telemetry
                .metrics
                .authorizer_unavailable_permits
                .with_label_values(&[&*self.name])
                .inc();
        }
        Verdict {
            by: self.name.clone(),
            about,
            opinion: Opinion::Nothing(Arc::new(error), unavailable),
        }
    }

    fn count(&self, result: &str) {
        self.telemetry
            .metrics
            .authorizer_requests
            .with_label_values(&[&*self.name, result])
            .inc();
    }

    /// Logs that the authorizer became unavailable or available.
    fn log_availability(&self, error: Option<&AuthorizerError>) {
        let was_available = self.is_available.swap(error.is_none(), Ordering::Relaxed);
        match error {
            Some(error) if was_available => {
                let consequence = match self.unavailable {
                    WhenUnavailable::Permit if !error.is_local() => "requests go on without it",
                    WhenUnavailable::Permit | WhenUnavailable::Refuse => "requests are refused",
                };
                tracing::warn!(authorizer = %self.name, error = with_causes(error), consequence, "no answer from an authorizer");
            }
            None if !was_available => {
                tracing::info!(authorizer = %self.name, "the authorizer answers again")
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
