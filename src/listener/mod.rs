//! Listening sockets, one per worker, and the trait for handlers of connections. Independent of TLS and HTTP.

mod accept;
mod half_open;
mod idle;
mod idle_watch;
mod place;
mod source;

pub use half_open::HandshakeEviction;
pub use idle_watch::IdleWatch;
pub use place::{ConnectionPlace, PlaceLimits, SourceRejected};
pub use source::ClientSource;

use crate::drain::Drain;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use tokio::net::TcpStream;

/// The sockets of one address. While a value exists, the sockets stay open, so clients in the backlog are not reset.
pub struct BoundListener {
    name: Arc<str>,
    sockets: Arc<Sockets>,
    /// Duplicates for the accept loops. They outlive the sockets of a listener that was renamed.
    accept_sockets: Vec<TcpListener>,
    address: SocketAddr,
}

type Sockets = Vec<TcpListener>;

/// Handler of accepted connections.
pub trait ConnectionHandler: Send + Sync + 'static {
    /// Serves one connection to its end, on its worker. A task that outlives this call and holds the socket must keep a
    /// clone of the place. The implementation reports the end of the handshake to the place. The place can evict the
    /// connection before that, and its [`IdleWatch`] afterwards. The drain may have begun already, for a client from
    /// the backlog.
    fn serve(
        &self,
        stream: TcpStream,
        client: SocketAddr,
        place: ConnectionPlace,
        drain: Drain,
    ) -> impl Future<Output = ()>;

    /// The limits for a connection of this client, from the active snapshot.
    fn place_limits(&self, client: IpAddr) -> PlaceLimits;
}

impl BoundListener {
    /// Binds an address with one socket for each worker.
    ///
    /// # Errors
    /// Errors of the operating system: address in use, permission denied, address not available.
    pub fn bind(name: Arc<str>, address: SocketAddr, workers: usize) -> io::Result<Self> {
        // The first socket is bound without SO_REUSEPORT, so that an accidental second gateway fails instead of
        // receiving a part of the connections. The option is set afterwards, for our own further sockets.
        let first = unbound(address)?;
        listen(&first, address)?;
        let address = first
            .local_addr()?
            .as_socket()
            .ok_or(io::ErrorKind::AddrNotAvailable)?;
        let mut sockets = vec![first];
        for _ in 1..workers {
            sockets
                .iter()
                .try_for_each(|socket| socket.set_reuse_port(true))?;
            let next = unbound(address)?;
            next.set_reuse_port(true)?;
            listen(&next, address)?;
            sockets.push(next);
        }
        let sockets: Sockets = sockets.into_iter().map(TcpListener::from).collect();
        Self::of(name, Arc::new(sockets), address)
    }

    fn of(name: Arc<str>, sockets: Arc<Sockets>, address: SocketAddr) -> io::Result<Self> {
        let accept_sockets = sockets
            .iter()
            .map(TcpListener::try_clone)
            .collect::<io::Result<_>>()?;
        Ok(Self {
            name,
            sockets,
            accept_sockets,
            address,
        })
    }

    /// The same sockets under another name, for a listener that was renamed.
    ///
    /// # Errors
    /// No file descriptor is free.
    pub fn renamed(&self, name: Arc<str>) -> io::Result<Self> {
        Self::of(name, self.sockets.clone(), self.address)
    }

    /// The bound address, with the real port also for port 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

fn unbound(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // A restart must not wait for connections of the old process in TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn listen(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    /// Maximum number of connections that the kernel queues for accept.
    const BACKLOG: i32 = 4096;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream as Client;

    fn bind(address: SocketAddr, workers: usize) -> io::Result<BoundListener> {
        BoundListener::bind("test".into(), address, workers)
    }

    fn any_port() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 0))
    }

    #[test]
    fn all_workers_have_a_socket_at_one_address_and_all_get_connections() {
        let bound = bind(any_port(), 4).expect("a free port");
        assert_eq!(bound.accept_sockets.len(), 4);
        let mut waiting: Vec<usize> = vec![0; 4];
        let _clients: Vec<Client> = (0..400)
            .map(|_| Client::connect(bound.address()).expect("room"))
            .collect();
        for (count, socket) in waiting.iter_mut().zip(&bound.accept_sockets) {
            assert_eq!(socket.local_addr().expect("bound"), bound.address());
            while socket.accept().is_ok() {
                *count += 1;
            }
        }
        assert_eq!(waiting.iter().sum::<usize>(), 400);
        // Each with a quarter; that one gets none of 400 does not happen.
        assert!(waiting.iter().all(|count| *count > 0), "{waiting:?}");
    }

    #[test]
    fn an_address_in_use_is_rejected_also_to_another_gateway() {
        for workers in [1, 2, 4] {
            // Bound, but not listening: the system gives the port to no other test meanwhile.
            let reserved = unbound(any_port()).expect("a socket");
            reserved.bind(&any_port().into()).expect("a free port");
            let address = reserved
                .local_addr()
                .expect("bound")
                .as_socket()
                .expect("an IP address");
            let bound = bind(address, workers).expect("the reserved port");
            for others in [1, 2, 4] {
                let refused = bind(bound.address(), others)
                    .err()
                    .map(|error| error.kind());
                assert_eq!(
                    refused,
                    Some(io::ErrorKind::AddrInUse),
                    "{workers} and {others}"
                );
                let everywhere = SocketAddr::from(([0, 0, 0, 0], bound.address().port()));
                assert_eq!(
                    bind(everywhere, others).err().map(|error| error.kind()),
                    Some(io::ErrorKind::AddrInUse)
                );
            }
            drop(bound);
            assert!(bind(address, workers).is_ok(), "free again");
        }
    }

    #[test]
    fn a_renamed_listener_keeps_what_waits() {
        let before = bind(any_port(), 2).expect("a free port");
        let _client = Client::connect(before.address()).expect("room");
        let after = before.renamed("after".into()).expect("descriptors");
        drop(before);
        assert_eq!(
            after
                .accept_sockets
                .iter()
                .filter(|socket| socket.accept().is_ok())
                .count(),
            1
        );
    }
}
