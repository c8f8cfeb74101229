//! Listening sockets, one for each worker, and the handler that connections are given to. Knows neither TLS nor HTTP.

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

/// The sockets of one address. While one of these is held, nothing that clients have sent to them is given up.
pub struct BoundListener {
    name: Arc<str>,
    sockets: Arc<Sockets>,
    /// The same sockets, for the accept loops; they outlive those of a listener that was renamed.
    doors: Vec<TcpListener>,
    address: SocketAddr,
}

type Sockets = Vec<TcpListener>;

/// What a connection is handed to.
pub trait ConnectionHandler: Send + Sync + 'static {
    /// Serves one connection to its end, on the worker where it begins. Whatever outlives this and still holds the
    /// socket keeps a clone of the place. The place is told when the handshake has finished, and until then it may tell
    /// the connection to give way; afterwards its [`IdleWatch`] may. The drain may have begun already: for a client that
    /// came before it did.
    fn serve(
        &self,
        stream: TcpStream,
        client: SocketAddr,
        place: ConnectionPlace,
        drain: Drain,
    ) -> impl Future<Output = ()>;

    /// How many connections may be open at once beside one of this client, in the snapshot that is in force.
    fn place_limits(&self, client: IpAddr) -> PlaceLimits;
}

impl BoundListener {
    /// Binds an address with one socket for each worker.
    ///
    /// # Errors
    /// Those of the operating system: in use, not permitted, not here.
    pub fn bind(name: Arc<str>, address: SocketAddr, workers: usize) -> io::Result<Self> {
        // The first is bound alone, as if there were no SO_REUSEPORT: with it, a second gateway by mistake would
        // silently take a part of the connections. Only then may others of our own join it.
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
            let other = unbound(address)?;
            other.set_reuse_port(true)?;
            listen(&other, address)?;
            sockets.push(other);
        }
        let sockets: Sockets = sockets.into_iter().map(TcpListener::from).collect();
        Self::of(name, Arc::new(sockets), address)
    }

    fn of(name: Arc<str>, sockets: Arc<Sockets>, address: SocketAddr) -> io::Result<Self> {
        let doors = sockets
            .iter()
            .map(TcpListener::try_clone)
            .collect::<io::Result<_>>()?;
        Ok(Self {
            name,
            sockets,
            doors,
            address,
        })
    }

    /// The same sockets under another name, for a listener that was renamed.
    ///
    /// # Errors
    /// If there are no descriptors left.
    pub fn renamed(&self, name: Arc<str>) -> io::Result<Self> {
        Self::of(name, self.sockets.clone(), self.address)
    }

    /// The real address: the port is known even if 0 was asked for.
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
    // A restart must not wait for the last connections of the process before.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn listen(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    /// Connections that the kernel keeps until we accept them.
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
        assert_eq!(bound.doors.len(), 4);
        let mut waiting: Vec<usize> = vec![0; 4];
        let _clients: Vec<Client> = (0..400)
            .map(|_| Client::connect(bound.address()).expect("room"))
            .collect();
        for (count, door) in waiting.iter_mut().zip(&bound.doors) {
            assert_eq!(door.local_addr().expect("bound"), bound.address());
            while door.accept().is_ok() {
                *count += 1;
            }
        }
        assert_eq!(waiting.iter().sum::<usize>(), 400);
        // Each with a quarter; that one gets none of 400 does not happen.
        assert!(waiting.iter().all(|count| *count > 0), "{waiting:?}");
    }

    #[test]
    fn an_address_in_use_is_refused_also_to_another_gateway() {
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
                .doors
                .iter()
                .filter(|door| door.accept().is_ok())
                .count(),
            1
        );
    }
}
