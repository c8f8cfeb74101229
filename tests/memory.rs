//! What clients cost in memory that have proven nothing, or are gone: resident memory of the real binary, by connection. The
//! bounds lie well above what a debug build takes, and below what it took before memory was taken only for bytes that came.

use crate::support::gateway::{ONE_WORKER, listener_with, resident_memory, route_to, user};
use crate::support::pki::Identity;
use crate::support::{Client, Gateway, Pki, Upstream, eventually};
use rustls::client::{Resumption, Tls12Resumption};
use rustls::version::TLS12;
use std::io::{Read, Write};
use std::net::TcpStream;

/// Enough that what the gateway takes once does not count.
const CONNECTIONS: usize = 500;
/// Before the first measurement: what the first of a kind takes once is taken.
const WARM_UP: usize = 30;

struct Scene {
    pki: Pki,
    alice: Identity,
    gateway: Gateway,
    _upstream: Upstream,
}

impl Scene {
    fn new() -> Self {
        Self::with("")
    }

    fn with(lines: &str) -> Self {
        portcullis::descriptors::raise_limit().unwrap();
        let (pki, upstream) = (Pki::new(), Upstream::start());
        let alice = pki.client("alice");
        let lines = format!("half_open_per_source = \"off\"\nhandshake_timeout = \"1h\"\n{lines}");
        let config = listener_with(&pki, &lines)
            + ONE_WORKER
            + &user("alice", &["*"])
            + &route_to(upstream.address);
        Self {
            gateway: Gateway::start(&config),
            pki,
            alice,
            _upstream: upstream,
        }
    }

    fn client(&self) -> Client {
        Client::new(&self.pki, Some(&self.alice), self.gateway.address())
    }

    fn half_open(&self, wanted: usize) {
        eventually("so many half-open connections", || {
            let open = self
                .gateway
                .metric("portcullis_half_open_connections", &[("listener", "main")]);
            (open == wanted as f64 && !has_unread(self.gateway.address().port())).then_some(())
        });
    }

    /// Resident memory for each half-open connection, in KiB. Each that `begin` gives is open until all are counted.
    fn kib_of_each(&self, begin: impl Fn() -> TcpStream) -> u64 {
        let _first: Vec<_> = (0..WARM_UP).map(|_| begin()).collect();
        self.half_open(WARM_UP);
        let before = resident_memory(self.gateway.process()).unwrap();
        let _more: Vec<_> = (0..CONNECTIONS).map(|_| begin()).collect();
        self.half_open(WARM_UP + CONNECTIONS);
        let after = resident_memory(self.gateway.process()).unwrap();
        assert_eq!(
            self.client().get("/").status,
            200,
            "others are served meanwhile"
        );
        let each = after.saturating_sub(before) / CONNECTIONS as u64;
        eprintln!("{} bytes for each connection", each);
        each >> 10
    }
}

/// Whether a connection of this local port has bytes that its process has not read.
fn has_unread(port: u16) -> bool {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let local = format!(":{port:04X}");
    table.lines().skip(1).any(|line| {
        let mut columns = line.split_whitespace().skip(1);
        let of_port = columns
            .next()
            .is_some_and(|address| address.ends_with(&local));
        let queues = columns.nth(2).and_then(|queues| queues.split_once(':'));
        of_port && queues.is_some_and(|(_, unread)| !unread.trim_start_matches('0').is_empty())
    })
}

#[test]
fn a_silent_connection_takes_little_memory() {
    let scene = Scene::new();
    let each = scene.kib_of_each(|| TcpStream::connect(scene.gateway.address()).unwrap());
    assert!(each < 8, "{each} KiB");
}

#[test]
fn a_connection_behind_its_hello_takes_little_memory() {
    for layer in ["rustls", "in-place"] {
        let scene = Scene::with(&format!("record_layer = \"{layer}\"\n"));
        let hello = scene.client().hello();
        let each = scene.kib_of_each(|| {
            let mut stream = TcpStream::connect(scene.gateway.address()).unwrap();
            stream.write_all(&hello).unwrap();
            // The server has said all that it says before the client's certificate.
            stream.read_exact(&mut [0; 100]).unwrap();
            stream
        });
        assert!(each < 20, "{layer}: {each} KiB");
    }
}

#[test]
fn a_connection_with_half_a_hello_takes_little_memory_and_a_longer_one_is_closed() {
    let scene = Scene::new();
    let each = scene.kib_of_each(|| {
        let mut stream = TcpStream::connect(scene.gateway.address()).unwrap();
        stream.write_all(&hello_of(16_000, 15_000)).unwrap();
        stream
    });
    assert!(each < 28, "{each} KiB");
    let mut longer = TcpStream::connect(scene.gateway.address()).unwrap();
    longer.write_all(&hello_of(60_000, 15_000)).unwrap();
    let mut said = Vec::new();
    let _ = longer.read_to_end(&mut said);
    assert_eq!(said, [21, 3, 3, 0, 2, 2, 50], "decode_error");
}

/// A record with the beginning of a ClientHello of this length.
fn hello_of(length: u32, sent: u16) -> Vec<u8> {
    let [_, length @ ..] = length.to_be_bytes();
    let header = [
        &[22, 3, 1][..],
        &(sent + 4).to_be_bytes(),
        &[1],
        &length,
        &[3, 3],
    ]
    .concat();
    [header, vec![7; usize::from(sent) - 2]].concat()
}

#[test]
fn a_session_of_a_long_chain_takes_no_memory_and_a_short_one_is_resumed() {
    let scene = Scene::new();
    let client = |identity| {
        Client::with_provider(
            &scene.pki,
            Some(identity),
            scene.gateway.address(),
            &[&TLS12],
        )
        .with_config(|config| {
            config.resumption =
                Resumption::in_memory_sessions(8).tls12_resumption(Tls12Resumption::SessionIdOnly);
        })
    };
    let resumed = || {
        scene
            .gateway
            .metric("portcullis_handshakes_total", &[("resumption", "resumed")])
    };
    let short = client(&scene.alice);
    assert!((0..2).all(|_| short.get("/").status == 200));
    assert_eq!(resumed(), 1.0);
    let authority = std::fs::read_to_string(scene.pki.ca_file()).unwrap();
    let certificate = scene.alice.certificate.clone() + &authority.repeat(90);
    let long = client(&Identity {
        certificate,
        ..scene.alice.clone()
    });
    let shake_hands = |count: usize| {
        for _ in 0..count {
            assert_eq!(long.get("/").status, 200);
        }
        resident_memory(scene.gateway.process()).unwrap()
    };
    let before = shake_hands(WARM_UP);
    let each = shake_hands(CONNECTIONS).saturating_sub(before) / CONNECTIONS as u64;
    eprintln!("{each} bytes for each session");
    assert_eq!(resumed(), 1.0, "they are not kept");
    assert!(each < 15 << 10, "{each} bytes");
}
