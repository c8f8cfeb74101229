//! Programs that people really use: curl and openssl, and the whole way from a new CA to an answer with our own binary.

mod own_commands;

use crate::support::gateway::{listener, route_to, user};
use crate::support::pki::text;
use crate::support::{Gateway, PORTCULLIS, Pki, Upstream, require_program, run};
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

#[test]
fn curl_speaks_http1_and_http2_with_a_client_certificate() {
    if !require_program("curl") {
        return;
    }
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = gateway(&pki, &upstream);
    for (flag, version) in [("--http1.1", "1.1"), ("--http2", "2"), ("--http1.0", "1")] {
        let (out, status) = curl(&pki, gateway.address(), "/api/x", &[flag]);
        assert_eq!(
            (out.as_str(), status.as_str()),
            ("hello", &*format!("200 {version}")),
            "{flag}"
        );
    }
    assert_eq!(upstream.recorded().len(), 3);
}

#[test]
fn curl_asks_several_times_on_one_connection() {
    if !require_program("curl") {
        return;
    }
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = gateway(&pki, &upstream);
    for flag in ["--http1.1", "--http2"] {
        let before = gateway.metric("portcullis_connections_total", &[]);
        let second = format!("https://localhost:{}/api/2", gateway.address().port());
        let (out, _) = curl(&pki, gateway.address(), "/api/1", &[flag, &second]);
        assert_eq!(out.matches("hello").count(), 2, "{out}");
        gateway.wait_for_metric("portcullis_connections_total", &[], before + 1.0);
    }
}

#[test]
fn curl_uploads_and_posts_with_expectation() {
    if !require_program("curl") {
        return;
    }
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = gateway(&pki, &upstream);
    let content = "0123456789".repeat(300_000);
    std::fs::write(pki.path("upload"), &content).unwrap();
    let (file, data) = (
        text(&pki.path("upload")),
        format!("@{}", text(&pki.path("upload"))),
    );
    let ways: [&[&str]; 6] = [
        &["--http1.1", "-T", &file],
        &["--http2", "-T", &file],
        &[
            "--http1.1",
            "--data-binary",
            &data,
            "-H",
            "Expect: 100-continue",
        ],
        &["--http2", "--data-binary", &data],
        &[
            "--http1.1",
            "--data-binary",
            &data,
            "-H",
            "Transfer-Encoding: chunked",
        ],
        &["--http1.0", "--data-binary", &data],
    ];
    for (number, flags) in ways.into_iter().enumerate() {
        let (out, status) = curl(&pki, gateway.address(), "/api/upload", flags);
        assert!(
            status.starts_with("200 ") && out == "hello",
            "{flags:?}: {status} {out}"
        );
        let recorded = upstream.recorded();
        assert_eq!(recorded.len(), number + 1, "{flags:?}");
        assert!(
            recorded[number].body == content,
            "{flags:?}: {} bytes",
            recorded[number].body.len()
        );
    }
}

#[test]
fn curl_is_denied_before_it_sends_its_body() {
    if !require_program("curl") {
        return;
    }
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = gateway(&pki, &upstream);
    let flags = [
        "--http1.1",
        "-X",
        "DELETE",
        "--data-binary",
        "x",
        "-H",
        "Expect: 100-continue",
    ];
    let (out, status) = curl(&pki, gateway.address(), "/api/x", &flags);
    assert_eq!(status, "403 1.1", "{out}");
    assert!(
        out.contains("no_permission") && upstream.recorded().is_empty(),
        "{out}"
    );
}

#[test]
fn curl_gets_head_and_compressed_responses_unchanged() {
    if !require_program("curl") {
        return;
    }
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = gateway(&pki, &upstream);
    for flag in ["--http1.1", "--http2"] {
        let (out, status) = curl(&pki, gateway.address(), "/api/x", &["--head", flag]);
        assert!(
            status.starts_with("200 ") && out.to_ascii_lowercase().contains("content-length: 5"),
            "{status}{out}"
        );
    }
    let flags = ["-H", "Accept: text/html", "-X", "PATCH"];
    let (out, status) = curl(&pki, gateway.address(), "/api/x", &flags);
    assert!(
        status.starts_with("403 ") && out.starts_with("<!doctype html>"),
        "{out}"
    );
}

#[test]
fn curl_without_a_certificate_fails_in_the_handshake() {
    if !require_program("curl") {
        return;
    }
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = gateway(&pki, &upstream);
    let url = format!("https://localhost:{}/api/x", gateway.address().port());
    let (_, error, code) = run("curl", &["-sS", "--cacert", &text(&pki.ca_file()), &url]);
    assert_ne!(code, 0);
    assert!(error.contains("certificate required"), "{error}");
    let plain = format!("http://localhost:{}/api/x", gateway.address().port());
    let (out, _, code) = run("curl", &["-sS", &plain]);
    assert!(
        code == 0 && out.contains("This port speaks HTTPS only."),
        "{out}"
    );
}

#[test]
fn openssl_without_a_certificate_gets_an_alert() {
    if !require_program("openssl") {
        return;
    }
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = gateway(&pki, &upstream);
    let bare = s_client(&pki, gateway.address(), &["-tls1_3"]);
    assert!(
        bare.contains("alert certificate required") && bare.contains("SSL alert number 116"),
        "{bare}"
    );
    let bare = s_client(&pki, gateway.address(), &["-tls1_2"]);
    assert!(bare.contains("SSL alert number"), "{bare}");
    let (certificate, key) = alice(&pki);
    let with = s_client(
        &pki,
        gateway.address(),
        &["-tls1_3", "-cert", &certificate, "-key", &key],
    );
    assert!(
        with.contains("HTTP/1.1 200 OK") && with.contains("Verify return code: 0 (ok)"),
        "{with}"
    );
}

#[test]
fn openssl_gets_tls_1_2_and_nothing_older() {
    if !require_program("openssl") {
        return;
    }
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = gateway(&pki, &upstream);
    let (certificate, key) = alice(&pki);
    let good = s_client(
        &pki,
        gateway.address(),
        &["-tls1_2", "-cert", &certificate, "-key", &key],
    );
    assert!(
        good.contains("TLSv1.2") && good.contains("HTTP/1.1 200 OK"),
        "{good}"
    );
    for old in ["-tls1_1", "-tls1"] {
        // Security level 0 lets openssl itself offer what it else would refuse to.
        let flags = [
            old,
            "-cipher",
            "DEFAULT@SECLEVEL=0",
            "-cert",
            &certificate,
            "-key",
            &key,
        ];
        let bad = s_client(&pki, gateway.address(), &flags);
        // rustls looks at the signature algorithms first, which old clients do not send: handshake_failure (40), else
        // protocol_version (70).
        let refused = ["SSL alert number 40", "SSL alert number 70"];
        assert!(
            refused.iter().any(|alert| bad.contains(alert)),
            "{old}: {bad}"
        );
        assert!(!bad.contains("HTTP/1.1 200"), "{old}: {bad}");
    }
    gateway.wait_for_metric(
        "portcullis_handshake_failures_total",
        &[("reason", "incompatible")],
        2.0,
    );
}

#[test]
fn openssl_resumes_a_session_and_is_the_same_user() {
    if !require_program("openssl") {
        return;
    }
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = gateway(&pki, &upstream);
    let (certificate, key) = alice(&pki);
    let session = text(&pki.path("session"));
    for version in ["-tls1_3", "-tls1_2"] {
        let who = [version, "-cert", &certificate, "-key", &key];
        let first = s_client(
            &pki,
            gateway.address(),
            &[&who[..], &["-sess_out", &session]].concat(),
        );
        assert!(
            first.contains("New, TLS") && first.contains("HTTP/1.1 200 OK"),
            "{first}"
        );
        let second = s_client(
            &pki,
            gateway.address(),
            &[&who[..], &["-sess_in", &session]].concat(),
        );
        assert!(
            second.contains("Reused, TLS") && second.contains("HTTP/1.1 200 OK"),
            "{version}: {second}"
        );
    }
    let users: Vec<_> = upstream
        .recorded()
        .iter()
        .map(|seen| seen.values("x-client-user").join(","))
        .collect();
    assert_eq!(users, ["alice"; 4]);
    gateway.wait_for_metric(
        "portcullis_handshakes_total",
        &[("resumption", "resumed")],
        2.0,
    );
}

fn gateway(pki: &Pki, upstream: &Upstream) -> Gateway {
    let permissions = ["GET /*", "HEAD /*", "POST /api/*", "PUT /api/*"];
    Gateway::start(&(listener(pki) + &user("alice", &permissions) + &route_to(upstream.address)))
}

fn alice(pki: &Pki) -> (String, String) {
    let alice = pki.client("alice");
    (text(&alice.certificate_file), text(&alice.key_file))
}

/// Runs curl as alice: the body, and status with version of the last answer.
fn curl(pki: &Pki, address: SocketAddr, path: &str, flags: &[&str]) -> (String, String) {
    let (certificate, key) = alice(pki);
    let url = format!("https://localhost:{}{path}", address.port());
    let authority = text(&pki.ca_file());
    let common = [
        "-sS",
        "--cacert",
        &authority,
        "--cert",
        &certificate,
        "--key",
        &key,
        "-w",
        "\n%{http_code} %{http_version}",
    ];
    let (out, error, code) = run("curl", &[&common[..], flags, &[&url]].concat());
    assert_eq!(code, 0, "{flags:?}: {error}");
    let (body, status) = out.rsplit_once('\n').expect("a status");
    (body.to_owned(), status.to_owned())
}

/// Runs `openssl s_client` with one request, and gives all that it printed.
fn s_client(pki: &Pki, address: SocketAddr, flags: &[&str]) -> String {
    let mut child = Command::new("openssl")
        .args([
            "s_client",
            "-connect",
            &address.to_string(),
            "-servername",
            "localhost",
            "-ign_eof",
        ])
        .args(["-CAfile", &text(&pki.ca_file())])
        .args(flags)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    // It may be gone already, with an alert.
    let _ = input.write_all(b"GET /api/x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let output = child.wait_with_output().unwrap();
    drop(input);
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn portcullis(folder: &Path, line: &str) -> String {
    let output = Command::new(PORTCULLIS)
        .args(line.split(' '))
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{line}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}
