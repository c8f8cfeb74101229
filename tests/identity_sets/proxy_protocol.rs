//! The PROXY protocol to upstreams: what a connection begins with, and that it belongs to one client.

use crate::support::client::{BOTH, Version, get};
use crate::support::gateway::{listener_with, user};
use crate::support::upstream::{read_head, write};
use crate::support::{
    Client, Gateway, Peer, Pki, ReservedPort, Upstream, eventually, require_program,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConnection, StreamOwned};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

/// A header, read as the specification says.
#[derive(Debug)]
struct Header {
    client: SocketAddr,
    local: SocketAddr,
    fields: HashMap<u8, Vec<u8>>,
}

impl Header {
    fn read(stream: &mut impl Read) -> Self {
        let mut fixed = [0; 16];
        stream.read_exact(&mut fixed).unwrap();
        assert_eq!(fixed[..14], *b"\r\n\r\n\0\r\nQUIT\n\x21\x11");
        let mut body = vec![0; usize::from(u16::from_be_bytes([fixed[14], fixed[15]]))];
        stream.read_exact(&mut body).unwrap();
        let address = |ip: &[u8], port: &[u8]| {
            let ip: [u8; 4] = ip.try_into().unwrap();
            SocketAddr::from((Ipv4Addr::from(ip), u16::from_be_bytes([port[0], port[1]])))
        };
        let (client, local) = (
            address(&body[..4], &body[8..10]),
            address(&body[4..8], &body[10..12]),
        );
        Self {
            client,
            local,
            fields: fields(&body[12..]),
        }
    }

    fn text(&self, kind: u8) -> Option<&str> {
        self.fields
            .get(&kind)
            .map(|value| std::str::from_utf8(value).unwrap())
    }

    /// Flags, verdict and what else TLS settled.
    fn tls(&self) -> (u8, u32, HashMap<u8, Vec<u8>>) {
        let value = &self.fields[&0x20];
        (
            value[0],
            u32::from_be_bytes(value[1..5].try_into().unwrap()),
            fields(&value[5..]),
        )
    }
}

fn fields(mut rest: &[u8]) -> HashMap<u8, Vec<u8>> {
    let mut found = HashMap::new();
    while let [kind, high, low, behind @ ..] = rest {
        let (value, more) = behind.split_at(usize::from(u16::from_be_bytes([*high, *low])));
        assert!(found.insert(*kind, value.to_vec()).is_none(), "once each");
        rest = more;
    }
    assert!(rest.is_empty());
    found
}

type Seen = Arc<Mutex<Vec<(Header, String)>>>;

/// Reads a header at the beginning of each connection, and then requests without end.
fn upstream(tls: Option<Arc<rustls::ServerConfig>>) -> (Upstream, Seen) {
    let seen = Seen::default();
    let sink = seen.clone();
    let upstream = Upstream::scripted(move |mut stream, _| {
        let header = Header::read(&mut stream);
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        match &tls {
            None => {
                let head = read_head(&mut stream);
                sink.lock().unwrap().push((header, head));
                write(&mut stream, answer);
                assert_eq!(
                    read_head(&mut stream),
                    "",
                    "a connection carries one client's request alone"
                );
            }
            Some(config) => {
                let connection = ServerConnection::new(config.clone()).unwrap();
                let mut stream = StreamOwned::new(connection, stream);
                let head = read_secured(&mut stream);
                sink.lock().unwrap().push((header, head));
                stream.write_all(answer).unwrap();
                stream.flush().unwrap();
            }
        }
    });
    (upstream, seen)
}

fn read_secured(stream: &mut StreamOwned<ServerConnection, TcpStream>) -> String {
    let (mut head, mut octet) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut octet).unwrap();
        head.push(octet[0]);
    }
    String::from_utf8(head).unwrap()
}

fn config(pki: &Pki, upstream: &Upstream) -> String {
    let endpoint = format!("endpoints = [\"http://{}\"]", upstream.address);
    listener_with(pki, "client_auth = \"optional\"\n")
        + &user("alice", &["*"])
        + &user("bob", &["*"])
        + &format!("[upstream.api]\n{endpoint}\nproxy_protocol = \"v2\"\n")
        + "[[route]]\npath = \"/\"\nupstream = \"api\"\n\
           [[route]]\npath = \"/public\"\nupstream = \"api\"\nclient_auth = \"off\"\n\
           [[route]]\npath = \"/open\"\nupstream = \"api\"\nclient_auth = \"optional\"\n"
}

#[test]
fn a_connection_begins_with_who_its_client_is() {
    let pki = Pki::new();
    let (upstream, seen) = upstream(None);
    let gateway = Gateway::start(&config(&pki, &upstream));
    let alice = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
    let nobody = Client::new(&pki, None, gateway.address());
    for version in BOTH {
        for (client, path, flags, verdict, name) in [
            (&alice, "/", [7, 5], 0, Some("alice")),
            (&alice, "/open", [7, 5], 0, Some("alice")),
            (&alice, "/public", [1, 1], 1, None),
            (&nobody, "/open", [1, 1], 1, None),
        ] {
            assert_eq!(
                client.send(version, get(path)).unwrap().status,
                200,
                "{path}"
            );
            let (header, head) = seen.lock().unwrap().pop().unwrap();
            assert!(
                head.starts_with(&format!("GET {path} HTTP/1.1\r\n")),
                "{head}"
            );
            assert_eq!(
                (header.local, header.client.ip()),
                (gateway.address(), Ipv4Addr::LOCALHOST.into())
            );
            assert_ne!(header.client.port(), 0);
            assert_eq!(
                (header.text(1), header.text(2)),
                (Some("http/1.1"), Some("localhost"))
            );
            let (said, found, tls) = header.tls();
            assert!(flags.contains(&said), "{said}");
            assert_eq!(found, verdict, "{path}");
            assert_eq!(tls[&0x21], b"TLSv1.3");
            assert_eq!(
                tls.get(&0x22).map(Vec::as_slice),
                name.map(str::as_bytes),
                "{path}"
            );
        }
    }
}

#[test]
fn no_two_clients_share_a_connection() {
    let pki = Pki::new();
    let (upstream, seen) = upstream(None);
    let gateway = Gateway::start(&config(&pki, &upstream));
    for version in BOTH {
        let clients = ["alice", "bob"]
            .map(|name| Client::new(&pki, Some(&pki.client(name)), gateway.address()));
        let mut open = clients
            .each_ref()
            .map(|client| client.connect(version).unwrap());
        for _ in 0..3 {
            for (connection, name) in open.iter_mut().zip(["alice", "bob"]) {
                assert_eq!(connection.send(get("/")).unwrap().status, 200);
                let (header, head) = seen.lock().unwrap().pop().unwrap();
                assert_eq!(header.tls().2[&0x22], name.as_bytes());
                assert!(
                    head.contains(&format!("x-client-user: {name}\r\n")),
                    "{head}"
                );
            }
        }
    }
    assert_eq!(
        gateway.metric(
            "portcullis_upstream_connections_total",
            &[("origin", "pooled")]
        ),
        0.0
    );
}

#[test]
fn the_header_goes_before_tls() {
    let pki = Pki::new();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let chain = CertificateDer::pem_file_iter(pki.path("server.crt"))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let key = PrivateKeyDer::from_pem_file(pki.path("server.key")).unwrap();
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap();
    let tls = Arc::new(
        tls.with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap(),
    );
    let (upstream, seen) = upstream(Some(tls.clone()));
    let config = config(&pki, &upstream).replace(
        "endpoints = [\"http://",
        &format!("anchors = [{:?}]\nendpoints = [\"https://", pki.ca_file()),
    );
    let gateway = Gateway::start(&config);
    let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
    for version in [Version::Http1, Version::Http2] {
        assert_eq!(client.send(version, get("/")).unwrap().status, 200);
        let (header, _) = seen.lock().unwrap().pop().unwrap();
        assert_eq!(header.tls().2[&0x22], b"alice");
    }
}

/// HAProxy, whose authors wrote the specification. It ends when this is dropped.
struct Judge {
    _process: Peer,
}

impl Judge {
    /// Answers with what it reads from the header.
    fn start(pki: &Pki, address: SocketAddr) -> Self {
        let file = pki.path("haproxy.cfg");
        let config = format!(
            "defaults\n  mode http\n  timeout connect 30s\n  timeout client 30s\n  timeout server 30s\n\
             frontend judge\n  bind {address} accept-proxy\n  http-request return status 200 content-type text/plain \
             lf-string \"%[src] %[dst] %[dst_port] %[fc_pp_authority] %[req.hdr(x-client-user)]\"\n"
        );
        std::fs::write(&file, config).unwrap();
        let mut haproxy = Command::new("haproxy");
        haproxy
            .arg("-db")
            .arg("-f")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut process = Peer::start(&mut haproxy);
        eventually("HAProxy listens", || {
            assert!(process.ended().is_none(), "HAProxy ended at once");
            TcpStream::connect(address).ok()
        });
        Self { _process: process }
    }
}

#[test]
fn haproxy_reads_the_header() {
    if !require_program("haproxy") {
        return;
    }
    let pki = Pki::new();
    let port = ReservedPort::new();
    let address = port.address();
    let _judge = Judge::start(&pki, address);
    let upstream = Upstream::start();
    let config =
        config(&pki, &upstream).replace(&upstream.address.to_string(), &address.to_string());
    let gateway = Gateway::start(&config);
    let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
    for version in BOTH {
        let answer = client.send(version, get("/")).unwrap();
        let expected = format!(
            "127.0.0.1 127.0.0.1 {} localhost alice",
            gateway.address().port()
        );
        assert_eq!((answer.status, answer.body), (200, expected));
    }
}
