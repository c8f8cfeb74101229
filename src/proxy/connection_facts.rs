//! The facts about a connection for its metrics and logs.

use crate::telemetry::{ListenerSeries, Telemetry};
use crate::tls::HandshakeFacts;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

/// The addresses of both ends of a connection.
#[derive(Clone, Copy)]
pub(super) struct ConnectionAddresses {
    pub(super) client: SocketAddr,
    /// The address to which the client connected.
    pub(super) local: SocketAddr,
}

/// The facts that all requests of a connection share.
pub(super) struct ConnectionFacts {
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) listener: Arc<str>,
    pub(super) client: SocketAddr,
    /// The address to which the client connected.
    pub(super) local: SocketAddr,
    pub(super) server_name: Option<String>,
    pub(super) tls: &'static str,
    /// The metrics of the listener on this thread.
    pub(super) series: Rc<ListenerSeries>,
}

impl ConnectionFacts {
    pub(super) fn new(
        telemetry: &Arc<Telemetry>,
        listener: &Arc<str>,
        addresses: ConnectionAddresses,
        facts: &HandshakeFacts,
    ) -> Self {
        Self {
            telemetry: telemetry.clone(),
            listener: listener.clone(),
            client: addresses.client,
            local: addresses.local,
            server_name: facts
                .server_name
                .as_ref()
                .map(|name| name.as_str().to_owned()),
            tls: facts.version,
            series: telemetry.listener(listener),
        }
    }
}
