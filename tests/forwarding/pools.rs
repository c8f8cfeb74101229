//! Connections to upstreams: kept, chosen, given up, and which request may go again.

mod endpoints;

use crate::support::client::{BOTH, Version, get, request};
use crate::support::gateway::ONE_WORKER;
use crate::support::upstream::{HeldUpstream, full, read_head, write};
use crate::support::{Chain, Client, ReservedPort, Upstream, eventually};
use http::Response;
use http_body_util::BodyExt;
use std::collections::HashSet;
use std::sync::{Arc, Mutex};

const HELLO: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

/// What a scripted upstream has seen: connection and first line of each request.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<(usize, String)>>>);

impl Seen {
    fn add(&self, connection: usize, head: &str) {
        let line = head.lines().next().unwrap_or_default().to_owned();
        self.0.lock().unwrap().push((connection, line));
    }

    fn all(&self) -> Vec<(usize, String)> {
        self.0.lock().unwrap().clone()
    }

    fn connections(&self) -> Vec<usize> {
        self.all()
            .into_iter()
            .map(|(connection, _)| connection)
            .collect()
    }
}

#[test]
fn a_connection_is_used_again() {
    let chain = Chain::with(Upstream::start(), ONE_WORKER);
    for version in [Version::Http1, Version::Http2, Version::Http1] {
        for _ in 0..3 {
            assert_eq!(chain.client.send(version, get("/")).unwrap().status, 200);
        }
    }
    let connections: HashSet<_> = chain
        .upstream
        .recorded()
        .iter()
        .map(|seen| seen.connection)
        .collect();
    assert_eq!(connections.len(), 1);
    for (origin, count) in [("new", 1.0), ("pooled", 8.0)] {
        chain.gateway.wait_for_metric(
            "portcullis_upstream_connections_total",
            &[("origin", origin)],
            count,
        );
    }
}

#[test]
fn the_connection_used_last_is_used_first() {
    let (seen, allowed) = (Seen::default(), Arc::new(Mutex::new(HashSet::new())));
    let (sink, gate) = (seen.clone(), allowed.clone());
    let upstream = Upstream::scripted(move |mut stream, number| {
        loop {
            let head = read_head(&mut stream);
            if head.is_empty() {
                return;
            }
            sink.add(number, &head);
            let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
            eventually("the answer is allowed", || {
                gate.lock().unwrap().contains(&path).then_some(())
            });
            write(&mut stream, HELLO);
        }
    });
    let chain = Chain::with(upstream, ONE_WORKER);
    let (mut first, mut second) = (chain.client.raw(), chain.client.raw());
    first.write(b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n");
    second.write(b"GET /b HTTP/1.1\r\nHost: localhost\r\n\r\n");
    eventually("both are upstream", || {
        (seen.all().len() == 2).then_some(())
    });
    for (path, client) in [("/b", &mut second), ("/a", &mut first)] {
        allowed.lock().unwrap().insert(path.to_owned());
        client.read_until("hello");
        let done = [("route", "/"), ("code", "200")];
        let wanted = if path == "/b" { 1.0 } else { 2.0 };
        eventually("the connection is back in the pool", || {
            (chain.gateway.metric("portcullis_requests_total", &done) == wanted).then_some(())
        });
    }
    allowed.lock().unwrap().insert("/c".to_owned());
    assert_eq!(chain.client.get("/c").status, 200);
    let connection_of = |path: &str| {
        seen.all()
            .into_iter()
            .find(|(_, line)| line.contains(path))
            .unwrap()
            .0
    };
    assert_eq!(connection_of("/c"), connection_of("/a"));
    assert_ne!(connection_of("/c"), connection_of("/b"));
}

#[test]
fn an_unused_connection_is_closed_after_its_time() {
    let closed = Arc::new(Mutex::new(0));
    let count = closed.clone();
    let upstream = Upstream::scripted(move |mut stream, _| {
        while !read_head(&mut stream).is_empty() {
            write(&mut stream, HELLO);
        }
        *count.lock().unwrap() += 1;
    });
    let chain = Chain::configured(upstream, |_, address| {
        format!(
            "[upstream.api]\nendpoints = [\"http://{address}\"]\npool_idle_timeout = \"100ms\"\n\
             [[route]]\npath = \"/\"\nupstream = \"api\"\n"
        )
    });
    assert_eq!(chain.client.get("/").status, 200);
    eventually("the unused connection is closed", || {
        (*closed.lock().unwrap() == 1).then_some(())
    });
    assert_eq!(chain.client.get("/").status, 200);
}

#[test]
fn without_a_pool_each_request_has_a_connection_of_its_own() {
    let chain = Chain::configured(Upstream::start(), |_, address| {
        format!(
            "[upstream.api]\nendpoints = [\"http://{address}\"]\npool_size = 0\n\
             [[route]]\npath = \"/\"\nupstream = \"api\"\n"
        )
    });
    for _ in 0..3 {
        assert_eq!(chain.client.get("/").status, 200);
    }
    let connections: HashSet<_> = chain
        .upstream
        .recorded()
        .iter()
        .map(|seen| seen.connection)
        .collect();
    assert_eq!(connections.len(), 3);
}

/// Asks `count` times at once on one HTTP/2 connection, and waits until all have arrived upstream and are answered, and `so_far`
/// requests are recorded.
fn ask_at_once(chain: &Chain, held: &HeldUpstream, count: usize, so_far: usize) {
    let connection = chain.client.connect(Version::Http2).unwrap();
    let ask = || {
        let mut sender = connection.http2().clone();
        let request = get("/");
        chain.client.runtime().spawn(async move {
            let answer = sender.send_request(request).await.unwrap();
            (
                answer.status(),
                answer.into_body().collect().await.unwrap().to_bytes(),
            )
        })
    };
    held.close();
    let answers: Vec<_> = (0..count).map(|_| ask()).collect();
    held.wait_for_requests(count);
    held.open();
    for answer in answers {
        let (status, body) = chain.client.runtime().block_on(answer).unwrap();
        assert_eq!((status.as_u16(), &body[..]), (200, &b"late"[..]));
    }
    drop(connection);
    // The connection of a response is back in the pool before the response is recorded.
    eventually("all are recorded", || {
        let recorded = chain.gateway.metric("portcullis_requests_total", &[]);
        (recorded == so_far as f64).then_some(())
    });
}

#[test]
fn as_many_connections_are_kept_as_were_in_use_at_once_and_no_more_than_pool_size() {
    const AT_ONCE: usize = 100;
    for (line, opened) in [
        ("", AT_ONCE),
        ("pool_size = 30\n", 3 * AT_ONCE - 2 * 30),
        ("pool_size = 64\n", 172),
    ] {
        let held = HeldUpstream::start();
        let chain = Chain::configured(Upstream::start(), |_, _| {
            let upstream = format!(
                "[upstream.api]\nendpoints = [\"http://{}\"]\n{line}",
                held.upstream.address
            );
            upstream + "[[route]]\npath = \"/\"\nupstream = \"api\"\n" + ONE_WORKER
        });
        for round in 1..=3 {
            ask_at_once(&chain, &held, AT_ONCE, round * AT_ONCE);
        }
        let new = chain.gateway.metric(
            "portcullis_upstream_connections_total",
            &[("origin", "new")],
        );
        assert_eq!(new, opened as f64, "{line}");
    }
}

#[test]
fn an_upstream_that_says_it_closes_gets_each_request_once() {
    for fields in ["HTTP/1.1 200 OK\r\nconnection: close", "HTTP/1.0 200 OK"] {
        let seen = Seen::default();
        let sink = seen.clone();
        let chain = Chain::to(Upstream::scripted(move |mut stream, number| {
            sink.add(number, &read_head(&mut stream));
            write(
                &mut stream,
                format!("{fields}\r\ncontent-length: 5\r\n\r\nhello").as_bytes(),
            );
            // Open for a while yet: that it will close must be known from the answer.
            read_head(&mut stream);
        }));
        for _ in 0..10 {
            let answer = chain
                .client
                .send(BOTH[0], request("POST", "/", ""))
                .unwrap();
            assert_eq!(answer.status, 200, "{fields}");
        }
        assert_eq!(seen.connections(), (0..10).collect::<Vec<_>>());
    }
}

#[test]
fn an_upstream_that_closes_after_each_response_serves_all_requests() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\n\r\nhello",
        "HTTP/1.0 200 OK\r\n\r\nhello",
    ] {
        let chain = Chain::to(Upstream::scripted(move |mut stream, _| {
            read_head(&mut stream);
            write(&mut stream, answer.as_bytes());
        }));
        for version in BOTH {
            let mut connection = chain.client.connect(version).unwrap();
            for _ in 0..10 {
                let answer = connection.send(get("/")).unwrap();
                assert_eq!((answer.status, answer.body.as_str()), (200, "hello"));
                assert_eq!(answer.header("connection"), None);
            }
        }
    }
}

/// Answers the first request of each connection, and closes at the second without a word, as a server does whose own
/// idle timeout ran out at that moment.
fn answers_once(seen: &Seen) -> Upstream {
    let sink = seen.clone();
    Upstream::scripted(move |mut stream, number| {
        sink.add(number, &read_head(&mut stream));
        write(&mut stream, HELLO);
        let second = read_head(&mut stream);
        if !second.is_empty() {
            sink.add(number, &second);
        }
    })
}

#[test]
fn a_request_without_side_effects_goes_again_when_a_kept_connection_turns_out_closed() {
    for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"] {
        let seen = Seen::default();
        let chain = Chain::with(answers_once(&seen), ONE_WORKER);
        assert_eq!(chain.client.get("/first").status, 200);
        let answer = chain
            .client
            .send(Version::Http2, request(method, "/second", ""));
        assert_eq!(answer.unwrap().status, 200, "{method}");
        assert_eq!(seen.connections(), [0, 0, 1], "{method}");
        chain.gateway.wait_for_metric(
            "portcullis_upstream_retries_total",
            &[("upstream", "api")],
            1.0,
        );
    }
}

#[test]
fn a_request_with_side_effects_is_never_sent_twice() {
    for (method, text) in [
        ("POST", "order"),
        ("POST", ""),
        ("PATCH", "x"),
        ("PUT", "with a body"),
    ] {
        let seen = Seen::default();
        let chain = Chain::with(answers_once(&seen), ONE_WORKER);
        assert_eq!(chain.client.get("/first").status, 200);
        let answer = chain
            .client
            .send(Version::Http1, request(method, "/second", text))
            .unwrap();
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (502, "upstream_broke_off"),
            "{method}"
        );
        assert_eq!(seen.connections(), [0, 0], "{method}");
        assert_eq!(
            chain
                .gateway
                .metric("portcullis_upstream_retries_total", &[]),
            0.0
        );
        assert_eq!(chain.client.get("/third").status, 200);
    }
}

#[test]
fn a_request_goes_again_once_and_no_more() {
    let seen = Seen::default();
    let sink = seen.clone();
    let upstream = Upstream::scripted(move |mut stream, number| {
        sink.add(number, &read_head(&mut stream));
        if number == 0 {
            write(&mut stream, HELLO);
            sink.add(number, &read_head(&mut stream));
        }
    });
    let chain = Chain::with(upstream, ONE_WORKER);
    assert_eq!(chain.client.get("/first").status, 200);
    let answer = chain.client.get("/second");
    assert_eq!(
        (answer.status, answer.reason().as_str()),
        (502, "upstream_broke_off")
    );
    assert_eq!(seen.connections(), [0, 0, 1]);
}
