//! What the audit log says, and that it says it whatever happens.

mod snapshots;

use super::*;
use crate::support::client::{BOTH, get};
use crate::support::gateway::user;
use crate::support::upstream::{HeldUpstream, read_head, write};
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;

#[test]
fn a_decision_is_logged_with_its_inputs_and_without_its_query() {
    let role = "[api_user.alice]\nclient_cn = \"alice\"\nroles = [\"reader\"]\ndeny = [\"* /secret/*\"]\n\
                [role.reader]\npermissions = [\"GET /*\"]\n";
    let scene = Scene::new(role);
    for version in BOTH {
        let client = scene.client("alice");
        let path = format!("/{version:?}/%61?token=hush");
        let id = client
            .send(version, get(&path))
            .unwrap()
            .header("x-request-id")
            .unwrap()
            .to_owned();
        let line = scene.wait_for("decision", |line| line["id"] == id.as_str());
        let expected = serde_json::json!({
            "generation": 1, "listener": "main", "server_name": "localhost", "host": "localhost",
            "protocol": if version == Version::Http2 { "HTTP/2.0" } else { "HTTP/1.1" },
            "method_sent": "GET", "method": "GET", "path": format!("/{version:?}/a"),
            "path_sent": format!("/{version:?}/%61"), "query": "withheld", "user": "alice",
            "credential": "certificate", "identified_by": "cn", "trust_domain": "test", "route": "/",
            "requirement": format!("GET /{version:?}/a"), "permission": "GET /*", "role": "reader",
            "decision": "permit", "reason": "permission", "status": 200,
        });
        for (key, value) in expected.as_object().unwrap() {
            assert_eq!(&line[key], value, "{key} in {line}");
        }
        let certificate = &line["certificate"];
        assert_eq!(
            (
                &certificate["cn"],
                certificate["fingerprint"].as_str().unwrap().len()
            ),
            (&"alice".into(), 64)
        );
        for key in [
            "issuer",
            "serial",
            "not_before",
            "not_after",
            "subject",
            "spki",
        ] {
            assert!(
                certificate[key]
                    .as_str()
                    .is_some_and(|text| !text.is_empty()),
                "{key} in {certificate}"
            );
        }
    }
    assert_eq!(scene.send("alice", "GET", "/secret/x").status, 403);
    let line = scene.wait_for("decision", |line| line["reason"] == "denied");
    assert_eq!(
        (&line["decision"], &line["permission"]),
        (&"refuse".into(), &"* /secret/*".into())
    );
    assert!(
        line.get("role").is_none()
            && line.get("query").is_none()
            && line.get("path_sent").is_none(),
        "{line}"
    );
    let text = std::fs::read_to_string(scene.file("audit.log")).unwrap();
    assert!(!text.contains("hush"), "{text}");
    assert_eq!(
        std::fs::metadata(scene.file("audit.log"))
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
        0o600
    );
    assert_eq!(scene.lines("decision").len(), 3, "one line for each");
}

/// `plan` and `learn` go by what authorization decided; the access log says what became of the request.
#[test]
fn a_limit_is_no_decision_of_the_audit_log() {
    let scene = Scene::new(
        "[api_user.alice]\nclient_cn = \"alice\"\npermissions = [\"*\"]\ndaily_quota = 1\n",
    );
    assert_eq!(scene.send("alice", "GET", "/1").status, 200);
    assert_eq!(scene.send("alice", "GET", "/2").status, 429);
    scene.wait_for_decisions(2);
    for (path, status) in [("/1", 200), ("/2", 429)] {
        let line = scene.wait_for("decision", |line| line["path"] == path);
        let decided = (&line["decision"], &line["reason"], &line["status"]);
        assert_eq!(
            decided,
            (&"permit".into(), &"permission".into(), &status.into()),
            "{line}"
        );
    }
    let line = scene.gateway.wait_for_access(|line| line["status"] == 429);
    assert_eq!(
        (&line["decision"], &line["reason"]),
        (&"refuse".into(), &"quota_used_up".into())
    );
}

#[test]
fn malformed_requests_and_unknown_clients_have_log_lines() {
    let scene = Scene::new(&user("alice", &["*"]));
    let client = scene.client("alice");
    client.exchange(b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: x\r\n\r\n");
    assert_eq!(scene.send("stranger", "GET", "/").status, 403);
    scene.wait_for_decisions(2);
    let line = scene.wait_for("decision", |line| line["method"] == "-");
    assert_eq!(
        (&line["path"], &line["decision"]),
        (&"-".into(), &"refuse".into())
    );
    let line = scene.wait_for("decision", |line| line["reason"] == "unknown_user");
    assert_eq!(line["certificate"]["cn"], "stranger");
    assert!(line.get("user").is_none());
}

#[test]
fn a_long_response_is_logged_when_it_begins() {
    let pki = Pki::new();
    let upstream = Upstream::scripted(|mut stream, _| {
        read_head(&mut stream);
        write(
            &mut stream,
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n",
        );
        // Until nobody listens any more.
        read_head(&mut stream);
    });
    let gateway = Gateway::start(
        &(listener(&pki) + AUDIT + &user("alice", &["*"]) + &route_to(upstream.address)),
    );
    let scene = Scene {
        pki,
        upstream,
        gateway,
    };
    let mut raw = scene.client("alice").raw();
    raw.write(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let line = scene.wait_for("decision", |line| line["path"] == "/events");
    assert_eq!(
        (&line["status"], &line["decision"]),
        (&200.into(), &"permit".into())
    );
    assert!(
        scene.gateway.access_log().is_empty(),
        "it is still under way"
    );
    drop(raw);
    scene
        .gateway
        .wait_for_access(|line| line["path"] == "/events");
    assert_eq!(scene.lines("decision").len(), 1);
}

#[test]
fn denials_are_always_logged_and_permits_as_configured() {
    for (decisions, permits) in [("\"refused\"", 0..=0), ("{ sample = \"50%\" }", 1..=199)] {
        let scene = Scene::with(
            &format!("{AUDIT}decisions = {decisions}\n"),
            &user("alice", &["GET /*"]),
        );
        let client = scene.client("alice");
        let mut connection = client.connect(Version::Http1).unwrap();
        for _ in 0..200 {
            assert_eq!(connection.send(get("/")).unwrap().status, 200);
        }
        for _ in 0..5 {
            assert_eq!(
                connection.send(request("PUT", "/", "")).unwrap().status,
                403
            );
        }
        let refused = |lines: &[Value]| {
            lines
                .iter()
                .filter(|line| line["decision"] == "refuse")
                .count()
        };
        let lines = eventually("refusals", || {
            Some(scene.lines("decision")).filter(|lines| refused(lines) == 5)
        });
        assert!(
            permits.contains(&(lines.len() - 5)),
            "{decisions}: {}",
            lines.len()
        );
    }
}

#[test]
fn a_path_that_cannot_be_written_is_no_start() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let rest = user("alice", &["*"]) + &route_to(upstream.address);
    let config = listener(&pki) + "[audit_log]\npath = \"nowhere/audit.log\"\n" + &rest;
    std::fs::write(pki.path("gateway.toml"), config).unwrap();
    let (_, error, code) = run(
        PORTCULLIS,
        &["run", "-c", pki.path("gateway.toml").to_str().unwrap()],
    );
    assert_eq!(code, 1);
    assert!(
        error.contains("cannot open the audit log") && error.contains("nowhere/audit.log"),
        "{error}"
    );
}

#[test]
fn the_file_is_opened_again_when_asked_after_a_rename() {
    let scene = Scene::new(&user("alice", &["*"]));
    let moved = scene.file("audit.moved");
    scene.send("alice", "GET", "/1");
    scene.wait_for_decisions(1);
    std::fs::rename(scene.file("audit.log"), &moved).unwrap();
    scene.send("alice", "GET", "/2");
    eventually("a line in the moved file", || {
        (lines_of(&moved, "decision").len() == 2).then_some(())
    });
    scene.gateway.signal("USR1");
    eventually("the log is opened again", || {
        scene.gateway.find_log("audit log opened again")
    });
    scene.send("alice", "GET", "/3");
    assert_eq!(scene.wait_for_decisions(1)[0]["path"], "/3");
    assert_eq!(lines_of(&moved, "decision").len(), 2);
    assert_eq!(scene.gateway.generation(), 1);
}

#[test]
fn a_file_that_is_long_enough_is_rotated_and_no_line_is_lost() {
    let scene = Scene::with(
        &format!("{AUDIT}size_limit = \"4KiB\"\nkeep = 100\n"),
        &user("alice", &["*"]),
    );
    let client = scene.client("alice");
    let mut connection = client.connect(Version::Http1).unwrap();
    let ids: BTreeSet<String> = (0..60)
        .map(|_| {
            connection
                .send(get("/"))
                .unwrap()
                .header("x-request-id")
                .unwrap()
                .to_owned()
        })
        .collect();
    let files = || {
        (0..=100).map(|number| {
            scene.file(&if number == 0 {
                "audit.log".to_owned()
            } else {
                format!("audit.log.{number}")
            })
        })
    };
    let ids_of = |lines: &[Value]| -> BTreeSet<String> {
        lines
            .iter()
            .map(|line| line["id"].as_str().unwrap().to_owned())
            .collect()
    };
    eventually("each decision once", || {
        // A rotation between two reads shows lines twice or not at all: what counts is a look without one.
        let all: Vec<Value> = files()
            .flat_map(|file| lines_of(&file, "decision"))
            .collect();
        (all.len() == ids.len() && ids_of(&all) == ids).then_some(())
    });
    let sizes: Vec<u64> = files()
        .filter_map(|file| std::fs::metadata(file).ok())
        .map(|file| file.len())
        .collect();
    assert!(
        sizes.len() > 5 && sizes.iter().all(|size| *size <= 4096),
        "{sizes:?}"
    );
    assert_eq!(
        scene.gateway.metric("portcullis_audit_dropped_total", &[]),
        0.0
    );
    // The snapshot and the decisions.
    scene
        .gateway
        .wait_for_metric("portcullis_audit_lines_total", &[], 61.0);
}

#[test]
fn a_full_disk_is_counted_and_logged_and_the_gateway_continues() {
    let scene = Scene::with(
        "[audit_log]\npath = \"/dev/full\"\n",
        &user("alice", &["*"]),
    );
    for _ in 0..3 {
        assert_eq!(scene.send("alice", "GET", "/").status, 200);
    }
    eventually("what is lost is counted", || {
        (scene.gateway.metric(
            "portcullis_audit_dropped_total",
            &[("reason", "write_failed")],
        ) == 4.0)
            .then_some(())
    });
    let errors = || {
        scene
            .gateway
            .metric("portcullis_audit_errors_total", &[("operation", "write")])
    };
    eventually("an error is counted", || (errors() >= 1.0).then_some(()));
    assert_eq!(
        scene.gateway.metric("portcullis_audit_lines_total", &[]),
        0.0
    );
    eventually("the own log", || {
        scene.gateway.find_log("the audit log cannot be written")
    });
}
