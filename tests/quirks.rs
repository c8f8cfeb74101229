//! Upstreams with quirks of their own: HEAD, redirects and streams without an end, reloads, bodies that are too large.

/// An upstream that reloads under load.
mod reloads;
/// Bodies that are too large, and bodies in small pieces.
mod bodies;

use crate::support::client::{BOTH, Version, get, request};
use crate::support::gateway::{ONE_WORKER, listener, user};
use crate::support::tls_upstream::tls_upstream;
use crate::support::upstream::{read_head, write};
use crate::support::{Client, Gateway, Pki, Upstream, eventually};
use bytes::Bytes;
use http_body_util::BodyExt;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};

/// The way of Icinga 2, and of all others.
const ICINGA: &str = "preset = \"icinga2\"\n";
const USUAL: &str = "";

struct Front {
    client: Client,
    gateway: Gateway,
    _pki: Pki,
}

impl Front {
    /// One user, one route, one upstream with these keys.
    fn new(endpoint: &str, keys: &str) -> Self {
        let pki = Pki::new();
        let upstream = format!("[upstream.api]\nendpoints = [\"{endpoint}\"]\n{keys}");
        let route = "[[route]]\npath = \"/\"\nupstream = \"api\"\n";
        let config = listener(&pki) + &user("alice", &["*"]) + &upstream + route + ONE_WORKER;
        let gateway = Gateway::start(&config);
        let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
        Self {
            client,
            gateway,
            _pki: pki,
        }
    }

    fn to(address: SocketAddr, keys: &str) -> Self {
        Self::new(&format!("http://{address}"), keys)
    }
}

/// Connection and first line of each request.
type Seen = Arc<Mutex<Vec<(usize, String)>>>;

/// Gives the same answer to each request; one with a body also to HEAD, as Icinga 2 does.
fn always(answer: impl Into<Vec<u8>>) -> (Upstream, Seen) {
    let (seen, answer) = (Seen::default(), answer.into());
    let sink = seen.clone();
    let upstream = Upstream::scripted(move |mut stream, number| {
        loop {
            let head = read_head(&mut stream);
            let Some(line) = head.lines().next() else {
                return;
            };
            sink.lock().unwrap().push((number, line.to_owned()));
            write(&mut stream, &answer);
        }
    });
    (upstream, seen)
}

fn seen_by(seen: &Seen) -> Vec<(usize, String)> {
    seen.lock().unwrap().clone()
}

#[test]
fn head_is_forwarded_as_get_and_its_body_is_dropped() {
    let length = "HTTP/1.1 404 Not Found\r\ncontent-length: 9\r\n\r\nnot found";
    let chunks =
        "HTTP/1.1 404 Not Found\r\ntransfer-encoding: chunked\r\n\r\n9\r\nnot found\r\n0\r\n\r\n";
    for (version, answer) in BOTH
        .into_iter()
        .flat_map(|way| [(way, length), (way, chunks)])
    {
        let (upstream, seen) = always(answer);
        let front = Front::to(upstream.address, ICINGA);
        let mut connection = front.client.connect(version).unwrap();
        for _ in 0..3 {
            let head = connection.send(request("HEAD", "/x", "")).unwrap();
            assert_eq!((head.status, head.body.as_str()), (404, ""), "{version:?}");
            assert_eq!(
                head.header("content-length"),
                (answer == length).then_some("9"),
                "{version:?}"
            );
            let get = connection.send(get("/x")).unwrap();
            assert_eq!(
                (get.status, get.body.as_str()),
                (404, "not found"),
                "{version:?}"
            );
        }
        let lines_seen = seen_by(&seen);
        assert_eq!(
            lines_seen,
            vec![(0, "GET /x HTTP/1.1".to_owned()); 6],
            "on one connection: {version:?}"
        );
        let line = front
            .gateway
            .wait_for_access(|line| line["method"] == "HEAD");
        assert_eq!(
            (&line["status"], &line["end"]),
            (&404.into(), &"complete".into()),
            "judged and logged as HEAD"
        );
    }
}

#[test]
fn head_is_forwarded_as_head_where_the_upstream_supports_it() {
    for version in BOTH {
        let (upstream, seen) = always("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n");
        for keys in [USUAL, "preset = \"icinga2\"\nhead = \"head\"\n"] {
            let front = Front::to(upstream.address, keys);
            let head = front
                .client
                .send(version, request("HEAD", "/x", ""))
                .unwrap();
            assert_eq!(
                (head.status, head.header("content-length")),
                (200, Some("9"))
            );
        }
        assert!(
            seen_by(&seen)
                .iter()
                .all(|(_, line)| line == "HEAD /x HTTP/1.1"),
            "{version:?}"
        );
    }
}

#[test]
fn an_unused_body_is_discarded_if_it_is_short() {
    for version in BOTH {
        for (length, stays) in [(60_000, true), (100_000, false)] {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
            let (upstream, seen) = always([head.into_bytes(), vec![b'x'; length]].concat());
            let front = Front::to(upstream.address, ICINGA);
            let pooled = || {
                front.gateway.metric(
                    "portcullis_upstream_connections_total",
                    &[("origin", "pooled")],
                )
            };
            let ask = || {
                let head = front
                    .client
                    .send(version, request("HEAD", "/", ""))
                    .unwrap();
                assert_eq!(
                    head.header("content-length"),
                    Some(length.to_string().as_str()),
                    "{version:?}"
                );
            };
            ask();
            if stays {
                // The rest is read beside everything else.
                eventually("a connection is used again", || {
                    ask();
                    (pooled() > 0.0).then_some(())
                });
            } else {
                ask();
                let connections: Vec<_> = seen_by(&seen)
                    .into_iter()
                    .map(|(connection, _)| connection)
                    .collect();
                assert_eq!((connections, pooled()), (vec![0, 1], 0.0), "{version:?}");
            }
        }
    }
}

/// Gives an answer without a length, waits until it is closed, and says so.
fn without_end(answer: &'static str) -> (Upstream, Arc<Mutex<usize>>) {
    let closed = Arc::new(Mutex::new(0));
    let count = closed.clone();
    let upstream = Upstream::scripted(move |mut stream, _| {
        if read_head(&mut stream).is_empty() {
            return;
        }
        write(&mut stream, answer.as_bytes());
        let _ = stream.read(&mut [0]);
        *count.lock().unwrap() += 1;
    });
    (upstream, closed)
}

#[test]
fn a_redirect_without_a_length_is_over_at_once() {
    for version in BOTH {
        let (upstream, closed) =
            without_end("HTTP/1.1 302 Found\r\nserver: Icinga\r\nlocation: /v1\r\n\r\n");
        let front = Front::to(upstream.address, ICINGA);
        let mut connection = front.client.connect(version).unwrap();
        for count in 1..=2 {
            let answer = connection.send(get("/")).unwrap();
            assert_eq!(
                (answer.status, answer.body.as_str()),
                (302, ""),
                "{version:?}"
            );
            assert_eq!(answer.header("location"), Some("/v1"));
            eventually("its connection is closed", || {
                (*closed.lock().unwrap() == count).then_some(())
            });
        }
    }
}

#[test]
fn what_has_no_length_otherwise_lasts_until_the_upstream_closes() {
    let answers = [
        (
            "HTTP/1.1 302 Found\r\nlocation: /v1\r\n\r\nover there",
            USUAL,
        ),
        (
            "HTTP/1.1 302 Found\r\nlocation: /v1\r\nconnection: close\r\n\r\nover there",
            ICINGA,
        ),
        ("HTTP/1.1 200 OK\r\n\r\nover there", ICINGA),
    ];
    for (version, (answer, keys)) in BOTH
        .into_iter()
        .flat_map(|way| answers.map(|answer| (way, answer)))
    {
        let upstream = Upstream::scripted(move |mut stream, _| {
            if !read_head(&mut stream).is_empty() {
                write(&mut stream, answer.as_bytes());
            }
        });
        let front = Front::to(upstream.address, keys);
        let got = front.client.send(version, get("/")).unwrap();
        assert_eq!(got.body, "over there", "{version:?} {answer:?}");
    }
}

/// How an upstream ends a stream of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goodbye {
    Said,
    /// The socket is closed, and TLS has said nothing: a process that was killed, or somebody in between.
    Unsaid,
}

/// Each event waits until the client has seen the one before.
fn three_events(theirs: &Pki, gone: Receiver<()>, goodbye: Goodbye) -> Upstream {
    let gone = Mutex::new(gone);
    tls_upstream(theirs, move |mut stream| {
        if stream.read_head().is_empty() {
            return;
        }
        stream.write("HTTP/1.1 200 OK\r\nServer: Icinga\r\nContent-Type: application/json\r\n\r\n");
        let gone = gone.lock().unwrap();
        for number in 0..3 {
            stream.write(&format!("{{\"event\":{number}}}\n"));
            gone.recv().unwrap();
        }
        if goodbye == Goodbye::Said {
            stream.say_goodbye();
        }
    })
}

#[test]
fn events_come_while_the_stream_is_open_and_only_a_goodbye_makes_it_whole() {
    for (version, goodbye) in BOTH
        .into_iter()
        .flat_map(|way| [(way, Goodbye::Said), (way, Goodbye::Unsaid)])
    {
        let theirs = Pki::named("Their CA");
        let (go, gone) = std::sync::mpsc::channel::<()>();
        let upstream = three_events(&theirs, gone, goodbye);
        let endpoint = format!("https://localhost:{}", upstream.address.port());
        let anchors = format!("{ICINGA}anchors = [\"{}\"]\n", theirs.ca_file().display());
        let front = Front::new(&endpoint, &anchors);
        let mut connection = front.client.connect(version).unwrap();
        let mut events = connection
            .start(request("POST", "/v1/events", "{}"))
            .unwrap();
        if version == Version::Http1 {
            assert_eq!(events.headers()["transfer-encoding"], "chunked");
        }
        for number in 0..3 {
            let mut event = String::new();
            while !event.ends_with('\n') {
                let frame = front
                    .client
                    .runtime()
                    .block_on(events.body_mut().frame())
                    .unwrap()
                    .unwrap();
                event += std::str::from_utf8(&frame.into_data().unwrap_or_default()).unwrap();
            }
            assert_eq!(event, format!("{{\"event\":{number}}}\n"), "{version:?}");
            go.send(()).unwrap();
        }
        let rest = front
            .client
            .runtime()
            .block_on(events.into_body().collect());
        match goodbye {
            Goodbye::Said => assert_eq!(rest.unwrap().to_bytes(), Bytes::new(), "{version:?}"),
            Goodbye::Unsaid => assert!(
                rest.is_err(),
                "what was cut must not look whole: {version:?}"
            ),
        }
        let end = if goodbye == Goodbye::Said {
            "complete"
        } else {
            "upstream_broke_off"
        };
        front.gateway.wait_for_access(|line| line["end"] == end);
    }
}
