//! `[authorizer.NAME]`: whom the gateway asks about requests that it permits itself.

use crate::config::source::Spanned;
use std::time::Duration;

/// How an authorizer is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthorizerProtocol {
    /// HTTP: the status of the answer says it, as with Traefik, Caddy and nginx.
    ForwardAuth,
    /// gRPC: `envoy.service.auth.v3.Authorization/Check`.
    ExtAuthz,
}

/// What happens to requests while an authorizer does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenUnavailable {
    /// They are refused.
    Refuse,
    /// They go on.
    Permit,
}

/// `[authorizer.NAME]`
#[derive(Debug)]
pub struct Authorizer {
    /// The NAME.
    pub name: Spanned<String>,
    /// How it is asked.
    pub protocol: Option<Spanned<AuthorizerProtocol>>,
    /// Where it is.
    pub endpoint: Option<Spanned<String>>,
    /// PEM files with the CAs that may vouch for an `https` endpoint.
    pub anchors: Vec<Spanned<String>>,
    /// The name that its certificate must carry, if not the endpoint's host.
    pub server_name: Option<Spanned<String>>,
    /// PEM file with our client certificate.
    pub certificate: Option<Spanned<String>>,
    /// PEM file with its key.
    pub private_key: Option<Spanned<String>>,
    /// From the question to the answer.
    pub timeout: Option<Duration>,
    /// What happens without an answer.
    pub unavailable: Option<Spanned<WhenUnavailable>>,
    /// How long a verdict counts; `Some(None)` is off.
    pub cache: Option<Option<Duration>>,
    /// By what verdicts are told apart.
    pub cache_key: Option<Vec<Spanned<String>>>,
    /// Which of the client's fields it sees.
    pub request_headers: Vec<Spanned<String>>,
    /// Which fields of its answer upstreams see.
    pub response_headers: Vec<Spanned<String>>,
    /// How many questions may be open at once.
    pub concurrency: Option<u32>,
}
