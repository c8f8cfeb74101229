//! Several requests in one breath: each is judged, answered in order, and none hides in another.

use super::decisions;
use crate::support::client::status;
use crate::support::gateway::{route_to, user};
use crate::support::upstream::{full, pieces};
use crate::support::{Chain, Client, Upstream, eventually, eventually_is};
use http::Response;
use http_body::Frame;

/// Status and body end of each answer.
fn statuses(answers: &str) -> Vec<u16> {
    let heads = answers.match_indices("HTTP/1.1 ");
    heads.map(|(at, _)| status(&answers[at..])).collect()
}

fn echoing() -> Upstream {
    Upstream::answering(|seen| {
        let text = format!(
            "<{} {} {}>",
            seen.method,
            seen.target,
            String::from_utf8_lossy(&seen.body)
        );
        if seen.target.contains("chunked") {
            return Response::new(pieces([Frame::data(text.into())]));
        }
        Response::new(full(text))
    })
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let chain = Chain::to(echoing());
    let mut requests = String::new();
    for at in 0..50 {
        requests += &match at % 4 {
            0 => format!("GET /{at} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            1 => format!("POST /{at} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbody"),
            2 => format!(
                "POST /{at} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"
            ),
            _ => format!("\r\nGET /{at}/chunked HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        };
    }
    requests += "GET /last HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    for piece in [requests.len(), 1000, 61, 7] {
        let mut raw = chain.client.raw();
        for part in requests.as_bytes().chunks(piece) {
            raw.write(part);
        }
        let answers = raw.read_to_end();
        assert_eq!(statuses(&answers), [200; 51], "{answers}");
        let mut from = 0;
        for at in 0..50 {
            let text = [format!("T /{at} "), format!("T /{at}/chunked ")];
            let found = text.iter().find_map(|text| answers[from..].find(text));
            from +=
                found.unwrap_or_else(|| panic!("no answer {at} behind the one before: {answers}"));
        }
    }
    let seen: Vec<_> = chain
        .upstream
        .recorded()
        .into_iter()
        .take(51)
        .map(|seen| seen.target)
        .collect();
    assert_eq!(seen[0..3], ["/0", "/1", "/2"]);
    chain.is_unharmed();
}

#[test]
fn each_pipelined_request_is_decided() {
    let chain = Chain::configured(echoing(), |_, address| {
        user("bob", &["GET /public/*"]) + &route_to(address)
    });
    let bob = Client::new(
        &chain.pki,
        Some(&chain.pki.client("bob")),
        chain.gateway.address(),
    );
    let answers = bob.exchange(
        b"GET /public/a HTTP/1.1\r\nHost: localhost\r\n\r\n\
          GET /secret HTTP/1.1\r\nHost: localhost\r\n\r\n\
          DELETE /public/a HTTP/1.1\r\nHost: localhost\r\n\r\n\
          GET /public/../secret HTTP/1.1\r\nHost: localhost\r\n\r\n\
          GET /public/b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    );
    assert_eq!(statuses(&answers), [200, 403, 403, 400, 200], "{answers}");
    let seen: Vec<_> = chain
        .upstream
        .recorded()
        .into_iter()
        .map(|seen| seen.target)
        .collect();
    assert_eq!(seen, ["/public/a", "/public/b"]);
    eventually_is("decisions", &2.0, || decisions(&chain, "no_permission"));
}

#[test]
fn garbage_after_a_request_does_not_suppress_its_response() {
    let garbage = [
        "garbage\r\n\r\n",
        "\0\0\0\0",
        "GET /b HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
    ];
    for behind in garbage {
        let chain = Chain::to(echoing());
        let request =
            "POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbody".to_owned();
        let answers = chain.client.exchange((request + behind).as_bytes());
        assert_eq!(statuses(&answers), [200, 400], "{behind:?}: {answers}");
        assert!(answers.contains("<POST /a body>HTTP/1.1 400"), "{answers}");
        assert_eq!(chain.upstream.only().body, "body");
        eventually_is("decisions", &1.0, || decisions(&chain, "bad_framing"));
        chain.is_unharmed();
    }
}

/// The rest of a request that has another one inside, and what it is answered.
fn hiding(hidden: &str) -> [(String, u16); 10] {
    [
        // CL.TE and TE.CL, plain and disguised.
        (
            format!(
                "Content-Length: {}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}",
                hidden.len() + 5
            ),
            400,
        ),
        (
            format!(
                "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n2c\r\n{hidden}\r\n0\r\n\r\n"
            ),
            400,
        ),
        (
            format!("Content-Length: 6\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n{hidden}"),
            400,
        ),
        (
            format!("Content-Length: 6\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"),
            400,
        ),
        (
            format!("Transfer-Encoding: chunked\r\nTransfer-encoding: x\r\n\r\n0\r\n\r\n{hidden}"),
            501,
        ),
        (
            format!(
                "Content-Length: 0\r\nContent-Length: {}\r\n\r\n{hidden}",
                hidden.len()
            ),
            400,
        ),
        (
            format!("Transfer-Encoding: chunked\r\n\r\n0\n\r\n\r\n{hidden}"),
            400,
        ),
        (
            format!("Transfer-Encoding: chunked\r\n\r\n0;\n\r\n{hidden}\r\n"),
            400,
        ),
        (
            format!("Content-Length: {}\r\n\r\n{hidden}", hidden.len()),
            200,
        ),
        (
            format!(
                "Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{hidden}\r\n0\r\n\r\n",
                hidden.len()
            ),
            200,
        ),
    ]
}

#[test]
fn a_request_hidden_in_another_stays_a_body_or_is_rejected() {
    let hidden = "GET /hidden HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for (rest, code) in hiding(hidden) {
        let chain = Chain::with(echoing(), "[limits]\nkeep_alive_timeout = \"500ms\"\n");
        let answers = chain
            .client
            .exchange(format!("POST /a HTTP/1.1\r\nHost: localhost\r\n{rest}").as_bytes());
        assert_eq!(statuses(&answers), [code], "{rest:?}: {answers}");
        let seen = chain.upstream.recorded();
        assert!(
            seen.iter().all(|seen| seen.target == "/a"),
            "{rest:?}: {seen:?}"
        );
        if code == 200 {
            assert_eq!(chain.upstream.only().body, hidden);
        }
        chain.is_unharmed();
    }
}

#[test]
fn bytes_after_the_last_request_are_not_read() {
    let chain = Chain::to(echoing());
    let answers = chain.client.exchange(
        b"GET /a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\nGET /b HTTP/1.1\r\nHost: localhost\r\n\r\n",
    );
    assert_eq!(statuses(&answers), [200], "{answers}");
    assert_eq!(chain.upstream.only().target, "/a");
}

#[test]
fn old_clients_are_served_once_per_connection_or_as_often_as_they_ask() {
    let chain = Chain::to(echoing());
    let once = chain
        .client
        .exchange(b"GET /a HTTP/1.0\r\nHost: localhost\r\n\r\n");
    assert!(
        once.starts_with("HTTP/1.0 200") && once.ends_with("<GET /a >"),
        "{once}"
    );
    let mut raw = chain.client.raw();
    for _ in 0..2 {
        raw.write(b"GET /b HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n");
        assert!(raw.read_until("<GET /b >").starts_with("HTTP/1.0 200"));
    }
    let chunked =
        b"POST / HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    assert_eq!(status(&chain.client.exchange(chunked)), 400);
    eventually("it is counted", || {
        (decisions(&chain, "bad_framing") == 1.0).then_some(())
    });
    chain.is_unharmed();
}
