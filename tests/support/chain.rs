//! The usual arrangement: one client who may do everything, one gateway, one upstream.

use super::gateway::{listener, listener_with, route_to, user};
use super::{Client, Gateway, Pki, Upstream};
use std::net::SocketAddr;

pub struct Chain {
    pub client: Client,
    pub gateway: Gateway,
    pub upstream: Upstream,
    pub pki: Pki,
}

impl Chain {
    /// With one route for everything.
    pub fn to(upstream: Upstream) -> Self {
        Self::with(upstream, "")
    }

    /// `more` continues the route's table; other tables may follow.
    pub fn with(upstream: Upstream, more: &str) -> Self {
        Self::configured(upstream, |_, address| route_to(address) + more)
    }

    /// With one route for everything, and with further lines in the table of the listener.
    pub fn on(lines: &str, upstream: Upstream, more: &str) -> Self {
        let pki = Pki::new();
        let config = listener_with(&pki, lines)
            + &user("alice", &["*"])
            + &route_to(upstream.address)
            + more;
        let gateway = Gateway::start(&config);
        let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
        Self {
            client,
            gateway,
            upstream,
            pki,
        }
    }

    /// With upstreams, routes and limits of one's own.
    pub fn configured(upstream: Upstream, config: impl FnOnce(&Pki, SocketAddr) -> String) -> Self {
        let pki = Pki::new();
        let config = listener(&pki) + &user("alice", &["*"]) + &config(&pki, upstream.address);
        let gateway = Gateway::start(&config);
        let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
        Self {
            client,
            gateway,
            upstream,
            pki,
        }
    }

    /// Nothing that happened was a mistake of the gateway, and it still serves others.
    pub fn is_unharmed(&self) {
        assert_eq!(self.gateway.metric("portcullis_panics_total", &[]), 0.0);
        assert_eq!(self.client.get("/unharmed").status, 200);
    }
}
