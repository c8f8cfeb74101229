//! What the admin and the metrics listener answer to whom, and how many connections they have.

use super::{ask_at, config, gateway_with};
use crate::support::gateway::user;
use crate::support::{Client, Gateway, PORTCULLIS, Pki, Upstream, eventually, run};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

const ADMIN: &str = "[admin]\naddress = \"127.0.0.1:0\"\n";
const METRICS: &str = "[metrics]\naddress = \"127.0.0.1:0\"\n";

fn metrics_address(gateway: &Gateway) -> SocketAddr {
    let line = eventually("a metrics listener", || {
        gateway.find_log("metrics listening")
    });
    line["address"].as_str().unwrap().parse().unwrap()
}

/// All of an answer to these lines.
fn answer(address: SocketAddr, lines: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .write_all(format!("{lines}\r\nConnection: close\r\n\r\n").as_bytes())
        .unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

#[test]
fn a_foreign_host_or_origin_gets_nothing_of_the_admin_listener() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = gateway_with(&pki, &upstream, ADMIN);
    let admin = gateway.admin_address();
    let port = admin.port();
    for (lines, status) in [
        (format!("Host: {admin}"), 200),
        (format!("Host: localhost:{port}"), 200),
        (
            format!("Host: LOCALHOST:{port}\r\nOrigin: http://LOCALHOST:{port}"),
            200,
        ),
        (
            format!("Host: localhost:{port}\r\nSec-Fetch-Site: none"),
            200,
        ),
        (format!("Host: rebound.example:{port}"), 421),
        (format!("Host: 192.0.2.1:{port}"), 421),
        ("Host:".to_owned(), 421),
        ("X: y".to_owned(), 421),
        (
            format!("Host: localhost:{port}\r\nHost: rebound.example"),
            421,
        ),
        (
            format!("Host: localhost:{port}\r\nOrigin: http://evil.example"),
            403,
        ),
        (
            format!("Host: localhost:{port}\r\nOrigin: http://localhost:8000"),
            403,
        ),
        (format!("Host: localhost:{port}\r\nOrigin: null"), 403),
        (
            format!("Host: localhost:{port}\r\nSec-Fetch-Site: cross-site"),
            403,
        ),
    ] {
        for path in ["/status", "/metrics", "/expiring", "/livez"] {
            let answered = answer(admin, &format!("GET {path} HTTP/1.1\r\n{lines}"));
            assert!(
                answered.starts_with(&format!("HTTP/1.1 {status} ")),
                "{path} {lines}: {answered}"
            );
            if status != 200 {
                let (head, body) = answered.split_once("\r\n\r\n").unwrap();
                assert!(
                    head.to_ascii_lowercase()
                        .contains("content-type: application/problem+json"),
                    "{head}"
                );
                let problem: Value = serde_json::from_str(body).unwrap();
                assert_eq!(problem["status"], status, "{problem}");
            }
        }
    }
    let absolute = answer(
        admin,
        &format!("GET http://evil.example/status HTTP/1.1\r\nHost: localhost:{port}"),
    );
    assert!(absolute.starts_with("HTTP/1.1 421 "), "{absolute}");
}

#[test]
fn the_metrics_listener_serves_any_host_and_shows_no_users() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = gateway_with(&pki, &upstream, &format!("{ADMIN}{METRICS}"));
    let metrics = metrics_address(&gateway);
    let client = Client::new(
        &pki,
        Some(&pki.client("alice-in-wonderland")),
        gateway.address(),
    );
    assert_eq!(client.get("/").status, 200);
    for host in ["10.1.2.3:9190", "pod.example", "localhost"] {
        for path in ["/metrics", "/livez", "/readyz", "/healthz", "/"] {
            assert!(
                ask_at(metrics, path, host).starts_with("HTTP/1.1 200 "),
                "{host} {path}"
            );
        }
        for path in [
            "/status",
            "/expiring",
            "/decisions",
            "/explain",
            "/.well-known/jwks.json",
        ] {
            assert!(
                ask_at(metrics, path, host).starts_with("HTTP/1.1 404 "),
                "{host} {path}"
            );
        }
    }
    let post = answer(
        metrics,
        "POST /explain HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2",
    );
    assert!(post.starts_with("HTTP/1.1 405 "), "{post}");
    assert_eq!(gateway.admin("/status").0, 200);
    let (_, expiring) = gateway.admin("/expiring");
    assert!(
        expiring.contains("alice-in-wonderland"),
        "the admin listener knows: {expiring}"
    );
    let text = ask_at(metrics, "/metrics", "x");
    assert!(text.contains("portcullis_requests_total{"), "{text}");
    assert!(!text.contains("alice"), "{text}");
}

#[test]
fn without_the_tables_nothing_listens_and_metrics_may_be_on_every_address() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = Gateway::start(&config(&pki, &upstream, ""));
    let client = Client::new(
        &pki,
        Some(&pki.client("alice-in-wonderland")),
        gateway.address(),
    );
    assert_eq!(client.get("/").status, 200, "it runs");
    let is_beside = |line: &serde_json::Value| {
        line["message"]
            .as_str()
            .is_some_and(|text| text.starts_with("admin") || text.starts_with("metrics"))
    };
    assert!(!gateway.settled_log().iter().any(is_beside));
    let everywhere = "[metrics]\naddress = \"0.0.0.0:0\"\n";
    gateway.write_config(&config(&pki, &upstream, everywhere));
    let port = metrics_address(&gateway).port();
    assert!(
        ask_at(([127, 0, 0, 1], port).into(), "/readyz", "10.0.0.1").starts_with("HTTP/1.1 200 ")
    );
    let (out, err, code) = run(
        PORTCULLIS,
        &[
            "check",
            "--strict",
            "-c",
            gateway.config_file.to_str().unwrap(),
        ],
    );
    assert!(code == 0 && out.contains("0 warnings"), "{out}{err}");
}

#[test]
fn names_of_users_at_upstreams_are_not_in_metrics_and_their_certificates_are() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let identity = pki.client("alice-in-wonderland");
    let certificate = format!(
        "[api_user.alice-in-wonderland.upstream.tls]\ncertificate = {:?}\nprivate_key = {:?}\n\
         [upstream.tls]\nendpoints = [\"https://127.0.0.1:1\"]\nanchors = [{:?}]\n[[route]]\npath = \"/tls\"\nupstream = \"tls\"\n",
        identity.certificate_file,
        identity.key_file,
        pki.ca_file()
    );
    let gateway =
        Gateway::start(&(config(&pki, &upstream, ADMIN) + &certificate + &user("bob", &["*"])));
    let labels = [("kind", "upstream_user"), ("name", "tls")];
    assert!(
        gateway.metric(
            "portcullis_certificate_not_after_timestamp_seconds",
            &labels
        ) > 1e9
    );
    let (_, text) = gateway.admin("/metrics");
    assert!(
        !text.contains("wonderland") && !text.contains("bob"),
        "{text}"
    );
}

#[test]
fn idle_connections_beyond_the_limit_keep_no_probe_out_and_give_way_oldest_first() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = gateway_with(&pki, &upstream, &format!("{ADMIN}{METRICS}"));
    for address in [metrics_address(&gateway), gateway.admin_address()] {
        let mut idle: Vec<_> = (0..100)
            .map(|_| TcpStream::connect(address).unwrap())
            .collect();
        assert!(ask_at(address, "/livez", "localhost").starts_with("HTTP/1.1 200 "));
        assert!(ask_at(address, "/metrics", "localhost").starts_with("HTTP/1.1 200 "));
        idle.iter()
            .for_each(|stream| stream.set_nonblocking(true).unwrap());
        let is_open = |stream: &mut TcpStream| matches!(stream.read(&mut [0]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock);
        let open = idle.iter_mut().map(is_open).collect::<Vec<_>>();
        let count = open.iter().filter(|open| **open).count();
        assert!(count < 32, "{count} are open");
        assert!(!open[0], "the oldest has given way");
    }
}

#[test]
fn a_head_that_never_ends_and_a_connection_that_asks_nothing_are_closed() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = gateway_with(&pki, &upstream, &format!("{ADMIN}{METRICS}"));
    for address in [metrics_address(&gateway), gateway.admin_address()] {
        let mut streams = [(); 3].map(|()| TcpStream::connect(address).unwrap());
        streams[1]
            .write_all(b"GET /livez HTTP/1.1\r\nHost: local")
            .unwrap();
        streams[2]
            .write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .unwrap();
        for mut stream in streams {
            stream
                .set_read_timeout(Some(crate::support::eventually::PATIENCE))
                .unwrap();
            // The end, perhaps with an answer before it.
            stream.read_to_end(&mut Vec::new()).unwrap();
        }
    }
}
