//! Clients that speak HTTP/1.0: no chunks, no interim responses, no upgrade, and a connection that closes unless they ask.

use super::{LAYERS, own};
use crate::support::client::status;
use crate::support::upstream::{read_head, write};
use crate::support::{Chain, Upstream, eventually};

/// The upstream's response by path: a body in chunks, one that ends with the connection, an interim response in front, or a
/// body that breaks off.
fn upstream() -> Upstream {
    Upstream::scripted(|mut stream, _| {
        loop {
            let head = read_head(&mut stream);
            let Some(path) = head.split(' ').nth(1) else {
                return;
            };
            match path {
                "/chunked" => {
                    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-t\r\n\r\n";
                    write(&mut stream, head.as_bytes());
                    for piece in ["5;a=b\r\nhel", "lo\r\n", "a\r\n0123456789\r\n0\r", "\nx-t: 1\r\n\r\n"] {
                        write(&mut stream, piece.as_bytes());
                    }
                }
                "/large" => {
                    let piece = format!("{:x}\r\n{}\r\n", 70_000, "x".repeat(70_000)).repeat(3);
                    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
                    write(&mut stream, format!("{head}{piece}0\r\n\r\n").as_bytes());
                }
                "/closed" => return write(&mut stream, b"HTTP/1.1 200 OK\r\n\r\nhello"),
                "/broken" => {
                    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\nhe";
                    return write(&mut stream, head.as_bytes());
                }
                _ => write(
                    &mut stream,
                    b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
                ),
            }
        }
    })
}

fn request(path: &str, fields: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n{fields}\r\n").into_bytes()
}

/// The body of a response whose head has no length.
fn body(answer: &str) -> &str {
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.0 200 OK\r\n"), "{head}");
    for word in ["transfer-encoding", "content-length"] {
        assert!(!head.contains(word), "{head}");
    }
    assert!(head.contains("connection: close"), "{head}");
    body
}

#[test]
fn a_body_without_length_ends_with_the_connection() {
    for layer in LAYERS {
        let chain = Chain::on(&own(layer), upstream(), "");
        for fields in ["", "TE: trailers\r\n", "Connection: keep-alive\r\n"] {
            for (path, expected) in [
                ("/chunked", "hello0123456789".to_owned()),
                ("/closed", "hello".to_owned()),
                ("/large", "x".repeat(210_000)),
            ] {
                let answer = chain.client.exchange(&request(path, fields));
                assert!(
                    body(&answer) == expected,
                    "{layer}, {path}, {fields}: {answer:.900}"
                );
            }
        }
        let log = chain
            .gateway
            .wait_for_access(|line| line["path"] == "/chunked");
        assert_eq!(log["protocol"], "HTTP/1.0", "{log}");
        chain.is_unharmed();
    }
}

#[test]
fn a_body_that_breaks_off_ends_with_a_reset_and_a_complete_one_with_close_notify() {
    for layer in LAYERS {
        let chain = Chain::on(&own(layer), upstream(), "");
        for (path, end) in [("/chunked", "hello0123456789"), ("/closed", "hello")] {
            let mut complete = chain.client.raw();
            complete.write(&request(path, ""));
            complete.read_until(end);
            assert_eq!(complete.end_of_tls(), None, "{layer}: {path}");
        }
        let mut raw = chain.client.raw();
        raw.write(&request("/broken", ""));
        assert!(
            body(&raw.read_until("hellohe")).ends_with("hellohe"),
            "{layer}"
        );
        assert!(raw.is_reset(), "{layer}");
        eventually("it is counted", || {
            let cut = [("reason", "upstream_broke_off")];
            (chain.gateway.metric("portcullis_responses_cut_total", &cut) == 1.0).then_some(())
        });
        chain.is_unharmed();
    }
}

#[test]
fn no_interim_response_and_no_upgrade_comes_to_an_old_client() {
    for layer in LAYERS {
        let chain = Chain::on(&own(layer), upstream(), "");
        let upgrade = "Connection: upgrade, keep-alive\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        let mut raw = chain.client.raw();
        for fields in ["Connection: keep-alive\r\n", upgrade] {
            raw.write(&request("/", fields));
            let answer = raw.read_until("hello");
            assert_eq!(status(&answer), 200, "{layer}: {answer}");
            assert!(!answer.contains("103"), "{layer}: {answer}");
            assert!(
                answer.contains("connection: keep-alive\r\n"),
                "{layer}: {answer}"
            );
        }
        // A client that expects 100 sends its body without it.
        let post = b"POST / HTTP/1.0\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
        let mut raw = chain.client.raw();
        raw.write(post);
        raw.write(b"hi");
        let answer = raw.read_to_end();
        assert!(answer.starts_with("HTTP/1.0 200"), "{layer}: {answer}");
        chain.is_unharmed();
    }
}

#[test]
fn denials_and_bodyless_responses_support_http_1_0() {
    for layer in LAYERS {
        let chain = Chain::on(&own(layer), upstream(), "");
        let mut raw = chain.client.raw();
        raw.write(&request("/a/../b", "Connection: keep-alive\r\n"));
        assert!(raw.read_until("}\n").starts_with("HTTP/1.0 400"), "{layer}");
        raw.write(b"HEAD / HTTP/1.0\r\nHost: localhost\r\n\r\n");
        let answer = raw.read_to_end();
        assert!(answer.starts_with("HTTP/1.0 200"), "{layer}: {answer}");
        assert!(answer.ends_with("\r\n\r\n"), "{layer}: {answer}");
        chain.is_unharmed();
    }
}
