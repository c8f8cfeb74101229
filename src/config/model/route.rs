//! `[[route]]`.

use super::credentials::{CredentialKind, CredentialsRequired};
use super::limits::{LimitSettings, RequestLimits};
use super::listener::ClientAuth;
use super::policy::{Enforcement, RouteRequirement};
use super::preset::{Forbidden, MethodOverride, Preset};
use crate::config::source::{Place, Spanned};

/// How the path of a route is matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathMatch {
    /// The path and everything below it.
    Prefix,
    /// Only the path.
    Exact,
}

/// Built-in responses of the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Respond {
    /// Identity and permissions of the client.
    Whoami,
    /// Public keys for the verification of assertions.
    Jwks,
}

/// `[[route]]`
#[derive(Debug)]
pub struct RouteEntry {
    /// Place of the entry.
    pub place: Place,
    /// Path pattern with `{captures}`.
    pub path: Option<Spanned<String>>,
    /// How the path is matched.
    pub path_match: Option<Spanned<PathMatch>>,
    /// Host names; empty means all.
    pub hosts: Vec<Spanned<String>>,
    /// Listeners; empty means all.
    pub listeners: Vec<Spanned<String>>,
    /// Upstream of the requests.
    pub upstream: Option<Spanned<String>>,
    /// Authorizer that checks each request that the gateway permits.
    pub authorizer: Option<Spanned<String>>,
    /// Built-in response, in place of an upstream.
    pub respond: Option<Spanned<Respond>>,
    /// Required permission; `None` means `METHOD /path`.
    pub requirement: Option<RouteRequirement>,
    /// The API behind the route, which sets the requirement.
    pub preset: Option<Spanned<Preset>>,
    /// Response to ApiUsers without the permission.
    pub forbidden: Option<Spanned<Forbidden>>,
    /// Condition that applies to all clients.
    pub when: Option<Spanned<String>>,
    /// Day or time until which the route is enabled.
    pub enabled_until: Option<Spanned<String>>,
    /// Shadow mode for this route.
    pub shadow: Option<Spanned<Enforcement>>,
    /// Whether a client must be authenticated.
    pub client_auth: Option<Spanned<ClientAuth>>,
    /// The trust domain that must have verified the client.
    pub trust_domain: Option<Spanned<String>>,
    /// Several trust domains, one of which must have verified the client.
    pub trust_domains: Vec<Spanned<String>>,
    /// Handling of method overrides.
    pub method_override: Option<Spanned<MethodOverride>>,
    /// Keys of the path oddities that this route accepts.
    pub path_relaxations: Vec<Spanned<&'static str>>,
    /// Header fields of clients that this route forwards although others remove them.
    pub keep_headers: Vec<Spanned<String>>,
    /// Limits in this table.
    pub limits: LimitSettings,
    /// Limits of all requests of the route together.
    pub request_limits: RequestLimits,
    /// Accepted credentials; `None` means certificates.
    pub credentials: Option<Vec<Spanned<CredentialKind>>>,
    /// How many of them are required.
    pub credentials_required: Option<Spanned<CredentialsRequired>>,
}
