//! One line for each request: who, what, why, where to, how long; in JSON for machines, in text that cannot be forged.

mod failures;

use crate::support::client::{BOTH, Version, get, request};
use crate::support::gateway::{ONE_WORKER, listener, route_to, user};
use crate::support::pki::{Identity, Kind, subject};
use crate::support::upstream::{HeldUpstream, read_head, write};
use crate::support::{
    Chain, Client, Gateway, Pki, ReservedPort, Upstream, eventually, eventually_is, json_lines,
};
use rcgen::DnValue;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;
use std::collections::BTreeSet;

#[test]
fn a_permitted_request_is_logged_in_full() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = gateway(&pki, &upstream, "");
    let alice = pki.client("alice");
    let client = Client::new(&pki, Some(&alice), gateway.address());
    for version in BOTH {
        let path = format!("/api/{version:?}");
        let answer = client
            .send(version, request("POST", &path, "12345678"))
            .unwrap();
        let line = gateway.wait_for_access(|line| line["path"] == path.as_str());
        let expected = serde_json::json!({
            "listener": "main", "server_name": "localhost", "tls": "TLSv1_3", "method": "POST", "host": "localhost",
            "user": "alice", "cn": "alice", "decision": "permit", "reason": "permission",
            "requirement": format!("POST {path}"), "permission": "POST /api/*", "route": "/", "upstream": "api",
            "endpoint": upstream.address.to_string(), "status": 200, "request_bytes": 8, "response_bytes": 5,
            "end": "complete", "generation": 1,
            "protocol": if version == Version::Http2 { "HTTP/2.0" } else { "HTTP/1.1" },
        });
        assert_contains(&line, &expected);
        let (serial, fingerprint) = serial_and_fingerprint(&alice);
        assert_eq!(
            (
                line["serial"].as_str().unwrap(),
                line["fingerprint"].as_str().unwrap()
            ),
            (&*serial, &*fingerprint)
        );
        assert!(
            line["client"].as_str().unwrap().starts_with("127.0.0.1:"),
            "{line}"
        );
        assert!(line["time"].as_str().unwrap().ends_with('Z'), "{line}");
        let (whole, above) = (
            line["duration_ms"].as_f64().unwrap(),
            line["upstream_ms"].as_f64().unwrap(),
        );
        assert!(0.0 < above && above <= whole, "{line}");
        let seen = upstream.recorded().pop().unwrap();
        assert_eq!(seen.values("x-request-id"), [line["id"].as_str().unwrap()]);
        assert_eq!(answer.header("x-request-id"), line["id"].as_str());
    }
    assert_eq!(gateway.access_log().len(), 2, "one line for each request");
}

#[test]
fn a_denied_request_is_logged_with_the_missing_permission() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = gateway(&pki, &upstream, "");
    let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
    let answer = client
        .send(Version::Http1, request("DELETE", "/api/x", ""))
        .unwrap();
    assert_eq!(
        (answer.status, answer.reason().as_str()),
        (403, "no_permission")
    );
    let line = gateway.wait_for_access(|line| line["method"] == "DELETE");
    let expected = serde_json::json!({
        "user": "alice", "cn": "alice", "decision": "refuse", "reason": "no_permission", "route": "/",
        "requirement": "DELETE /api/x", "status": 403, "end": "complete", "response_bytes": answer.body.len(),
    });
    assert_contains(&line, &expected);
    assert_eq!(line["id"].as_str().unwrap(), answer.problem("id"));
    assert_eq!(answer.header("x-request-id"), line["id"].as_str());
    for absent in ["permission", "endpoint", "upstream_ms", "detail"] {
        assert!(line.get(absent).is_none(), "{absent} in {line}");
    }
    assert!(upstream.recorded().is_empty());
}

#[test]
fn what_is_denied_names_the_pattern_that_denies() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = gateway(&pki, &upstream, "");
    let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
    assert_eq!(client.get("/api/secret/x").reason(), "denied");
    let line = gateway.wait_for_access(|line| line["reason"] == "denied");
    assert_contains(
        &line,
        &serde_json::json!({ "permission": "GET /api/secret/*", "decision": "refuse" }),
    );
    assert_eq!(client.get("/api/open").status, 200);
}

#[test]
fn a_stranger_is_named_by_the_certificate_but_is_no_user() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = gateway(&pki, &upstream, "");
    let stranger = pki.client("stranger");
    assert_eq!(
        Client::new(&pki, Some(&stranger), gateway.address())
            .get("/")
            .status,
        403
    );
    let line = gateway.wait_for_access(|line| line["reason"] == "unknown_user");
    assert_contains(
        &line,
        &serde_json::json!({ "cn": "stranger", "serial": serial_and_fingerprint(&stranger).0 }),
    );
    assert!(line.get("user").is_none(), "{line}");
}

#[test]
fn a_failed_upstream_is_logged_with_the_cause() {
    let pki = Pki::new();
    let closed = ReservedPort::new();
    let nobody = closed.address();
    let gateway = Gateway::start(&(listener(&pki) + &user("alice", &["*"]) + &route_to(nobody)));
    let answer = Client::new(&pki, Some(&pki.client("alice")), gateway.address()).get("/");
    let line = gateway.wait_for_access(|line| line["path"] == "/");
    assert_contains(
        &line,
        &serde_json::json!({ "decision": "permit", "reason": answer.reason(), "status": 503, "upstream": "api" }),
    );
    assert!(
        line["detail"]
            .as_str()
            .unwrap()
            .contains(&nobody.to_string()),
        "{line}"
    );
    assert!(
        !answer.body.contains(&nobody.to_string()),
        "the client learns no address: {}",
        answer.body
    );
}

#[test]
fn lines_that_a_full_disk_does_not_take_are_counted() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = gateway(&pki, &upstream, "[access_log]\npath = \"/dev/full\"\n");
    let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
    (0..3).for_each(|_| assert_eq!(client.get("/api/x").status, 200));
    eventually_is("the count of lines", &3.0, || {
        gateway.metric("portcullis_access_log_dropped_lines", &[])
    });
    eventually("an error in the log", || {
        gateway
            .log()
            .iter()
            .any(|line| {
                line.to_string()
                    .contains("the access log cannot be written")
            })
            .then_some(())
    });
}

#[test]
fn the_query_is_never_logged() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    for format in ["json", "text"] {
        let gateway = gateway(
            &pki,
            &upstream,
            &format!("[access_log]\nformat = \"{format}\"\n"),
        );
        let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
        assert_eq!(client.get("/api/x?token=hush").status, 200);
        assert_eq!(
            client.get("/api/%00?token=hush").status,
            400,
            "also where the path is bad"
        );
        assert_eq!(
            client
                .send(Version::Http1, request("PUT", "/api/x?token=hush", ""))
                .unwrap()
                .status,
            403
        );
        eventually("three lines", || {
            (gateway.access_log().len() == 3).then_some(())
        });
        let all = gateway
            .access_log()
            .iter()
            .map(Value::to_string)
            .collect::<String>();
        assert!(!all.contains("hush") && !all.contains("token"), "{all}");
        assert!(
            upstream
                .recorded()
                .pop()
                .unwrap()
                .target
                .ends_with("?token=hush"),
            "but it is forwarded"
        );
        let own = gateway
            .log()
            .iter()
            .map(Value::to_string)
            .collect::<String>();
        assert!(!own.contains("hush"), "{own}");
    }
}

#[test]
fn names_and_paths_cannot_forge_fields_or_lines_of_the_text_format() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let forged = "eve\" user=alice route=/ x=\"";
    let config = format!(
        "[access_log]\nformat = \"text\"\n[api_user.eve]\nclient_cn = '{forged}'\npermissions = [\"GET /*\"]\n"
    );
    let gateway = gateway(&pki, &upstream, &config);
    let name = subject(&[DnValue::Utf8String(forged.to_owned())]);
    let eve = pki.with_subject("eve", name, Kind::Client);
    let client = Client::new(&pki, Some(&eve), gateway.address());
    client.exchange(
        b"GET /a%22%20%0d%0auser=alice HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    );
    client.exchange(b"GET /b\"user=alice HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    eventually("two lines", || {
        (gateway.access_log().len() == 2).then_some(())
    });
    for line in gateway.access_log() {
        let text = line.as_str().expect("a text line");
        let fields = fields_of(text);
        let users: Vec<_> = fields
            .iter()
            .filter(|field| field.starts_with("user="))
            .collect();
        assert_eq!(users.len(), 1, "{text}");
        assert_ne!(users[0], "user=alice", "{text}");
        assert_eq!(
            fields
                .iter()
                .filter(|field| field.starts_with("route="))
                .count(),
            1,
            "{text}"
        );
        assert!(fields.contains(&format!("cn={forged:?}")), "{text}");
        assert!(
            text.starts_with("20"),
            "a line begins with its time: {text}"
        );
    }
}

#[test]
fn an_honest_text_line_is_readable() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = gateway(&pki, &upstream, "[access_log]\nformat = \"text\"\n");
    let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
    assert_eq!(client.get("/api/x").status, 200);
    eventually("a line", || (gateway.access_log().len() == 1).then_some(()));
    let line = gateway.access_log().remove(0);
    let text = line.as_str().unwrap();
    for part in [
        " main permit permission HTTP/1.1 \"GET /api/x\" 200 complete ",
        " user=alice cn=alice route=/ ",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn format_off_writes_nothing_and_can_be_turned_on_again() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = gateway(&pki, &upstream, "[access_log]\nformat = \"off\"\n");
    let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
    assert_eq!(client.get("/api/unseen").status, 200);
    // What is counted would have been logged.
    gateway.wait_for_metric("portcullis_requests_total", &[], 1.0);
    let text = std::fs::read_to_string(&gateway.config_file).unwrap();
    gateway.reload_with(&text.replace("\"off\"", "\"json\""));
    assert_eq!(client.get("/api/seen").status, 200);
    gateway.wait_for_access(|line| line["path"] == "/api/seen");
    assert_eq!(gateway.access_log().len(), 1);
}

#[test]
fn lines_are_appended_to_a_file_named_relative_to_the_config() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = gateway(&pki, &upstream, "[access_log]\npath = \"access.log\"\n");
    let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
    assert_eq!(client.get("/api/x").status, 200);
    assert_eq!(client.get("/api/y").status, 200);
    let file = gateway.config_file.with_file_name("access.log");
    // In any order: two connections may be on two workers.
    let paths = || {
        json_lines(&file)
            .iter()
            .map(|line| line["path"].to_string())
            .collect::<BTreeSet<_>>()
    };
    eventually_is(
        "the lines",
        &BTreeSet::from(["\"/api/x\"", "\"/api/y\""].map(str::to_owned)),
        paths,
    );
    assert!(
        gateway.access_log().is_empty(),
        "standard output stays free"
    );
}

fn gateway(pki: &Pki, upstream: &Upstream, more: &str) -> Gateway {
    let alice = "[api_user.alice]\nclient_cn = \"alice\"\npermissions = [\"GET /api/*\", \"POST /api/*\"]\n\
                 deny = [\"GET /api/secret/*\"]\n";
    Gateway::start(&(listener(pki) + alice + &route_to(upstream.address) + more))
}

fn serial_and_fingerprint(identity: &Identity) -> (String, String) {
    let der = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap();
    let (_, certificate) = x509_parser::parse_x509_certificate(&der).unwrap();
    let hexadecimal = |octets: &[u8]| {
        octets
            .iter()
            .map(|octet| format!("{octet:02x}"))
            .collect::<String>()
    };
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &der);
    (
        hexadecimal(certificate.raw_serial()),
        hexadecimal(digest.as_ref()),
    )
}

fn assert_contains(line: &Value, expected: &Value) {
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&line[key], value, "{key} in {line}");
    }
}

/// The fields of a text line as a careful reader splits them: at spaces outside of quotes, escapes respected.
fn fields_of(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let (mut quoted, mut escaped) = (false, false);
    for letter in line.chars() {
        match letter {
            ' ' if !quoted => {
                fields.push(String::new());
                continue;
            }
            '"' if !escaped => quoted = !quoted,
            _ => {}
        }
        escaped = letter == '\\' && !escaped;
        fields.last_mut().unwrap().push(letter);
    }
    fields
}
