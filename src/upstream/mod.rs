//! Sends requests to upstreams: endpoint selection, connections, and retries that never repeat an
//! unsafe request. Edits no header and responds to no client.

mod account;
mod response;
mod response_body;
mod attempts;
mod endpoint_record;
mod endpoint_set;
mod endpoint_states;
mod endpoints;
mod failure;
mod head_search;
mod health;
mod http2;
mod link;
mod link_stream;
mod links;
mod quirks;
mod outgoing;
mod response_reader;
mod retry_budget;
mod send;
mod unprocessed;
mod upload;
mod upload_state;

pub use account::{Account, Accounts};
pub use attempts::{AttemptObserver, SendAttempts};
pub use endpoints::{EndpointChoice, EndpointFacts};
pub use failure::{AttemptFailure, OtherEndpoints, RetryPolicy, RetryTarget};
pub use head_search::{ExpectedResponse, ResponseHeadSearch};
pub use health::HealthSettings;
pub use link::{Link, Origin};
pub use link_stream::LinkStream;
pub use outgoing::OutgoingRequest;
pub use quirks::Quirks;
pub use response::UpstreamResponse;
pub use response_body::{ResponseBody, read_away};
pub use send::{LONG_TIMEOUT, SendObserver, UpstreamRequest};
pub use upload_state::UploadState;

use crate::config::{HostHeader, ProxyProtocol};
use crate::endpoint::{ConnectError, Endpoint, EndpointHttp};
use crate::identity::IdentitySelection;
use crate::limit::BodyEnd;
use crate::pool::{Capacity, PoolKey};
use crate::reason::Reason;
use crate::telemetry::Telemetry;
use crate::thread_state;
use endpoint_record::EndpointRecord;
use std::sync::Arc;
use std::time::Duration;

/// A named group of endpoints.
pub struct Upstream {
    /// The name.
    pub name: Arc<str>,
    host_header: HostHeader,
    /// `Authorization` to send, if credentials are configured.
    pub authorization: Option<Vec<u8>>,
    /// The identity fields about clients that it receives.
    pub identity: Arc<IdentitySelection>,
    /// The preface of each connection. If it describes a client, no other client's request uses the
    /// connection.
    pub proxy_protocol: ProxyProtocol,
    /// Its quirks.
    pub quirks: Quirks,
    /// Digest of all settings; equal for equal upstreams.
    pub signature: Vec<u8>,
    connect_timeout: Duration,
    targets: Vec<PooledEndpoint>,
    health: HealthSettings,
    retry_percent: u32,
    /// The key of the [`EndpointStates`](endpoint_states::EndpointStates) of each worker.
    states: thread_state::StateKey,
    telemetry: Arc<Telemetry>,
}

struct PooledEndpoint {
    endpoint: Endpoint,
    pool: PoolKey,
    record: Arc<EndpointRecord>,
    /// Its HTTP/2 connections. `None` if it speaks HTTP/1.1 only.
    http2: Option<http2::ConnectionSet>,
}

/// The settings of an upstream.
#[derive(Debug)]
pub struct UpstreamSettings {
    /// The name.
    pub name: Arc<str>,
    /// At least one endpoint.
    pub endpoints: Vec<Endpoint>,
    /// The Host field that they receive.
    pub host_header: HostHeader,
    /// The gateway's `Authorization`, if any.
    pub authorization: Option<Vec<u8>>,
    /// The identity fields about clients that it receives.
    pub identity: Arc<IdentitySelection>,
    /// The preface of each connection.
    pub proxy_protocol: ProxyProtocol,
    /// Timeout of TCP and TLS handshake together.
    pub connect_timeout: Duration,
    /// How long an idle connection is kept.
    pub pool_idle_timeout: Duration,
    /// Maximum idle connections per worker and endpoint.
    pub pool_capacity: Capacity,
    /// When endpoints are ejected.
    pub health: HealthSettings,
    /// Retries on another endpoint, as a percentage of the requests. 0: none.
    pub retry_percent: u32,
    /// Its quirks.
    pub quirks: Quirks,
}

/// Errors of a request to an upstream.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// No endpoint could be reached. Describes the last attempt.
    #[error("no endpoint of the upstream can be reached (last: {endpoint})")]
    Connect {
        /// The last endpoint tried.
        endpoint: String,
        /// The connect error.
        source: ConnectError,
    },
    /// No response head in time.
    #[error("{endpoint} did not answer within the response timeout")]
    ResponseTimeout {
        /// The endpoint.
        endpoint: String,
    },
    /// The connection ended, or the response was malformed.
    #[error("{endpoint} broke off or did not answer in HTTP")]
    Broken {
        /// The endpoint.
        endpoint: String,
        /// The I/O or protocol error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A 101 response without a requested upgrade, or to another protocol.
    #[error("{endpoint} left HTTP without being asked")]
    Upgraded {
        /// The endpoint.
        endpoint: String,
    },
    /// The client's body failed, so the request was not sent completely.
    #[error("the request body failed on its way")]
    RequestBody(BodyEnd),
}

impl UpstreamError {
    /// The endpoint that caused the error, if one did.
    pub fn endpoint(&self) -> Option<&str> {
        match self {
            Self::Connect { endpoint, .. }
            | Self::ResponseTimeout { endpoint }
            | Self::Broken { endpoint, .. }
            | Self::Upgraded { endpoint } => Some(endpoint),
            _ => None,
        }
    }

    /// The reason.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Connect { source, .. } => connect_reason(source),
            Self::ResponseTimeout { .. } => Reason::ResponseTimeout,
            Self::Broken { .. } => Reason::UpstreamBrokeOff,
            Self::Upgraded { .. } => Reason::UpstreamUpgraded,
            Self::RequestBody(_) => Reason::RequestBody,
        }
    }
}

/// The reason for a failed connect.
fn connect_reason(error: &ConnectError) -> Reason {
    match error {
        ConnectError::Timeout => Reason::ConnectTimeout,
        ConnectError::Tls(_) | ConnectError::NoHttp2 => Reason::UpstreamTls,
        ConnectError::Http2(_) | ConnectError::NoStreams => Reason::ConnectFailed,
        ConnectError::NoDescriptors => Reason::UpstreamConnectionsUsedUp,
        ConnectError::Tcp(_) => Reason::ConnectFailed,
    }
}

impl Upstream {
    /// Whether it can be asked for an upgrade, which HTTP/2 does not have.
    pub fn takes_upgrades(&self) -> bool {
        let requires_http2 =
            |target: &PooledEndpoint| target.endpoint.http() == EndpointHttp::Http2;
        !self.targets.iter().any(requires_http2)
    }

    /// Makes an upstream.
    pub fn new(settings: UpstreamSettings, signature: Vec<u8>, telemetry: Arc<Telemetry>) -> Self {
        let pool_capacity = match settings.proxy_protocol {
            ProxyProtocol::Off => settings.pool_capacity,
            // A connection with a client's preface is not kept for other clients.
            ProxyProtocol::V2 => Capacity::AtMost(0),
        };
        let pool = || PoolKey::new(pool_capacity, settings.pool_idle_timeout);
        let http2 = || http2::ConnectionSet::new(pool_capacity, settings.pool_idle_timeout);
        let targets = settings
            .endpoints
            .into_iter()
            .map(|endpoint| PooledEndpoint {
                record: Arc::new(EndpointRecord::new(
                    &settings.name,
                    &endpoint.authority,
                    &telemetry,
                )),
                http2: (endpoint.http() != EndpointHttp::Http1).then(http2),
                endpoint,
                pool: pool(),
            })
            .collect();
        Self {
            name: settings.name,
            host_header: settings.host_header,
            authorization: settings.authorization,
            identity: settings.identity,
            proxy_protocol: settings.proxy_protocol,
            quirks: settings.quirks,
            signature,
            connect_timeout: settings.connect_timeout,
            targets,
            health: settings.health,
            retry_percent: settings.retry_percent,
            states: thread_state::StateKey::new(),
            telemetry,
        }
    }
}
