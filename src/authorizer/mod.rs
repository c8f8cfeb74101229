//! An external authorizer: asked about requests that the gateway itself permits, so it can only take away. Told about the
//! client from verified facts only. Does not judge; `proxy` does, with the verdict as an input.

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
pub use verdict::{AnswerFields, Denial, Opinion, Silence, Verdict};

use crate::config::WhenUnavailable;
use crate::descriptors::UPSTREAMS;
use crate::endpoint::{Endpoint, Scheme};
use crate::error_text::with_causes;
use crate::fetch::FetchUrl;
use crate::forward::FieldNames;
use crate::telemetry::Telemetry;
use bytes::Bytes;
use http::Request;
use http_body_util::Empty;
use memory::{Key, Memory, Remembered};
use progress::QuestionProgress;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::Semaphore;
use tokio::time::timeout_at;
use verdict::Answered;

/// Whom the gateway asks.
pub struct Authorizer {
    /// The name.
    pub name: Arc<str>,
    /// Which of the client's fields it is shown.
    pub shown: FieldNames,
    /// Which fields of its answer go up.
    pub taken: FieldNames,
    /// Digest of all that it was made from; equal for equal authorizers.
    pub signature: Vec<u8>,
    peer: Peer,
    timeout: Duration,
    unavailable: WhenUnavailable,
    memory: Option<Memory>,
    /// Of all workers.
    places: Semaphore,
    /// Whether the last question was answered, so that the log tells of changes alone.
    answers: AtomicBool,
    telemetry: Arc<Telemetry>,
}

/// What an authorizer is made of.
#[derive(Debug)]
pub struct AuthorizerSettings {
    /// The name.
    pub name: Arc<str>,
    /// How it is asked.
    pub protocol: Protocol,
    /// Where it is.
    pub endpoint: Endpoint,
    /// From the question to the verdict.
    pub timeout: Duration,
    /// What follows if there is none.
    pub unavailable: WhenUnavailable,
    /// How long a verdict counts, and for which questions; `None` is for one.
    pub cache: Option<(Duration, Vec<KeyPart>)>,
    /// Which of the client's fields it is shown.
    pub shown: FieldNames,
    /// Which fields of its answer go up.
    pub taken: FieldNames,
    /// Most questions at once.
    pub concurrency: usize,
}

/// How an authorizer is asked.
#[derive(Debug)]
pub enum Protocol {
    /// HTTP, at this URL.
    ForwardAuth(FetchUrl),
    /// gRPC.
    ExtAuthz(Scheme),
}

enum Peer {
    ForwardAuth(FetchUrl, http1::Http1),
    /// With the URL of the method.
    ExtAuthz(String, http2::Http2),
}

/// A question that is ready to be asked, whatever becomes of what it was made from.
pub struct Asking {
    about: Option<Arc<str>>,
    key: Option<Key>,
    message: Result<Message, Silence>,
}

enum Message {
    Http(Request<Empty<Bytes>>),
    Grpc(Request<Bytes>),
}

impl Authorizer {
    /// Makes an authorizer.
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
        let peer = match settings.protocol {
            Protocol::ForwardAuth(url) => {
                Peer::ForwardAuth(url, http1::Http1::new(endpoint, concurrency, timeout))
            }
            Protocol::ExtAuthz(scheme) => {
                let scheme = if scheme == Scheme::Https {
                    "https"
                } else {
                    "http"
                };
                let url = format!("{scheme}://{}{}", endpoint.authority, ext_authz::METHOD);
                Peer::ExtAuthz(url, http2::Http2::new(endpoint, timeout))
            }
        };
        Self {
            name: settings.name,
            shown: settings.shown,
            taken: settings.taken,
            signature,
            peer,
            timeout,
            unavailable: settings.unavailable,
            memory: settings
                .cache
                .map(|(lasting, parts)| Memory::new(lasting, parts)),
            places: Semaphore::new(concurrency),
            answers: AtomicBool::new(true),
            telemetry,
        }
    }

    /// A question, ready to be asked.
    pub fn asking(&self, question: &Question<'_>) -> Asking {
        let message = match &self.peer {
            Peer::ForwardAuth(url, _) => forward_auth::request(url, question).map(Message::Http),
            Peer::ExtAuthz(url, _) => {
                let message = ext_authz::request(question, SystemTime::now());
                let request = grpc::request(url, &message, self.timeout).map(Message::Grpc);
                request.ok_or(Silence::Unaskable("the question cannot be written"))
            }
        };
        let about = question.known.user.map(|user| user.name.clone());
        Asking {
            about,
            key: self.memory.as_ref().and_then(|memory| memory.key(question)),
            message,
        }
    }

    /// Asks, unless the answer is known. Never longer than the timeout.
    pub async fn ask(&self, asking: Asking) -> Verdict {
        let remembered = self.memory.as_ref().zip(asking.key);
        if let Some(known) = remembered
            .as_ref()
            .and_then(|(memory, key)| memory.get(key, Instant::now()))
        {
            self.count("remembered");
            return self.verdict(known, asking.about);
        }
        let begun = Instant::now();
        let answered = self.answer(asking.message).await;
        let duration = self
            .telemetry
            .metrics
            .authorizer_duration
            .with_label_values(&[&*self.name]);
        duration.observe(begun.elapsed().as_secs_f64());
        self.count(match &answered {
            Ok(Ok(_)) => "permitted",
            Ok(Err(_)) => "denied",
            Err(silence) => silence.word(),
        });
        self.tell(answered.as_ref().err());
        match answered {
            Ok(said) => {
                let said = said.map(Arc::new);
                if let Some((memory, key)) = remembered {
                    memory.put(key, said.clone(), Instant::now());
                }
                self.verdict(said, asking.about)
            }
            Err(silence) => self.without_answer(silence, asking.about),
        }
    }

    async fn answer(&self, message: Result<Message, Silence>) -> Answered {
        let message = message?;
        let deadline = tokio::time::Instant::now() + self.timeout;
        let free = self.places.try_acquire().ok();
        let waits = free.is_none();
        let _place = match free {
            Some(place) => place,
            None => match timeout_at(deadline, self.places.acquire()).await {
                Ok(Ok(place)) => place,
                _ => return Err(Silence::Busy),
            },
        };
        let progress = QuestionProgress::default();
        let answered = timeout_at(deadline, self.answer_to(message, &progress)).await;
        if let (Err(_), Peer::ExtAuthz(_, peer)) = (&answered, &self.peer) {
            // It may be the connection that is dead.
            peer.forget();
        }
        // Only a question that the authorizer had for the whole time is one that it does not answer. Every question waits
        // a moment until the task of its connection runs.
        let was_queued = progress.queued_for() > self.timeout / 10;
        let silence = if waits || was_queued {
            Silence::Busy
        } else if UPSTREAMS.is_nearly_used_up() {
            // The time may have passed while a descriptor was waited for.
            Silence::NoDescriptors
        } else {
            Silence::Timeout
        };
        answered.unwrap_or(Err(silence))
    }

    async fn answer_to(&self, message: Message, progress: &QuestionProgress) -> Answered {
        match (&self.peer, message) {
            (Peer::ForwardAuth(_, peer), Message::Http(request)) => {
                forward_auth::answer(&peer.ask(request).await?, &self.taken)
            }
            (Peer::ExtAuthz(_, peer), Message::Grpc(request)) => {
                ext_authz::answer(&peer.ask(request, progress).await?, &self.taken)
            }
            _ => Err(Silence::Unaskable("a question to another authorizer")),
        }
    }

    fn verdict(&self, said: Remembered, about: Option<Arc<str>>) -> Verdict {
        let opinion = said.map_or_else(Opinion::Deny, Opinion::Permit);
        Verdict {
            by: self.name.clone(),
            about,
            opinion,
        }
    }

    fn without_answer(&self, silence: Silence, about: Option<Arc<str>>) -> Verdict {
        let unavailable = if silence.is_our_own() {
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
            opinion: Opinion::Nothing(Arc::new(silence), unavailable),
        }
    }

    fn count(&self, result: &str) {
        self.telemetry
            .metrics
            .authorizer_requests
            .with_label_values(&[&*self.name, result])
            .inc();
    }

    fn tell(&self, silence: Option<&Silence>) {
        let before = self.answers.swap(silence.is_none(), Ordering::Relaxed);
        match silence {
            Some(silence) if before => {
                let consequence = match self.unavailable {
                    WhenUnavailable::Permit if !silence.is_our_own() => "requests go on without it",
                    WhenUnavailable::Permit | WhenUnavailable::Refuse => "requests are refused",
                };
                tracing::warn!(authorizer = %self.name, error = with_causes(silence), consequence, "no answer from an authorizer");
            }
            None if !before => {
                tracing::info!(authorizer = %self.name, "the authorizer answers again")
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
