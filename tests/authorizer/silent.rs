//! Authorizers that do not answer, or say what is no verdict: refused, unless the config says otherwise aloud.

use super::grpc::{self, Grpc};
use super::{BOTH, PATIENT, Speaks, asking_route};
use crate::support::client::{Version, get};
use crate::support::gateway::{listener_with, user};
use crate::support::upstream::{read_head, write};
use crate::support::{Client, Gateway, Pki, ReservedPort, Upstream, eventually, eventually_is};
use std::io::Read;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What an authorizer answers whatever it is asked.
type Answering = fn() -> grpc::Answer;

/// A gateway whose authorizer is at this address.
struct Scene {
    gateway: Gateway,
    upstream: Upstream,
    client: Client,
}

impl Scene {
    fn new(speaks: Speaks, address: SocketAddr, listener: &str, keys: &str) -> Self {
        let (pki, upstream) = (Pki::new(), Upstream::start());
        let users = user("alice", &["*"]);
        let config = listener_with(&pki, listener)
            + &users
            + &speaks.table(address, keys)
            + &asking_route(upstream.address);
        let gateway = Gateway::start(&config);
        let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
        Self {
            gateway,
            upstream,
            client,
        }
    }

    fn counted(&self, result: &str) -> f64 {
        self.gateway.metric(
            "portcullis_authorizer_requests_total",
            &[("authorizer", "opa"), ("result", result)],
        )
    }
}

/// Refused by default, let through where that was said, and told each time.
fn says_nothing(speaks: Speaks, address: SocketAddr, result: &str) {
    // Only what hangs is to run into it.
    let patience = if result == "timeout" {
        // Long enough for a busy machine to ask: what waits in the gateway's own queue is another result.
        "timeout = \"1s\"\n"
    } else {
        PATIENT
    };
    for version in [Version::Http1, Version::Http2] {
        let strict = Scene::new(speaks, address, "", patience);
        let answer = strict.client.send(version, get("/yes")).unwrap();
        assert_eq!(answer.status, 503, "{speaks:?} {result}");
        assert_eq!(answer.reason(), "authorizer_unavailable");
        assert!(strict.upstream.recorded().is_empty());
        eventually_is("questions", &(1.0, 0.0), || {
            (strict.counted(result), strict.counted("permitted"))
        });
        let told = eventually("a warning", || {
            strict.gateway.find_log("no answer from an authorizer")
        });
        assert_eq!(told["level"], "WARN");
    }
    let lenient = Scene::new(
        speaks,
        address,
        "",
        &(patience.to_owned() + "unavailable = \"permit\"\n"),
    );
    assert_eq!(lenient.client.get("/yes").status, 200);
    let line = lenient
        .gateway
        .wait_for_access(|line| line["status"] == 200);
    assert_eq!(line["decision"], "permit");
    assert!(
        line["detail"].as_str().unwrap().contains("permits"),
        "{line}"
    );
    eventually_is("questions", &(1.0, 0.0), || {
        (lenient.counted(result), lenient.counted("permitted"))
    });
    let of_opa = [("authorizer", "opa")];
    lenient.gateway.wait_for_metric(
        "portcullis_authorizer_unavailable_permits_total",
        &of_opa,
        1.0,
    );
}

#[test]
fn one_that_hangs_is_too_late() {
    let hanging = Upstream::scripted(|mut stream, _| {
        let _ = stream.read_to_end(&mut Vec::new());
    });
    for speaks in BOTH {
        says_nothing(speaks, hanging.address, "timeout");
    }
    says_nothing(
        Speaks::ExtAuthz,
        Grpc::answering(None, |_| None).address,
        "timeout",
    );
}

#[test]
fn one_that_is_not_there_or_breaks_off_cannot_be_reached() {
    let closed = ReservedPort::new();
    let closing = Upstream::scripted(|mut stream, _| drop(stream.read(&mut [0; 16])));
    for speaks in BOTH {
        says_nothing(speaks, closed.address(), "unreachable");
        says_nothing(speaks, closing.address, "unreachable");
    }
}

#[test]
fn what_is_no_http_or_no_end_of_it_is_no_verdict() {
    let answering = |text: &'static str| {
        Upstream::scripted(move |mut stream, _| {
            read_head(&mut stream);
            write(&mut stream, text.as_bytes());
        })
    };
    says_nothing(
        Speaks::ForwardAuth,
        answering("SSH-2.0-OpenSSH_9.2\r\n\r\n").address,
        "malformed",
    );
    says_nothing(
        Speaks::ForwardAuth,
        answering("HTTP/1.1 200 OK\r\nx: ").address,
        "unreachable",
    );
    says_nothing(
        Speaks::ForwardAuth,
        answering("HTTP/1.1 101 Switching Protocols\r\n\r\n").address,
        "malformed",
    );
    says_nothing(
        Speaks::ForwardAuth,
        answering("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n").address,
        "failed",
    );
    let long: &'static str =
        format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "x".repeat(300_000)).leak();
    says_nothing(Speaks::ForwardAuth, answering(long).address, "malformed");
}

const NO_VERDICTS: [(Answering, &str); 10] = [
    (
        || grpc::Answer {
            grpc_status: Some("14"),
            ..grpc::Answer::code(0)
        },
        "failed",
    ),
    (
        || grpc::Answer {
            grpc_status: Some("999"),
            ..grpc::Answer::code(0)
        },
        "failed",
    ),
    (
        || grpc::Answer {
            status: 503,
            ..grpc::Answer::code(0)
        },
        "failed",
    ),
    (
        || grpc::Answer {
            grpc_status: None,
            ..grpc::Answer::code(0)
        },
        "malformed",
    ),
    (
        || grpc::Answer {
            grpc_status: Some("fine"),
            ..grpc::Answer::code(0)
        },
        "malformed",
    ),
    (
        || grpc::Answer {
            data: Vec::new(),
            ..grpc::Answer::code(0)
        },
        "malformed",
    ),
    (
        || grpc::Answer {
            data: b"\x01\0\0\0\x02\x0a\0".to_vec(),
            ..grpc::Answer::code(0)
        },
        "malformed",
    ),
    (|| grpc::Answer::message(b"\x0a\x05"), "malformed"),
    (|| grpc::Answer::message(b""), "malformed"),
    (
        || grpc::Answer {
            data: vec![0; 100_000],
            ..grpc::Answer::code(0)
        },
        "malformed",
    ),
];

#[test]
fn what_is_no_check_response_or_no_end_of_it_is_no_verdict() {
    let answering = |answer: Answering| Grpc::answering(None, move |_| Some(answer()));
    for (answer, result) in NO_VERDICTS {
        says_nothing(Speaks::ExtAuthz, answering(answer).address, result);
    }
    // The twin of them all.
    let fake = answering(|| grpc::Answer::code(0));
    let good = Scene::new(Speaks::ExtAuthz, fake.address, "", PATIENT);
    assert_eq!(good.client.get("/yes").status, 200);
}

#[test]
fn one_that_comes_back_is_asked_again_and_the_log_says_so() {
    let port = ReservedPort::new();
    let scene = Scene::new(Speaks::ForwardAuth, port.address(), "", PATIENT);
    assert_eq!(scene.client.get("/yes").status, 503);
    let listener = port.listen();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                while !read_head(&mut stream).is_empty() {
                    write(&mut stream, b"HTTP/1.1 204 No Content\r\n\r\n");
                }
            });
        }
    });
    eventually("a verdict", || {
        (scene.client.get("/yes").status == 200).then_some(())
    });
    eventually("a line", || {
        scene.gateway.find_log("the authorizer answers again")
    });
}

#[test]
fn a_request_in_the_full_queue_is_denied_though_unavailable_permits() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let hanging = Upstream::scripted(move |mut stream, _| {
        read_head(&mut stream);
        counter.fetch_add(1, Ordering::SeqCst);
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let keys = "timeout = \"3s\"\nconcurrency = 1\nunavailable = \"permit\"\n";
    let scene = Scene::new(Speaks::ForwardAuth, hanging.address, "", keys);
    let client = &scene.client;
    let (first, second) = std::thread::scope(|scope| {
        let first = scope.spawn(|| client.get("/yes").status);
        eventually("the first question", || {
            (asked.load(Ordering::SeqCst) > 0).then_some(())
        });
        let second = client.get("/yes");
        assert_eq!(second.reason(), "authorizer_unavailable");
        (first.join().unwrap(), second.status)
    });
    assert_eq!(
        (first, second),
        (200, 503),
        "the authorizer was silent to the first, and was not asked in time for the second"
    );
    eventually_is("questions", &(1.0, 1.0), || {
        (scene.counted("timeout"), scene.counted("busy"))
    });
}
