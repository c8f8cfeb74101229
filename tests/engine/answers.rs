//! Answers of upstreams, in pieces, at their limits, and with what does not belong to them.

use super::{LAYERS, own};
use crate::support::client::{Connection, Version, get, request};
use crate::support::upstream::{read_head, write};
use crate::support::{Chain, Upstream};
use http::HeaderValue;
use std::net::TcpStream;

/// Answers each path with these bytes, in pieces of this many octets, and closes after them if they have no end.
fn saying(answers: &'static [(&'static str, String, Ends)], piece: usize) -> Upstream {
    Upstream::scripted(move |mut stream, _| {
        stream.set_nodelay(true).unwrap();
        loop {
            let head = read_head(&mut stream);
            let Some(path) = head.split(' ').nth(1) else {
                return;
            };
            let Some((_, answer, ends)) = answers.iter().find(|(known, ..)| *known == path) else {
                return;
            };
            in_pieces(&mut stream, answer, piece);
            if *ends == Ends::WithTheConnection {
                return;
            }
        }
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ends {
    ByItself,
    WithTheConnection,
}

fn in_pieces(stream: &mut TcpStream, answer: &str, piece: usize) {
    answer
        .as_bytes()
        .chunks(piece)
        .for_each(|part| write(stream, part));
}

/// A table that lives as long as the upstream's threads.
fn answers(answers: Vec<(&'static str, String, Ends)>) -> &'static [(&'static str, String, Ends)] {
    Box::leak(answers.into_boxed_slice())
}

/// The connection is as it was: the next request has its own answer.
fn goes_on(connection: &mut Connection<'_>) {
    let answer = connection.send(get("/next")).unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "next"));
}

const NEXT: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnext";

fn next() -> (&'static str, String, Ends) {
    ("/next", NEXT.to_owned(), Ends::ByItself)
}

#[test]
fn a_response_may_arrive_in_pieces_of_any_length() {
    let trailers =
        "5\r\nhello\r\n6;a=\"b\"\r\n world\r\n0\r\ngrpc-status: 0\r\ngrpc-message: fine\r\n\r\n";
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: grpc-status, grpc-message\r\n\r\n";
    let table = answers(vec![
        (
            "/length",
            "HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\nhello world".to_owned(),
            Ends::ByItself,
        ),
        ("/chunked", head.to_owned() + trailers, Ends::ByItself),
        (
            "/close",
            "HTTP/1.1 200 OK\r\n\r\nhello world".to_owned(),
            Ends::WithTheConnection,
        ),
        next(),
    ]);
    for layer in LAYERS {
        for piece in [1, 2, 7, 64, 4096] {
            let chain = Chain::on(&own(layer), saying(table, piece), "");
            let mut connection = chain.client.connect(Version::Http1).unwrap();
            for path in ["/length", "/chunked", "/close"] {
                let mut request = get(path);
                request
                    .headers_mut()
                    .insert("te", HeaderValue::from_static("trailers"));
                let answer = connection.send(request).unwrap();
                assert_eq!(
                    (answer.status, answer.body.as_str()),
                    (200, "hello world"),
                    "{layer}, {path}, {piece}"
                );
                let trailers = answer.trailers.unwrap_or_default();
                let status = trailers.get("grpc-status").map(HeaderValue::as_bytes);
                assert_eq!(
                    status,
                    (path == "/chunked").then_some(b"0".as_slice()),
                    "{layer}, {path}, {piece}"
                );
                goes_on(&mut connection);
            }
        }
    }
}

#[test]
fn a_close_delimited_response_gets_a_framing() {
    let body: String = (0..30_000).map(|line| format!("{line}\n")).collect();
    let answer = format!("HTTP/1.1 200 OK\r\n\r\n{body}");
    for layer in LAYERS {
        for piece in [answer.len(), 10_000, 999] {
            let table = answers(vec![("/", answer.clone(), Ends::WithTheConnection), next()]);
            let chain = Chain::on(&own(layer), saying(table, piece), "");
            let mut connection = chain.client.connect(Version::Http1).unwrap();
            let answer = connection.send(get("/")).unwrap();
            assert_eq!(
                (
                    answer.header("transfer-encoding"),
                    answer.header("connection")
                ),
                (Some("chunked"), None)
            );
            assert!(
                answer.body == body,
                "{layer}: {} octets of {}",
                answer.body.len(),
                body.len()
            );
            goes_on(&mut connection);
        }
    }
}

#[test]
fn a_response_head_has_a_maximum_length() {
    let with_head = |length: usize| {
        let head = format!(
            "HTTP/1.1 200 OK\r\nx: {}\r\ncontent-length: 5\r\n\r\n",
            "x".repeat(length)
        );
        head + "hello"
    };
    for layer in LAYERS {
        for piece in [100_000, 5_000] {
            for length in [15 * 1024, 40 * 1024, 60 * 1024] {
                let table = answers(vec![("/", with_head(length), Ends::ByItself), next()]);
                let chain = Chain::on(&own(layer), saying(table, piece), "");
                let mut connection = chain.client.connect(Version::Http1).unwrap();
                let answer = connection.send(get("/")).unwrap();
                assert_eq!(
                    (answer.status, answer.body.as_str()),
                    (200, "hello"),
                    "{layer}: {length}"
                );
                assert_eq!(answer.header("x").map(str::len), Some(length));
                goes_on(&mut connection);
            }
            let table = answers(vec![("/", with_head(80 * 1024), Ends::ByItself), next()]);
            let chain = Chain::on(&own(layer), saying(table, piece), "");
            let mut connection = chain.client.connect(Version::Http1).unwrap();
            let answer = connection.send(get("/")).unwrap();
            assert_eq!(
                (answer.status, answer.reason().as_str()),
                (502, "upstream_broke_off"),
                "{layer}"
            );
            goes_on(&mut connection);
        }
    }
}

#[test]
fn many_interim_responses_are_forwarded() {
    const HINTS: usize = 3_000;
    let hints = "HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n".repeat(HINTS);
    let table = answers(vec![
        ("/hints", hints + NEXT, Ends::ByItself),
        (
            "/continue",
            "HTTP/1.1 100 Continue\r\n\r\n".repeat(HINTS) + NEXT,
            Ends::ByItself,
        ),
        next(),
    ]);
    for layer in LAYERS {
        // Pieces that are no multiple of an interim answer, so that there is always a rest.
        let chain = Chain::on(&own(layer), saying(table, 13_999), "");
        for (path, passed) in [("/hints", HINTS), ("/continue", 0)] {
            let text =
                format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
            let answers = chain.client.exchange(text.as_bytes());
            assert_eq!(
                answers.matches("HTTP/1.1 103 Early Hints\r\n").count(),
                passed,
                "{layer}"
            );
            assert_eq!(answers.matches("HTTP/1.1 ").count(), passed + 1, "{layer}");
            assert!(
                answers.contains("HTTP/1.1 200 OK\r\n") && answers.ends_with("next"),
                "{layer}"
            );
        }
    }
}

#[test]
fn a_bodyless_response_has_no_body_with_any_upstream() {
    let body = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison";
    let chunked = "transfer-encoding: chunked\r\n\r\n";
    for (method, answer) in [
        ("HEAD", format!("HTTP/1.1 200 OK\r\n{chunked}")),
        (
            "HEAD",
            format!("HTTP/1.1 200 OK\r\n{chunked}6\r\npoison\r\n0\r\n\r\n"),
        ),
        ("HEAD", body.to_owned()),
        (
            "GET",
            format!(
                "HTTP/1.1 204 No Content\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            ),
        ),
        (
            "GET",
            format!("HTTP/1.1 204 No Content\r\n{chunked}6\r\npoison\r\n0\r\n\r\n"),
        ),
        (
            "GET",
            format!(
                "HTTP/1.1 304 Not Modified\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            ),
        ),
        (
            "GET",
            format!("HTTP/1.1 304 Not Modified\r\n{chunked}6\r\npoison\r\n0\r\n\r\n"),
        ),
    ] {
        for layer in LAYERS {
            let table = answers(vec![("/", answer.clone(), Ends::ByItself), next()]);
            let chain = Chain::on(&own(layer), saying(table, 1000), "");
            let mut connection = chain.client.connect(Version::Http1).unwrap();
            for _ in 0..3 {
                let seen = connection.send(request(method, "/", "")).unwrap();
                assert_eq!(seen.body, "", "{layer} {method}: {answer:?}");
                assert_eq!(seen.status, crate::support::client::status(&answer));
                goes_on(&mut connection);
            }
        }
    }
}
