//! Ports on loopback that stay reserved for one test.
//!
//! A port that was only looked up (bound to port 0 and dropped) belongs to nobody: the kernel gives it to the next
//! socket of any other test. A reserved port stays bound for as long as the value lives.

use socket2::{Domain, Socket, Type};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// A bound socket that does not listen: the kernel refuses connections to it, and gives its port to no other socket.
///
/// A program that sets `SO_REUSEADDR` or `SO_REUSEPORT`, as all servers here do, can still bind exactly this address and
/// listen, because the reserving socket has both options and does not listen. After that program ends, connections
/// are refused again.
#[derive(Debug)]
pub struct ReservedPort {
    _socket: Socket,
    address: SocketAddr,
}

impl ReservedPort {
    /// Reserves a port of 127.0.0.1.
    pub fn new() -> Self {
        Self::of(Ipv4Addr::LOCALHOST)
    }

    /// Reserves a port of this loopback address.
    pub fn of(address: Ipv4Addr) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        // For port 0 the kernel chooses a port that no socket has, in spite of these options.
        socket.set_reuse_address(true).expect("an option");
        socket.set_reuse_port(true).expect("an option");
        socket
            .bind(&SocketAddr::from((address, 0)).into())
            .expect("a free port");
        let address = socket
            .local_addr()
            .expect("an address")
            .as_socket()
            .expect("an IP address");
        Self {
            _socket: socket,
            address,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Listens at the reserved address. The port stays reserved after the listener is dropped.
    pub fn listen(&self) -> TcpListener {
        // The standard library sets SO_REUSEADDR.
        TcpListener::bind(self.address).expect("the reserved port")
    }
}

#[test]
fn a_reserved_port_rejects_connections_until_something_listens_there() {
    use std::io::ErrorKind::ConnectionRefused;
    let port = ReservedPort::new();
    let connect = || std::net::TcpStream::connect(port.address());
    for _ in 0..2 {
        assert_eq!(connect().unwrap_err().kind(), ConnectionRefused);
        let listener = port.listen();
        let client = connect().unwrap();
        assert_eq!(listener.accept().unwrap().1, client.local_addr().unwrap());
        assert!(
            TcpListener::bind(port.address()).is_err(),
            "one listener at a time"
        );
    }
    assert_eq!(connect().unwrap_err().kind(), ConnectionRefused);
}

#[test]
fn the_system_gives_a_reserved_port_to_no_other_socket() {
    // If the kernel shared reserved ports, so many out of its 28,000 would most likely have one in common.
    let reserved: Vec<_> = (0..300).map(|_| ReservedPort::new()).collect();
    let ports: std::collections::HashSet<_> = reserved.iter().map(ReservedPort::address).collect();
    assert_eq!(ports.len(), reserved.len());
}
