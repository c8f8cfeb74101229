//! The snapshot: certificates, keys, anchors, users, routes and upstreams as one immutable value with a number. A
//! request is judged by exactly one. The only place that turns config text into meaning.

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
pub use content::Content;
pub use overlay::{OverlayError, WithdrawnUsers};
pub use rejected::RejectedConfig;
pub use revocation_source::{
    NamedBy, RevocationSource, RevocationSourceKind, SourceReading, Stamps,
};
pub use watch::{FileWatch, Wakeup};

use assemble::parse_end;

use crate::authorize::Policy;
use crate::authorizer::Authorizers;
use crate::config::{Http1Engine, Include, LogFormat, Places, Spanned, Written};
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

/// Everything that judges and serves requests. A clone costs little.
#[derive(Clone)]
pub struct Snapshot {
    /// Counts up with each snapshot that came into force.
    pub generation: u64,
    /// Counts up with each overlay on it; 0 is none.
    pub overlay: u64,
    /// How much the config defines.
    pub sizes: ConfigSizes,
    /// By name.
    pub listeners: HashMap<Arc<str>, Arc<ListenerPolicy>>,
    /// In the order of their ids.
    pub trust_domains: Vec<Arc<TrustDomain>>,
    /// Who is who.
    pub users: ApiUsers,
    /// Who may do what.
    pub policy: Policy,
    /// By name.
    pub upstreams: HashMap<Arc<str>, Arc<Upstream>>,
    /// Whom the gateway asks about requests that it permits.
    pub authorizers: Arc<Authorizers>,
    /// Which ApiUsers are somebody at which upstream; those where nobody is are not here.
    pub accounts: HashMap<Arc<str>, Arc<Accounts>>,
    /// Signs what upstreams are told about clients, if there are keys.
    pub assertions: Option<Arc<AssertionSigner>>,
    /// What is said about client certificates that expire.
    pub expiry: ExpiryPolicy,
    /// What the process does with itself.
    pub process: ProcessSettings,
    /// Our certificates and all anchors, for metrics.
    pub expiries: Vec<OwnExpiry>,
    /// What counts for a time only, and its last second since 1970.
    pub enabled_until: Vec<(String, i64)>,
    /// Names of header fields that conditions and authorizers read: `Connection` may not name them, and no
    /// trailer has such a name.
    pub judged_fields: FieldNames,
    /// Whether any permission or route has a condition.
    pub has_conditions: bool,
    /// Whether a judgement may change while nothing else does.
    pub changes_with_time: bool,
    /// What clients may prove themselves by beside certificates.
    pub credentials: Arc<Credentials>,
    /// Files that revoke.
    pub revocation_sources: Vec<RevocationSource>,
    /// What it was made of.
    pub content: Arc<Content>,
    /// What its main file includes.
    pub includes: Vec<Include>,
    /// What its config says, where there is an audit log to tell of changes.
    pub written: Option<Arc<Written>>,
    /// Where what it is made of stands in the config.
    pub places: Arc<Places>,
    /// What limits the requests of ApiUsers, by their ids.
    pub user_limiters: Arc<Limiters>,
    /// What limits those of routes: only for the next snapshot, which goes on with them.
    pub route_limiters: Arc<HashMap<Box<str>, Arc<Limiter>>>,
}

/// Which snapshot it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotVersion {
    /// Which load.
    pub generation: u64,
    /// Which overlay on it; 0 is none.
    pub overlay: u64,
}

impl Snapshot {
    /// Which one it is.
    pub fn version(&self) -> SnapshotVersion {
        SnapshotVersion {
            generation: self.generation,
            overlay: self.overlay,
        }
    }

    /// A trust domain by its id. `None` for an id of another snapshot.
    pub fn trust_domain(&self, id: TrustDomainId) -> Option<&Arc<TrustDomain>> {
        self.trust_domains.get(usize::from(id.0))
    }

    /// Which of a client's fields are sent to the upstream of a route.
    pub fn field_policy<'a>(&'a self, route: &'a Route) -> FieldPolicy<'a> {
        FieldPolicy {
            reserved: self.authorizers.reserved(),
            judged: &self.judged_fields,
            kept: &route.kept_headers,
        }
    }

    /// The name of a trust domain.
    pub fn domain_name(&self, id: TrustDomainId) -> Option<&str> {
        self.trust_domain(id).map(|domain| &*domain.name)
    }
}

/// How much a config defines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConfigSizes {
    /// ApiUsers.
    pub users: usize,
    /// Routes.
    pub routes: usize,
    /// Upstreams.
    pub upstreams: usize,
}

/// One listener: what is shown under which name, and what is served.
#[derive(Clone)]
pub struct ListenerPolicy {
    /// The name.
    pub name: Arc<str>,
    /// Where to listen.
    pub address: SocketAddr,
    /// By server name.
    pub hosts: HostTable<Arc<HostPolicy>>,
    /// Where requests go.
    pub routes: RouteTable,
    /// Limits of connections.
    pub limits: ConnectionLimits,
    /// Who serves HTTP/1.1.
    pub http1_engine: Http1Engine,
    /// Who speaks for others.
    pub front_proxy: Option<Arc<FrontProxy>>,
    /// Where clients may have any number of half-open connections.
    pub half_open_exempt: Vec<Network>,
}

impl ListenerPolicy {
    /// How many half-open connections there may be from an address; `None` is no limit. Front proxies are not limited where
    /// the config says where they are: their handshakes are few, or those of many clients.
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

    /// The policy for a server name; `None` is a client that named none.
    pub fn host(&self, name: Option<&HostName<'_>>) -> Option<&Arc<HostPolicy>> {
        self.hosts.find(name)
    }
}

/// Limits of a listener's connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Open at once.
    pub connections: u32,
    /// Half-open at once from one source; `None` is no limit.
    pub half_open_per_source: Option<NonZeroU32>,
    /// Accept until verified.
    pub handshake_timeout: Duration,
    /// First byte of a head until its last.
    pub head_timeout: Duration,
    /// Bytes of a head.
    pub head_size: usize,
    /// Open without a request.
    pub keep_alive_timeout: Duration,
    /// HTTP/2 streams at once.
    pub streams: u32,
    /// A client that takes no byte of an answer.
    pub idle_timeout: Option<Duration>,
}

/// Until when one of our certificates, or an anchor, is valid.
#[derive(Clone, Debug)]
pub struct OwnExpiry {
    /// What it is for, as metrics call it.
    pub kind: &'static str,
    /// The name of the listener, trust domain, upstream or authorizer.
    pub name: String,
    /// The ApiUser that it speaks for at an upstream. Not in metrics, which other machines may read.
    pub user: Option<String>,
    /// The last second of validity since 1970.
    pub not_after: i64,
    /// The subject of the certificate.
    pub subject: String,
    /// Its file, as the config names it.
    pub file: Spanned<String>,
}

/// What is said about client certificates that expire.
#[derive(Clone, Debug, Default)]
pub struct ExpiryPolicy {
    /// How long before; `None` is never.
    pub warn_before: Option<Duration>,
    /// The field of answers that tells the client; `None` is no field.
    pub response_header: Option<ExpiryFieldName>,
}

/// What the process does with itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessSettings {
    /// Worker threads; `None` is one for each core.
    pub workers: Option<u32>,
    /// How long a shutdown waits.
    pub drain_deadline: Duration,
    /// How long readiness fails before that.
    pub drain_delay: Duration,
    /// User to become.
    pub user: Option<String>,
    /// Where operators ask; `None` is nowhere.
    pub admin: Option<AdminPlace>,
    /// Where monitoring asks; `None` is nowhere.
    pub metrics: Option<SocketAddr>,
    /// The access log.
    pub access_log: AccessLogConfig,
    /// The audit log, if there is one.
    pub audit_log: Option<AuditLogConfig>,
    /// For how long the admin listener shows decisions; zero is not at all.
    pub recent_decisions: Duration,
    /// Filter of the own log.
    pub log_filter: String,
    /// Form of the own log.
    pub log_format: LogFormat,
}
