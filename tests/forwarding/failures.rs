//! Upstreams that cannot be reached, are silent, talk garbage, or break off: the client is told, and never deceived.

use crate::support::client::{BOTH, get};
use crate::support::gateway::ONE_WORKER;
use crate::support::upstream::{read_head, write};
use crate::support::{Chain, ReservedPort, Upstream, eventually};
use std::io::Read;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Answers with these bytes, and closes after that.
fn saying(bytes: &'static [u8]) -> Upstream {
    Upstream::scripted(move |mut stream, _| {
        read_head(&mut stream);
        write(&mut stream, bytes);
    })
}

fn route_with_timeouts(upstream: SocketAddr) -> String {
    format!(
        "[upstream.api]\nendpoints = [\"http://{upstream}\"]\nconnect_timeout = \"300ms\"\n\
         [[route]]\npath = \"/\"\nupstream = \"api\"\nresponse_timeout = \"300ms\"\n"
    )
}

fn expect_failure(chain: &Chain, status: u16, reason: &str) {
    for version in BOTH {
        let answer = chain.client.send(version, get("/")).unwrap();
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (status, reason),
            "{version:?}"
        );
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json")
        );
    }
    let failures = [("upstream", "api"), ("reason", reason)];
    chain
        .gateway
        .wait_for_metric("portcullis_upstream_failures_total", &failures, 2.0);
    let line = chain
        .gateway
        .wait_for_access(|line| line["status"] == status);
    assert_eq!(
        (&line["decision"], &line["reason"]),
        (&"permit".into(), &reason.into())
    );
    assert!(line["detail"].is_string(), "{line}");
}

#[test]
fn an_upstream_that_rejects_connections_is_unavailable() {
    let closed = ReservedPort::new();
    let chain = Chain::configured(Upstream::start(), |_, _| {
        route_with_timeouts(closed.address())
    });
    expect_failure(&chain, 503, "connect_failed");
}

#[test]
fn an_upstream_with_a_full_queue_is_not_waited_for() {
    let full = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    full.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    full.listen(0).unwrap();
    let address = full.local_addr().unwrap().as_socket().unwrap();
    // Until a connection is not taken any more.
    let mut waiting = Vec::new();
    let brief = std::time::Duration::from_millis(200);
    while let Ok(stream) = std::net::TcpStream::connect_timeout(&address, brief) {
        waiting.push(stream);
    }
    let chain = Chain::configured(Upstream::start(), |_, _| route_with_timeouts(address));
    expect_failure(&chain, 504, "connect_timeout");
}

#[test]
fn a_request_that_goes_again_after_a_while_is_not_waited_for_either() {
    /// Long enough that everything under way was looked at.
    const WHILE: std::time::Duration = std::time::Duration::from_secs(2);
    for version in BOTH {
        // The first connection answers once, and closes a while after the next request. Others say nothing.
        let upstream = Upstream::scripted(|mut stream, number| {
            if number == 0 {
                read_head(&mut stream);
                write(&mut stream, b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
                read_head(&mut stream);
                std::thread::sleep(WHILE);
            } else {
                let _ = stream.read_to_end(&mut Vec::new());
            }
        });
        let chain = Chain::configured(upstream, |_, address| {
            let route = route_with_timeouts(address);
            route.replace("response_timeout = \"300ms\"", "response_timeout = \"5s\"") + ONE_WORKER
        });
        let mut connection = chain.client.connect(version).unwrap();
        assert_eq!(connection.send(get("/")).unwrap().status, 200);
        let answer = connection.send(get("/")).unwrap();
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (504, "response_timeout"),
            "{version:?}"
        );
        chain
            .gateway
            .wait_for_access(|line| line["status"] == 504 && line["attempts"] == 2);
    }
}

#[test]
fn an_upstream_that_does_not_respond_times_out() {
    // HTTP/2 needs a timer of its own for a short timeout at once, and for a long one only when the request has waited.
    for timeout in ["300ms", "5s"] {
        let upstream = Upstream::scripted(|mut stream, _| {
            let _ = stream.read_to_end(&mut Vec::new());
        });
        let line = format!("response_timeout = \"{timeout}\"");
        let chain = Chain::configured(upstream, |_, address| {
            route_with_timeouts(address).replace("response_timeout = \"300ms\"", &line)
        });
        expect_failure(&chain, 504, "response_timeout");
    }
}

#[test]
fn an_upstream_that_does_not_speak_http_is_a_bad_gateway() {
    for bytes in [
        b"SSH-2.0-OpenSSH_9.2p1\r\n".as_slice(),
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: five\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
        b"\x16\x03\x01\x02\x00\x01",
    ] {
        expect_failure(&Chain::to(saying(bytes)), 502, "upstream_broke_off");
    }
}

#[test]
fn an_upstream_that_closes_without_a_response_is_a_bad_gateway() {
    for bytes in [b"".as_slice(), b"HTTP/1.1 200 OK\r\ncontent-le"] {
        expect_failure(&Chain::to(saying(bytes)), 502, "upstream_broke_off");
    }
}

#[test]
fn a_truncated_response_never_looks_complete() {
    for bytes in [
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello".as_slice(),
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n8\r\nhello",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n",
    ] {
        let chain = Chain::to(saying(bytes));
        for version in BOTH {
            let mut connection = chain.client.connect(version).unwrap();
            let outcome = connection.send(get("/"));
            assert!(
                outcome.is_err(),
                "{version:?} {:?}: {outcome:?}",
                String::from_utf8_lossy(bytes)
            );
        }
        let log = eventually("two lines", || {
            Some(chain.gateway.access_log()).filter(|log| log.len() == 2)
        });
        assert!(
            log.iter().all(|line| line["end"] == "upstream_broke_off"),
            "{log:#?}"
        );
        let cut = [("reason", "upstream_broke_off")];
        chain
            .gateway
            .wait_for_metric("portcullis_responses_cut_total", &cut, 2.0);
    }
}

#[test]
fn the_bytes_before_a_break_reach_the_client_and_no_end_follows() {
    let chain = Chain::to(saying(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ));
    let answer = chain
        .client
        .exchange(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(answer.ends_with("5\r\nhello\r\n"), "{answer:?}");
}

#[test]
fn a_response_longer_than_announced_affects_no_other() {
    let connections = Arc::new(AtomicUsize::new(0));
    let count = connections.clone();
    let chain = Chain::to(Upstream::scripted(move |mut stream, _| {
        count.fetch_add(1, Ordering::SeqCst);
        loop {
            let head = read_head(&mut stream);
            let Some(path) = head.split(' ').nth(1) else {
                return;
            };
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{path}",
                path.len()
            );
            write(
                &mut stream,
                (answer + "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison").as_bytes(),
            );
        }
    }));
    for version in BOTH {
        let mut connection = chain.client.connect(version).unwrap();
        for path in ["/a", "/bb", "/ccc", "/dddd"] {
            assert_eq!(
                connection.send(get(path)).unwrap().body,
                path,
                "{version:?}"
            );
        }
    }
    assert_eq!(
        connections.load(Ordering::SeqCst),
        8,
        "no connection was used again"
    );
}

#[test]
fn an_unrequested_response_affects_no_other() {
    let chain = Chain::to(Upstream::scripted(|mut stream, number| {
        if number == 0 {
            read_head(&mut stream);
            write(
                &mut stream,
                b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nfirst",
            );
            write(
                &mut stream,
                b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison",
            );
            // The gateway closes what it cannot trust any more.
            assert!(read_head(&mut stream).is_empty());
        }
        while !read_head(&mut stream).is_empty() {
            write(
                &mut stream,
                b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecond",
            );
        }
    }));
    assert_eq!(chain.client.get("/").body, "first");
    let ended = || chain.gateway.find_log("upstream connection ended");
    eventually("the poisoned connection is closed", ended);
    assert_eq!(chain.client.get("/").body, "second");
}
