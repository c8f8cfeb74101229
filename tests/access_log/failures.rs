//! Clients and upstreams that break off, requests that are sent twice, and heads that are no requests.

use super::*;

#[test]
fn a_client_that_leaves_before_the_response_is_logged_and_counted() {
    let (pki, held) = (Pki::new(), HeldUpstream::start());
    let gateway = gateway(&pki, &held.upstream, "");
    let mut raw = Client::new(&pki, Some(&pki.client("alice")), gateway.address()).raw();
    raw.write(b"GET /api/x HTTP/1.1\r\nHost: localhost\r\n\r\n");
    held.wait_for_requests(1);
    drop(raw);
    let line = gateway.wait_for_access(|line| line["path"] == "/api/x");
    let endpoint = held.upstream.address.to_string();
    let expected = serde_json::json!({ "end": "client_gone", "decision": "permit", "user": "alice", "upstream": "api" });
    assert_contains(&line, &expected);
    assert_eq!(line["endpoint"], endpoint, "whom it was sent to: {line}");
    gateway.wait_for_metric("portcullis_requests_total", &[("code", "499")], 1.0);
    assert_eq!(line["status"], 499, "the same word as in the metrics");
    held.open();
}

#[test]
fn an_upstream_that_breaks_off_is_named_with_its_endpoint() {
    for version in BOTH {
        let upstream = Upstream::scripted(|mut stream, _| {
            read_head(&mut stream);
            write(&mut stream, b"HTTP/1.1 200");
        });
        let endpoint = upstream.address.to_string();
        let chain = Chain::on("", upstream, "");
        assert_eq!(chain.client.send(version, get("/")).unwrap().status, 502);
        let line = chain.gateway.wait_for_access(|line| line["status"] == 502);
        assert_contains(
            &line,
            &serde_json::json!({ "endpoint": endpoint, "upstream": "api", "decision": "permit" }),
        );
        assert!(line.get("attempts").is_none(), "it was sent once: {line}");
    }
}

#[test]
fn a_client_that_leaves_is_logged_with_the_endpoint_over_both_versions() {
    for version in BOTH {
        let held = HeldUpstream::start();
        let endpoint = held.upstream.address.to_string();
        let pki = Pki::new();
        let config = listener(&pki) + &user("alice", &["*"]) + &route_to(held.upstream.address);
        let gateway = Gateway::start(&config);
        let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
        let mut connection = client.connect(version).unwrap();
        assert!(
            connection
                .start_until(get("/"), || held.requests() == 1)
                .is_none()
        );
        drop(connection);
        let line = gateway.wait_for_access(|line| line["status"] == 499);
        assert_contains(
            &line,
            &serde_json::json!({ "endpoint": endpoint, "upstream": "api" }),
        );
        held.open();
    }
}

#[test]
fn a_request_that_is_sent_twice_says_so() {
    for version in BOTH {
        let upstream = Upstream::scripted(|mut stream, number| {
            let hello = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
            while !read_head(&mut stream).is_empty() {
                write(&mut stream, hello);
                // The first connection takes one more request, and drops it.
                if number == 0 {
                    read_head(&mut stream);
                    return;
                }
            }
        });
        let chain = Chain::on("", upstream, ONE_WORKER);
        for path in ["/once", "/twice", "/again"] {
            assert_eq!(
                chain.client.send(version, get(path)).unwrap().status,
                200,
                "{path} {version:?}"
            );
        }
        let attempts = |path: &str| {
            chain.gateway.wait_for_access(|line| line["path"] == path)["attempts"].clone()
        };
        assert_eq!(attempts("/twice"), 2, "{version:?}");
        assert_eq!(
            (attempts("/once"), attempts("/again")),
            (Value::Null, Value::Null)
        );
    }
}

#[test]
fn a_head_that_was_never_a_request_has_a_line_too() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = gateway(&pki, &upstream, "");
    let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
    let answer = client.exchange(
        b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: x\r\nContent-Length: 1\r\n\r\n",
    );
    assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
    let line = gateway.wait_for_access(|line| line["decision"] == "refuse");
    assert_contains(
        &line,
        &serde_json::json!({ "method": "-", "path": "-", "end": "complete" }),
    );
    assert!(answer.contains(line["id"].as_str().unwrap()), "{answer}");
    assert_eq!(
        client.send(Version::Http1, get("/api/")).unwrap().status,
        200
    );
}

#[test]
fn a_log_file_that_cannot_be_opened_stops_the_start() {
    let (pki, folder) = (Pki::new(), tempfile::tempdir().unwrap());
    let file = folder.path().join("gateway.toml");
    let config = format!(
        "{}[access_log]\npath = \"no/such/folder/log\"\n",
        listener(&pki)
    );
    std::fs::write(&file, config).unwrap();
    let (_, error, code) = crate::support::run(
        crate::support::PORTCULLIS,
        &["run", "-c", file.to_str().unwrap()],
    );
    assert_eq!(code, 1);
    assert!(
        error.contains("cannot open the access log") && error.contains("No such file"),
        "{error}"
    );
}
