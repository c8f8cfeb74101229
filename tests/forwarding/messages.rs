//! What requests and answers carry: methods, bodies, fields, trailers. Over both versions towards the client.

use crate::support::client::{BOTH, RequestBody, Version, body, get, request, status};
use crate::support::feed::fed;
use crate::support::upstream::{full, pieces, read_head, write};
use crate::support::{Chain, Upstream, eventually};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Frame;

fn with_fields(fields: &[(&'static str, &'static str)]) -> Request<RequestBody> {
    let mut request = get("/");
    for (name, value) in fields {
        request
            .headers_mut()
            .append(*name, HeaderValue::from_static(value));
    }
    request
}

#[test]
fn methods_paths_queries_and_bodies_are_forwarded_unchanged() {
    let chain = Chain::to(Upstream::start());
    for (version, method) in BOTH.into_iter().flat_map(|version| {
        ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"]
            .map(|method| (version, method))
    }) {
        let path = format!("/{method}/a%20b,c=d?x=1&y=%2F..%2F&&z");
        let text = if method == "GET" { "" } else { "some text" };
        let answer = chain
            .client
            .send(version, request(method, &path, text))
            .unwrap();
        assert_eq!(answer.status, 200);
        let seen = chain.upstream.recorded().pop().unwrap();
        assert_eq!(
            (seen.method.as_str(), seen.target.as_str()),
            (method, path.as_str())
        );
        assert_eq!(seen.body, text);
        if !text.is_empty() {
            assert_eq!(
                seen.values("content-length"),
                ["9"],
                "a known length stays known ({version:?})"
            );
        }
    }
}

#[test]
fn bodies_of_unknown_length_are_chunked_in_both_directions() {
    let chain = Chain::to(Upstream::answering(|seen| {
        let frames = [
            Frame::data(seen.body.clone()),
            Frame::data(Bytes::from("!")),
        ];
        Response::new(pieces(frames))
    }));
    for version in BOTH {
        let (feed, body) = fed();
        feed.data("one ");
        feed.data("two");
        drop(feed);
        let answer = chain
            .client
            .send(version, request("POST", "/", "").map(|_| body))
            .unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (200, "one two!"));
        assert_eq!(answer.header("content-length"), None);
        let seen = chain.upstream.recorded().pop().unwrap();
        assert_eq!(seen.values("transfer-encoding"), ["chunked"]);
        assert!(seen.values("content-length").is_empty());
    }
}

#[test]
fn a_response_of_known_length_has_content_length() {
    let chain = Chain::to(Upstream::start());
    for version in BOTH {
        let answer = chain.client.send(version, get("/")).unwrap();
        assert_eq!(answer.header("content-length"), Some("5"));
        assert_eq!(answer.header("transfer-encoding"), None);
    }
}

#[test]
fn bodyless_responses_keep_their_content_length() {
    let chain = Chain::to(Upstream::scripted(|mut stream, _| {
        loop {
            let head = read_head(&mut stream);
            let answer: &[u8] = match head.split(' ').nth(1) {
                Some("/head") => b"HTTP/1.1 200 OK\r\ncontent-length: 12345\r\n\r\n",
                Some("/unmodified") => {
                    b"HTTP/1.1 304 Not Modified\r\ncontent-length: 777\r\netag: \"a\"\r\n\r\n"
                }
                Some("/nothing") => b"HTTP/1.1 204 No Content\r\n\r\n",
                Some("/empty") => b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
                _ => return,
            };
            write(&mut stream, answer);
        }
    }));
    for version in BOTH {
        let mut connection = chain.client.connect(version).unwrap();
        for (method, path, status, length) in [
            ("HEAD", "/head", 200, Some("12345")),
            ("GET", "/unmodified", 304, Some("777")),
            ("GET", "/nothing", 204, None),
            ("GET", "/empty", 200, Some("0")),
        ] {
            let answer = connection.send(request(method, path, "")).unwrap();
            assert_eq!((answer.status, answer.body.as_str()), (status, ""));
            // Over HTTP/1.1, hyper leaves it out of a 304, as RFC 9110 section 15.4.5 allows.
            let length = length.filter(|_| status != 304 || version == Version::Http2);
            assert_eq!(
                answer.header("content-length"),
                length,
                "{path} {version:?}"
            );
        }
    }
    let log = eventually("eight lines", || {
        Some(chain.gateway.access_log()).filter(|log| log.len() == 8)
    });
    assert!(log.iter().all(|line| line["end"] == "complete"), "{log:#?}");
}

#[test]
fn cookies_that_http2_split_are_joined() {
    let chain = Chain::to(Upstream::start());
    let split = with_fields(&[("cookie", "a=1"), ("cookie", "b=2"), ("cookie", "c=3; d=4")]);
    chain.client.send(Version::Http2, split).unwrap();
    assert_eq!(
        chain.upstream.only().values("cookie"),
        ["a=1; b=2; c=3; d=4"]
    );
}

#[test]
fn fields_of_the_client_connection_stay_behind() {
    let chain = Chain::to(Upstream::start());
    let answer = chain.client.exchange(
        b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close, X-Hop\r\nConnection: x-other-hop\r\nX-Hop: 1\r\n\
          X-Other-Hop: 2\r\nKeep-Alive: timeout=5\r\nProxy-Connection: close\r\nProxy-Authorization: Basic eA==\r\n\
          TE: gzip, trailers\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nX-Stays: 3\r\n\r\n",
    );
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let seen = chain.upstream.only();
    for name in [
        "connection",
        "x-hop",
        "x-other-hop",
        "keep-alive",
        "proxy-connection",
        "proxy-authorization",
        "upgrade",
        "http2-settings",
    ] {
        assert!(
            seen.values(name).is_empty(),
            "{name}: {:?}",
            seen.values(name)
        );
    }
    assert_eq!(seen.values("te"), ["trailers"]);
    assert_eq!(seen.values("x-stays"), ["3"]);
}

#[test]
fn fields_of_the_upstream_connection_stay_behind() {
    let chain = Chain::to(Upstream::answering(|_| {
        Response::builder()
            .header("connection", "x-hop")
            .header("x-hop", "1")
            .header("keep-alive", "timeout=5")
            .header("proxy-authenticate", "Basic")
            .header("x-stays", "2")
            .header("set-cookie", "a=1")
            .header("set-cookie", "b=2")
            .body(full("hello"))
            .unwrap()
    }));
    for version in BOTH {
        let answer = chain.client.send(version, get("/")).unwrap();
        for name in ["connection", "x-hop", "keep-alive", "proxy-authenticate"] {
            assert_eq!(answer.header(name), None, "{name} {version:?}");
        }
        assert_eq!(answer.header("x-stays"), Some("2"));
        let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
        assert_eq!(cookies, ["a=1", "b=2"]);
    }
}

#[test]
fn connection_may_not_name_what_every_hop_needs() {
    let chain = Chain::to(Upstream::start());
    for name in ["Host", "content-length", "Authorization", "Cookie"] {
        let head = format!("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: {name}\r\n\r\n");
        let answer = chain.client.exchange(head.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 400"), "{name}: {answer}");
        assert!(answer.contains("bad_connection_field"), "{answer}");
    }
    let refused = [("decision", "refuse"), ("reason", "bad_connection_field")];
    chain
        .gateway
        .wait_for_metric("portcullis_decisions_total", &refused, 4.0);
    assert!(chain.upstream.recorded().is_empty());
    chain.is_unharmed();
}

#[test]
fn request_trailers_are_forwarded_without_identity_fields() {
    let chain = Chain::to(Upstream::start());
    for version in BOTH {
        let (feed, body) = fed();
        let mut request = request("POST", "/", "").map(|_| body);
        let names = HeaderValue::from_static("x-checksum, x-client-cn");
        request.headers_mut().insert("trailer", names);
        feed.data("data");
        feed.trailers(&[("x-checksum", "abc"), ("x-client-cn", "root")]);
        drop(feed);
        assert_eq!(chain.client.send(version, request).unwrap().status, 200);
        let seen = chain.upstream.recorded().pop().unwrap();
        let trailers = seen.trailers.expect("trailers");
        assert_eq!(seen.body, "data");
        assert_eq!(trailers.get("x-checksum").unwrap(), "abc");
        assert_eq!(trailers.len(), 1, "{trailers:?}");
    }
}

#[test]
fn response_trailers_come_down_to_clients_that_take_them() {
    let chain = Chain::to(Upstream::answering(|_| {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        trailers.insert("set-cookie", HeaderValue::from_static("no=1"));
        let frames = [Frame::data(Bytes::from("data")), Frame::trailers(trailers)];
        Response::builder()
            .header("trailer", "grpc-status, set-cookie")
            .body(pieces(frames))
            .unwrap()
    }));
    for version in BOTH {
        let answer = chain
            .client
            .send(version, with_fields(&[("te", "trailers")]))
            .unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (200, "data"));
        let trailers = answer.trailers.expect("trailers");
        assert_eq!(trailers.get("grpc-status").unwrap(), "0", "{version:?}");
        assert_eq!(trailers.len(), 1, "{trailers:?}");
    }
}

#[test]
fn a_body_behind_a_get_is_forwarded_too() {
    let chain = Chain::to(Upstream::start());
    for version in BOTH {
        let answer = chain
            .client
            .send(version, get("/").map(|_| body("query")))
            .unwrap();
        assert_eq!(answer.status, 200);
        assert_eq!(chain.upstream.recorded().pop().unwrap().body, "query");
    }
    let chunked = b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n\
          7\r\nchunked\r\n0\r\n\r\n";
    assert_eq!(status(&chain.client.exchange(chunked)), 200);
    assert_eq!(chain.upstream.recorded().pop().unwrap().body, "chunked");
    let (feed, body) = fed();
    feed.data("streamed");
    drop(feed);
    let answer = chain
        .client
        .send(Version::Http2, get("/").map(|_| body))
        .unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(chain.upstream.recorded().pop().unwrap().body, "streamed");
}

#[test]
fn http_1_0_is_answered_in_http_1_0_without_chunks() {
    let chain = Chain::to(Upstream::answering(|_| {
        Response::new(pieces([
            Frame::data(Bytes::from("one")),
            Frame::data(Bytes::from("two")),
        ]))
    }));
    let answer = chain
        .client
        .exchange(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nonetwo"), "{answer}");
    assert_eq!(chain.upstream.only().values("via"), ["1.0 portcullis"]);
}
