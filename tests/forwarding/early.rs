//! What comes before the end: 1xx answers, and final answers while the request is still under way.

use crate::support::client::{BOTH, Version, get, request};
use crate::support::feed::fed;
use crate::support::upstream::{read_head, write};
use crate::support::{Chain, Client, Upstream, eventually};
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const EXPECTING: &[u8] =
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n";

/// Sends a 103 before each answer, which is the path.
fn hinting() -> Upstream {
    Upstream::scripted(|mut stream, _| {
        loop {
            let head = read_head(&mut stream);
            let Some(path) = head.split(' ').nth(1) else {
                return;
            };
            let hint =
                format!("HTTP/1.1 103 Early Hints\r\nlink: <{path}>\r\nkeep-alive: x\r\n\r\n");
            write(&mut stream, hint.as_bytes());
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{path}",
                path.len()
            );
            write(&mut stream, answer.as_bytes());
        }
    })
}

#[test]
fn a_client_that_waits_for_permission_to_send_its_body_gets_it() {
    let chain = Chain::to(Upstream::start());
    let mut raw = chain.client.raw();
    raw.write(EXPECTING);
    assert_eq!(raw.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    raw.write(b"body");
    assert!(
        raw.read_until("\r\n\r\nhello")
            .starts_with("HTTP/1.1 200 OK\r\n")
    );
    let seen = chain.upstream.only();
    assert_eq!(seen.body, "body");
    assert!(seen.values("expect").is_empty());
}

#[test]
fn a_denied_client_that_expects_100_gets_only_the_final_response() {
    let chain = Chain::with(Upstream::start(), "body_size = \"3B\"\n");
    let stranger = Client::new(
        &chain.pki,
        Some(&chain.pki.client("stranger")),
        chain.gateway.address(),
    );
    for (client, status) in [(&stranger, "403"), (&chain.client, "413")] {
        let answer = client.exchange(EXPECTING);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{answer}"
        );
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
    }
    assert!(chain.upstream.recorded().is_empty());
    chain.is_unharmed();
}

#[test]
fn interim_responses_arrive_before_the_final_one() {
    let chain = Chain::to(hinting());
    let mut raw = chain.client.raw();
    for path in ["/first", "/second"] {
        raw.write(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
        let hint = raw.read_until("\r\n\r\n");
        assert!(hint.starts_with("HTTP/1.1 103 Early Hints\r\n"), "{hint}");
        assert!(
            hint.contains(&format!("link: <{path}>\r\n")) && !hint.contains("keep-alive"),
            "{hint}"
        );
        let answer = raw.read_until(&format!("\r\n\r\n{path}"));
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    }
}

#[test]
fn interim_responses_of_pipelined_requests_keep_their_order() {
    let chain = Chain::to(hinting());
    let mut requests = String::new();
    for at in 0..20 {
        requests += &format!("GET /{at} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
    requests += "GET /last HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let answers = chain.client.exchange(requests.as_bytes());
    let lines: Vec<_> = answers
        .lines()
        .filter(|line| line.contains("HTTP/1.1 "))
        .collect();
    assert_eq!(lines.len(), 42, "{answers}");
    for pair in lines.chunks(2) {
        assert!(pair[0].ends_with("HTTP/1.1 103 Early Hints"), "{answers}");
        assert!(pair[1].ends_with("HTTP/1.1 200 OK"), "{answers}");
    }
}

#[test]
fn clients_without_interim_responses_get_none() {
    let chain = Chain::to(hinting());
    let old = chain
        .client
        .exchange(b"GET /old HTTP/1.0\r\nHost: localhost\r\n\r\n");
    assert!(
        old.starts_with("HTTP/1.0 200") && !old.contains("103"),
        "{old}"
    );
    let answer = chain.client.send(Version::Http2, get("/new")).unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "/new"));
}

#[test]
fn interim_responses_are_forwarded_while_the_body_is_buffered() {
    let (sent, seen) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (counting, waiting) = (sent.clone(), seen.clone());
    let chain = Chain::to(Upstream::scripted(move |mut stream, _| {
        read_head(&mut stream);
        // Each one must arrive before the next is sent; the body is not read.
        while counting.fetch_add(1, Ordering::SeqCst) < 50 {
            let before = waiting.load(Ordering::SeqCst);
            write(&mut stream, b"HTTP/1.1 103 Early Hints\r\n\r\n");
            eventually("the client sees the interim answer", || {
                (waiting.load(Ordering::SeqCst) > before).then_some(())
            });
        }
        write(
            &mut stream,
            b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        );
    }));
    let (feed, body) = fed();
    for _ in 0..256 {
        feed.data(vec![b'x'; 64 * 1024]);
    }
    let mut request = request("POST", "/", "").map(|_| body);
    hyper::ext::on_informational(&mut request, move |_| {
        seen.fetch_add(1, Ordering::SeqCst);
    });
    let mut connection = chain.client.connect(Version::Http1).unwrap();
    assert_eq!(connection.start(request).unwrap().status(), 200);
    drop(feed);
}

#[test]
fn a_response_before_the_end_of_the_request_reaches_the_client() {
    for reads_on in [false, true] {
        let chain = Chain::to(Upstream::scripted(move |mut stream, _| {
            let head = read_head(&mut stream);
            if head.starts_with("GET") {
                write(
                    &mut stream,
                    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
                );
                return;
            }
            write(
                &mut stream,
                b"HTTP/1.1 413 Too Large\r\ncontent-length: 5\r\n\r\nlarge",
            );
            if reads_on {
                let _ = std::io::copy(&mut stream, &mut std::io::sink());
            } else {
                // It neither reads nor closes; the gateway must.
                let mut end = [0; 1];
                eventually("the gateway closes", || {
                    stream.peek(&mut end).is_ok().then_some(())?;
                    let mut scratch = vec![0; 1 << 20];
                    (stream.read(&mut scratch).ok()? == 0).then_some(())
                });
            }
        }));
        for version in BOTH {
            let (feed, body) = fed();
            for _ in 0..256 {
                feed.data(vec![b'x'; 64 * 1024]);
            }
            let mut connection = chain.client.connect(version).unwrap();
            let answer = connection
                .send(request("POST", "/", "").map(|_| body))
                .unwrap();
            assert_eq!(
                (answer.status, answer.body.as_str()),
                (413, "large"),
                "{version:?}"
            );
            eventually("nobody takes the rest of the body", || {
                (!feed.data("more")).then_some(())
            });
            assert_eq!(chain.client.get("/").body, "ok");
        }
        let pooled = [("origin", "pooled")];
        assert_eq!(
            chain
                .gateway
                .metric("portcullis_upstream_connections_total", &pooled),
            0.0
        );
    }
}
