//! The admin listener: health, and metrics in a form that Prometheus takes and with numbers that are true.

/// The admin and the metrics listener: who gets what.
mod listeners;
/// The unix socket, and the commands that use it.
mod sockets;
/// Upstreams, the snapshot and the process in the metrics; no listener.
mod facts;

use crate::support::client::{Version, get, request};
use crate::support::gateway::{listener, named_listener, route_to, trust_domain, user};
use crate::support::{Client, Gateway, Pki, ReservedPort, Upstream, eventually};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::collections::{HashMap, HashSet};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};

#[test]
fn health_answers_and_unknown_paths_and_methods_do_not() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = gateway(&pki, &upstream);
    for path in ["/livez", "/readyz", "/healthz"] {
        assert_eq!(gateway.admin(path), (200, "ok\n".to_owned()), "{path}");
    }
    let (status, index) = gateway.admin("/");
    assert!(status == 200 && index.contains("/metrics"), "{index}");
    assert_eq!(gateway.admin("/nowhere").0, 404);
    assert_eq!(gateway.admin("/metrics?x=1").0, 200);
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let answer = ask(
            &gateway,
            &format!("{method} /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
        );
        assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    }
    let head = ask(
        &gateway,
        "HEAD /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    );
    assert!(
        head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
}

#[test]
fn bytes_that_are_no_http_affect_no_other_client() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = gateway(&pki, &upstream);
    let answer = ask(&gateway, "\u{16}\u{3}\u{1} nonsense\r\n\r\n");
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 400 "),
        "{answer}"
    );
    let _silent = TcpStream::connect(gateway.admin_address()).unwrap();
    assert_eq!(gateway.admin("/livez").0, 200);
}

#[test]
fn metrics_have_the_text_format_of_prometheus() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = gateway(&pki, &upstream);
    let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
    assert_eq!(client.get("/").status, 200);
    assert_eq!(
        client
            .send(Version::Http2, request("POST", "/", "x"))
            .unwrap()
            .status,
        403
    );
    let answer = ask(
        &gateway,
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    );
    let (head, text) = answer.split_once("\r\n\r\n").unwrap();
    assert!(
        head.to_ascii_lowercase()
            .contains("content-type: text/plain; version=0.0.4"),
        "{head}"
    );
    assert_eq!(check_format(text), Ok(()));
    check_with_promtool(text);
}

#[test]
fn the_format_check_sees_mistakes() {
    let metric = "# HELP a_total x\n# TYPE a_total counter\n";
    for bad in [
        "a_total 1\n".to_owned(),
        format!("{metric}a_total 1\na_total 2\n"),
        format!("{metric}a_total one\n"),
        format!("{metric}b_total 1\n"),
        format!("{metric}a_total 1\n{metric}a_total{{b=\"c\"}} 1\n"),
        "# HELP a x\n# TYPE a counter\na 1\n".to_owned(),
        "# HELP a x\n# TYPE a bicycle\na 1\n".to_owned(),
    ] {
        assert!(check_format(&bad).is_err(), "{bad}");
    }
    assert_eq!(
        check_format(&format!(
            "{metric}a_total{{b=\"c\"}} 1\na_total{{b=\"d\"}} 2\n"
        )),
        Ok(())
    );
}

/// Two handshakes of which one failed, and three requests on one connection to the upstream.
fn connections_are_counted(count: &impl Fn(&str, &[(&str, &str)]) -> f64) {
    let main = ("listener", "main");
    assert_eq!(
        count(
            "handshakes_total",
            &[main, ("version", "TLSv1_3"), ("resumption", "full")]
        ),
        1.0
    );
    assert_eq!(
        count(
            "handshake_failures_total",
            &[main, ("reason", "no_certificate")]
        ),
        1.0
    );
    assert_eq!(count("handshake_duration_seconds_count", &[]), 1.0);
    assert_eq!(count("connections_total", &[main]), 2.0);
    assert_eq!(count("connections_open", &[main]), 1.0);
    assert_eq!(
        count(
            "upstream_connections_total",
            &[("upstream", "api"), ("origin", "new")]
        ),
        1.0
    );
    assert_eq!(
        count(
            "upstream_connections_total",
            &[("upstream", "api"), ("origin", "pooled")]
        ),
        2.0
    );
}

#[test]
fn counters_move_with_what_happens() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = gateway(&pki, &upstream);
    let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
    let stranger = Client::new(&pki, None, gateway.address());
    let mut connection = client.connect(Version::Http1).unwrap();
    for _ in 0..3 {
        assert_eq!(connection.send(get("/a")).unwrap().status, 200);
    }
    assert_eq!(
        connection
            .send(request("PUT", "/a", "12345"))
            .unwrap()
            .status,
        403
    );
    stranger.send(Version::Http1, get("/")).unwrap_err();
    let count =
        |name: &str, labels: &[(&str, &str)]| gateway.metric(&format!("portcullis_{name}"), labels);
    // The last record is written when its answer is over, which the client may know before the gateway does.
    eventually("all requests are counted", || {
        (count("requests_total", &[]) == 4.0).then_some(())
    });
    eventually("the failed handshake is counted", || {
        (count("handshake_failures_total", &[]) == 1.0).then_some(())
    });
    let main = ("listener", "main");
    assert_eq!(
        count("requests_total", &[main, ("route", "/"), ("code", "200")]),
        3.0
    );
    assert_eq!(count("requests_total", &[main, ("code", "403")]), 1.0);
    assert_eq!(
        count(
            "decisions_total",
            &[main, ("decision", "permit"), ("reason", "permission")]
        ),
        3.0
    );
    assert_eq!(
        count(
            "decisions_total",
            &[("decision", "refuse"), ("reason", "no_permission")]
        ),
        1.0
    );
    assert_eq!(
        count("request_duration_seconds_count", &[("route", "/")]),
        4.0
    );
    connections_are_counted(&count);
    assert_eq!(
        count("response_body_bytes_total", &[main]),
        3.0 * 5.0 + refusal_length(&mut connection)
    );
    drop(connection);
    eventually("the connection is counted as closed", || {
        (count("connections_open", &[main]) == 0.0).then_some(())
    });
    assert_eq!(count("panics_total", &[]), 0.0);
}

/// With these tables, and logs in JSON.
fn config(pki: &Pki, upstream: &Upstream, tables: &str) -> String {
    named_listener("main", pki, "")
        + &trust_domain("test", pki)
        + tables
        + "[log]\nformat = \"json\"\nlevel = \"debug\"\n"
        + &user("alice-in-wonderland", &["GET /*"])
        + &route_to(upstream.address)
}

fn gateway_with(pki: &Pki, upstream: &Upstream, tables: &str) -> Gateway {
    Gateway::start(&config(pki, upstream, tables))
}

/// All of an answer to a `GET` with this Host.
fn ask_at(address: SocketAddr, path: &str, host: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

fn gateway(pki: &Pki, upstream: &Upstream) -> Gateway {
    Gateway::start(&(listener(pki) + &user("alice", &["GET /*"]) + &route_to(upstream.address)))
}

fn ask(gateway: &Gateway, request: &str) -> String {
    let mut stream = TcpStream::connect(gateway.admin_address()).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    // A reset after the answer is as good an end as any.
    let _ = stream.read_to_string(&mut answer);
    answer
}

/// The length of the body of one more rejection, which is as long as the one before.
fn refusal_length(connection: &mut crate::support::client::Connection<'_>) -> f64 {
    connection
        .send(request("PUT", "/a", "12345"))
        .unwrap()
        .body
        .len() as f64
}

fn not_after(pki: &Pki, file: &str) -> f64 {
    let der = CertificateDer::from_pem_file(pki.path(file)).unwrap();
    let (_, certificate) = x509_parser::parse_x509_certificate(&der).unwrap();
    certificate.validity().not_after.timestamp() as f64
}

/// The rules of the exposition format: HELP and TYPE once and first, families together, no series twice, numbers.
fn check_format(text: &str) -> Result<(), String> {
    let mut kinds: HashMap<&str, &str> = HashMap::new();
    let mut family = "";
    let mut series = HashSet::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let wrong = |what: &str| Err(format!("{what}: {line}"));
        if let Some(rest) = line.strip_prefix("# HELP ") {
            family = rest.split(' ').next().unwrap_or("");
            let kind = lines
                .next()
                .and_then(|next| next.strip_prefix(&format!("# TYPE {family} ")));
            match kind {
                Some(kind @ ("counter" | "gauge" | "histogram"))
                    if kinds.insert(family, kind).is_none() =>
                {
                    continue;
                }
                Some("counter" | "gauge" | "histogram") => return wrong("a family twice"),
                _ => return wrong("no TYPE, or no known one"),
            }
        }
        let (name_and_labels, value) = line.rsplit_once(' ').ok_or(format!("no value: {line}"))?;
        if value.parse::<f64>().is_err() || !series.insert(name_and_labels) {
            return wrong("no number, or twice");
        }
        let name = name_and_labels.split('{').next().unwrap_or("");
        let belongs = match kinds.get(family) {
            Some(&"histogram") => ["_bucket", "_sum", "_count"]
                .iter()
                .any(|end| name.strip_suffix(end) == Some(family)),
            Some(&"counter") => name == family && name.ends_with("_total"),
            _ => name == family,
        };
        if !belongs {
            return wrong("not of its family");
        }
    }
    if kinds.is_empty() {
        Err("no metrics".to_owned())
    } else {
        Ok(())
    }
}

/// Prometheus' own judgement, where its tool is installed. Not in Debian's small packages, so never demanded.
fn check_with_promtool(text: &str) {
    let spawned = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = spawned else {
        eprintln!("skipped: promtool is not installed");
        return;
    };
    promtool
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    assert!(promtool.wait().unwrap().success());
}
