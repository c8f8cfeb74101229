//! Bodies that lie, crawl or never end.

use super::decisions;
use crate::support::client::{BOTH, body, request, status};
use crate::support::feed::fed;
use crate::support::upstream::{read_head, write};
use crate::support::{Chain, Upstream, eventually, eventually_is};
use std::io::Read;
use std::sync::Mutex;
use std::sync::mpsc::channel;

#[test]
fn broken_chunks_are_rejected_and_no_whole_request_reaches_the_upstream() {
    let bodies = [
        "5\nhello\r\n0\r\n\r\n",
        "5 \r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "-1\r\nhello\r\n0\r\n\r\n",
        "\r\nhello\r\n0\r\n\r\n",
        "5;\0\r\nhello\r\n0\r\n\r\n",
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
        "5;\r\nhello\r\n0\r\n\r\n",
        "5;bad[=x\r\nhello\r\n0\r\n\r\n",
        "5;a=\r\nhello\r\n0\r\n\r\n",
        "5;a b\r\nhello\r\n0\r\n\r\n",
        "5;a=\"b\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n0;\r\n\r\n",
        "5\r\nhelloX\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello\r\n0\r\n\n",
        "5\r\nhello\r\n0\r\nX: a\n\r\n",
        "fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        "10000000000000005\r\nhello\r\n0\r\n\r\n",
    ];
    let chain = Chain::to(Upstream::start());
    for body in bodies {
        let head = "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
        let answer = chain.client.exchange((head.to_owned() + body).as_bytes());
        assert_eq!(status(&answer), 400, "{body:?}: {answer}");
        assert!(answer.contains("bad_framing"), "{body:?}: {answer}");
        assert!(
            answer.contains("connection: close\r\n"),
            "{body:?}: {answer}"
        );
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{body:?}: {answer}");
    }
    let counted = || {
        chain
            .gateway
            .metric("portcullis_requests_total", &[("code", "400")])
    };
    eventually("all are counted", || {
        (counted() == bodies.len() as f64).then_some(())
    });
    // Only beginnings reached it, and the recorder notes them without a body.
    assert!(
        chain
            .upstream
            .recorded()
            .iter()
            .all(|seen| seen.body.is_empty())
    );
    chain.is_unharmed();
}

#[test]
fn chunk_extensions_of_the_grammar_pass_without_reaching_the_upstream() {
    let chain = Chain::to(Upstream::start());
    for extension in [
        ";a",
        ";a=b",
        ";a=\"b; \\\"c\"",
        "; a = b ; c",
        ";a=\"\";b=1",
    ] {
        let head = "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
        let body = format!("5{extension}\r\nhello\r\n0{extension}\r\n\r\n");
        let answer = chain.client.exchange((head.to_owned() + &body).as_bytes());
        assert_eq!(status(&answer), 200, "{extension}: {answer}");
        assert_eq!(chain.upstream.recorded().pop().unwrap().body, "hello");
    }
}

#[test]
fn a_response_with_malformed_chunk_extensions_is_cut() {
    for (extension, passes) in [
        (";", false),
        (";bad[=x", false),
        (";a=", false),
        ("", true),
        (";a=\"b\"", true),
    ] {
        let chain = Chain::to(Upstream::scripted(move |mut stream, _| {
            while !read_head(&mut stream).is_empty() {
                let chunks = format!("5{extension}\r\nhello\r\n0\r\n\r\n");
                write(
                    &mut stream,
                    format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunks}")
                        .as_bytes(),
                );
            }
        }));
        for version in BOTH {
            let answer = chain.client.send(version, request("GET", "/", ""));
            let body = answer
                .ok()
                .filter(|answer| answer.status == 200)
                .map(|answer| answer.body);
            assert_eq!(
                body,
                passes.then(|| "hello".to_owned()),
                "{extension:?} {version:?}"
            );
        }
    }
}

#[test]
fn bodies_over_the_limit_are_rejected_and_those_below_pass() {
    const LIMIT: usize = 100_000;
    let chain = Chain::with(Upstream::start(), "body_size = \"100kB\"\n");
    for version in BOTH {
        for (length, code) in [(LIMIT, 200), (LIMIT + 1, 413), (8 * 1024 * 1024, 413)] {
            let announced = request("POST", "/", "").map(|_| body(vec![b'x'; length]));
            let answer = chain.client.send(version, announced).unwrap();
            assert_eq!(answer.status, code, "{length} {version:?}");
            let (feed, body) = fed();
            for piece in vec![b'x'; length].chunks(10_000) {
                feed.data(piece.to_vec());
            }
            drop(feed);
            let chunked = request("POST", "/", "").map(|_| body);
            let answer = chain.client.send(version, chunked).unwrap();
            assert_eq!(answer.status, code, "{length} in chunks {version:?}");
            if code == 413 {
                assert_eq!(answer.reason(), "body_too_large");
            }
        }
    }
    let whole = chain
        .upstream
        .recorded()
        .into_iter()
        .filter(|seen| !seen.body.is_empty());
    let lengths: Vec<_> = whole.map(|seen| seen.body.len()).collect();
    assert_eq!(lengths, [LIMIT; 4]);
    let counted = || {
        chain
            .gateway
            .metric("portcullis_requests_total", &[("code", "413")])
    };
    eventually("all are counted", || (counted() == 8.0).then_some(()));
    chain.is_unharmed();
}

#[test]
fn a_denied_large_upload_gets_its_response() {
    let chain = Chain::configured(Upstream::start(), |_, address| {
        crate::support::gateway::route_to(address)
            + &crate::support::gateway::user("bob", &["GET /*"])
    });
    let bob = crate::support::Client::new(
        &chain.pki,
        Some(&chain.pki.client("bob")),
        chain.gateway.address(),
    );
    for version in BOTH {
        let upload = request("POST", "/", "").map(|_| body(vec![b'x'; 8 * 1024 * 1024]));
        let answer = bob.send(version, upload).unwrap();
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (403, "no_permission"),
            "{version:?}"
        );
    }
    eventually_is("decisions", &2.0, || decisions(&chain, "no_permission"));
    assert!(chain.upstream.recorded().is_empty());
    chain.is_unharmed();
}

#[test]
fn slow_bodies_time_out() {
    let chain = Chain::with(Upstream::start(), "idle_timeout = \"300ms\"\n");
    for begun in [
        "Content-Length: 10\r\n\r\n",
        "Content-Length: 10\r\n\r\nhello",
        "Transfer-Encoding: chunked\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ] {
        let head = format!("POST / HTTP/1.1\r\nHost: localhost\r\n{begun}");
        let answer = chain.client.exchange(head.as_bytes());
        assert_eq!(status(&answer), 408, "{begun:?}: {answer}");
        assert!(answer.contains("body_timeout"), "{answer}");
        assert!(answer.contains("connection: close\r\n"), "{answer}");
    }
    for version in BOTH {
        let (feed, body) = fed();
        feed.data("hello");
        let answer = chain
            .client
            .send(version, request("POST", "/", "").map(|_| body))
            .unwrap();
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (408, "body_timeout"),
            "{version:?}"
        );
        drop(feed);
    }
    let counted = || {
        chain
            .gateway
            .metric("portcullis_requests_total", &[("code", "408")])
    };
    eventually("all are counted", || (counted() == 6.0).then_some(()));
    chain.is_unharmed();
}

#[test]
fn waiting_for_the_client_is_not_held_against_the_upstream() {
    let hasty = "response_timeout = \"200ms\"\nidle_timeout = \"1s\"\n";
    // No upstream must answer in so short a time.
    let patient = "[[route]]\npath = \"/unharmed\"\nupstream = \"api\"\n";
    let chain = Chain::with(Upstream::start(), &(hasty.to_owned() + patient));
    for version in BOTH {
        let (feed, body) = fed();
        feed.data("hello");
        let answer = chain
            .client
            .send(version, request("POST", "/", "").map(|_| body))
            .unwrap();
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (408, "body_timeout"),
            "{version:?}"
        );
        drop(feed);
    }
    let failures = |reason| {
        chain
            .gateway
            .metric("portcullis_upstream_failures_total", &[("reason", reason)])
    };
    assert_eq!(failures("response_timeout"), 0.0);
    chain.is_unharmed();
}

#[test]
fn a_body_that_is_slow_but_moves_passes() {
    let chain = Chain::with(Upstream::start(), "idle_timeout = \"2s\"\n");
    for version in BOTH {
        let (feed, body) = fed();
        feed.data("x");
        let slow = || {
            chain
                .client
                .send(version, request("POST", "/", "").map(|_| body))
                .unwrap()
        };
        let before = chain
            .gateway
            .metric("portcullis_upstream_connections_total", &[]);
        let (answer, pieces) = std::thread::scope(|scope| {
            let slow = scope.spawn(slow);
            let open = || {
                chain
                    .gateway
                    .metric("portcullis_upstream_connections_total", &[])
            };
            eventually("the slow body has begun", || {
                (open() > before).then_some(())
            });
            // The clock: a body that begins later and stands still.
            let clock = scope.spawn(|| {
                chain
                    .client
                    .exchange(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n")
            });
            let mut pieces = 1;
            eventually("the body that stands still is given up", || {
                feed.data("x");
                pieces += 1;
                clock.is_finished().then_some(())
            });
            assert_eq!(status(&clock.join().unwrap()), 408);
            drop(feed);
            (slow.join().unwrap(), pieces)
        });
        assert_eq!(answer.status, 200, "{version:?}");
        assert_eq!(chain.upstream.recorded().pop().unwrap().body.len(), pieces);
    }
}

#[test]
fn clients_that_vanish_within_a_body_affect_no_other() {
    let (arrived, arrivals) = channel();
    let arrived = Mutex::new(arrived);
    let chain = Chain::to(Upstream::scripted(move |mut stream, _| {
        let head = read_head(&mut stream);
        if head.starts_with("GET") {
            write(&mut stream, b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
            return;
        }
        let mut body = [0; 3];
        stream.read_exact(&mut body).unwrap();
        arrived.lock().unwrap().send(()).unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert!(!rest.ends_with(b"0\r\n\r\n"), "never a whole request");
        arrived.lock().unwrap().send(()).unwrap();
    }));
    for (begun, reset) in [
        ("Content-Length: 10\r\n\r\nhello", true),
        ("Content-Length: 10\r\n\r\nhello", false),
        ("Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", true),
        ("Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", false),
        ("Transfer-Encoding: chunked\r\n\r\n5\r\nhel", true),
        ("Transfer-Encoding: chunked\r\n\r\n5\r\nhel", false),
    ] {
        let mut raw = chain.client.raw();
        raw.write(format!("POST / HTTP/1.1\r\nHost: localhost\r\n{begun}").as_bytes());
        arrivals.recv().unwrap();
        if reset {
            let socket = socket2::SockRef::from(raw.socket());
            socket.set_linger(Some(std::time::Duration::ZERO)).unwrap();
        }
        drop(raw);
        // The upstream is told at once, too.
        arrivals.recv().unwrap();
    }
    let gone = eventually("six are logged", || {
        Some(chain.gateway.access_log()).filter(|log| log.len() == 6)
    });
    assert!(gone.iter().all(|line| line["status"] != 200), "{gone:#?}");
    chain.is_unharmed();
}
