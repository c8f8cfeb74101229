//! gRPC through the gateway with the real client and server of grpcio: all kinds of calls, and what refusals look like.

/// Refusals and deadlines, frame by frame.
mod heads;

use crate::support::gateway::{listener, listener_with, user};
use crate::support::pki::text;
use crate::support::{Gateway, Pki, ReservedPort};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

fn packages() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "target/python"]
        .iter()
        .collect()
}

/// Python with the packages of `tests/python-packages.txt`, and the peer.
fn peer() -> Command {
    let mut command = Command::new("python3");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/grpc/peer.py");
    command.arg(script).env("PYTHONPATH", packages());
    command
}

/// Whether grpcio is there. Says so if not.
fn require_grpcio() -> bool {
    let found = packages().join("grpc/__init__.py").is_file();
    if !found {
        assert!(
            std::env::var_os("PORTCULLIS_TESTS_REQUIRE_PYTHON").is_none(),
            "grpcio is not installed in target/python"
        );
        eprintln!("skipped: grpcio is not installed (tests/run installs it)");
    }
    found
}

/// A running server of grpcio.
struct Server {
    child: Child,
    port: String,
}

impl Server {
    fn start(arguments: &[String]) -> Self {
        let mut child = peer()
            .arg("server")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut port = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut port).unwrap();
        let port = port.trim().to_owned();
        Self { child, port }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Makes these calls with the certificate of this client, and gives what came of each.
fn calls(pki: &Pki, gateway: &Gateway, client: Option<&str>, names: &[&str]) -> Vec<Value> {
    let mut command = peer();
    let address = format!("127.0.0.1:{}", gateway.address().port());
    command.arg("client").arg(address).arg(text(&pki.ca_file()));
    if let Some(client) = client {
        pki.client(client);
        for kind in ["crt", "key"] {
            command.arg(text(&pki.path(&format!("{client}.{kind}"))));
        }
    }
    let output = command.args(names).stdin(Stdio::null()).output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn codes(outcomes: &[Value]) -> Vec<&str> {
    outcomes
        .iter()
        .map(|outcome| outcome["code"].as_str().unwrap_or("OK"))
        .collect()
}

fn route(endpoint: &str, keys: &str) -> String {
    format!(
        "[upstream.api]\nendpoints = [\"{endpoint}\"]\n{keys}\n[[route]]\npath = \"/\"\nupstream = \"api\"\n"
    )
}

#[test]
fn all_kinds_of_calls_pass_with_metadata_trailers_and_status() {
    if !require_grpcio() {
        return;
    }
    for scheme in ["grpc", "grpcs"] {
        let pki = Pki::new();
        let (server, keys) = if scheme == "grpc" {
            (Server::start(&[]), String::new())
        } else {
            let files = ["server.crt", "server.key"].map(|name| text(&pki.path(name)));
            let ca = text(&pki.ca_file());
            let keys = format!("anchors = [\"{ca}\"]\nserver_name = \"localhost\"");
            (Server::start(&files), keys)
        };
        let endpoint = format!("{scheme}://127.0.0.1:{}", server.port);
        let config = listener(&pki) + &user("alice", &["*"]) + &route(&endpoint, &keys);
        let gateway = Gateway::start(&config);
        let expected = [
            ("unary", json!({"result": ["HELLO", "1", "5", [0, 255]]})),
            ("large", json!({"result": true})),
            ("who", json!({"result": "alice"})),
            ("client-stream", json!({"result": "0,1,2,3,4"})),
            ("large-stream", json!({"result": 3_000_009})),
            (
                "server-stream",
                json!({"result": [["0", "1", "2", "3", "4"], "end"]}),
            ),
            ("empty-stream", json!({"result": []})),
            (
                "bidirectional",
                json!({"result": [["0", "1", "2", "3", "4"], "OK"]}),
            ),
            (
                "fail",
                json!({"code": "FAILED_PRECONDITION", "details": "näh"}),
            ),
            ("deadline", json!({"code": "DEADLINE_EXCEEDED"})),
            ("unary", json!({"result": ["HELLO", "1", "5", [0, 255]]})),
        ];
        let names = expected.each_ref().map(|(name, _)| *name);
        let outcomes = calls(&pki, &gateway, Some("alice"), &names);
        assert_eq!(outcomes.len(), expected.len());
        for ((name, expected), mut outcome) in expected.into_iter().zip(outcomes) {
            if expected.get("details").is_none()
                && let Some(outcome) = outcome.as_object_mut()
            {
                outcome.remove("details");
            }
            assert_eq!(outcome, expected, "{scheme} {name}");
        }
        assert_eq!(gateway.metric("portcullis_panics_total", &[]), 0.0);
    }
}

#[test]
fn a_refused_call_has_the_status_of_its_reason() {
    if !require_grpcio() {
        return;
    }
    let (pki, server) = (Pki::new(), Server::start(&[]));
    let endpoint = format!("grpc://127.0.0.1:{}", server.port);
    let limited = user("carol", &["*"]) + "request_rate = \"1/h\"\n";
    let permitted = user("alice", &["POST /test.Echo/Unary"]);
    let config = listener_with(&pki, "client_auth = \"optional\"")
        + &permitted
        + &limited
        + &route(&endpoint, "");
    let gateway = Gateway::start(&config);
    let outcomes = calls(
        &pki,
        &gateway,
        Some("alice"),
        &["unary", "client-stream", "unary"],
    );
    assert_eq!(codes(&outcomes), ["OK", "PERMISSION_DENIED", "OK"]);
    let details = outcomes[1]["details"].as_str().unwrap();
    assert!(details.ends_with(" (no_permission)"), "{details}");
    let outcomes = calls(&pki, &gateway, Some("mallory"), &["unary"]);
    assert_eq!(codes(&outcomes), ["PERMISSION_DENIED"]);
    let outcomes = calls(&pki, &gateway, None, &["unary", "bidirectional"]);
    assert_eq!(codes(&outcomes), ["UNAUTHENTICATED", "UNAUTHENTICATED"]);
    let outcomes = calls(&pki, &gateway, Some("carol"), &["unary", "unary"]);
    assert_eq!(codes(&outcomes), ["OK", "RESOURCE_EXHAUSTED"]);
    let denied = gateway.wait_for_access(|line| line["reason"] == "no_permission");
    assert_eq!(
        denied["status"], 403,
        "the log has the status of the denial"
    );
}

#[test]
fn a_failed_upstream_is_unavailable_and_a_late_one_exceeds_the_deadline() {
    if !require_grpcio() {
        return;
    }
    let (pki, server) = (Pki::new(), Server::start(&[]));
    let closed = ReservedPort::new();
    let config = |endpoint: &str| {
        listener(&pki) + &user("alice", &["*"]) + &route(endpoint, "response_timeout = \"500ms\"")
    };
    let endpoint = format!("grpc://127.0.0.1:{}", server.port);
    let gateway = Gateway::start(&config(&endpoint));
    let outcomes = calls(&pki, &gateway, Some("alice"), &["unary", "slow", "unary"]);
    assert_eq!(codes(&outcomes), ["OK", "DEADLINE_EXCEEDED", "OK"]);
    let details = outcomes[1]["details"].as_str().unwrap();
    assert!(details.ends_with(" (response_timeout)"), "{details}");
    let endpoint = format!("grpc://{}", closed.address());
    gateway.reload_with(&config(&endpoint));
    let outcomes = calls(&pki, &gateway, Some("alice"), &["unary", "bidirectional"]);
    assert_eq!(codes(&outcomes), ["UNAVAILABLE", "UNAVAILABLE"]);
    let details = outcomes[0]["details"].as_str().unwrap();
    assert!(details.ends_with(" (connect_failed)"), "{details}");
}
