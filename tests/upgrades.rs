//! WebSocket tunnels: who gets one, what passes, and how it ends.

/// What makes an opening handshake.
mod handshakes;

use crate::support::client::{Raw, Version, get, status};
use crate::support::upstream::{read_head, write};
use crate::support::{Chain, Client, Upstream, eventually, eventually_is};
use std::io::Read;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const HANDSHAKE: &[u8] =
    b"GET /chat HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
      Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const SWITCHING: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
      sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// Switches, then gives back what it is sent.
pub fn echoing() -> Upstream {
    Upstream::scripted(|mut stream, _| {
        if read_head(&mut stream)
            .to_ascii_lowercase()
            .contains("upgrade: websocket")
        {
            write(&mut stream, SWITCHING);
            echo(&mut stream);
        } else {
            write(
                &mut stream,
                b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
            );
        }
    })
}

fn echo(stream: &mut TcpStream) {
    let mut from = stream.try_clone().unwrap();
    let _ = std::io::copy(&mut from, stream);
    let _ = stream.shutdown(Shutdown::Write);
}

pub fn open_tunnel(client: &Client) -> Raw {
    let mut raw = client.raw();
    raw.write(HANDSHAKE);
    let head = raw.read_until("\r\n\r\n").to_ascii_lowercase();
    assert_eq!(status(&head), 101, "{head}");
    for field in [
        "connection: upgrade\r\n",
        "upgrade: websocket\r\n",
        "sec-websocket-accept: s3pp",
    ] {
        assert!(head.contains(field), "{field}: {head}");
    }
    raw
}

fn tunnels_open(chain: &Chain, wanted: f64) {
    eventually("the number of tunnels", || {
        (chain.gateway.metric("portcullis_tunnels_open", &[]) == wanted).then_some(())
    });
}

#[test]
fn bytes_pass_both_ways_and_the_end_does_too() {
    let chain = Chain::to(echoing());
    let mut raw = open_tunnel(&chain.client);
    for text in ["first", "GET / HTTP/1.1\r\n\r\n", "\r\n\r\n\0\u{ff}"] {
        raw.write(text.as_bytes());
        assert_eq!(raw.read_exact(text.len()), text.as_bytes());
    }
    tunnels_open(&chain, 1.0);
    // The upstream ends after all that it was sent has come back.
    raw.write(b"last");
    raw.close_writing();
    assert_eq!(raw.read_to_end(), "last");
    tunnels_open(&chain, 0.0);
    let line = chain.gateway.wait_for_access(|line| line["status"] == 101);
    assert_eq!(
        (&line["end"], &line["path"]),
        (&"complete".into(), &"/chat".into())
    );
    assert_eq!(
        (&line["request_bytes"], &line["response_bytes"]),
        (&34.into(), &34.into())
    );
    chain.is_unharmed();
}

#[test]
fn much_passes_through_a_tunnel() {
    let chain = Chain::to(echoing());
    let mut raw = open_tunnel(&chain.client);
    let block: Vec<u8> = (0..64 * 1024).map(|at| (at % 253) as u8).collect();
    for _ in 0..100 {
        raw.write(&block);
        assert!(raw.read_exact(block.len()) == block);
    }
}

#[test]
fn the_upstream_sees_the_handshake_and_the_identity() {
    let (heads, sink) = heads();
    let chain = Chain::to(Upstream::scripted(move |mut stream, _| {
        sink.lock().unwrap().push(read_head(&mut stream));
        write(&mut stream, SWITCHING);
        echo(&mut stream);
    }));
    open_tunnel(&chain.client);
    let head = heads.lock().unwrap().remove(0).to_ascii_lowercase();
    for field in [
        "connection: upgrade\r\n",
        "upgrade: websocket\r\n",
        "sec-websocket-key: dghlihnhbxbszsbub25jzq==\r\n",
        "x-client-cn: alice\r\n",
    ] {
        assert_eq!(head.matches(field).count(), 1, "{field}: {head}");
    }
}

#[test]
fn bytes_sent_together_with_the_handshake_are_not_lost() {
    for early in [
        b"\x81\x85early bytes".as_slice(),
        b"\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        b"\0",
    ] {
        let chain = Chain::to(Upstream::scripted(|mut stream, _| {
            read_head(&mut stream);
            write(&mut stream, &[SWITCHING, b"welcome"].concat());
            echo(&mut stream);
        }));
        let mut raw = chain.client.raw();
        raw.write(&[HANDSHAKE, early].concat());
        assert_eq!(status(&raw.read_until("\r\n\r\n")), 101);
        assert_eq!(raw.read_exact(7), b"welcome");
        assert_eq!(raw.read_exact(early.len()), early);
        raw.write(b"later");
        assert_eq!(raw.read_exact(5), b"later");
    }
}

#[test]
fn an_end_from_the_upstream_leaves_the_other_direction_open() {
    let (heard, sink) = heads();
    let chain = Chain::to(Upstream::scripted(move |mut stream, _| {
        read_head(&mut stream);
        write(&mut stream, &[SWITCHING, b"goodbye"].concat());
        stream.shutdown(Shutdown::Write).unwrap();
        let mut rest = String::new();
        stream.read_to_string(&mut rest).unwrap();
        sink.lock().unwrap().push(rest);
    }));
    let mut raw = open_tunnel(&chain.client);
    assert_eq!(raw.read_to_end(), "goodbye");
    raw.write(b"I heard");
    raw.close_writing();
    eventually("the upstream hears the rest", || {
        heard
            .lock()
            .unwrap()
            .first()
            .filter(|rest| *rest == "I heard")
            .map(drop)
    });
    tunnels_open(&chain, 0.0);
}

#[test]
fn an_upgrade_that_the_upstream_rejects_is_an_ordinary_response() {
    for rejection in ["200 OK", "403 Forbidden", "426 Upgrade Required"] {
        let answer = format!("HTTP/1.1 {rejection}\r\ncontent-length: 2\r\n\r\nno");
        let chain = Chain::to(Upstream::scripted(move |mut stream, _| {
            while !read_head(&mut stream).is_empty() {
                write(&mut stream, answer.as_bytes());
            }
        }));
        let mut raw = chain.client.raw();
        for _ in 0..3 {
            raw.write(HANDSHAKE);
            let answer = raw.read_until("\r\n\r\nno");
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {rejection}")),
                "{answer}"
            );
        }
        raw.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        raw.read_until("\r\n\r\nno");
        chain
            .gateway
            .wait_for_metric("portcullis_connections_total", &[], 1.0);
        tunnels_open(&chain, 0.0);
    }
}

#[test]
fn no_other_protocol_is_asked_for() {
    let chain = Chain::to(Upstream::start());
    for fields in [
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
        "Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n",
        "Connection: Upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket\r\n",
        "Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n",
        // Not asked for by the connection.
        "Upgrade: websocket\r\n",
    ] {
        let mut raw = chain.client.raw();
        raw.write(format!("GET / HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n").as_bytes());
        assert_eq!(status(&raw.read_until("hello")), 200, "{fields}");
        let seen = chain.upstream.recorded().pop().unwrap();
        for name in ["upgrade", "connection", "http2-settings"] {
            assert!(seen.values(name).is_empty(), "{name} of {fields}");
        }
    }
}

#[test]
fn an_upgrade_that_the_client_did_not_ask_for_is_rejected() {
    let chain = Chain::to(Upstream::scripted(|mut stream, _| {
        read_head(&mut stream);
        write(&mut stream, &[SWITCHING, b"smuggled"].concat());
        echo(&mut stream);
    }));
    let answer = chain
        .client
        .exchange(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert!(!answer.contains("smuggled"), "{answer}");
    assert_eq!(status(&answer), 502, "{answer}");
    let answer = chain.client.send(Version::Http2, get("/")).unwrap();
    assert_eq!(
        (answer.status, answer.reason().as_str()),
        (502, "upstream_upgraded")
    );
    tunnels_open(&chain, 0.0);
}

#[test]
fn an_upgrade_to_something_else_than_was_asked_for_is_rejected() {
    let chain = Chain::to(Upstream::scripted(|mut stream, _| {
        read_head(&mut stream);
        write(&mut stream, b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\nsmuggled");
        echo(&mut stream);
    }));
    let mut raw = chain.client.raw();
    raw.write(HANDSHAKE);
    let head = raw.read_until("\r\n\r\n");
    assert_eq!(status(&head), 502, "{head}");
    tunnels_open(&chain, 0.0);
}

#[test]
fn a_tunnel_on_which_nothing_moves_ends_after_the_idle_timeout() {
    let chain = Chain::with(echoing(), "idle_timeout = \"2s\"\n");
    let mut raw = open_tunnel(&chain.client);
    raw.write(b"hello");
    assert_eq!(raw.read_exact(5), b"hello");
    assert_eq!(raw.read_to_end(), "");
    chain
        .gateway
        .wait_for_access(|line| line["status"] == 101 && line["end"] == "idle");
    tunnels_open(&chain, 0.0);
}

#[test]
fn a_client_that_vanishes_ends_its_tunnel() {
    let chain = Chain::to(echoing());
    let raw = open_tunnel(&chain.client);
    tunnels_open(&chain, 1.0);
    socket2::SockRef::from(raw.socket())
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(raw);
    tunnels_open(&chain, 0.0);
    chain.is_unharmed();
}

#[test]
fn tunnels_end_when_the_gateway_drains() {
    let mut chain = Chain::to(echoing());
    let mut raw = open_tunnel(&chain.client);
    raw.write(b"hello");
    assert_eq!(raw.read_exact(5), b"hello");
    tunnels_open(&chain, 1.0);
    chain.gateway.signal("TERM");
    assert_eq!(raw.read_to_end(), "");
    chain
        .gateway
        .wait_for_access(|line| line["status"] == 101 && line["end"] == "drained");
    assert_eq!(chain.gateway.wait_for_exit(), 0);
}

#[test]
fn a_tunnel_counts_as_an_open_connection() {
    let chain = Chain::with(echoing(), "[limits]\nconnections = 3\n");
    let connections_open = |wanted: f64| {
        eventually("the number of open connections", || {
            (chain.gateway.metric("portcullis_connections_open", &[]) == wanted).then_some(())
        });
    };
    let refused = || {
        chain.gateway.metric(
            "portcullis_connections_refused_total",
            &[("reason", "limit")],
        )
    };
    let mut tunnels: Vec<Raw> = (0..3).map(|_| open_tunnel(&chain.client)).collect();
    tunnels_open(&chain, 3.0);
    connections_open(3.0);
    let mut fourth = TcpStream::connect(chain.gateway.address()).unwrap();
    fourth
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    assert_eq!(fourth.read(&mut [0]).unwrap(), 0, "closed at once");
    eventually_is("refused connections", &1.0, refused);
    // The others do not suffer from it.
    tunnels[0].write(b"hello");
    assert_eq!(tunnels[0].read_exact(5), b"hello");
    let mut first = tunnels.remove(0);
    first.close_writing();
    assert_eq!(first.read_to_end(), "");
    connections_open(2.0);
    let mut another = open_tunnel(&chain.client);
    another.write(b"hello");
    assert_eq!(another.read_exact(5), b"hello");
    eventually_is("refused connections", &1.0, refused);
    drop((first, another, tunnels));
    connections_open(0.0);
    chain.is_unharmed();
}

#[test]
fn a_tunnel_needs_permission() {
    let (heads, sink) = heads();
    let upstream = Upstream::scripted(move |mut stream, _| {
        sink.lock().unwrap().push(read_head(&mut stream));
        write(&mut stream, SWITCHING);
        echo(&mut stream);
    });
    let chain = Chain::configured(upstream, |_, address| {
        crate::support::gateway::user("bob", &["GET /other"])
            + &crate::support::gateway::route_to(address)
    });
    let bob = Client::new(
        &chain.pki,
        Some(&chain.pki.client("bob")),
        chain.gateway.address(),
    );
    let mut raw = bob.raw();
    raw.write(&[HANDSHAKE, b"not for you"].concat());
    let answer = raw.read_until("\r\n\r\n");
    assert_eq!(status(&answer), 403, "{answer}");
    assert!(
        heads.lock().unwrap().is_empty(),
        "nothing reached the upstream"
    );
    open_tunnel(&chain.client);
}

type Texts = Arc<Mutex<Vec<String>>>;

fn heads() -> (Texts, Texts) {
    let texts = Texts::default();
    (texts.clone(), texts)
}
