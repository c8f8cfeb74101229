//! Listening sockets and accept loops. Limits connections; is given its handler and knows neither TLS nor HTTP.

use crate::drain::Drain;
use crate::telemetry::Telemetry;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// A bound socket. Clones share it.
#[derive(Clone)]
pub struct BoundListener {
    name: Arc<str>,
    listener: Arc<TcpListener>,
    address: SocketAddr,
}

/// What a connection is handed to.
pub trait ConnectionHandler: Send + Sync + 'static {
    /// Serves one connection to its end. Whatever outlives this and still holds the socket keeps a clone of the place.
    fn serve(
        &self,
        stream: TcpStream,
        client: SocketAddr,
        place: ConnectionPlace,
        drain: Drain,
    ) -> impl Future<Output = ()> + Send;

    /// How many connections may be open at once, in the snapshot that is in force.
    fn connection_limit(&self) -> u32;
}

impl BoundListener {
    /// Binds an address. Needs a tokio runtime.
    ///
    /// # Errors
    /// Those of the operating system: in use, not permitted, not here.
    pub fn bind(name: Arc<str>, address: SocketAddr) -> io::Result<Self> {
        /// Connections that the kernel keeps until we accept them.
        const BACKLOG: i32 = 4096;
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        // A restart must not wait for the last connections of the process before.
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let listener = Arc::new(TcpListener::from_std(socket.into())?);
        let address = listener.local_addr()?;
        Ok(Self { name, listener, address })
    }

    /// The same socket under another name, for a listener that was renamed.
    pub fn renamed(&self, name: Arc<str>) -> Self {
        Self { name, listener: self.listener.clone(), address: self.address }
    }

    /// The real address: the port is known even if 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts until the drain begins.
    pub async fn accept_until_drained<H: ConnectionHandler>(
        self,
        handler: Arc<H>,
        telemetry: Arc<Telemetry>,
        drain: Drain,
    ) {
        let metrics = &telemetry.metrics;
        let name = &*self.name;
        let accepted = metrics.connections.with_label_values(&[name]);
        let refused = metrics.connections_refused.with_label_values(&[name, "limit"]);
        let errors = metrics.accept_errors.with_label_values(&[name]);
        let open = Arc::new(OpenConnections {
            count: AtomicU32::new(0),
            gauge: metrics.connections_open.with_label_values(&[name]),
        });
        loop {
            let outcome = tokio::select! {
                () = drain.begun() => return,
                outcome = self.listener.accept() => outcome,
            };
            let (stream, client) = match outcome {
                Ok(accepted) => accepted,
                Err(error) => {
                    errors.inc();
                    back_off(&error, name).await;
                    continue;
                }
            };
            accepted.inc();
            let Some(place) = OpenConnections::take(&open, handler.connection_limit()) else {
                // Closed at once: better a clear refusal than a connection that nobody serves.
                refused.inc();
                continue;
            };
            prepare(&stream);
            let (handler, child, telemetry) = (handler.clone(), drain.clone(), telemetry.clone());
            drain.spawn(async move {
                let _guard = ConnectionGuard { telemetry };
                handler.serve(stream, client, place, child).await;
            });
        }
    }
}

/// Small answers leave at once, and a client that vanished is noticed in minutes, not hours.
fn prepare(stream: &TcpStream) {
    let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(60)).with_interval(Duration::from_secs(15));
    // Both are comforts: a socket that refuses them still works.
    let _ = stream.set_nodelay(true);
    let _ = SockRef::from(stream).set_tcp_keepalive(&keepalive);
}

/// Out of descriptors or memory: wait for some to come free instead of spinning or giving up. Errors of a single
/// connection (the client went away before we accepted it) cost no time.
async fn back_off(error: &io::Error, listener: &str) {
    let only_this_connection = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    );
    if !only_this_connection {
        tracing::error!(listener, %error, "cannot accept; trying again in 100 ms");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

struct OpenConnections {
    count: AtomicU32,
    gauge: prometheus::IntGauge,
}

impl OpenConnections {
    fn take(open: &Arc<Self>, limit: u32) -> Option<ConnectionPlace> {
        let before = open.count.fetch_add(1, Ordering::Relaxed);
        open.gauge.inc();
        let place = Place(open.clone());
        (before < limit).then(|| ConnectionPlace { _place: Arc::new(place) })
    }
}

/// A connection's place among those that may be open; given back when the last clone is dropped.
#[derive(Clone)]
pub struct ConnectionPlace {
    _place: Arc<Place>,
}

struct Place(Arc<OpenConnections>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::Relaxed);
        self.0.gauge.dec();
    }
}

/// Counts a panic, which ends this connection and no other.
struct ConnectionGuard {
    telemetry: Arc<Telemetry>,
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.telemetry.metrics.panics.inc();
        }
    }
}
