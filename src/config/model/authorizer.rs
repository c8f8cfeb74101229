//! `[authorizer.NAME]`: external authorization of requests that the gateway permits.

use crate::config::source::Spanned;
use std::time::Duration;

/// Protocol of an authorizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthorizerProtocol {
    /// HTTP, with the verdict in the response status, as in Traefik, Caddy and nginx.
    ForwardAuth,
    /// gRPC: `envoy.service.auth.v3.Authorization/Check`.
    ExtAuthz,
}

/// Handling of requests while an authorizer does not respond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenUnavailable {
    /// They are denied.
    #[default]
    Refuse,
    /// They are permitted.
    Permit,
}

/// `[authorizer.NAME]`
#[derive(Debug)]
pub struct AuthorizerTable {
    /// The NAME.
    pub name: Spanned<String>,
    /// The protocol.
    pub protocol: Option<Spanned<AuthorizerProtocol>>,
    /// URL or address of the authorizer.
    pub endpoint: Option<Spanned<String>>,
    /// PEM files with the CAs for an `https` endpoint.
    pub anchors: Vec<Spanned<String>>,
    /// Required name in its certificate; `None` means the host of the endpoint.
    pub server_name: Option<Spanned<String>>,
    /// PEM file with our client certificate.
    pub certificate: Option<Spanned<String>>,
    /// File with its key.
    pub private_key: Option<Spanned<String>>,
    /// File (or `env:NAME`) with the passphrase of certificate and key.
    pub passphrase_file: Option<Spanned<String>>,
    /// Maximum time of a check.
    pub timeout: Option<Duration>,
    /// Handling of requests without a response.
    pub unavailable: Option<Spanned<WhenUnavailable>>,
    /// How long a verdict is cached; `Some(None)` means not at all.
    pub cache: Option<Option<Duration>>,
    /// Parts of the cache key.
    pub cache_key: Option<Vec<Spanned<String>>>,
    /// The client's header fields that are sent to it.
    pub request_headers: Vec<Spanned<String>>,
    /// Header fields of its response that are sent to upstreams.
    pub response_headers: Vec<Spanned<String>>,
    /// Maximum number of concurrent checks.
    pub concurrency: Option<u32>,
}
