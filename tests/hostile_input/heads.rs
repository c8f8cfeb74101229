//! Heads with two readings, or none, or no end.

use super::{all_are_refused, decisions};
use crate::support::client::{Version, reason, request, status};
use crate::support::{Chain, Upstream, eventually, eventually_is};

fn posts(fields: &[&str]) -> Vec<String> {
    let request = |fields: &&str| format!("POST / HTTP/1.1\r\n{fields}\r\n0\r\n\r\n");
    fields.iter().map(request).collect()
}

#[test]
fn bodies_of_ambiguous_length_are_rejected() {
    all_are_refused(
        &posts(&[
            "Host: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Host: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            "Host: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n",
            "Host: localhost\r\nContent-Length: 5\r\nContent-Length: 5\r\n",
            "Host: localhost\r\nContent-Length: 5, 5\r\n",
            "Host: localhost\r\nContent-Length: +5\r\n",
            "Host: localhost\r\nContent-Length: -1\r\n",
            "Host: localhost\r\nContent-Length: 0x5\r\n",
            "Host: localhost\r\nContent-Length: 5 5\r\n",
            "Host: localhost\r\nContent-Length: \r\n",
            "Host: localhost\r\nContent-Length: 18446744073709551616\r\n",
        ]),
        400,
        "bad_framing",
    );
}

#[test]
fn codings_other_than_chunked_are_not_implemented() {
    all_are_refused(
        &posts(
            &[
                "Host: localhost\r\nTransfer-Encoding: gzip\r\n",
                "Host: localhost\r\nTransfer-Encoding: gzip, chunked\r\n",
                "Host: localhost\r\nTransfer-Encoding: chunked, identity\r\n",
                "Host: localhost\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                "Host: localhost\r\nTransfer-Encoding: xchunked\r\n",
                "Host: localhost\r\nTransfer-Encoding: \"chunked\"\r\n",
                "Host: localhost\r\nTransfer-Encoding: \x0bchunked\r\n",
                "Host: localhost\r\nTransfer-Encoding:\r\n",
            ][..6],
        ),
        501,
        "bad_framing",
    );
}

#[test]
fn heads_that_other_servers_may_read_otherwise_are_rejected() {
    all_are_refused(
        &posts(&[
            "Host: localhost\nX: a\r\n",
            "Host: localhost\r\nX: a\n",
            "Host: localhost\r\nX: a\r\n folded\r\n",
            "Host: localhost\r\n X: a\r\n",
            "Host : localhost\r\n",
            "Host: localhost\r\nTransfer-Encoding : chunked\r\n",
            "Host: localhost\r\nX: a\0b\r\n",
            "Host: localhost\r\nX: a\rb\r\n",
            "Host: localhost\r\nX\0: a\r\n",
            "Host: localhost\r\nX Y: a\r\n",
            "Host: localhost\r\n: a\r\n",
            "Host: localhost\r\nno colon\r\n",
            "Host: localhost\r\nTransfer-Encoding: \x0bchunked\r\n",
        ]),
        400,
        "bad_framing",
    );
}

#[test]
fn request_lines_that_are_none_are_rejected() {
    all_are_refused(
        &[
            b"GET  / HTTP/1.1\r\nHost: localhost\r\n\r\n".as_slice(),
            b"GET / HTTP/1.1 \r\nHost: localhost\r\n\r\n",
            b"GET /\r\nHost: localhost\r\n\r\n",
            b"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n",
            b"GET / HTTP/1.2\r\nHost: localhost\r\n\r\n",
            b"GET / http/1.1\r\nHost: localhost\r\n\r\n",
            b"G\0T / HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"GET /\x01 HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
            b"\0\0\0\0\0\0\0\0",
            b"hello?\r\n\r\n",
        ],
        400,
        "bad_framing",
    );
}

#[test]
fn targets_that_are_none_are_rejected() {
    all_are_refused(
        &["/<a>", "/a`b", "/#a", "http://", "http://[::1/"]
            .map(|target| format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n")),
        400,
        "bad_path",
    );
}

#[test]
fn there_is_exactly_one_host() {
    all_are_refused(
        &posts(&[
            "Host: localhost\r\nHost: localhost\r\n",
            "Host: localhost\r\nhost: elsewhere\r\n",
            "Accept: */*\r\n",
        ]),
        400,
        "bad_framing",
    );
    let chain = Chain::to(Upstream::start());
    for host in [
        "",
        "a b",
        "localhost:port",
        "localhost/",
        "user@localhost",
        "loc\u{e4}lhost",
    ] {
        let answer = chain.client.exchange(
            format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes(),
        );
        assert_eq!(status(&answer), 400, "{host}: {answer}");
    }
    eventually_is("decisions", &6.0, || decisions(&chain, "bad_host"));
    // A target in absolute form names a host too, and must name the same.
    for (target, code) in [("https://localhost/", 200), ("https://elsewhere/", 400)] {
        let head = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        assert_eq!(
            status(&chain.client.exchange(head.as_bytes())),
            code,
            "{target}"
        );
    }
    chain.is_unharmed();
}

#[test]
fn heads_that_are_too_long_are_rejected_and_those_below_the_limit_are_not() {
    let long = |length: usize| {
        format!(
            "GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n",
            "x".repeat(length)
        )
    };
    all_are_refused(
        &[
            long(33 * 1024),
            long(300 * 1024),
            format!("GET /{} HTTP/1.1\r\n", "x".repeat(33 * 1024)),
        ],
        431,
        "head_too_large",
    );
    let chain = Chain::to(Upstream::start());
    let mut raw = chain.client.raw();
    for length in [1, 16 * 1024, 32 * 1024 - 64] {
        raw.write(long(length).as_bytes());
        assert_eq!(status(&raw.read_until("hello")), 200, "{length}");
        assert_eq!(
            chain.upstream.recorded().pop().unwrap().values("x")[0].len(),
            length
        );
    }
}

#[test]
fn a_long_head_behind_a_chunked_body_is_rejected_too() {
    let chain = Chain::to(Upstream::start());
    let first = "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let second = format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n",
        "x".repeat(34 * 1024)
    );
    let answers = chain
        .client
        .exchange((first.to_owned() + &second).as_bytes());
    let codes: Vec<_> = answers
        .match_indices("HTTP/1.1 ")
        .map(|(at, _)| status(&answers[at..]))
        .collect();
    assert_eq!(codes, [200, 431], "{answers}");
    eventually_is("decisions", &1.0, || decisions(&chain, "head_too_large"));
    assert_eq!(chain.upstream.only().method, "POST");
}

#[test]
fn heads_with_too_many_fields_are_rejected_and_those_below_the_limit_are_not() {
    let many = |count: usize| {
        format!(
            "GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n",
            "X: y\r\n".repeat(count)
        )
    };
    all_are_refused(
        &[many(100), many(1000), many(20_000)],
        431,
        "too_many_fields",
    );
    let chain = Chain::to(Upstream::start());
    let mut raw = chain.client.raw();
    // The upstream, too, takes a hundred, and the gateway adds some.
    raw.write(many(80).as_bytes());
    assert_eq!(status(&raw.read_until("hello")), 200);
}

#[test]
fn only_one_expectation_is_known() {
    all_are_refused(
        &posts(&[
            "Host: localhost\r\nContent-Length: 5\r\nExpect: 200-ok\r\n",
            "Host: localhost\r\nContent-Length: 5\r\nExpect: 100-continue, more\r\n",
            "Host: localhost\r\nContent-Length: 5\r\nExpect: 100-continue\r\nExpect: more\r\n",
        ]),
        417,
        "expectation",
    );
}

/// Makes a connection and sends these bytes. Again, where the gateway has closed it without a word: on a busy machine the
/// bytes may come too late.
fn exchange_in_time(chain: &Chain, bytes: &[u8]) -> String {
    eventually("bytes that come in time", || {
        let mut raw = chain.client.raw();
        raw.try_write(bytes).ok()?;
        Some(raw.read_to_end()).filter(|answer| !answer.is_empty())
    })
}

#[test]
fn slow_heads_time_out() {
    let chain = Chain::with(Upstream::start(), "[limits]\nhead_timeout = \"300ms\"\n");
    for begun in [
        "G",
        "GET / HTTP/1.1\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\n",
    ] {
        let answer = exchange_in_time(&chain, begun.as_bytes());
        assert_eq!(status(&answer), 408, "{answer}");
        assert!(answer.contains("head_timeout"), "{answer}");
    }
    eventually("three are counted", || {
        (decisions(&chain, "head_timeout") == 3.0).then_some(())
    });
    // Bytes that trickle do not prolong it.
    eventually("a fourth is counted", || {
        let mut raw = chain.client.raw();
        raw.try_write(b"GET / HTTP/1.1\r\nX: ").ok()?;
        eventually("the connection is closed", || raw.try_write(b"x").err());
        (decisions(&chain, "head_timeout") > 3.0).then_some(())
    });
    let answer = exchange_in_time(
        &chain,
        b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    );
    assert_eq!(status(&answer), 200);
}

#[test]
fn silent_connections_are_closed_without_a_word() {
    let chain = Chain::with(
        Upstream::start(),
        "[limits]\nkeep_alive_timeout = \"600ms\"\n",
    );
    assert_eq!(chain.client.exchange(b""), "");
    // Both at once, so that the second is there before its time begins.
    let answers = exchange_in_time(
        &chain,
        &b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(2),
    );
    assert_eq!(
        (
            answers.matches("HTTP/1.1 ").count(),
            answers.matches("hello").count()
        ),
        (2, 2),
        "{answers}"
    );
    assert_eq!(decisions(&chain, "head_timeout"), 0.0);
}

/// `POST` with these fields, over HTTP/2.
fn over_http2(chain: &Chain, fields: &[(&str, &str)]) -> (u16, String) {
    let mut asked = request("POST", "/", "0");
    for (name, value) in fields {
        let name: http::HeaderName = name.parse().unwrap();
        asked.headers_mut().append(name, value.parse().unwrap());
    }
    let answer = chain.client.send(Version::Http2, asked).unwrap();
    let reason = if answer.status == 200 {
        String::new()
    } else {
        answer.reason()
    };
    (answer.status, reason)
}

type Field = (&'static str, &'static str);

/// Fields that may stand once.
const TWICE: [(Field, Field); 9] = [
    (
        ("Authorization", "Basic YTpi"),
        ("authorization", "Bearer x"),
    ),
    (
        ("Content-Type", "text/plain"),
        ("Content-Type", "text/plain"),
    ),
    (
        ("Content-Type", "text/plain"),
        ("Content_Type", "text/html"),
    ),
    (("User-Agent", "a"), ("User-Agent", "b")),
    (("Referer", "https://a/"), ("Referer", "https://b/")),
    (("Origin", "https://a"), ("Origin", "https://b")),
    (("If-Modified-Since", "x"), ("If-Modified-Since", "x")),
    (("Range", "bytes=0-1"), ("Range", "bytes=2-3")),
    (("DPoP", "a"), ("DPoP", "b")),
];

#[test]
fn singleton_fields_are_rejected_when_repeated() {
    let chain = Chain::on("", Upstream::start(), "");
    for (one, other) in TWICE {
        let lines = |fields: &[(&str, &str)]| -> String {
            fields
                .iter()
                .map(|(name, value)| format!("{name}: {value}\r\n"))
                .collect()
        };
        let outcome = |fields: &[(&str, &str)]| {
            let head = format!(
                "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{}",
                lines(fields)
            );
            let answer = chain
                .client
                .exchange(format!("{head}Content-Length: 1\r\n\r\n0").as_bytes());
            (status(&answer), reason(&answer))
        };
        let refused = (400, "repeated_field".to_owned());
        assert_eq!(outcome(&[one, other]), refused, "{one:?} {other:?}");
        assert_eq!(
            over_http2(&chain, &[one, other]),
            refused,
            "{one:?} {other:?}"
        );
        let line = chain
            .gateway
            .wait_for_access(|line| line["reason"] == "repeated_field");
        assert!(
            line["detail"]
                .as_str()
                .is_some_and(|detail| detail.contains("more than once")),
            "{line}"
        );
        assert!(chain.upstream.recorded().is_empty());
    }
    for fields in [
        &[
            ("Accept", "a"),
            ("Accept", "b"),
            ("Cookie", "a=1"),
            ("Cookie", "b=2"),
        ][..],
        &[
            ("Authorization", "Basic YTpi"),
            ("Content-Type", "text/plain"),
            ("User-Agent", "a"),
            ("Range", "bytes=0-1"),
        ],
    ] {
        assert_eq!(over_http2(&chain, fields).0, 200, "{fields:?}");
    }
}
