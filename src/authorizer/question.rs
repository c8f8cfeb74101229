//! The facts about a request that an external authorizer receives.

use crate::identity::KnownClient;
use http::HeaderName;
use std::net::SocketAddr;

/// The facts about a request that an external authorizer receives: verified facts, and the client's header fields that the
/// config names. Never the body.
pub struct Question<'q> {
    /// The id of the request.
    pub id: &'q str,
    /// The method that authorization used.
    pub method: &'q str,
    /// The canonical path.
    pub path: &'q str,
    /// The query.
    pub query: Option<&'q str>,
    /// The host that authorization used.
    pub host: &'q str,
    /// The client's protocol: `HTTP/1.1`, `HTTP/2.0`.
    pub protocol: &'q str,
    /// The listener.
    pub listener: &'q str,
    /// The route.
    pub route: &'q str,
    /// The address of the client.
    pub client: SocketAddr,
    /// The address that the client connected to.
    pub local: SocketAddr,
    /// The requested server name.
    pub server_name: Option<&'q str>,
    /// The identity of the client, as far as this route discloses it.
    pub known: KnownClient<'q>,
    /// The client's header fields that the authorizer receives.
    pub fields: Vec<(&'q HeaderName, &'q [u8])>,
}

impl Question<'_> {
    /// Path and query.
    pub(super) fn target(&self) -> String {
        let (separator, query) = self.query.map_or(("", ""), |query| ("?", query));
        [self.path, separator, query].concat()
    }
}
