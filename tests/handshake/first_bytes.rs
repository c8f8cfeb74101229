//! What comes before TLS is agreed: silence, other protocols, garbage, ALPN. Each is answered, counted by reason, and
//! harmless to others.

use super::{failures, start};
use crate::support::client::status;
use crate::support::eventually::PATIENCE;
use crate::support::gateway::{listener, route_to, user};
use crate::support::{Client, Gateway, Pki, Upstream, eventually};
use rustls::AlertDescription;
use std::io::{Read, Write};
use std::net::TcpStream;

/// Sends bytes without TLS, and gives what comes back until the other side closes.
fn exchange_plain(gateway: &Gateway, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(gateway.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}

fn wait_for_failure(gateway: &Gateway, reason: &str) -> serde_json::Value {
    let line = eventually("the log line", || failures(gateway).pop());
    assert_eq!(line["reason"], reason, "{line}");
    let labels = [("listener", "main"), ("reason", reason)];
    gateway.wait_for_metric("portcullis_handshake_failures_total", &labels, 1.0);
    line
}

fn good_client_gets_in(pki: &Pki, gateway: &Gateway) {
    let client = Client::new(pki, Some(&pki.client("alice")), gateway.address());
    assert_eq!(client.get("/").status, 200);
}

#[test]
fn a_client_that_says_nothing_or_stops_halfway_is_closed_at_the_deadline() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    for bytes in [&b""[..], &[22], &[22, 3, 1, 0, 200, 1, 0]] {
        let config = listener(&pki) + &user("alice", &["GET /*"]) + &route_to(upstream.address);
        let gateway = Gateway::start(&(config + "[limits]\nhandshake_timeout = \"300ms\"\n"));
        assert_eq!(exchange_plain(&gateway, bytes), b"", "after {bytes:?}");
        let line = wait_for_failure(&gateway, "timeout");
        assert_eq!(
            (&line["server_name"], &line["subject"]),
            (&"-".into(), &"-".into())
        );
        // On a busy machine a good handshake may miss so short a deadline, too; not every time.
        eventually("a good client", || {
            let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
            client
                .send(
                    crate::support::client::Version::Http1,
                    crate::support::client::get("/"),
                )
                .ok()
                .filter(|answer| answer.status == 200)
        });
    }
}

#[test]
fn plain_http_gets_a_readable_error() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = start(&pki, &upstream);
    let answer = exchange_plain(&gateway, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let answer = String::from_utf8(answer).unwrap();
    assert_eq!(status(&answer), 400);
    assert_eq!(crate::support::client::reason(&answer), "plain_http");
    assert!(
        answer.contains("Content-Type: application/problem+json\r\n"),
        "{answer}"
    );
    wait_for_failure(&gateway, "not_tls");
    good_client_gets_in(&pki, &gateway);
}

#[test]
fn plain_http_is_logged_at_once_also_if_the_client_stays() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let config = listener(&pki) + &user("alice", &["GET /*"]) + &route_to(upstream.address);
    let gateway = Gateway::start(&(config + "[limits]\nhandshake_timeout = \"1s\"\n"));
    let mut stream = TcpStream::connect(gateway.address()).unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    wait_for_failure(&gateway, "not_tls");
    drop(stream);
}

#[test]
fn plain_http_with_a_long_body_gets_its_response() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = start(&pki, &upstream);
    let body = "x".repeat(20_000);
    let request =
        format!("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20000\r\n\r\n{body}");
    let answer = exchange_plain(&gateway, request.as_bytes());
    assert!(answer.starts_with(b"HTTP/1.1 400 "));
    wait_for_failure(&gateway, "not_tls");
}

#[test]
fn what_only_begins_like_tls_is_rejected_with_an_alert() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = start(&pki, &upstream);
    // A handshake record whose message is no ClientHello.
    let answer = exchange_plain(&gateway, &[22, 3, 1, 0, 8, 1, 0, 0, 4, 9, 9, 9, 9]);
    assert_eq!(answer.first(), Some(&21), "an alert record: {answer:?}");
    wait_for_failure(&gateway, "malformed");
    good_client_gets_in(&pki, &gateway);
}

#[test]
fn a_port_check_that_opens_and_closes_is_counted_but_makes_no_noise() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = start(&pki, &upstream);
    drop(TcpStream::connect(gateway.address()).unwrap());
    let line = eventually("the log line", || failures(&gateway).pop());
    assert_eq!(
        (&line["reason"], &line["level"]),
        (&"closed".into(), &"DEBUG".into())
    );
}

#[test]
fn alpn_settles_the_http_version() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = start(&pki, &upstream);
    for (offered, settled) in [
        (vec!["h2", "http/1.1"], Some("h2")),
        (vec!["http/1.1", "h2"], Some("h2")),
        (vec!["h2"], Some("h2")),
        (vec!["http/1.1"], Some("http/1.1")),
        (vec!["spdy/3", "http/1.1"], Some("http/1.1")),
        (vec![], None),
    ] {
        let client = alice_offering(&pki, &gateway, &offered);
        let connection = client.shake_hands();
        assert_eq!(
            connection.alpn_protocol(),
            settled.map(str::as_bytes),
            "{offered:?}"
        );
    }
}

#[test]
fn a_client_without_alpn_speaks_http_1() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = start(&pki, &upstream);
    let mut raw = alice_offering(&pki, &gateway, &[]).raw_as_configured();
    raw.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert_eq!(status(&raw.read_to_end()), 200);
}

#[test]
fn a_client_that_speaks_neither_http_version_is_rejected() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = start(&pki, &upstream);
    let client = alice_offering(&pki, &gateway, &["spdy/2", "spdy/3"]);
    assert_eq!(client.alert(), AlertDescription::NoApplicationProtocol);
    wait_for_failure(&gateway, "no_application_protocol");
}

fn alice_offering(pki: &Pki, gateway: &Gateway, protocols: &[&str]) -> Client {
    let protocols = protocols
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    Client::new(pki, Some(&pki.client("alice")), gateway.address())
        .with_config(|config| config.alpn_protocols = protocols)
}
