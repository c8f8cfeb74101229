//! The snapshot: certificates, keys, anchors, users, routes and upstreams as one immutable value. One request uses one
//! snapshot, and only this module builds snapshots from config text.

mod admin_place;
mod assemble;
mod content;
mod defaults;
mod overlay;
mod rejected;
mod revocation_source;
mod watch;

pub use admin_place::{AdminPlace, AdminPlaceError};
pub use assemble::{Depth, Outcome, load};
pub use content::ContentDigest;
pub use overlay::{OverlayError, WithdrawnUsers};
pub use rejected::RejectedConfig;
pub use revocation_source::{
    ConfigOrigin, RevocationSource, RevocationSourceKind, SourceReading, Stamps,
};
pub use watch::{FileWatch, Wakeup};

use assemble::parse_end;

use crate::authorize::Policy;
use crate::authorizer::Authorizers;
use crate::config::{ConfigValues, Include, LogFormat, Places, Spanned};
use crate::credentials::Credentials;
use crate::forward::{ExpiryFieldName, FieldNames, FieldPolicy};
use crate::host::{HostName, HostTable};
use crate::identity::{ApiUsers, AssertionSigner, FrontProxy, Network};
use crate::limit::{Limiter, Limiters};
use crate::route::{Route, RouteTable};
use crate::telemetry::{AccessLogConfig, AuditLogConfig};
use crate::tls::{HostPolicy, TrustDomain, TrustDomainId};
use crate::upstream::{Accounts, Upstream};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

/// Everything that is needed to authorize and serve requests. Cheap to clone.
#[derive(Clone)]
pub struct Snapshot {
    /// Number of the load, incremented with each activation.
    pub generation: u64,
    /// Number of the overlay on this generation; 0 means none.
    pub overlay: u64,
    /// Numbers of configured items.
    pub sizes: ConfigSizes,
    /// By name.
    pub listeners: HashMap<Arc<str>, Arc<ListenerPolicy>>,
    /// Trust domains in the order of their ids.
    pub trust_domains: Vec<Arc<TrustDomain>>,
    /// Identities of ApiUsers.
    pub users: ApiUsers,
    /// Permissions of ApiUsers.
    pub policy: Policy,
    /// By name.
    pub upstreams: HashMap<Arc<str>, Arc<Upstream>>,
    /// External authorizers.
    pub authorizers: Arc<Authorizers>,
    /// Accounts of ApiUsers by upstream name. Upstreams without accounts have no entry.
    pub accounts: HashMap<Arc<str>, Arc<Accounts>>,
    /// Signer of identity assertions; `None` without keys.
    pub assertions: Option<Arc<AssertionSigner>>,
    /// Warnings about client certificates that expire.
    pub expiry: ExpiryPolicy,
    /// Settings of the process.
    pub process: ProcessSettings,
    /// Expiry of our certificates and of all anchors, for metrics.
    pub expiries: Vec<OwnExpiry>,
    /// Names of items with `enabled_until`, and their last second in Unix time.
    pub enabled_until: Vec<(String, i64)>,
    /// Header fields that conditions and authorizers read. `Connection` and trailers may not contain them.
    pub decision_fields: FieldNames,
    /// Whether any permission or route has a condition.
    pub has_conditions: bool,
    /// Whether a decision can change with time alone.
    pub changes_with_time: bool,
    /// Credentials of clients besides certificates.
    pub credentials: Arc<Credentials>,
    /// Sources of revocations.
    pub revocation_sources: Vec<RevocationSource>,
    /// Digests of the files of the load.
    pub content: Arc<ContentDigest>,
    /// Include patterns of the main file.
    pub includes: Vec<Include>,
    /// Config keys and values, for changes in the audit log; `None` without an audit log.
    pub written: Option<Arc<ConfigValues>>,
    /// Positions in the config files.
    pub places: Arc<Places>,
    /// Request limiters of ApiUsers, by id.
    pub user_limiters: Arc<Limiters>,
    /// Request limiters of routes, which the next snapshot continues.
    pub route_limiters: Arc<HashMap<Box<str>, Arc<Limiter>>>,
}

/// Version of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotVersion {
    /// Number of the load.
    pub generation: u64,
    /// Number of the overlay; 0 means none.
    pub overlay: u64,
}

impl Snapshot {
    /// Generation and overlay.
    pub fn version(&self) -> SnapshotVersion {
        SnapshotVersion {
            generation: self.generation,
            overlay: self.overlay,
        }
    }

    /// The trust domain with an id. `None` for an id of another snapshot.
    pub fn trust_domain(&self, id: TrustDomainId) -> Option<&Arc<TrustDomain>> {
        self.trust_domains.get(usize::from(id.0))
    }

    /// Rules for the client's header fields that are sent to the upstream of a route.
    pub fn field_policy<'a>(&'a self, route: &'a Route) -> FieldPolicy<'a> {
        FieldPolicy {
            reserved: self.authorizers.reserved(),
            decision_fields: &self.decision_fields,
            kept: &route.kept_headers,
        }
    }

    /// The name of a trust domain.
    pub fn domain_name(&self, id: TrustDomainId) -> Option<&str> {
        self.trust_domain(id).map(|domain| &*domain.name)
    }
}

/// Numbers of configured items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConfigSizes {
    /// Number of ApiUsers.
    pub users: usize,
    /// Number of routes.
    pub routes: usize,
    /// Number of upstreams.
    pub upstreams: usize,
}

/// One listener: its hosts, routes and limits.
#[derive(Clone)]
pub struct ListenerPolicy {
    /// The name.
    pub name: Arc<str>,
    /// Configured address.
    pub address: SocketAddr,
    /// TLS hosts by server name.
    pub hosts: HostTable<Arc<HostPolicy>>,
    /// Routes of the listener.
    pub routes: RouteTable,
    /// Connection limits.
    pub limits: ConnectionLimits,
    /// Front proxy that forwards client identities.
    pub front_proxy: Option<Arc<FrontProxy>>,
    /// Networks without a limit of half-open connections.
    pub half_open_exempt: Vec<Network>,
}

impl ListenerPolicy {
    /// Limit of half-open connections from an address; `None` means no limit. Front proxies with configured `sources`
    /// are not limited, since their connections may be those of many clients.
    pub fn half_open_limit(&self, address: IpAddr) -> Option<NonZeroU32> {
        let is_exempt = self
            .half_open_exempt
            .iter()
            .any(|network| network.contains(address));
        let is_proxy = self
            .front_proxy
            .as_ref()
            .is_some_and(|front| front.is_placed_at(address));
        self.limits
            .half_open_per_source
            .filter(|_| !is_exempt && !is_proxy)
    }

    /// The host for a server name; `None` stands for a client without SNI.
    pub fn host(&self, name: Option<&HostName<'_>>) -> Option<&Arc<HostPolicy>> {
        self.hosts.find(name)
    }
}

/// Limits of a listener's connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Maximum of open connections.
    pub connections: u32,
    /// Maximum of half-open connections from one source; `None` means no limit.
    pub half_open_per_source: Option<NonZeroU32>,
    /// Maximum time from accept to the end of the handshake.
    pub handshake_timeout: Duration,
    /// Maximum time from the first to the last byte of a request head.
    pub head_timeout: Duration,
    /// Maximum size of a request head in bytes.
    pub head_size: usize,
    /// Maximum time without a request on an open connection.
    pub keep_alive_timeout: Duration,
    /// Maximum of concurrent HTTP/2 streams.
    pub streams: u32,
    /// Maximum time without progress while the client reads a response.
    pub idle_timeout: Option<Duration>,
}

/// Expiry of one of our certificates, or of an anchor.
#[derive(Clone, Debug)]
pub struct OwnExpiry {
    /// The kind of certificate, as in metrics.
    pub kind: &'static str,
    /// The name of the listener, trust domain, upstream or authorizer.
    pub name: String,
    /// The ApiUser that the certificate identifies at an upstream. Not in metrics, which other machines may read.
    pub user: Option<String>,
    /// Last second of validity, in Unix time.
    pub not_after: i64,
    /// The subject of the certificate.
    pub subject: String,
    /// Path of the file, as written in the config.
    pub file: Spanned<String>,
}

/// Warnings about client certificates that expire.
#[derive(Clone, Debug, Default)]
pub struct ExpiryPolicy {
    /// How long before the expiry warnings begin; `None` means never.
    pub warn_before: Option<Duration>,
    /// Response header that warns the client; `None` means no header.
    pub response_header: Option<ExpiryFieldName>,
}

/// Settings of the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessSettings {
    /// Number of worker threads; `None` means one per core.
    pub workers: Option<u32>,
    /// How long a shutdown waits for requests.
    pub drain_deadline: Duration,
    /// How long readiness fails before the drain.
    pub drain_delay: Duration,
    /// User to become.
    pub user: Option<String>,
    /// Place of the admin listener; `None` means no listener.
    pub admin: Option<AdminPlace>,
    /// Address of the metrics listener; `None` means no listener.
    pub metrics: Option<SocketAddr>,
    /// The access log.
    pub access_log: AccessLogConfig,
    /// The audit log; `None` means no audit log.
    pub audit_log: Option<AuditLogConfig>,
    /// How long the admin listener keeps decisions; zero means not at all.
    pub recent_decisions: Duration,
    /// Filter of the process log.
    pub log_filter: String,
    /// Format of the process log.
    pub log_format: LogFormat,
}
