//! What an external authorizer is told about a request: what the gateway has found out itself, and those of the client's
//! fields that the config names. Never the body.

use crate::identity::KnownClient;
use http::HeaderName;
use std::net::SocketAddr;

/// See the module.
pub struct Question<'q> {
    /// The id of the request.
    pub id: &'q str,
    /// The method that was judged.
    pub method: &'q str,
    /// The canonical path.
    pub path: &'q str,
    /// The query.
    pub query: Option<&'q str>,
    /// The host that was judged.
    pub host: &'q str,
    /// What the client speaks: `HTTP/1.1`, `HTTP/2.0`.
    pub protocol: &'q str,
    /// Where it came in.
    pub listener: &'q str,
    /// The route.
    pub route: &'q str,
    /// Where the client is.
    pub client: SocketAddr,
    /// Where it connected to.
    pub local: SocketAddr,
    /// The server name that it asked for.
    pub server_name: Option<&'q str>,
    /// Who it is, as far as that may be told on this route.
    pub known: KnownClient<'q>,
    /// What it says itself.
    pub fields: Vec<(&'q HeaderName, &'q [u8])>,
}

impl Question<'_> {
    /// Path and query.
    pub(super) fn target(&self) -> String {
        let (separator, query) = self.query.map_or(("", ""), |query| ("?", query));
        [self.path, separator, query].concat()
    }
}
