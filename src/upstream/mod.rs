//! Upstreams: which endpoint, which connection, and sending one request without ever sending it twice by accident.
//! Edits no header and answers no client.

mod attempt;
mod endpoint;
mod here;
mod link;
mod links;
mod pool;
mod turn;

pub use endpoint::{ConnectError, Endpoint, EndpointAddress, EndpointError, EndpointTls, Scheme};
pub use link::{Link, LinkStream, Origin};

use self::attempt::{Attempt, Replay, Sending};
use crate::config::HostHeader;
use crate::limit::{BodyEnd, BodyFailure, Meter};
use crate::telemetry::Telemetry;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use pool::{PoolId, PoolKey};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::AbortHandle;

/// The body of a request on its way up.
pub type RequestBody = UnsyncBoxBody<Bytes, BodyFailure>;

/// A named group of endpoints.
pub struct Upstream {
    /// The name.
    pub name: Arc<str>,
    host_header: HostHeader,
    /// `Authorization` to send, if credentials are configured.
    pub authorization: Option<Vec<u8>>,
    /// Digest of all that it was made from; equal for equal upstreams.
    pub signature: Vec<u8>,
    connect_timeout: Duration,
    targets: Vec<Target>,
    turn: here::Key,
    telemetry: Arc<Telemetry>,
}

struct Target {
    endpoint: Endpoint,
    pool: PoolKey,
}

/// A connection to an endpoint that hyper drives.
#[derive(Debug)]
struct Connection {
    sender: SendRequest<RequestBody>,
    /// Reads and writes; ends by itself once the sender is gone and nothing is on its way.
    task: AbortHandle,
}

impl pool::Connection for Connection {
    fn is_usable(&self) -> bool {
        !self.sender.is_closed()
    }
}

/// What an upstream is made of.
#[derive(Debug)]
pub struct UpstreamSettings {
    /// The name.
    pub name: Arc<str>,
    /// At least one.
    pub endpoints: Vec<Endpoint>,
    /// Which Host field they see.
    pub host_header: HostHeader,
    /// `Authorization` to send.
    pub authorization: Option<Vec<u8>>,
    /// TCP and TLS together.
    pub connect_timeout: Duration,
    /// How long an unused connection is kept.
    pub pool_idle_timeout: Duration,
    /// How many each worker keeps for each endpoint.
    pub pool_size: usize,
}

/// A request that is ready to go up.
pub struct Outgoing {
    /// Head and body.
    pub request: Request<RequestBody>,
    /// Knows whether the body is whole.
    pub meter: Arc<Meter>,
    /// From the end of the body until the response head.
    pub response_timeout: Duration,
}

/// An upstream's answer, and the connection that it comes on.
pub struct Answer {
    /// Head, and body to be read.
    pub response: Response<Incoming>,
    /// Give it back when the body was read to its end.
    pub lease: Lease,
    /// The endpoint that answered.
    pub endpoint: String,
}

/// A connection in use. Dropping it closes the connection.
pub struct Lease {
    connection: Option<Connection>,
    pool: PoolId,
    request: Arc<Meter>,
}

impl Lease {
    /// Keeps the connection for another request. Call it when the response body was read to its end. After an early
    /// answer the rest of the request is still on its way, so then the connection is closed. Call it on the worker where
    /// the request was sent: the connection stays there.
    pub fn release(mut self) {
        if self.request.end() == BodyEnd::Complete
            && let Some(connection) = self.connection.take()
        {
            pool::put(self.pool, connection);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // hyper would go on sending the rest of the request, or wait for ever if the endpoint reads no more.
        if self.request.end() != BodyEnd::Complete
            && let Some(connection) = &self.connection
        {
            connection.task.abort();
        }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// No endpoint could be reached; this is the last one's reason.
    #[error("no endpoint of the upstream can be reached (last: {endpoint})")]
    Connect {
        /// The last one tried.
        endpoint: String,
        /// Why.
        source: ConnectError,
    },
    /// No response head in time.
    #[error("{endpoint} did not answer within the response timeout")]
    ResponseTimeout {
        /// Who.
        endpoint: String,
    },
    /// The connection ended, or what came was no response.
    #[error("{endpoint} broke off or did not answer in HTTP")]
    Broken {
        /// Who.
        endpoint: String,
        /// How.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// 101 where no upgrade was asked for, or to another protocol.
    #[error("{endpoint} left HTTP without being asked")]
    Upgraded {
        /// Who.
        endpoint: String,
    },
    /// The client's body failed, so the request could not be sent whole.
    #[error("the request body failed on its way")]
    RequestBody(BodyEnd),
}

impl UpstreamError {
    /// The word in metrics and logs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Connect { source: ConnectError::Timeout, .. } => "connect_timeout",
            Self::Connect { source: ConnectError::Tls(_), .. } => "upstream_tls",
            Self::Connect { .. } => "connect_failed",
            Self::ResponseTimeout { .. } => "response_timeout",
            Self::Broken { .. } => "upstream_broke_off",
            Self::Upgraded { .. } => "upstream_upgraded",
            Self::RequestBody(_) => "request_body",
        }
    }
}

impl Upstream {
    /// Makes an upstream.
    pub fn new(settings: UpstreamSettings, signature: Vec<u8>, telemetry: Arc<Telemetry>) -> Self {
        let pool = || PoolKey::new(settings.pool_size, settings.pool_idle_timeout);
        let targets = settings.endpoints.into_iter().map(|endpoint| Target { endpoint, pool: pool() });
        Self {
            name: settings.name,
            host_header: settings.host_header,
            authorization: settings.authorization,
            signature,
            connect_timeout: settings.connect_timeout,
            targets: targets.collect(),
            turn: here::Key::new(),
            telemetry,
        }
    }

    /// Sends a request to the endpoint whose turn it is (round robin), or to the next that can be reached.
    ///
    /// Goes again only where nothing was sent, or where the method is idempotent, there is no body, and a pooled
    /// connection turned out to be closed (RFC 9110 section 9.2.2).
    ///
    /// # Errors
    /// [`UpstreamError`]
    pub async fn send(&self, outgoing: Outgoing) -> Result<Answer, UpstreamError> {
        let result = self.try_send(outgoing).await;
        if let Err(error) = &result {
            self.telemetry.upstream(&self.name).failed(error.word());
        }
        result
    }

    async fn try_send(&self, outgoing: Outgoing) -> Result<Answer, UpstreamError> {
        let Outgoing { mut request, meter, response_timeout } = outgoing;
        let choice = turn::next(&self.turn);
        let host_header = self.host_header;
        let target = self.target(choice);
        while let Some(connection) = pool::take::<Connection>(&target.pool) {
            self.count_connection("pooled");
            // Only a pooled connection can turn out to be closed, so only here is a copy of the head worth its price.
            let replay = Replay::of(&request, &meter);
            let attempt = Sending { target, meter: &meter, response_timeout, host_header };
            match attempt.run(connection, request).await {
                Attempt::Answered(answer) => return Ok(*answer),
                Attempt::Unsent(unsent, _) => request = *unsent,
                Attempt::Unanswered(error) => match replay.again() {
                    Some(again) => {
                        request = again;
                        self.telemetry.upstream(&self.name).retried();
                        break;
                    }
                    None => return Err(error),
                },
                Attempt::Failed(error) => return Err(error),
            }
        }
        let (connection, target) = self.connect_any(choice).await?;
        self.count_connection("new");
        match (Sending { target, meter: &meter, response_timeout, host_header }).run(connection, request).await {
            Attempt::Answered(answer) => Ok(*answer),
            Attempt::Unsent(_, error) | Attempt::Unanswered(error) | Attempt::Failed(error) => Err(error),
        }
    }

    /// A new connection to the chosen endpoint, or to the next that can be reached. Nothing was sent yet, so this is
    /// safe for every request.
    async fn connect_any(&self, choice: usize) -> Result<(Connection, &Target), UpstreamError> {
        let mut failed = 0;
        loop {
            let target = self.target(choice.wrapping_add(failed));
            match self.connect(target).await {
                Ok(connection) => return Ok((connection, target)),
                Err(error) => {
                    failed += 1;
                    if failed >= self.targets.len() {
                        return Err(error);
                    }
                }
            }
        }
    }

    fn target(&self, choice: usize) -> &Target {
        #[expect(clippy::indexing_slicing, reason = "assembly refuses an upstream without endpoints")]
        &self.targets[choice % self.targets.len()]
    }

    fn count_connection(&self, origin: &'static str) {
        self.telemetry.upstream(&self.name).connection_used(origin);
    }

    async fn connect(&self, target: &Target) -> Result<Connection, UpstreamError> {
        let failed = |source| UpstreamError::Connect { endpoint: target.endpoint.authority.clone(), source };
        let stream = target.endpoint.connect(self.connect_timeout).await.map_err(failed)?;
        let (sender, connection) = hyper::client::conn::http1::Builder::new()
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| failed(ConnectError::Tcp(std::io::Error::other(error))))?;
        let name = self.name.clone();
        let task = tokio::spawn(async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(upstream = &*name, %error, "upstream connection ended");
            }
        });
        let task = task.abort_handle();
        Ok(Connection { sender, task })
    }
}

/// Closes connections of this thread that have been unused for too long, or whose upstream is no longer in force. Call
/// it now and then on each worker.
pub fn close_stale_connections() {
    here::tidy();
}
