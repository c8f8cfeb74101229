//! The accept loops of a listener, one per worker, and the choice of the worker that serves a connection.

use super::place::OpenConnections;
use super::{BoundListener, ConnectionHandler, ConnectionPlace, Sockets};
use crate::drain::Drain;
use crate::telemetry::Telemetry;
use crate::worker::Workers;
use prometheus::IntCounter;
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// What the accept loops of one listener share.
struct Acceptor<H> {
    name: Arc<str>,
    handler: Arc<H>,
    workers: Workers,
    telemetry: Arc<Telemetry>,
    open: Arc<OpenConnections>,
    accepted: IntCounter,
    errors: IntCounter,
    /// Dead once no listener uses the sockets any more, also under another name.
    sockets: Weak<Sockets>,
    /// One per worker, to avoid contention: a connection locks its drain at each wake-up.
    drains: Vec<Drain>,
}

impl BoundListener {
    /// Accepts on all workers until the drain begins. Then serves the backlog, unless another listener uses these
    /// sockets. Drop this value before the drain begins.
    pub fn accept<H: ConnectionHandler>(
        &mut self,
        workers: &Workers,
        handler: Arc<H>,
        telemetry: &Arc<Telemetry>,
        drain: &Drain,
    ) {
        let metrics = &telemetry.metrics;
        let name = &*self.name;
        let acceptor = Arc::new(Acceptor {
            name: self.name.clone(),
            handler,
            workers: workers.clone(),
            telemetry: telemetry.clone(),
            open: OpenConnections::new(self.name.clone(), telemetry),
            accepted: metrics.connections.with_label_values(&[name]),
            errors: metrics.accept_errors.with_label_values(&[name]),
            sockets: Arc::downgrade(&self.sockets),
            drains: (0..workers.count()).map(|_| drain.child()).collect(),
        });
        for (index, socket) in self.accept_sockets.drain(..).enumerate() {
            let acceptor = acceptor.clone();
            let hold = drain.hold();
            workers.spawn(index, move || async move {
                match TcpListener::from_std(socket) {
                    Ok(socket) => acceptor.accept_until_drained(socket, index).await,
                    Err(error) => {
                        let listener = &*acceptor.name;
                        tracing::error!(listener, worker = index, %error, "a worker cannot accept");
                    }
                }
                drop(hold);
            });
        }
    }
}

impl<H: ConnectionHandler> Acceptor<H> {
    async fn accept_until_drained(self: Arc<Self>, socket: TcpListener, index: usize) {
        let Some(drain) = self.drains.get(index) else {
            return;
        };
        loop {
            let outcome = tokio::select! {
                biased;
                () = drain.begun() => break,
                outcome = socket.accept() => outcome,
            };
            match outcome {
                Ok((stream, client)) => {
                    self.receive(stream, client, index, drain).await;
                    if self.open.is_crowded() {
                        // Evicted connections must run before the next accept.
                        tokio::task::yield_now().await;
                    }
                }
                Err(error) => {
                    self.errors.inc();
                    back_off(&error, &self.name).await;
                }
            }
        }
        if self.sockets.strong_count() == 0 {
            self.serve_backlog(socket, index, drain).await;
        }
    }

    /// Serves the clients in the backlog: closing the socket would reset them. The handler sees that the drain has
    /// begun.
    async fn serve_backlog(self: &Arc<Self>, socket: TcpListener, index: usize, drain: &Drain) {
        let Ok(socket) = socket.into_std() else {
            return;
        };
        loop {
            match socket.accept() {
                Ok((stream, client)) => {
                    if let Ok(stream) = to_tokio(stream) {
                        self.receive(stream, client, index, drain).await;
                    }
                }
                Err(error) if is_of_one_connection(&error) => {}
                // The backlog is empty, or accepting fails.
                Err(_) => return,
            }
        }
    }

    /// Takes a place and serves the connection. During an eviction, further clients wait in the kernel's backlog.
    async fn receive(
        self: &Arc<Self>,
        stream: TcpStream,
        client: SocketAddr,
        accepting: usize,
        drain: &Drain,
    ) {
        self.accepted.inc();
        let worker = self.workers.worker_for_connection(accepting);
        let counted = self.workers.count_connection(worker);
        let limits = self.handler.place_limits(client.ip());
        let Some(place) = OpenConnections::take(&self.open, client.ip(), limits, counted).await
        else {
            // Closed at once: a clear rejection is better than a connection without service.
            return;
        };
        prepare(&stream);
        if worker == accepting {
            drain.spawn_local(self.clone().serve(stream, client, place, drain.clone()));
        } else {
            self.hand_over(worker, stream, client, place, drain);
        }
    }

    /// Moves a connection to another worker. Happens at most once per connection, and only if the load is uneven.
    fn hand_over(
        self: &Arc<Self>,
        worker: usize,
        stream: TcpStream,
        client: SocketAddr,
        place: ConnectionPlace,
        drain: &Drain,
    ) {
        let Ok(stream) = stream.into_std() else {
            return;
        };
        self.telemetry.metrics.connections_handed_over.inc();
        let drain = self.drains.get(worker).unwrap_or(drain).clone();
        let acceptor = self.clone();
        let hold = drain.hold();
        self.workers.spawn(worker, move || async move {
            if let Ok(stream) = to_tokio(stream) {
                acceptor.serve(stream, client, place, drain).await;
            }
            drop(hold);
        });
    }

    async fn serve(
        self: Arc<Self>,
        stream: TcpStream,
        client: SocketAddr,
        place: ConnectionPlace,
        drain: Drain,
    ) {
        let _guard = ConnectionGuard {
            telemetry: &self.telemetry,
        };
        self.handler.serve(stream, client, place, drain).await;
    }
}

fn to_tokio(stream: std::net::TcpStream) -> io::Result<TcpStream> {
    stream.set_nonblocking(true)?;
    TcpStream::from_std(stream)
}

/// Disables Nagle's algorithm, and sets keep-alive so that a dead client is detected within minutes.
fn prepare(stream: &TcpStream) {
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(15));
    // Both are optional: errors are ignored.
    let _ = stream.set_nodelay(true);
    let _ = SockRef::from(stream).set_tcp_keepalive(&keepalive);
}

/// Waits 100 ms after an error such as a lack of descriptors or memory, to avoid a busy loop. Errors of a single
/// connection (the client disconnected before the accept) cause no wait.
async fn back_off(error: &io::Error, listener: &str) {
    if !is_of_one_connection(error) {
        tracing::error!(listener, %error, "cannot accept; trying again in 100 ms");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

/// Counts a panic. A panic ends its connection and no other.
struct ConnectionGuard<'a> {
    telemetry: &'a Telemetry,
}

impl Drop for ConnectionGuard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.telemetry.metrics.panics.inc();
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
