//! What `gateway.toml` says, table by table, with places. No meaning yet: names are not looked up and files not read.
//! Defaults live with the domain that they belong to (`snapshot` fills them in), so an `Option` here means "not said".

mod admin;
mod authorizer;
mod audit;
mod credentials;
mod engines;
mod expect;
mod front_proxy;
mod limits;
mod listener;
mod policy;
mod preset;
mod manners;
mod route;
mod trust;

pub use admin::{Admin, MetricsTable};
pub use audit::{AuditLog, AuditedDecisions, Share};
pub use authorizer::*;
pub use credentials::*;
pub use engines::{Http1Engine, RecordLayer};
pub use expect::{Claim, Expectation, ExpectedVerdict};
pub use front_proxy::{Belief, ForwardedIdentity, FrontProxy};
pub use limits::{Limits, RequestLimits, RequestRate};
pub use listener::{ClientAuth, Host, Listener};
pub use manners::*;
pub use policy::{
    Enforcement, GivenAway, PermissionEntry, Qualifiers, Requirement, RequirementEntry,
};
pub use preset::{Forbidden, MethodOverride, Preset};
pub use route::{PathMatch, Respond, Route};
pub use trust::*;

use super::source::{Place, Spanned};
use std::time::Duration;

/// Everything the config files say.
#[derive(Debug, Default)]
pub struct Config {
    /// `[gateway]`
    pub gateway: Gateway,
    /// `[admin]`
    pub admin: Option<Admin>,
    /// `[metrics]`
    pub metrics: Option<MetricsTable>,
    /// `[access_log]`
    pub access_log: AccessLog,
    /// `[audit_log]`
    pub audit_log: Option<AuditLog>,
    /// `[log]`
    pub log: Log,
    /// `[limits]`
    pub limits: Limits,
    /// `[identity_headers]`
    pub identity_headers: IdentityHeaders,
    /// `[expiry]`
    pub expiry: Expiry,
    /// `[listener.NAME]`
    pub listeners: Vec<Listener>,
    /// `[trust_domain.NAME]`
    pub trust_domains: Vec<TrustDomain>,
    /// `[api_user.NAME]`
    pub api_users: Vec<ApiUser>,
    /// `[role.NAME]`
    pub roles: Vec<Role>,
    /// `[upstream.NAME]`
    pub upstreams: Vec<Upstream>,
    /// `[[route]]`
    pub routes: Vec<Route>,
    /// `[passwords]`
    pub passwords: Passwords,
    /// `[token_issuer.NAME]`
    pub token_issuers: Vec<TokenIssuer>,
    /// `[authorizer.NAME]`
    pub authorizers: Vec<Authorizer>,
    /// `[[expect]]`
    pub expectations: Vec<Expectation>,
}

/// `[gateway]`: the process.
#[derive(Debug, Default)]
pub struct Gateway {
    /// Worker threads; `None` means one for each core.
    pub workers: Option<u32>,
    /// How long a shutdown waits for requests to finish.
    pub drain_deadline: Option<Duration>,
    /// How long readiness fails before the listeners close.
    pub drain_delay: Option<Duration>,
    /// User to become once the ports are bound.
    pub user: Option<Spanned<String>>,
    /// Whether refusals of ApiUsers are only marked, everywhere.
    pub shadow: Option<Spanned<Enforcement>>,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For machines.
    Json,
    /// For people.
    Text,
    /// No lines at all.
    Off,
}

/// `[access_log]`: one line for each request.
#[derive(Debug, Default)]
pub struct AccessLog {
    /// How lines look.
    pub format: Option<Spanned<LogFormat>>,
    /// File to append to; standard output if not said.
    pub path: Option<Spanned<String>>,
}

/// `[log]`: what the gateway says about itself, on standard error.
#[derive(Debug, Default)]
pub struct Log {
    /// A level, or a filter such as `info,portcullis::tls=debug`.
    pub level: Option<Spanned<String>>,
    /// How lines look.
    pub format: Option<Spanned<LogFormat>>,
}

/// `[identity_headers]`: what upstreams are told about the client.
#[derive(Debug, Default)]
pub struct IdentityHeaders {
    /// Names of header sets; `None` means the default set.
    pub sets: Option<Vec<Spanned<String>>>,
    /// `[identity_headers.jwt]`
    pub jwt: Option<Assertions>,
}

/// `[identity_headers.jwt]`: how assertions are signed.
#[derive(Debug)]
pub struct Assertions {
    /// Where the table stands.
    pub place: Place,
    /// PEM files with private keys: the first signs, all are published.
    pub keys: Vec<Spanned<String>>,
    /// Who says so (`iss`).
    pub issuer: Option<Spanned<String>>,
    /// How long one counts.
    pub lifetime: Option<Spanned<Duration>>,
}

/// `[expiry]`: who is told of certificates that are about to expire.
#[derive(Debug, Default)]
pub struct Expiry {
    /// How long before; `Some(None)` is off.
    pub warn_before: Option<Option<Duration>>,
    /// The field of answers that tells the client.
    pub response_header: Option<Spanned<String>>,
}

/// `[api_user.NAME]`
#[derive(Debug)]
pub struct ApiUser {
    /// The NAME.
    pub name: Spanned<String>,
    /// Common names that are this user.
    pub client_cn: Vec<Spanned<String>>,
    /// DNS names that are this user.
    pub client_dns: Vec<Spanned<String>>,
    /// URIs that are this user.
    pub client_uri: Vec<Spanned<String>>,
    /// E-mail addresses that are this user.
    pub client_email: Vec<Spanned<String>>,
    /// SHA-256 of certificates that are this user.
    pub client_fingerprint: Vec<Spanned<String>>,
    /// SHA-256 of keys that are this user.
    pub client_spki: Vec<Spanned<String>>,
    /// For how long expired certificates still count.
    pub tolerate_expiry: Option<Duration>,
    /// The domain that must have vouched.
    pub trust_domain: Option<Spanned<String>>,
    /// What is granted.
    pub permissions: GivenAway<PermissionEntry>,
    /// The place of `permissions = []`.
    pub empty_permissions: Option<Place>,
    /// What is refused whatever is granted.
    pub deny: GivenAway<PermissionEntry>,
    /// Roles whose permissions this user has, too.
    pub roles: Vec<Spanned<String>>,
    /// Until when it counts.
    pub enabled_until: Option<Spanned<String>>,
    /// Whether refusals of it are only marked.
    pub shadow: Option<Spanned<Enforcement>>,
    /// Hashes of its passwords.
    pub password_hashes: Vec<Spanned<String>>,
    /// Files (or `env:NAME`) with such hashes, one on each line.
    pub password_hash_files: Vec<Spanned<String>>,
    /// What the user claim of its tokens says.
    pub client_token: Vec<Spanned<String>>,
    /// Who issues these.
    pub token_issuer: Option<Spanned<String>>,
    /// How much its requests may use.
    pub request_limits: RequestLimits,
    /// Who it is at upstreams.
    pub at_upstreams: Vec<UserAtUpstream>,
}

/// `[role.NAME]`
#[derive(Debug)]
pub struct Role {
    /// The NAME.
    pub name: Spanned<String>,
    /// Organizations whose certificates bring this role.
    pub client_o: Vec<Spanned<String>>,
    /// Organizational units whose certificates bring this role.
    pub client_ou: Vec<Spanned<String>>,
    /// The domain that must have vouched for them.
    pub trust_domain: Option<Spanned<String>>,
    /// What is granted.
    pub permissions: GivenAway<PermissionEntry>,
    /// What is refused whatever is granted.
    pub deny: GivenAway<PermissionEntry>,
    /// Roles whose permissions this role has, too.
    pub roles: Vec<Spanned<String>>,
    /// How much the requests of each of its users may use.
    pub request_limits: RequestLimits,
}

/// Which Host header an upstream sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostHeader {
    /// The one the client sent.
    Client,
    /// The endpoint's own.
    Endpoint,
}

/// What a connection to an upstream begins with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProxyProtocol {
    /// The request.
    #[default]
    Off,
    /// A header of the PROXY protocol, version 2, that says who the client is.
    V2,
}

/// `[upstream.NAME]`
#[derive(Debug)]
pub struct Upstream {
    /// The NAME.
    pub name: Spanned<String>,
    /// `http://host:port` or `https://host:port`
    pub endpoints: Vec<Spanned<String>>,
    /// PEM files with the CAs that may vouch for `https` endpoints.
    pub anchors: Vec<Spanned<String>>,
    /// The name that an `https` endpoint's certificate must carry, if not the endpoint's host.
    pub server_name: Option<Spanned<String>>,
    /// PEM file with our client certificate.
    pub certificate: Option<Spanned<String>>,
    /// PEM file with its key.
    pub private_key: Option<Spanned<String>>,
    /// File (or `env:NAME`) with `user:password` to send as HTTP basic authentication.
    pub basic_credentials: Option<Spanned<String>>,
    /// Which Host header the upstream sees.
    pub host_header: Option<Spanned<HostHeader>>,
    /// How long an unused connection is kept.
    pub pool_idle_timeout: Option<Duration>,
    /// The most unused connections that are kept for each endpoint.
    pub pool_size: Option<u32>,
    /// Names of header sets; `None` means those of `[identity_headers]`.
    pub identity_headers: Option<Vec<Spanned<String>>>,
    /// For whom assertions are meant (`aud`); the NAME if not said.
    pub jwt_audience: Option<Spanned<String>>,
    /// What each connection begins with.
    pub proxy_protocol: Option<Spanned<ProxyProtocol>>,
    /// What differs from the rest of the world.
    pub manners: Manners,
    /// Limits said here.
    pub limits: Limits,
}
