//! The content of `gateway.toml`, table by table, with places. Names are not resolved and files not read. `None` means
//! that a key is missing; `snapshot` fills in defaults.

mod admin;
mod authorizer;
mod audit;
mod client_certificate;
mod credentials;
mod expect;
mod front_proxy;
mod health;
mod limits;
mod listener;
mod policy;
mod preset;
mod quirks;
mod record_layer;
mod route;
mod trust;

pub use admin::{AdminTable, MetricsTable};
pub use audit::{AuditLogTable, AuditedDecisions, SampleRate};
pub use authorizer::*;
pub use client_certificate::ClientCertificateTable;
pub use credentials::*;
pub use expect::{Claim, Expectation, ExpectedVerdict};
pub use front_proxy::{Belief, ForwardedIdentity, FrontProxyTable};
pub use health::HealthTable;
pub use limits::{LimitSettings, RequestLimits, RequestRate};
pub use listener::{ClientAuth, Host, Listener};
pub use policy::{
    Enforcement, PermissionEntry, PermissionQualifiers, RequirementEntry, RouteRequirement,
    TakeOnce,
};
pub use preset::{Forbidden, MethodOverride, Preset};
pub use quirks::*;
pub use record_layer::RecordLayer;
pub use route::{PathMatch, Respond, RouteEntry};
pub use trust::*;

use super::source::{Place, Spanned};
use std::time::Duration;

/// The content of all config files.
#[derive(Debug, Default)]
pub struct Config {
    /// `[gateway]`
    pub gateway: GatewayTable,
    /// `[admin]`
    pub admin: Option<AdminTable>,
    /// `[metrics]`
    pub metrics: Option<MetricsTable>,
    /// `[access_log]`
    pub access_log: AccessLogTable,
    /// `[audit_log]`
    pub audit_log: Option<AuditLogTable>,
    /// `[log]`
    pub log: Log,
    /// `[limits]`
    pub limits: LimitSettings,
    /// `[identity_headers]`
    pub identity_headers: IdentityHeaders,
    /// `[expiry]`
    pub expiry: ExpiryTable,
    /// `[listener.NAME]`
    pub listeners: Vec<Listener>,
    /// `[trust_domain.NAME]`
    pub trust_domains: Vec<TrustDomainTable>,
    /// `[api_user.NAME]`
    pub api_users: Vec<ApiUserTable>,
    /// `[role.NAME]`
    pub roles: Vec<Role>,
    /// `[upstream.NAME]`
    pub upstreams: Vec<UpstreamTable>,
    /// `[client_certificate."PATTERN"]`
    pub client_certificates: Vec<ClientCertificateTable>,
    /// `[[route]]`
    pub routes: Vec<RouteEntry>,
    /// `[passwords]`
    pub passwords: PasswordsTable,
    /// `[token_issuer.NAME]`
    pub token_issuers: Vec<TokenIssuerTable>,
    /// `[authorizer.NAME]`
    pub authorizers: Vec<AuthorizerTable>,
    /// `[[expect]]`
    pub expectations: Vec<Expectation>,
}

/// `[gateway]`: the process.
#[derive(Debug, Default)]
pub struct GatewayTable {
    /// Number of worker threads; `None` means one per core.
    pub workers: Option<u32>,
    /// How long a shutdown waits for requests to finish.
    pub drain_deadline: Option<Duration>,
    /// How long readiness fails before the listeners close.
    pub drain_delay: Option<Duration>,
    /// User to become once the ports are bound.
    pub user: Option<Spanned<String>>,
    /// Shadow mode for all ApiUsers.
    pub shadow: Option<Spanned<Enforcement>>,
}

/// Format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// Text for people.
    Text,
    /// No lines at all.
    Off,
}

/// `[access_log]`: one line for each request.
#[derive(Debug, Default)]
pub struct AccessLogTable {
    /// Format of lines.
    pub format: Option<Spanned<LogFormat>>,
    /// File to append to; `None` means standard output.
    pub path: Option<Spanned<String>>,
}

/// `[log]`: the process log, on standard error.
#[derive(Debug, Default)]
pub struct Log {
    /// A level, or a filter such as `info,portcullis::tls=debug`.
    pub level: Option<Spanned<String>>,
    /// Format of lines.
    pub format: Option<Spanned<LogFormat>>,
}

/// `[identity_headers]`: client identity in requests to upstreams.
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
    /// Place of the table.
    pub place: Place,
    /// PEM files with private keys: the first signs, all are published.
    pub keys: Vec<Spanned<String>>,
    /// Issuer (`iss`).
    pub issuer: Option<Spanned<String>>,
    /// Lifetime of an assertion.
    pub lifetime: Option<Spanned<Duration>>,
}

/// `[expiry]`: warnings about certificates that are about to expire.
#[derive(Debug, Default)]
pub struct ExpiryTable {
    /// How long before the expiry warnings begin; `Some(None)` means off.
    pub warn_before: Option<Option<Duration>>,
    /// Response header that warns the client.
    pub response_header: Option<Spanned<String>>,
}

/// `[api_user.NAME]`
#[derive(Debug)]
pub struct ApiUserTable {
    /// The NAME.
    pub name: Spanned<String>,
    /// Common names of this user.
    pub client_cn: Vec<Spanned<String>>,
    /// DNS names of this user.
    pub client_dns: Vec<Spanned<String>>,
    /// URIs of this user.
    pub client_uri: Vec<Spanned<String>>,
    /// E-mail addresses of this user.
    pub client_email: Vec<Spanned<String>>,
    /// SHA-256 of certificates of this user.
    pub client_fingerprint: Vec<Spanned<String>>,
    /// SHA-256 of public keys of this user.
    pub client_spki: Vec<Spanned<String>>,
    /// How long expired certificates are accepted.
    pub tolerate_expiry: Option<Duration>,
    /// The trust domain that must verify the certificate.
    pub trust_domain: Option<Spanned<String>>,
    /// Granted permissions.
    pub permissions: TakeOnce<PermissionEntry>,
    /// The place of `permissions = []`.
    pub empty_permissions: Option<Place>,
    /// Denied permissions, which override granted ones.
    pub deny: TakeOnce<PermissionEntry>,
    /// Roles of this user.
    pub roles: Vec<Spanned<String>>,
    /// Day or time until which the user is enabled.
    pub enabled_until: Option<Spanned<String>>,
    /// Shadow mode for this user.
    pub shadow: Option<Spanned<Enforcement>>,
    /// Password hashes.
    pub password_hashes: Vec<Spanned<String>>,
    /// Files (or `env:NAME`) with password hashes, one per line.
    pub password_hash_files: Vec<Spanned<String>>,
    /// Values of the user claim in its tokens.
    pub client_token: Vec<Spanned<String>>,
    /// Issuer of its tokens.
    pub token_issuer: Option<Spanned<String>>,
    /// Limits of its requests.
    pub request_limits: RequestLimits,
    /// Accounts at upstreams.
    pub upstream_accounts: Vec<UpstreamAccount>,
}

/// `[role.NAME]`
#[derive(Debug)]
pub struct Role {
    /// The NAME.
    pub name: Spanned<String>,
    /// Organizations (O) of certificates that grant this role.
    pub client_o: Vec<Spanned<String>>,
    /// Organizational units (OU) of certificates that grant this role.
    pub client_ou: Vec<Spanned<String>>,
    /// The trust domain that must verify these certificates.
    pub trust_domain: Option<Spanned<String>>,
    /// Granted permissions.
    pub permissions: TakeOnce<PermissionEntry>,
    /// Denied permissions, which override granted ones.
    pub deny: TakeOnce<PermissionEntry>,
    /// Roles that this role includes.
    pub roles: Vec<Spanned<String>>,
    /// Limits of the requests of each of its users.
    pub request_limits: RequestLimits,
}

/// The Host header in requests to an upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HostHeader {
    /// The client's.
    #[default]
    Client,
    /// The host of the endpoint.
    Endpoint,
}

/// The HTTP version that an upstream speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UpstreamHttp {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2: by ALPN with TLS, otherwise by prior knowledge.
    Http2,
    /// With TLS the version that the endpoint selects by ALPN, otherwise HTTP/1.1.
    Auto,
}

/// Whether connections to an upstream begin with a PROXY header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProxyProtocol {
    /// No PROXY header.
    #[default]
    Off,
    /// A header of the PROXY protocol version 2, with the client's identity.
    V2,
}

/// `[upstream.NAME]`
#[derive(Debug)]
pub struct UpstreamTable {
    /// The NAME.
    pub name: Spanned<String>,
    /// `http://host:port` or `https://host:port`
    pub endpoints: Vec<Spanned<String>>,
    /// PEM files with the CAs for `https` endpoints.
    pub anchors: Vec<Spanned<String>>,
    /// Required name in the certificate of an `https` endpoint; `None` means the host of the endpoint.
    pub server_name: Option<Spanned<String>>,
    /// PEM file with our client certificate.
    pub certificate: Option<Spanned<String>>,
    /// File with its key.
    pub private_key: Option<Spanned<String>>,
    /// File (or `env:NAME`) with the passphrase of certificate and key.
    pub passphrase_file: Option<Spanned<String>>,
    /// File (or `env:NAME`) with `user:password` to send as HTTP basic authentication.
    pub basic_credentials: Option<Spanned<String>>,
    /// The HTTP version that the endpoints speak.
    pub http_version: Option<Spanned<UpstreamHttp>>,
    /// The Host header in requests.
    pub host_header: Option<Spanned<HostHeader>>,
    /// How long an idle connection is kept.
    pub pool_idle_timeout: Option<Duration>,
    /// Maximum number of idle connections per endpoint.
    pub pool_size: Option<u32>,
    /// Names of header sets; `None` means those of `[identity_headers]`.
    pub identity_headers: Option<Vec<Spanned<String>>>,
    /// Audience (`aud`) of assertions; `None` means the NAME.
    pub jwt_audience: Option<Spanned<String>>,
    /// Whether connections begin with a PROXY header.
    pub proxy_protocol: Option<Spanned<ProxyProtocol>>,
    /// Quirks of the upstream.
    pub quirks: UpstreamQuirks,
    /// When endpoints are ejected.
    pub health: HealthTable,
    /// Retries on another endpoint, as a percentage of the requests.
    pub retry_percent: Option<u32>,
    /// Limits in this table.
    pub limits: LimitSettings,
}
