//! One connection, from accepted socket to close: handshake, then HTTP in the version that ALPN selected.

use super::Shared;
use super::active_snapshot::active_snapshot;
use super::activity::Activity;
use super::client::ConnectedClient;
use super::connection_facts::{ConnectionAddresses, ConnectionFacts};
use super::front_proxy_role::RemoteEnd;
use super::http1::{self, ConnectionSetup};
use super::http2::{self, ConnectionContext};
use super::proxy_header::{AcceptError, IncomingConnection, accept_tls};
use super::recheck::OpenExchanges;
use crate::drain::Drain;
use crate::forward::ClientAddress;
use crate::identity::ProxyHeader;
use crate::listener::{ConnectionHandler, ConnectionPlace, IdleWatch, PlaceLimits};
use crate::snapshot::{ConnectionLimits, ListenerPolicy, Snapshot};
use crate::tls::record::{ReceiveBuffer, RecordStream, Records, Transport};
use crate::tls::{Protocol, TlsConnection};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// Serves the connections of one listener.
pub struct ProxyHandler {
    pub(super) shared: Arc<Shared>,
    pub(super) listener: Arc<str>,
}

impl ProxyHandler {
    /// A handler for the listener with this name, in any snapshot.
    pub fn new(shared: Arc<Shared>, listener: Arc<str>) -> Self {
        Self { shared, listener }
    }

    fn policy<'s>(&self, snapshot: &'s Snapshot) -> Option<&'s Arc<ListenerPolicy>> {
        snapshot.listeners.get(&self.listener)
    }
}

/// Time that a client has for its handshake, and again for its first request, if the drain begins during the handshake.
const DRAIN_GRACE: Duration = Duration::from_secs(2);

/// Serves a connection after its handshake. Boxed, so that it is cheap to move and holds no memory of the handshake.
type ConnectionFuture<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// State of a connection from before its handshake.
struct AcceptedConnection {
    address: SocketAddr,
    /// The address that the client connected to.
    local: SocketAddr,
    place: ConnectionPlace,
    /// Evicts the connection while it has no open request.
    idle: IdleWatch,
    drain: Drain,
    limits: ConnectionLimits,
    /// The PROXY header that was received before the handshake.
    header: Option<ProxyHeader>,
}

/// State that every HTTP engine needs to serve a connection.
struct ConnectionParts {
    client: ConnectedClient,
    facts: Rc<ConnectionFacts>,
    place: ConnectionPlace,
    idle: IdleWatch,
    drain: Drain,
    limits: ConnectionLimits,
}

impl ConnectionHandler for ProxyHandler {
    fn place_limits(&self, client: IpAddr) -> PlaceLimits {
        let current = active_snapshot(&self.shared);
        let policy = self.policy(&current.snapshot);
        PlaceLimits {
            connections: policy.map_or(0, |policy| policy.limits.connections),
            half_open: policy.and_then(|policy| policy.half_open_limit(client)),
        }
    }

    async fn serve(
        &self,
        stream: TcpStream,
        client: SocketAddr,
        place: ConnectionPlace,
        drain: Drain,
    ) {
        // The memory of the handshake is freed first: the connection may be idle for hours.
        let established = Box::pin(self.establish(stream, client, place, drain)).await;
        if let Some(connection) = established {
            connection.await;
        }
    }
}

impl ProxyHandler {
    /// Runs the handshake. Returns the future that serves the connection.
    async fn establish(
        &self,
        stream: TcpStream,
        client: SocketAddr,
        place: ConnectionPlace,
        drain: Drain,
    ) -> Option<ConnectionFuture<'_>> {
        let accepted_at = Instant::now();
        let snapshot = active_snapshot(&self.shared).snapshot.clone();
        let policy = self.policy(&snapshot).cloned()?;
        // A listener on all addresses learns only from the socket which one the client connected to.
        let local = stream.local_addr().unwrap_or(policy.address);
        let arrival = IncomingConnection {
            client: client.ip(),
            place: &place,
            deadline: accepted_at + policy.limits.handshake_timeout,
        };
        let work = Box::pin(accept_tls(stream, &policy, arrival));
        // A client that connected before the drain began may finish the handshake and send one request.
        let outcome = tokio::select! {
            outcome = work => outcome,
            () = place.evicted() => return None,
            () = async { drain.begun().await; sleep(DRAIN_GRACE).await } => return None,
        };
        let drain = if drain.has_begun() {
            drain.later(DRAIN_GRACE)
        } else {
            drain
        };
        // A connection can live long, and must not keep its first snapshot alive.
        drop(snapshot);
        match outcome {
            Err(AcceptError::Rejected) => None,
            Err(AcceptError::Failed(failure)) => {
                self.handshake_failed(&failure, client);
                let closed = Box::pin(failure.close());
                tokio::select! {
                    () = closed => {}
                    () = place.evicted() => {}
                }
                None
            }
            Ok((established, header)) => {
                place.handshake_finished().ok()?;
                self.handshake_done(&established, accepted_at);
                let idle = IdleWatch::new(&place);
                let accepted = AcceptedConnection {
                    address: client,
                    local,
                    place,
                    idle,
                    drain,
                    limits: policy.limits,
                    header,
                };
                self.serve_http(established, accepted)
            }
        }
    }

    /// The future that serves the connection in its HTTP version. `None` if the client is rejected.
    fn serve_http(
        &self,
        established: TlsConnection,
        mut accepted: AcceptedConnection,
    ) -> Option<ConnectionFuture<'_>> {
        let TlsConnection {
            records,
            input,
            facts,
        } = established;
        let protocol = facts.protocol;
        let remote = RemoteEnd {
            address: accepted.address.ip(),
            header: accepted.header.take(),
        };
        let client = ConnectedClient::new(
            self.listener.clone(),
            facts,
            remote,
            self.shared.telemetry.clone(),
        );
        let snapshot = active_snapshot(&self.shared).snapshot.clone();
        client.observe(&snapshot, std::time::Instant::now());
        let socket = ConnectionAddresses {
            client: accepted.address,
            local: accepted.local,
        };
        let addresses = client
            .addresses(&snapshot, socket)
            .inspect_err(|failure| self.handshake_failed(failure, accepted.address))
            .ok()?;
        let facts = Rc::new(ConnectionFacts::new(
            &self.shared.telemetry,
            &self.listener,
            addresses,
            &client.facts,
        ));
        let AcceptedConnection {
            place,
            idle,
            drain,
            limits,
            ..
        } = accepted;
        let parts = ConnectionParts {
            client,
            facts,
            place,
            idle,
            drain,
            limits,
        };
        Some(match records {
            Transport::Rustls(records) => self.serve_records(records, input, protocol, parts),
            Transport::InPlace(records) => self.serve_records(records, input, protocol, parts),
        })
    }

    fn serve_records<R: Records + 'static>(
        &self,
        records: R,
        input: ReceiveBuffer,
        protocol: Protocol,
        parts: ConnectionParts,
    ) -> ConnectionFuture<'_> {
        match protocol {
            Protocol::Http1 => self.serve_http1(records, input, parts),
            Protocol::Http2 => {
                let limits = parts.limits;
                let context = Rc::new(self.http2_context(parts));
                let stream = RecordStream::new(records, input);
                Box::pin(http2::serve(context, stream, limits))
            }
        }
    }

    fn http2_context(&self, parts: ConnectionParts) -> ConnectionContext {
        let ConnectionParts {
            client,
            facts,
            place,
            idle,
            drain,
            limits,
        } = parts;
        ConnectionContext {
            shared: self.shared.clone(),
            address: ClientAddress::new(facts.client.ip()),
            facts,
            client,
            _place: place,
            drain,
            idle_timeout: limits.idle_timeout,
            close: CancellationToken::new(),
            activity: Rc::new(Activity::new(idle)),
            open: OpenExchanges::new(),
        }
    }

    fn serve_http1<R: Records + 'static>(
        &self,
        records: R,
        input: ReceiveBuffer,
        parts: ConnectionParts,
    ) -> ConnectionFuture<'_> {
        let ConnectionParts {
            client,
            facts,
            place,
            idle,
            drain,
            limits,
        } = parts;
        let connection = Box::new(http1::Connection::new(ConnectionSetup {
            records,
            input,
            shared: self.shared.clone(),
            facts,
            client,
            limits,
            drain,
            idle,
        }));
        Box::pin(async move {
            // The place is released after the socket, because it counts the socket's descriptor.
            let _place = place;
            connection.serve().await;
        })
    }
}
