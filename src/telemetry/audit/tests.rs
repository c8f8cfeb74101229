//! The audit log as the gateway uses it, without a gateway.

use super::*;
use std::path::Path;

fn config(path: &Path, decisions: AuditedDecisions) -> AuditLogConfig {
    AuditLogConfig {
        path: path.to_owned(),
        decisions,
        size_limit: None,
        keep: 5,
    }
}

fn decision<'a>(id: &'a str, decision: &'a str) -> AuditDecision<'a> {
    AuditDecision {
        time: "2026-01-01T00:00:00.000Z".to_owned(),
        generation: 1,
        overlay: 0,
        id,
        listener: "main",
        client: ([127, 0, 0, 1], 5).into(),
        server_name: None,
        host: None,
        protocol: "HTTP/1.1",
        method_sent: "GET",
        method: "GET",
        path: "/",
        path_sent: None,
        query: None,
        user: None,
        credential: None,
        identified_by: None,
        forwarded_by: None,
        trust_domain: None,
        route: None,
        preset: None,
        requirement: None,
        permission: None,
        role: None,
        authorizer: None,
        authorizer_says: None,
        decision,
        reason: "permission",
        detail: None,
        status: 200,
        sample: None,
    }
}

fn lines(path: &Path) -> Vec<serde_json::Value> {
    std::fs::read_to_string(path)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn every_line_is_there_when_the_log_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    let telemetry = Arc::<Telemetry>::default();
    telemetry
        .set_audit_log(Some(&config(&path, AuditedDecisions::All)))
        .unwrap();
    assert!(telemetry.audits());
    telemetry.audit_event(&serde_json::json!({ "kind": "snapshot" }));
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let telemetry = telemetry.clone();
            std::thread::spawn(move || {
                (0..500).for_each(|count| {
                    telemetry.audit_decision(
                        decision(&format!("{thread}-{count}"), "permit"),
                        Some("{\"cn\":\"a\"}"),
                    );
                });
            })
        })
        .collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    telemetry.close_audit_log();
    assert!(!telemetry.audits());
    let lines = lines(&path);
    assert_eq!((lines.len(), &lines[0]["kind"]), (2001, &"snapshot".into()));
    assert_eq!(
        (&lines[1]["kind"], &lines[1]["certificate"]["cn"]),
        (&"decision".into(), &"a".into())
    );
    assert_eq!(telemetry.metrics.audit_lines.get(), 2001);
}

#[test]
fn denials_are_always_written_and_permits_as_the_config_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    let telemetry = Telemetry::default();
    let share = crate::config::SampleRate::percent("1%").unwrap();
    let expected = [
        (AuditedDecisions::All, 1000..=1000),
        (AuditedDecisions::Refused, 0..=0),
        (AuditedDecisions::Sample(share), 1..=40),
    ];
    for (decisions, permitted) in expected {
        let _ = std::fs::remove_file(&path);
        telemetry
            .set_audit_log(Some(&config(&path, decisions)))
            .unwrap();
        for count in 0..1000 {
            telemetry.audit_decision(decision(&format!("p-{count}"), "permit"), None);
            telemetry.audit_decision(decision(&format!("r-{count}"), "refuse"), None);
        }
        telemetry.close_audit_log();
        let lines = lines(&path);
        let (permits, refusals): (Vec<_>, Vec<_>) =
            lines.iter().partition(|line| line["decision"] == "permit");
        assert_eq!(refusals.len(), 1000, "{decisions:?}");
        assert!(
            permitted.contains(&permits.len()),
            "{decisions:?}: {}",
            permits.len()
        );
        let sampled = matches!(decisions, AuditedDecisions::Sample(_)).then_some("1%");
        assert!(
            permits
                .iter()
                .all(|line| line.get("sample").and_then(|share| share.as_str()) == sampled)
        );
        assert!(refusals.iter().all(|line| line.get("sample").is_none()));
    }
}

#[test]
fn settings_change_without_losing_a_line_and_a_bad_path_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let one = folder.path().join("one");
    let other = folder.path().join("other");
    let telemetry = Telemetry::default();
    let tell = |id: &str| telemetry.audit_decision(decision(id, "permit"), None);
    telemetry
        .set_audit_log(Some(&config(&one, AuditedDecisions::All)))
        .unwrap();
    tell("a");
    telemetry
        .set_audit_log(Some(&AuditLogConfig {
            keep: 9,
            ..config(&one, AuditedDecisions::All)
        }))
        .unwrap();
    tell("b");
    std::fs::rename(&one, folder.path().join("moved")).unwrap();
    telemetry.reopen_audit_log().unwrap();
    tell("c");
    let bad = config(
        &folder.path().join("nowhere/audit.log"),
        AuditedDecisions::All,
    );
    telemetry.set_audit_log(Some(&bad)).unwrap_err();
    tell("d");
    telemetry
        .set_audit_log(Some(&config(&other, AuditedDecisions::All)))
        .unwrap();
    tell("e");
    telemetry.close_audit_log();
    let ids = |path: &Path| {
        lines(path)
            .iter()
            .map(|line| line["id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&other), ["e"]);
    // The first file's thread ends by itself. Lines may be ahead of the order to go on in another file.
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    loop {
        let all = [ids(&folder.path().join("moved")), ids(&one)].concat();
        if all == ["a", "b", "c", "d"] {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "{all:?}");
        std::thread::yield_now();
    }
}

#[test]
fn a_full_disk_blocks_no_thread_and_is_counted() {
    let telemetry = Telemetry::default();
    telemetry
        .set_audit_log(Some(&config(Path::new("/dev/full"), AuditedDecisions::All)))
        .unwrap();
    (0..10)
        .for_each(|count| telemetry.audit_decision(decision(&count.to_string(), "permit"), None));
    telemetry.close_audit_log();
    assert_eq!(telemetry.metrics.audit_lines.get(), 0);
    assert_eq!(
        telemetry
            .metrics
            .audit_dropped
            .with_label_values(&["write_failed"])
            .get(),
        10
    );
    assert!(
        telemetry
            .metrics
            .audit_errors
            .with_label_values(&["write"])
            .get()
            > 0
    );
}
