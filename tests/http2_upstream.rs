//! Upstreams that speak HTTP/2, by prior knowledge and by ALPN, for clients of both versions.

/// What an upstream permits, refuses and ends: stream limits, GOAWAY, REFUSED_STREAM, small windows.
mod frames;
/// Which version an endpoint speaks.
mod versions;

use crate::support::client::{BOTH, Version, body, body_with_trailers, get, request};
use crate::support::eventually;
use crate::support::gateway::{ONE_WORKER, listener, user};
use crate::support::http2_upstream::{Call, Http2Upstream, send};
use crate::support::{Client, Gateway, Pki};
use bytes::Bytes;
use http::{HeaderMap, Response};

/// A user who may do everything, a gateway with one worker, and a route for everything.
struct Front {
    client: Client,
    gateway: Gateway,
    config: String,
    pki: Pki,
}

impl Front {
    fn new(upstream: &Http2Upstream) -> Self {
        Self::configured(&upstream.route("h2c", ""))
    }

    fn configured(route: &str) -> Self {
        Self::with(Pki::new(), route)
    }

    fn with(pki: Pki, route: &str) -> Self {
        let config = listener(&pki) + route + ONE_WORKER;
        let gateway = Gateway::start(&(config.clone() + &user("alice", &["*"])));
        let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
        Self {
            client,
            gateway,
            config,
            pki,
        }
    }
}

fn map(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    let fields = fields.iter().map(|(name, value)| {
        let name = http::HeaderName::from_static(name);
        (name, http::HeaderValue::from_static(value))
    });
    fields.collect()
}

/// Responds with the body and the trailers of the request.
async fn echo(mut call: Call) {
    let (data, trailers) = call.read().await;
    let mut head = Response::builder().header("trailer", "x-sum");
    if !data.is_empty() && trailers.is_none() {
        head = head.header("content-length", data.len());
    }
    call.answer(head.body(()).unwrap(), data, trailers).await;
}

#[test]
fn both_versions_of_clients_are_served_by_an_http2_upstream() {
    let upstream = Http2Upstream::start(echo);
    let front = Front::new(&upstream);
    for version in BOTH {
        let mut connection = front.client.connect(version).unwrap();
        let answer = connection.send(request("POST", "/a?b=c", "hello")).unwrap();
        assert_eq!(
            (answer.status, &*answer.body),
            (200, "hello"),
            "{version:?}"
        );
        assert_eq!(answer.header("content-length"), Some("5"));
        let answer = connection.send(get("/")).unwrap();
        assert_eq!((answer.status, &*answer.body), (200, ""), "{version:?}");
        let answer = connection.send(request("HEAD", "/", "")).unwrap();
        assert_eq!((answer.status, &*answer.body), (200, ""), "{version:?}");
        let line = front
            .gateway
            .wait_for_access(|line| line["method"] == "HEAD");
        assert_eq!(line["status"], 200);
    }
    let heads = upstream.seen.heads();
    assert_eq!(upstream.seen.connections(), 1, "all on one connection");
    for (_, head) in &heads {
        let uri = head.uri();
        assert_eq!(uri.scheme_str(), Some("http"));
        assert_eq!(uri.authority().map(|host| host.as_str()), Some("localhost"));
        let only_http1 = [
            "host",
            "connection",
            "transfer-encoding",
            "upgrade",
            "keep-alive",
        ];
        assert!(
            !only_http1
                .iter()
                .any(|name| head.headers().contains_key(*name)),
            "{head:?}"
        );
        assert_eq!(head.headers()["x-client-cn"], "alice");
    }
    assert_eq!(heads[0].1.uri().path_and_query().unwrap(), "/a?b=c");
    assert_eq!(heads[0].1.headers()["content-length"], "5");
}

#[test]
fn what_a_client_must_not_send_reaches_no_http2_upstream() {
    let upstream = Http2Upstream::start(echo);
    let front = Front::new(&upstream);
    for version in BOTH {
        let mut request = get("/");
        let headers = request.headers_mut();
        headers.insert("x-client-cn", "root".parse().unwrap());
        headers.insert("x-kept", "yes".parse().unwrap());
        headers.insert("te", "trailers".parse().unwrap());
        if version == Version::Http1 {
            headers.insert("connection", "x-hop".parse().unwrap());
            headers.insert("x-hop", "1".parse().unwrap());
        }
        assert_eq!(front.client.send(version, request).unwrap().status, 200);
        let (_, head) = upstream.seen.heads().pop().unwrap();
        let names: Vec<_> = head.headers().get_all("x-client-cn").iter().collect();
        assert_eq!(names, ["alice"], "{version:?}");
        assert_eq!(head.headers()["x-kept"], "yes");
        assert_eq!(head.headers()["te"], "trailers");
        assert!(!head.headers().contains_key("x-hop"));
    }
}

#[test]
fn trailers_pass_both_ways() {
    let upstream = Http2Upstream::start(echo);
    let front = Front::new(&upstream);
    for version in BOTH {
        let mut request = request("POST", "/", "")
            .map(|_| body_with_trailers("data", map(&[("x-sum", "4"), ("x-unannounced", "1")])));
        request
            .headers_mut()
            .insert("trailer", "x-sum".parse().unwrap());
        request
            .headers_mut()
            .insert("te", "trailers".parse().unwrap());
        let answer = front.client.send(version, request).unwrap();
        assert_eq!((answer.status, &*answer.body), (200, "data"), "{version:?}");
        assert_eq!(answer.trailers, Some(map(&[("x-sum", "4")])), "{version:?}");
    }
}

#[test]
fn large_bodies_pass_whole_both_ways() {
    const LENGTH: usize = 5 * 1024 * 1024;
    let large: Bytes = (0..LENGTH)
        .map(|at| (at % 251) as u8)
        .collect::<Vec<_>>()
        .into();
    let upstream = Http2Upstream::start(echo);
    let front = Front::new(&upstream);
    for version in BOTH {
        let upload = request("POST", "/", "").map(|_| body(large.clone()));
        let mut connection = front.client.connect(version).unwrap();
        let answer = connection.start(upload).unwrap();
        let runtime = front.client.runtime();
        let echoed = runtime.block_on(http_body_util::BodyExt::collect(answer.into_body()));
        assert!(echoed.unwrap().to_bytes() == large, "{version:?}");
    }
}

#[test]
fn a_response_that_breaks_off_never_looks_complete() {
    let upstream = Http2Upstream::start(|mut call| async move {
        let head = Response::new(());
        let mut stream = call.respond.send_response(head, false).unwrap();
        send(&mut stream, b"half".to_vec(), false).await.unwrap();
        // The client has it before the stream ends.
        call.seen.wait_for_go_ahead().await;
        stream.send_reset(h2::Reason::INTERNAL_ERROR);
    });
    let front = Front::new(&upstream);
    for version in BOTH {
        let mut connection = front.client.connect(version).unwrap();
        let mut answer = connection.start(get("/")).unwrap();
        let runtime = front.client.runtime();
        let mut next = || runtime.block_on(http_body_util::BodyExt::frame(answer.body_mut()));
        assert_eq!(next().unwrap().unwrap().into_data().unwrap(), "half");
        upstream.seen.go_ahead();
        let end = std::iter::from_fn(next).find(|frame| frame.is_err());
        assert!(end.is_some(), "{version:?}");
    }
    let broken = |line: &serde_json::Value| line["end"] == "upstream_broke_off";
    eventually("two cut responses in the log", || {
        let lines = front.gateway.access_log();
        (lines.iter().filter(|line| broken(line)).count() == 2).then_some(())
    });
}

#[test]
fn a_withdrawn_right_resets_the_stream_at_the_upstream_and_no_other() {
    let upstream = Http2Upstream::start(|mut call| async move {
        let head = Response::new(());
        let mut stream = call.respond.send_response(head, false).unwrap();
        send(&mut stream, b"tick".to_vec(), false).await.unwrap();
        call.wait_for_reset(&mut stream).await;
    });
    let front = Front::new(&upstream);
    let bob = Client::new(
        &front.pki,
        Some(&front.pki.client("bob")),
        front.gateway.address(),
    );
    let users = |alice: &[&str]| user("alice", alice) + &user("bob", &["*"]);
    front
        .gateway
        .reload_with(&(front.config.clone() + &users(&["*"])));
    for version in BOTH {
        let runtime = front.client.runtime();
        let start = |client: &Client| {
            let mut connection = client.connect(version).unwrap();
            let mut answer = connection.start(get("/")).unwrap();
            let frame = client
                .runtime()
                .block_on(http_body_util::BodyExt::frame(answer.body_mut()));
            assert_eq!(frame.unwrap().unwrap().into_data().unwrap(), "tick");
            answer
        };
        let mut alice = start(&front.client);
        let _bob = start(&bob);
        let before = upstream.seen.resets().len();
        front
            .gateway
            .reload_with(&(front.config.clone() + &users(&[])));
        let end = runtime.block_on(http_body_util::BodyExt::frame(alice.body_mut()));
        assert!(matches!(end, Some(Err(_))), "{version:?}: {end:?}");
        eventually("a reset at the upstream", || {
            (upstream.seen.resets().len() > before).then_some(())
        });
        assert_eq!(upstream.seen.resets()[before..], [h2::Reason::CANCEL]);
        front
            .gateway
            .reload_with(&(front.config.clone() + &users(&["*"])));
    }
    assert_eq!(upstream.seen.connections(), 1);
}
