//! The end of a gateway: readiness first, then nothing new, then what runs may finish, then the exit code.

use crate::support::client::{BOTH, Raw, Version, get};
use crate::support::gateway::{listener, route_to, user};
use crate::support::upstream::HeldUpstream;
use crate::support::{Client, Gateway, Pki, Upstream, eventually};
use std::net::{SocketAddr, TcpStream};

/// Longer than any test waits, so that what ends sooner did not end because of it.
const NEVER: &str = "1h";

#[test]
fn readiness_fails_first_while_requests_still_work_on_new_connections() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let mut gateway = gateway(&pki, upstream.address, NEVER, NEVER);
    assert_eq!(gateway.admin("/readyz").0, 200);
    assert_eq!(gateway.metric("portcullis_draining", &[]), 0.0);
    gateway.signal("TERM");
    eventually("readiness fails", || {
        (gateway.admin("/readyz").0 == 503).then_some(())
    });
    assert_eq!(gateway.admin("/healthz").0, 503);
    assert_eq!(gateway.admin("/livez").0, 200, "the process lives");
    gateway.wait_for_metric("portcullis_draining", &[], 1.0);
    let client = client(&pki, &gateway);
    for version in BOTH {
        assert_eq!(client.send(version, get("/")).unwrap().status, 200);
    }
    gateway.signal("TERM");
    assert_eq!(gateway.wait_for_exit(), 2);
}

#[test]
fn a_request_in_progress_gets_its_response_and_its_connection_closes() {
    let (pki, held) = (Pki::new(), HeldUpstream::start());
    let mut gateway = gateway(&pki, held.upstream.address, "0s", NEVER);
    let client = client(&pki, &gateway);
    let address = gateway.address();
    let answer = std::thread::scope(|scope| {
        let request = scope.spawn(|| client.send(Version::Http1, get("/")).unwrap());
        held.wait_for_requests(1);
        gateway.signal("TERM");
        wait_until_refused(address);
        held.open();
        request.join().unwrap()
    });
    assert_eq!((answer.status, answer.body.as_str()), (200, "late"));
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(gateway.wait_for_exit(), 0);
}

#[test]
fn an_http2_stream_in_progress_gets_its_response() {
    let (pki, held) = (Pki::new(), HeldUpstream::start());
    let mut gateway = gateway(&pki, held.upstream.address, "0s", NEVER);
    let client = client(&pki, &gateway);
    let address = gateway.address();
    let answer = std::thread::scope(|scope| {
        let request = scope.spawn(|| client.send(Version::Http2, get("/")).unwrap());
        held.wait_for_requests(1);
        gateway.signal("TERM");
        wait_until_refused(address);
        held.open();
        request.join().unwrap()
    });
    assert_eq!((answer.status, answer.body.as_str()), (200, "late"));
    assert_eq!(gateway.wait_for_exit(), 0);
}

#[test]
fn an_idle_http2_connection_gets_goaway_and_is_closed() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let mut gateway = gateway(&pki, upstream.address, "0s", NEVER);
    let mut raw = client(&pki, &gateway).raw_speaking("h2");
    raw.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00");
    wait_for_frame(&mut raw, SETTINGS);
    gateway.signal("TERM");
    wait_for_frame(&mut raw, GOAWAY);
    // The graceful way sends a ping between two GOAWAYs, to learn that the client has seen the first (RFC 9113 6.8).
    let ping = wait_for_frame(&mut raw, PING);
    let mut acknowledgement = b"\x00\x00\x08\x06\x01\x00\x00\x00\x00".to_vec();
    acknowledgement.extend_from_slice(&ping);
    raw.write(&acknowledgement);
    wait_for_frame(&mut raw, GOAWAY);
    raw.read_to_end();
    assert_eq!(gateway.wait_for_exit(), 0);
}

#[test]
fn idle_connections_are_closed_at_once() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let mut gateway = gateway(&pki, upstream.address, "0s", NEVER);
    let client = client(&pki, &gateway);
    let mut used = client.raw();
    used.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    used.read_until("hello");
    let mut unused = client.raw();
    unused.server_certificate();
    let before_handshake = TcpStream::connect(gateway.address()).unwrap();
    let open = || gateway.metric("portcullis_connections_open", &[]);
    eventually("all are accepted", || (open() == 3.0).then_some(()));
    gateway.signal("TERM");
    assert_eq!(used.read_to_end(), "");
    assert_eq!(unused.read_to_end(), "");
    assert_eq!(gateway.wait_for_exit(), 0);
    drop(before_handshake);
}

#[test]
fn a_request_that_outlasts_the_deadline_makes_the_exit_code_one() {
    let (pki, held) = (Pki::new(), HeldUpstream::start());
    let mut gateway = gateway(&pki, held.upstream.address, "0s", "300ms");
    let client = client(&pki, &gateway);
    std::thread::scope(|scope| {
        let request = scope.spawn(|| client.send(Version::Http1, get("/")));
        held.wait_for_requests(1);
        gateway.signal("TERM");
        assert_eq!(gateway.wait_for_exit(), 1);
        assert!(
            request.join().unwrap().is_err(),
            "the connection is cut, not answered"
        );
    });
    gateway.wait_for_log("the drain deadline passed");
}

#[test]
fn a_second_signal_ends_the_gateway_at_once() {
    for (first, second) in [("TERM", "TERM"), ("INT", "INT"), ("TERM", "INT")] {
        let (pki, held) = (Pki::new(), HeldUpstream::start());
        let mut gateway = gateway(&pki, held.upstream.address, "0s", NEVER);
        let client = client(&pki, &gateway);
        let address = gateway.address();
        std::thread::scope(|scope| {
            scope.spawn(|| client.send(Version::Http1, get("/")));
            held.wait_for_requests(1);
            gateway.signal(first);
            wait_until_refused(address);
            gateway.signal(second);
            assert_eq!(gateway.wait_for_exit(), 2, "{first}, {second}");
        });
    }
}

#[test]
fn term_int_and_quit_all_drain() {
    for signal in ["TERM", "INT", "QUIT"] {
        let (pki, upstream) = (Pki::new(), Upstream::start());
        let mut gateway = gateway(&pki, upstream.address, "0s", NEVER);
        assert_eq!(client(&pki, &gateway).get("/").status, 200);
        gateway.signal(signal);
        assert_eq!(gateway.wait_for_exit(), 0, "{signal}");
        gateway.wait_for_log("drained");
    }
}

#[test]
fn a_request_on_a_closing_connection_is_not_lost_silently() {
    let (pki, held) = (Pki::new(), HeldUpstream::start());
    let mut gateway = gateway(&pki, held.upstream.address, "0s", NEVER);
    let mut raw = client(&pki, &gateway).raw();
    // Two requests in one go: the second waits behind the first when the drain begins.
    raw.write(
        b"GET /1 HTTP/1.1\r\nHost: localhost\r\n\r\nGET /2 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    );
    held.wait_for_requests(1);
    gateway.signal("TERM");
    wait_until_refused(gateway.address());
    held.open();
    let answers = raw.read_to_end();
    // The first answer says that the connection ends, so the client knows that the second was not taken (RFC 9112 9.6).
    assert_eq!(answers.matches("HTTP/1.1 200").count(), 1, "{answers}");
    assert!(
        answers.to_ascii_lowercase().contains("connection: close"),
        "{answers}"
    );
    assert_eq!(gateway.wait_for_exit(), 0);
}

#[test]
fn a_shutdown_is_not_lost_among_many_reloads() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let mut gateway = gateway(&pki, upstream.address, "0s", NEVER);
    for _ in 0..200 {
        gateway.signal("HUP");
        gateway.signal("USR1");
    }
    gateway.signal("TERM");
    assert_eq!(gateway.wait_for_exit(), 0);
}

fn gateway(pki: &Pki, upstream: SocketAddr, delay: &str, deadline: &str) -> Gateway {
    let drain = format!("[gateway]\ndrain_delay = \"{delay}\"\ndrain_deadline = \"{deadline}\"\n");
    Gateway::start(&(listener(pki) + &drain + &user("alice", &["GET /*"]) + &route_to(upstream)))
}

fn client(pki: &Pki, gateway: &Gateway) -> Client {
    Client::new(pki, Some(&pki.client("alice")), gateway.address())
}

fn wait_until_refused(address: SocketAddr) {
    eventually("new connections are refused", || {
        TcpStream::connect(address).err()
    });
}

const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;

/// Reads HTTP/2 frames up to one of this type (RFC 9113 section 4.1), and gives its payload.
fn wait_for_frame(raw: &mut Raw, kind: u8) -> Vec<u8> {
    loop {
        let head = raw.read_exact(9);
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let payload = raw.read_exact(length);
        if head[3] == kind {
            return payload;
        }
    }
}
