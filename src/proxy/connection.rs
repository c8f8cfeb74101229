//! One connection, from accepted socket to close: handshake, then HTTP as ALPN settled it.

mod hyper_server;

use super::Shared;
use super::activity::Activity;
use super::client::{ConnectedClient, RemoteEnd};
use super::connection_facts::ConnectionFacts;
use super::exchange::ConnectionContext;
use super::guard::Guard;
use super::http1::{self, Served};
use super::in_force::in_force;
use super::present::OpenExchanges;
use super::proxy_header::{Arrival, NotEstablished, first_words};
use super::watched_stream::{TlsFailureRecorder, WatchedStream};
use crate::config::Http1Engine;
use crate::drain::Drain;
use crate::forward::ClientAddress;
use crate::identity::ProxyHeader;
use crate::listener::{ConnectionHandler, ConnectionPlace, IdleWatch, PlaceLimits};
use crate::snapshot::{ConnectionLimits, ListenerPolicy, Snapshot};
use crate::tls::record::{Input, RecordStream, Records, Transport};
use crate::tls::{Established, Protocol};
use hyper_server::{serve_guarded, serve_http2};
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
    /// A handler for the listener with this name, in whatever snapshot is in force.
    pub fn new(shared: Arc<Shared>, listener: Arc<str>) -> Self {
        Self { shared, listener }
    }

    fn policy<'s>(&self, snapshot: &'s Snapshot) -> Option<&'s Arc<ListenerPolicy>> {
        snapshot.listeners.get(&self.listener)
    }
}

/// How long a client has for its handshake, and then for its request, if the drain begins before it is let in.
const LAST_MOMENT: Duration = Duration::from_secs(2);

/// Serves a connection after its handshake. Boxed: it is moved while it is small, and holds nothing of the handshake.
type ConnectionFuture<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// What a connection brings along from before its handshake.
struct Accepted {
    address: SocketAddr,
    /// Where the client connected to.
    local: SocketAddr,
    place: ConnectionPlace,
    /// Whether it has to give way while no request is under way.
    idle: IdleWatch,
    drain: Drain,
    limits: ConnectionLimits,
    engine: Http1Engine,
    /// What came before the handshake.
    header: Option<ProxyHeader>,
}

/// What every way to serve a connection needs.
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
        let current = in_force(&self.shared);
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
        // The memory of a handshake is freed before the connection is served, which may be idle for hours.
        let established = Box::pin(self.establish(stream, client, place, drain)).await;
        if let Some(connection) = established {
            connection.await;
        }
    }
}

impl ProxyHandler {
    /// Runs the handshake. Gives what serves the connection from then on.
    async fn establish(
        &self,
        stream: TcpStream,
        client: SocketAddr,
        place: ConnectionPlace,
        drain: Drain,
    ) -> Option<ConnectionFuture<'_>> {
        let begun = Instant::now();
        let snapshot = in_force(&self.shared).snapshot.clone();
        let policy = self.policy(&snapshot).cloned()?;
        // Only the socket knows which address the client took of a listener for all of them.
        let local = stream.local_addr().unwrap_or(policy.address);
        let arrival = Arrival {
            client: client.ip(),
            place: &place,
            deadline: begun + policy.limits.handshake_timeout,
        };
        let work = Box::pin(first_words(stream, &policy, arrival));
        // Who has connected before the drain began is let in, and may ask once.
        let outcome = tokio::select! {
            outcome = work => outcome,
            () = place.told_to_give_way() => return None,
            () = async { drain.begun().await; sleep(LAST_MOMENT).await } => return None,
        };
        let drain = if drain.has_begun() {
            drain.later(LAST_MOMENT)
        } else {
            drain
        };
        // A connection may live long; the snapshot that it began with must not.
        drop(snapshot);
        match outcome {
            Err(NotEstablished::Rejected) => None,
            Err(NotEstablished::Failed(failure)) => {
                self.handshake_failed(&failure, client);
                let closed = Box::pin(failure.close());
                tokio::select! {
                    () = closed => {}
                    () = place.told_to_give_way() => {}
                }
                None
            }
            Ok((established, header)) => {
                place.handshake_finished().ok()?;
                self.handshake_done(&established, begun);
                let (limits, engine) = (policy.limits, policy.http1_engine);
                let idle = IdleWatch::new(&place);
                let accepted = Accepted {
                    address: client,
                    local,
                    place,
                    idle,
                    drain,
                    limits,
                    engine,
                    header,
                };
                self.serve_http(established, accepted)
            }
        }
    }

    /// What serves the connection by its HTTP version. `None` if the client may not be served.
    fn serve_http(
        &self,
        established: Established,
        mut accepted: Accepted,
    ) -> Option<ConnectionFuture<'_>> {
        let Established {
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
        let snapshot = in_force(&self.shared).snapshot.clone();
        client.observe(&snapshot, std::time::Instant::now());
        let addresses = client.addresses(&snapshot, accepted.address, accepted.local);
        let addresses = addresses
            .inspect_err(|failure| self.handshake_failed(failure, accepted.address))
            .ok()?;
        let facts = Rc::new(ConnectionFacts::new(
            &self.shared.telemetry,
            &self.listener,
            addresses,
            &client.facts,
        ));
        let Accepted {
            place,
            idle,
            drain,
            limits,
            engine,
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
            Transport::Rustls(records) => {
                self.serve_records(records, input, protocol, parts, engine)
            }
            Transport::InPlace(records) => {
                self.serve_records(records, input, protocol, parts, engine)
            }
        })
    }

    fn serve_records<R: Records + Send + 'static>(
        &self,
        records: R,
        input: Input,
        protocol: Protocol,
        parts: ConnectionParts,
        engine: Http1Engine,
    ) -> ConnectionFuture<'_> {
        match (protocol, engine) {
            (Protocol::Http1, Http1Engine::Own) => self.serve_http1(records, input, parts),
            (Protocol::Http1, Http1Engine::Hyper) => {
                Box::pin(self.serve_by_hyper(records, input, parts))
            }
            (Protocol::Http2, _) => {
                let limits = parts.limits;
                let context = self.context(parts, OpenExchanges::for_http2());
                Box::pin(serve_http2(
                    Rc::new(context),
                    RecordStream::new(records, input),
                    limits,
                ))
            }
        }
    }

    fn context(&self, parts: ConnectionParts, open: OpenExchanges) -> ConnectionContext {
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
            guard: None,
            idle_timeout: limits.idle_timeout,
            close: CancellationToken::new(),
            activity: Rc::new(Activity::new(idle)),
            open,
        }
    }

    /// Our own engine goes first; what it does not take goes to hyper, with every byte that was read.
    fn serve_http1<R: Records + Send + 'static>(
        &self,
        records: R,
        input: Input,
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
        let parts = (self.shared.clone(), facts, client);
        let connection = Box::new(http1::Connection::new(
            (records, input),
            parts,
            limits,
            drain,
            idle,
        ));
        Box::pin(async move {
            // The place outlives the socket, whose descriptor it counts.
            let Served::Elsewhere(connection, why) = connection.serve().await else {
                return;
            };
            connection.facts.series.fast_path("handed_over", why.word());
            let http1::Connection {
                records,
                input,
                client,
                facts,
                idle,
                drain,
                limits,
                ..
            } = *connection;
            let parts = ConnectionParts {
                client,
                facts,
                place,
                idle,
                drain,
                limits,
            };
            Box::pin(self.serve_by_hyper(records, input, parts)).await;
        })
    }

    async fn serve_by_hyper<R: Records + Send + 'static>(
        &self,
        records: R,
        input: Input,
        parts: ConnectionParts,
    ) {
        let limits = parts.limits;
        let mut context = self.context(parts, OpenExchanges::for_http1());
        let stream = RecordStream::new(records, input);
        let stream = WatchedStream::new(stream, TlsFailureRecorder::new(&context.facts));
        let guard = Guard::new(stream, limits, self.refusal_recorder(&context));
        context.guard = Some(guard.control());
        Box::pin(serve_guarded(Rc::new(context), guard, limits)).await;
    }
}
