//! Refusals and deadlines of gRPC requests, frame by frame.

use crate::support::client::{Answer, Version, get, request};
use crate::support::gateway::{listener, user};
use crate::support::http2_upstream::Http2Upstream;
use crate::support::{Client, Gateway, Pki};
use http::Request;

fn call(fields: &[(&'static str, &'static str)]) -> Request<crate::support::client::RequestBody> {
    let mut request = request("POST", "/test.Echo/Unary", "\0\0\0\0\0");
    for (name, value) in fields {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    request
}

const GRPC: (&str, &str) = ("content-type", "application/grpc+proto");

fn is_trailers_only(answer: &Answer, status: &str) {
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("grpc-status"), Some(status));
    assert_eq!(answer.header("content-type"), Some("application/grpc"));
    assert!(
        answer.body.is_empty() && answer.trailers.is_none(),
        "{answer:?}"
    );
    assert!(answer.header("x-request-id").is_some());
}

#[test]
fn a_refusal_is_one_head_for_grpc_and_a_problem_for_others() {
    let upstream = Http2Upstream::start(|call| async move { drop(call) });
    let pki = Pki::new();
    let config = listener(&pki) + &user("alice", &["GET /other"]) + &upstream.route("grpc", "");
    let gateway = Gateway::start(&config);
    let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
    is_trailers_only(&client.send(Version::Http2, call(&[GRPC])).unwrap(), "7");
    for (version, kind) in [
        (Version::Http2, "application/grpc-web"),
        (Version::Http2, "application/json"),
        (Version::Http1, "application/grpc"),
    ] {
        let answer = client
            .send(version, call(&[("content-type", kind)]))
            .unwrap();
        assert_eq!(
            (answer.status, &*answer.reason()),
            (403, "no_permission"),
            "{kind}"
        );
        assert_eq!(answer.header("grpc-status"), None);
    }
    assert!(upstream.seen.heads().is_empty());
}

#[test]
fn the_deadline_of_a_call_bounds_the_wait_for_its_response() {
    let upstream = Http2Upstream::start(|mut call| async move {
        if call.request.uri().path() == "/quick" {
            return call.answer(http::Response::new(()), Vec::new(), None).await;
        }
        // Never responds.
        let body = call.read().await;
        std::future::pending::<()>().await;
        drop(body);
    });
    let pki = Pki::new();
    let config = listener(&pki) + &user("alice", &["*"]) + &upstream.route("grpc", "");
    let gateway = Gateway::start(&config);
    let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
    let answer = client
        .send(Version::Http2, call(&[GRPC, ("grpc-timeout", "200m")]))
        .unwrap();
    is_trailers_only(&answer, "4");
    let line = gateway.wait_for_access(|line| line["status"] == 504);
    assert_eq!(line["reason"], "response_timeout");
    let (_, head) = upstream.seen.heads().pop().unwrap();
    assert_eq!(
        head.headers()["grpc-timeout"],
        "200m",
        "the upstream gets it, too"
    );
    assert_eq!(
        client.send(Version::Http2, get("/quick")).unwrap().status,
        200
    );
}
