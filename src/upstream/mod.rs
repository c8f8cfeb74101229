//! Upstreams: which endpoint, which connection, and sending one request without ever sending it twice by accident.
//! Edits no header and answers no client.

mod account;
mod answer;
mod answer_body;
mod failure;
mod link;
mod link_stream;
mod links;
mod manners;
mod reading;
mod send;
mod turn;
mod upload;

pub use account::{Account, Accounts};
pub use answer::{Answer, Behind};
pub use answer_body::{AnswerBody, read_away};
pub use failure::{Again, Failure, Repeat};
pub use link::{Link, Origin};
pub use link_stream::LinkStream;
pub use manners::Manners;
pub use send::{LONG_TIMEOUT, Outgoing, SendObserver};

use crate::config::{HostHeader, ProxyProtocol};
use crate::endpoint::{ConnectError, Endpoint};
use crate::here;
use crate::identity::IdentitySelection;
use crate::limit::BodyEnd;
use crate::pool::{Capacity, PoolKey};
use crate::telemetry::Telemetry;
use std::sync::Arc;
use std::time::Duration;

/// A named group of endpoints.
pub struct Upstream {
    /// The name.
    pub name: Arc<str>,
    host_header: HostHeader,
    /// `Authorization` to send, if credentials are configured.
    pub authorization: Option<Vec<u8>>,
    /// What it is told about clients.
    pub identity: Arc<IdentitySelection>,
    /// What each connection begins with. If that is about a client, no other client's request goes on it.
    pub proxy_protocol: ProxyProtocol,
    /// How it is to be spoken to.
    pub manners: Manners,
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
    /// What it is told about clients.
    pub identity: Arc<IdentitySelection>,
    /// What each connection begins with.
    pub proxy_protocol: ProxyProtocol,
    /// TCP and TLS together.
    pub connect_timeout: Duration,
    /// How long an unused connection is kept.
    pub pool_idle_timeout: Duration,
    /// How many each worker keeps for each endpoint.
    pub pool_capacity: Capacity,
    /// How it is to be spoken to.
    pub manners: Manners,
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
    /// The endpoint that failed, if it is one's fault.
    pub fn endpoint(&self) -> Option<&str> {
        match self {
            Self::Connect { endpoint, .. }
            | Self::ResponseTimeout { endpoint }
            | Self::Broken { endpoint, .. }
            | Self::Upgraded { endpoint } => Some(endpoint),
            _ => None,
        }
    }

    /// The word in metrics and logs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Connect {
                source: ConnectError::Timeout,
                ..
            } => "connect_timeout",
            Self::Connect {
                source: ConnectError::Tls(_),
                ..
            } => "upstream_tls",
            Self::Connect {
                source: ConnectError::NoDescriptors,
                ..
            } => "upstream_connections_used_up",
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
        let pool_capacity = match settings.proxy_protocol {
            ProxyProtocol::Off => settings.pool_capacity,
            // A connection that speaks for one client is never kept for another.
            ProxyProtocol::V2 => Capacity::AtMost(0),
        };
        let pool = || PoolKey::new(pool_capacity, settings.pool_idle_timeout);
        let targets = settings.endpoints.into_iter().map(|endpoint| Target {
            endpoint,
            pool: pool(),
        });
        Self {
            name: settings.name,
            host_header: settings.host_header,
            authorization: settings.authorization,
            identity: settings.identity,
            proxy_protocol: settings.proxy_protocol,
            manners: settings.manners,
            signature,
            connect_timeout: settings.connect_timeout,
            targets: targets.collect(),
            turn: here::Key::new(),
            telemetry,
        }
    }
}
