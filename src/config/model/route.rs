//! What `[[route]]` says. Routes nothing.

use super::credentials::{CredentialKind, CredentialsRequired};
use super::limits::{Limits, RequestLimits};
use super::listener::ClientAuth;
use super::policy::{Enforcement, Requirement};
use super::preset::{Forbidden, MethodOverride, Preset};
use crate::config::source::{Place, Spanned};

/// How a route's path compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathMatch {
    /// The path and everything below it.
    Prefix,
    /// The path alone.
    Exact,
}

/// What the gateway answers by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Respond {
    /// Who the client is and what it may do.
    Whoami,
    /// The keys that assertions are verified with.
    Jwks,
}

/// `[[route]]`
#[derive(Debug)]
pub struct Route {
    /// Where the entry stands.
    pub place: Place,
    /// Path pattern with `{captures}`.
    pub path: Option<Spanned<String>>,
    /// How the path compares.
    pub path_match: Option<Spanned<PathMatch>>,
    /// Host names; empty for all.
    pub hosts: Vec<Spanned<String>>,
    /// Listeners; empty for all.
    pub listeners: Vec<Spanned<String>>,
    /// Where requests go.
    pub upstream: Option<Spanned<String>>,
    /// Whom the gateway asks about each request that it permits itself.
    pub authorizer: Option<Spanned<String>>,
    /// What the gateway answers instead.
    pub respond: Option<Spanned<Respond>>,
    /// What a client needs; `METHOD /path` if not said.
    pub requirement: Option<Requirement>,
    /// The API that it leads to; `requirement` need not be said then.
    pub preset: Option<Spanned<Preset>>,
    /// What ApiUsers without the right are told.
    pub forbidden: Option<Spanned<Forbidden>>,
    /// What else must be true of a request, whoever asks.
    pub when: Option<Spanned<String>>,
    /// Until when the route is there.
    pub enabled_until: Option<Spanned<String>>,
    /// Whether refusals on it are only marked.
    pub shadow: Option<Spanned<Enforcement>>,
    /// Whether a client must be known.
    pub client_auth: Option<Spanned<ClientAuth>>,
    /// The domain that must have vouched.
    pub trust_domain: Option<Spanned<String>>,
    /// The domains of which one must have vouched.
    pub trust_domains: Vec<Spanned<String>>,
    /// Overriding methods.
    pub method_override: Option<Spanned<MethodOverride>>,
    /// Oddities of paths that this route takes: (name in the config, place).
    pub path_relaxations: Vec<Spanned<&'static str>>,
    /// Clients' header fields that are sent on, and removed elsewhere.
    pub keep_headers: Vec<Spanned<String>>,
    /// Limits said here.
    pub limits: Limits,
    /// How much all of its requests together may use.
    pub request_limits: RequestLimits,
    /// What a client may prove itself by; `None` means by its certificate.
    pub credentials: Option<Vec<Spanned<CredentialKind>>>,
    /// Whether all of them are needed.
    pub credentials_required: Option<Spanned<CredentialsRequired>>,
}
