//! What is sent to another endpoint, and what is not.

use super::*;
use crate::support::client::request;
use std::sync::Mutex;

/// Closes each connection after one request, and records its head and body.
fn recording(seen: &Arc<Mutex<Vec<String>>>) -> Upstream {
    let seen = seen.clone();
    Upstream::scripted(move |mut stream, _| {
        let head = read_head(&mut stream);
        let mut body = [0; 4];
        let _ = stream.read_exact(&mut body);
        let body = String::from_utf8_lossy(&body).into_owned();
        seen.lock().unwrap().push(head + &body);
    })
}

#[test]
fn a_request_with_side_effects_is_sent_to_one_endpoint_only() {
    for version in BOTH {
        let seen = Arc::default();
        let bad = recording(&seen);
        let chain = Chain::configured(Upstream::start(), |_, good| {
            endpoints(&[good, bad.address], "", LONG)
        });
        // A connection of HTTP/1.1 ends with an error response to a request with a body.
        let post = |_| chain.client.send(version, request("POST", "/", "body"));
        let statuses: Vec<_> = (0..12)
            .map(post)
            .map(|answer| answer.unwrap().status)
            .collect();
        assert_eq!(statuses[..6], [200, 502, 200, 502, 200, 502], "{version:?}");
        assert!(statuses[6..].iter().all(|status| *status == 200));
        assert_eq!(seen.lock().unwrap().len(), 3);
        assert_eq!(chain.upstream.recorded().len(), 9);
    }
}

#[test]
fn an_idempotent_request_is_sent_to_another_endpoint_with_its_body() {
    for version in BOTH {
        let seen = Arc::default();
        let bad = recording(&seen);
        let chain = Chain::configured(Upstream::start(), |_, good| {
            endpoints(&[good, bad.address], "", LONG)
        });
        let mut connection = chain.client.connect(version).unwrap();
        for _ in 0..8 {
            let answer = connection.send(request("PUT", "/", "body")).unwrap();
            assert_eq!(answer.status, 200, "{version:?}");
        }
        let seen = seen.lock().unwrap();
        assert_eq!(seen.len(), 3);
        assert!(seen.iter().all(|it| it.ends_with("body")), "{seen:?}");
        let recorded = chain.upstream.recorded();
        assert_eq!(recorded.len(), 8);
        assert!(recorded.iter().all(|it| it.body == "body"));
        let line = chain.gateway.wait_for_access(|line| line["attempts"] == 2);
        assert_eq!(line["endpoint"], chain.upstream.address.to_string());
        let retries = [("upstream", "api")];
        chain
            .gateway
            .wait_for_metric("portcullis_upstream_retries_total", &retries, 3.0);
    }
}

#[test]
fn retries_stay_within_their_budget() {
    const REQUESTS: usize = 40;
    let other = closing();
    let chain = Chain::configured(closing(), |_, address| {
        let health = "failures = \"off\"\n";
        endpoints(&[address, other.address], "retry_percent = 1\n", health)
    });
    for _ in 0..REQUESTS {
        assert_eq!(chain.client.get("/").status, 502);
    }
    let labels = [("upstream", "api")];
    let count = |name| chain.gateway.metric(name, &labels);
    let retries = count("portcullis_upstream_retries_total");
    let denied = count("portcullis_upstream_retries_denied_total");
    assert_eq!(retries + denied, REQUESTS as f64);
    assert!(retries >= 10.0 && denied > 0.0, "{retries} {denied}");
}

#[test]
fn without_a_share_for_retries_no_request_is_sent_twice() {
    let bad = closing();
    let chain = Chain::configured(Upstream::start(), |_, good| {
        endpoints(&[good, bad.address], "retry_percent = 0\n", LONG)
    });
    let statuses: Vec<_> = (0..8).map(|_| chain.client.get("/").status).collect();
    assert_eq!(statuses, [200, 502, 200, 502, 200, 502, 200, 200]);
    let retries = chain
        .gateway
        .metric("portcullis_upstream_retries_total", &[]);
    assert_eq!(retries, 0.0);
}
