//! When a connection stays, and when it ends.

use super::{LAYERS, own};
use crate::support::client::{BOTH, Version, get, request, status};
use crate::support::gateway::{listener_with, route_to, user};
use crate::support::upstream::{full, read_head, write};
use crate::support::{Chain, Client, Gateway, Pki, Upstream};
use http::Response;

#[test]
fn a_client_that_says_close_is_obeyed_and_one_that_does_not_stays() {
    for layer in LAYERS {
        let chain = Chain::on(&own(layer), Upstream::start(), "");
        let with = |field: &str| format!("GET / HTTP/1.1\r\nHost: localhost\r\n{field}\r\n");
        for field in [
            "Connection: close\r\n",
            "connection: foo, CLOSE\r\n",
            "Connection: x\r\nConnection: close\r\n",
        ] {
            let answer = chain.client.exchange((with(field) + &with("")).as_bytes());
            assert_eq!(
                answer.matches("HTTP/1.1 200 OK\r\n").count(),
                1,
                "{layer}, {field}: {answer}"
            );
            assert!(
                answer.contains("connection: close\r\n"),
                "{layer}, {field}: {answer}"
            );
        }
        let mut raw = chain.client.raw();
        for field in [
            "",
            "Connection: keep-alive\r\n",
            "Connection: closed\r\n",
            "X-Connection: close\r\n",
        ] {
            raw.write(with(field).as_bytes());
            let answer = raw.read_until("hello");
            assert_eq!(status(&answer), 200);
            assert!(
                !answer.contains("connection: close"),
                "{layer}, {field}: {answer}"
            );
        }
    }
}

#[test]
fn an_upstream_that_closes_does_not_close_the_client() {
    for layer in LAYERS {
        for field in ["connection: close\r\n", "Connection: x, Close\r\n", ""] {
            let upstream = Upstream::scripted(move |mut stream, _| {
                read_head(&mut stream);
                let answer = format!("HTTP/1.1 200 OK\r\n{field}content-length: 5\r\n\r\nhello");
                write(&mut stream, answer.as_bytes());
            });
            let chain = Chain::on(&own(layer), upstream, "");
            let mut connection = chain.client.connect(Version::Http1).unwrap();
            for _ in 0..5 {
                let answer = connection.send(get("/")).unwrap();
                assert_eq!(
                    (answer.status, answer.header("connection")),
                    (200, None),
                    "{layer}, {field}"
                );
            }
        }
    }
}

#[test]
fn a_rejected_request_with_a_small_body_does_not_end_the_connection_and_one_with_an_unknown_end_does()
 {
    for layer in LAYERS {
        let pki = Pki::new();
        let upstream =
            Upstream::answering(|seen| Response::new(full(format!("<{}>", seen.target))));
        let config = listener_with(&pki, &own(layer))
            + &user("bob", &["GET /public/*"])
            + &route_to(upstream.address);
        let gateway = Gateway::start(&config);
        let client = Client::new(&pki, Some(&pki.client("bob")), gateway.address());
        let allowed = "GET /public/a HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let last = "GET /public/b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        let post = |rest: &str| format!("POST /secret HTTP/1.1\r\nHost: localhost\r\n{rest}");
        // The body looks like a request, which it must never become.
        let hidden = format!("Content-Length: {}\r\n\r\n{allowed}", allowed.len());
        let answers = client.exchange((post(&hidden) + allowed + &post(&hidden) + last).as_bytes());
        let codes: Vec<_> = answers
            .match_indices("HTTP/1.1 ")
            .map(|(at, _)| status(&answers[at..]))
            .collect();
        assert_eq!(codes, [403, 200, 403, 200], "{layer}: {answers}");
        for rest in [
            format!("Content-Length: {}\r\n\r\n{}", 1 << 20, "x".repeat(1000)),
            "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned() + allowed,
        ] {
            let answers = client.exchange(post(&rest).as_bytes());
            assert_eq!(
                (status(&answers), answers.matches("HTTP/1.1 ").count()),
                (403, 1),
                "{layer}: {answers}"
            );
            assert!(
                answers.contains("connection: close\r\n"),
                "{layer}: {answers}"
            );
        }
        let seen: Vec<_> = upstream
            .recorded()
            .into_iter()
            .map(|seen| seen.target)
            .collect();
        assert_eq!(seen, ["/public/a", "/public/b"], "{layer}");
    }
}

#[test]
fn an_upload_ends_with_an_early_response() {
    for layer in LAYERS {
        let upstream = Upstream::scripted(|mut stream, _| {
            let head = read_head(&mut stream);
            let answer = if head.starts_with("POST") {
                "413 Too Large"
            } else {
                "200 OK"
            };
            write(
                &mut stream,
                format!("HTTP/1.1 {answer}\r\ncontent-length: 5\r\n\r\nearly").as_bytes(),
            );
            // It stays, and takes nothing more.
            let _ = stream.peek(&mut [0; 1]);
            while !read_head(&mut stream).is_empty() {}
        });
        let chain = Chain::on(&own(layer), upstream, "");
        let mut raw = chain.client.raw();
        raw.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\nbegun");
        let answer = raw.read_to_end();
        assert_eq!(status(&answer), 413, "{layer}: {answer}");
        assert!(
            answer.contains("connection: close\r\n") && answer.ends_with("early"),
            "{layer}: {answer}"
        );
        assert_eq!(chain.client.get("/").body, "early");
    }
}

#[test]
fn an_empty_line_behind_a_request_begins_no_other() {
    for layer in LAYERS {
        let limits = "[limits]\nhead_timeout = \"100ms\"\nkeep_alive_timeout = \"1s\"\n";
        let chain = Chain::on(&own(layer), Upstream::start(), limits);
        let mut raw = chain.client.raw();
        raw.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi\r\n");
        assert_eq!(status(&raw.read_until("hello")), 200, "{layer}");
        assert_eq!(raw.read_to_end(), "", "{layer}: closed without a word");
        // Of a request that begins and does not end, the client hears.
        let mut raw = chain.client.raw();
        raw.write(b"\r\nGET / HTTP/1.1\r\n");
        assert_eq!(status(&raw.read_to_end()), 408, "{layer}");
    }
}

#[test]
fn a_response_of_the_gateway_to_head_has_its_length_and_no_content() {
    let route = "[[route]]\npath = \"/who\"\nrespond = \"whoami\"\n";
    let chain = Chain::on("", Upstream::start(), route);
    for version in BOTH {
        for (path, code) in [("/who", 200), ("/a/../b", 400)] {
            let answer = chain
                .client
                .send(version, request("HEAD", path, ""))
                .unwrap();
            assert_eq!(
                (answer.status, answer.body.as_str()),
                (code, ""),
                "{version:?} {path}"
            );
            let length = answer.header("content-length").unwrap_or_default();
            assert!(length.parse::<usize>().unwrap() > 0, "{version:?} {path}");
        }
    }
    let line = chain.gateway.wait_for_access(|line| line["path"] == "/who");
    assert_eq!(line["response_bytes"], 0, "{line}");
}
