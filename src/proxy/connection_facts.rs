//! What is the same for all requests of a connection, as metrics and logs name it.

use crate::telemetry::{ListenerSeries, Telemetry};
use crate::tls::HandshakeFacts;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

/// What is the same for all requests of a connection.
pub(super) struct ConnectionFacts {
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) listener: Arc<str>,
    pub(super) client: SocketAddr,
    /// Where the client connected to.
    pub(super) local: SocketAddr,
    pub(super) server_name: Option<String>,
    pub(super) tls: &'static str,
    /// Where this thread counts what happens on the listener.
    pub(super) series: Rc<ListenerSeries>,
}

impl ConnectionFacts {
    pub(super) fn new(
        telemetry: &Arc<Telemetry>,
        listener: &Arc<str>,
        (client, local): (SocketAddr, SocketAddr),
        facts: &HandshakeFacts,
    ) -> Self {
        Self {
            telemetry: telemetry.clone(),
            listener: listener.clone(),
            client,
            local,
            server_name: facts
                .server_name
                .as_ref()
                .map(|name| name.as_str().to_owned()),
            tls: facts.version,
            series: telemetry.listener(listener),
        }
    }
}
