//! One attempt to send a request on one connection, and whether it may be sent again. Chooses no endpoint.

use super::{Answer, Connection, Lease, RequestBody, Target, UpstreamError};
use crate::config::HostHeader;
use crate::limit::{BodyEnd, Meter};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// What a failed attempt leaves.
pub(super) enum Attempt {
    Answered(Box<Answer>),
    /// Nothing was sent: any request may go again.
    Unsent(Box<Request<RequestBody>>, UpstreamError),
    /// Something was sent, and the connection ended without an answer.
    Unanswered(UpstreamError),
    Failed(UpstreamError),
}

/// A request that may be sent once more after it got no answer.
pub(super) struct Replay(Option<Request<()>>);

impl Replay {
    pub(super) fn of(request: &Request<RequestBody>, meter: &Meter) -> Self {
        let idempotent = matches!(
            *request.method(),
            Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE | Method::PUT | Method::DELETE
        );
        let has_no_body = meter.end() == BodyEnd::Complete && meter.bytes() == 0;
        let leaves_http = request.headers().contains_key(http::header::UPGRADE);
        let may = idempotent && has_no_body && !leaves_http;
        Self(may.then(|| {
            let mut copy = Request::new(());
            *copy.method_mut() = request.method().clone();
            *copy.uri_mut() = request.uri().clone();
            *copy.headers_mut() = request.headers().clone();
            *copy.extensions_mut() = request.extensions().clone();
            copy
        }))
    }

    pub(super) fn again(self) -> Option<Request<RequestBody>> {
        use http_body_util::{BodyExt, Empty};
        self.0.map(|head| head.map(|()| Empty::new().map_err(|never| match never {}).boxed_unsync()))
    }
}

/// One attempt on one connection.
pub(super) struct Sending<'a> {
    pub(super) target: &'a Target,
    pub(super) meter: &'a Arc<Meter>,
    pub(super) response_timeout: Duration,
    pub(super) host_header: HostHeader,
}

impl Sending<'_> {
    pub(super) async fn run(&self, mut connection: Connection, mut request: Request<RequestBody>) -> Attempt {
        /// Far longer than a connection needs that will ever be ready.
        const READY: Duration = Duration::from_secs(1);
        let Connection { sender, task } = &mut connection;
        // A pooled connection whose last answer was just read is ready in a moment; a dead one says so. One whose
        // endpoint answered without reading the request does neither.
        match tokio::time::timeout(READY, sender.ready()).await {
            Ok(Ok(())) => {}
            Ok(Err(source)) => {
                let endpoint = self.name();
                return Attempt::Unsent(
                    Box::new(request),
                    UpstreamError::Broken { endpoint, source: Box::new(source) },
                );
            }
            Err(_) => {
                task.abort();
                let endpoint = self.name();
                return Attempt::Unsent(Box::new(request), UpstreamError::ResponseTimeout { endpoint });
            }
        }
        // Only now is it certain which endpoint it is.
        if self.host_header == HostHeader::Endpoint
            && let Ok(host) = HeaderValue::from_str(&self.target.endpoint.authority)
        {
            request.headers_mut().insert(http::header::HOST, host);
        }
        let asked = request.headers().get(http::header::UPGRADE).cloned();
        let outcome = tokio::select! {
            outcome = sender.try_send_request(request) => outcome,
            () = self.timeout() => {
                return Attempt::Failed(match self.meter.end() {
                    BodyEnd::Complete | BodyEnd::Unfinished => {
                        UpstreamError::ResponseTimeout { endpoint: self.name() }
                    }
                    end => UpstreamError::RequestBody(end),
                });
            }
        };
        match outcome {
            Ok(response) if !is_asked_for(&response, asked.as_ref()) => {
                Attempt::Failed(UpstreamError::Upgraded { endpoint: self.name() })
            }
            Ok(response) => {
                let lease =
                    Lease { connection: Some(connection), pool: self.target.pool.id(), request: self.meter.clone() };
                Attempt::Answered(Box::new(Answer { response, lease, endpoint: self.name() }))
            }
            Err(mut error) => match (error.take_message(), self.meter.end()) {
                (Some(unsent), _) => {
                    let (endpoint, source) = (self.name(), Box::new(error.into_error()));
                    Attempt::Unsent(Box::new(unsent), UpstreamError::Broken { endpoint, source })
                }
                (None, end @ (BodyEnd::TooLarge | BodyEnd::Stalled | BodyEnd::Broken)) => {
                    Attempt::Failed(UpstreamError::RequestBody(end))
                }
                (None, _) => self.broken(error.into_error()),
            },
        }
    }

    fn broken(&self, source: hyper::Error) -> Attempt {
        // Garbage in place of an answer is an answer of a kind; only a connection that ended may be tried again.
        let ended = source.is_incomplete_message() || source.is_closed() || source.is_canceled() || is_io(&source);
        let error = UpstreamError::Broken { endpoint: self.name(), source: Box::new(source) };
        if ended { Attempt::Unanswered(error) } else { Attempt::Failed(error) }
    }

    fn name(&self) -> String {
        self.target.endpoint.authority.clone()
    }

    /// Ends when the upstream had all that there is for the response timeout, and did nothing: it neither read what is
    /// there nor answered. Waiting for the client does not count; that has a timeout of its own.
    async fn timeout(&self) {
        let begun = Instant::now();
        loop {
            let now = Instant::now();
            let since = if self.meter.waits_for_sender() { now } else { self.meter.last_progress().max(begun) };
            let until = since + self.response_timeout;
            if until <= now {
                return;
            }
            sleep_until(until).await;
        }
    }
}

/// Whether an answer stays in HTTP, or leaves it for the protocol that was asked for.
fn is_asked_for(response: &Response<Incoming>, asked: Option<&HeaderValue>) -> bool {
    let upgraded = response.headers().get(http::header::UPGRADE);
    let same = matches!((upgraded, asked), (Some(upgraded), Some(asked))
        if upgraded.as_bytes().eq_ignore_ascii_case(asked.as_bytes()));
    response.status() != StatusCode::SWITCHING_PROTOCOLS || same
}

fn is_io(error: &hyper::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<std::io::Error>())
}
