//! The accept loops of a listener, one on each worker, and which worker serves what they accept. Limits connections;
//! binds nothing.

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
struct Reception<H> {
    name: Arc<str>,
    handler: Arc<H>,
    workers: Workers,
    telemetry: Arc<Telemetry>,
    open: Arc<OpenConnections>,
    accepted: IntCounter,
    errors: IntCounter,
    /// Gone once nobody wants the sockets any more, under whatever name.
    wanted: Weak<Sockets>,
    /// One for each worker: a connection looks at its drain whenever it wakes, which takes a lock in there.
    drains: Vec<Drain>,
}

impl BoundListener {
    /// Begins to accept, on all workers, until the drain begins. What has connected until then is served, unless these
    /// sockets have another holder, who serves it: drop this value before the drain begins.
    pub fn accept<H: ConnectionHandler>(
        &mut self,
        workers: &Workers,
        handler: Arc<H>,
        telemetry: &Arc<Telemetry>,
        drain: &Drain,
    ) {
        let metrics = &telemetry.metrics;
        let name = &*self.name;
        let reception = Arc::new(Reception {
            name: self.name.clone(),
            handler,
            workers: workers.clone(),
            telemetry: telemetry.clone(),
            open: OpenConnections::new(self.name.clone(), telemetry),
            accepted: metrics.connections.with_label_values(&[name]),
            errors: metrics.accept_errors.with_label_values(&[name]),
            wanted: Arc::downgrade(&self.sockets),
            drains: (0..workers.count()).map(|_| drain.child()).collect(),
        });
        for (index, door) in self.doors.drain(..).enumerate() {
            let (reception, running) = (reception.clone(), drain.hold());
            workers.spawn(index, move || async move {
                match TcpListener::from_std(door) {
                    Ok(door) => reception.accept_until_drained(door, index).await,
                    Err(error) => {
                        let listener = &*reception.name;
                        tracing::error!(listener, worker = index, %error, "a worker cannot accept");
                    }
                }
                drop(running);
            });
        }
    }
}

impl<H: ConnectionHandler> Reception<H> {
    async fn accept_until_drained(self: Arc<Self>, door: TcpListener, index: usize) {
        let Some(drain) = self.drains.get(index) else {
            return;
        };
        loop {
            let outcome = tokio::select! {
                biased;
                () = drain.begun() => break,
                outcome = door.accept() => outcome,
            };
            match outcome {
                Ok((stream, client)) => {
                    self.receive(stream, client, index, drain).await;
                    if self.open.is_crowded() {
                        // Those that have to give way are to hear of it before the next one comes.
                        tokio::task::yield_now().await;
                    }
                }
                Err(error) => {
                    self.errors.inc();
                    back_off(&error, &self.name).await;
                }
            }
        }
        if self.wanted.strong_count() == 0 {
            self.serve_who_waits(door, index, drain).await;
        }
    }

    /// To close a socket resets what waits in it, although these clients came in time. The handler sees that the drain
    /// has begun.
    async fn serve_who_waits(self: &Arc<Self>, door: TcpListener, index: usize, drain: &Drain) {
        let Ok(door) = door.into_std() else { return };
        loop {
            match door.accept() {
                Ok((stream, client)) => {
                    if let Ok(stream) = to_tokio(stream) {
                        self.receive(stream, client, index, drain).await;
                    }
                }
                Err(error) if is_of_one_connection(&error) => {}
                // Nobody waits any more, or nobody can be accepted.
                Err(_) => return,
            }
        }
    }

    /// Waits for a moment if another connection has to give way; meanwhile further ones wait in the kernel.
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
            // Closed at once: better a clear rejection than a connection that is not served.
            return;
        };
        prepare(&stream);
        if worker == accepting {
            drain.spawn_local(self.clone().serve(stream, client, place, drain.clone()));
        } else {
            self.hand_over(worker, stream, client, place, drain);
        }
    }

    /// The one wake-up of another thread: once for a connection, and only where the load is uneven.
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
        let (reception, running) = (self.clone(), drain.hold());
        self.workers.spawn(worker, move || async move {
            if let Ok(stream) = to_tokio(stream) {
                reception.serve(stream, client, place, drain).await;
            }
            drop(running);
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

/// Small answers leave at once, and a client that vanished is noticed in minutes, not hours.
fn prepare(stream: &TcpStream) {
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(15));
    // Both are comforts: a socket that refuses them still works.
    let _ = stream.set_nodelay(true);
    let _ = SockRef::from(stream).set_tcp_keepalive(&keepalive);
}

/// Out of descriptors or memory: wait for some to come free instead of spinning or giving up. Errors of a single
/// connection (the client went away before we accepted it) cost no time.
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

/// Counts a panic, which ends this connection and no other.
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
