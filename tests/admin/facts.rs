//! Upstreams, the snapshot and the process in the metrics; no listener.

use super::*;

#[test]
fn an_unreachable_upstream_is_counted() {
    let pki = Pki::new();
    let closed = ReservedPort::new();
    let gateway =
        Gateway::start(&(listener(&pki) + &user("alice", &["*"]) + &route_to(closed.address())));
    let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
    assert_eq!(client.get("/").status, 503);
    gateway.wait_for_metric(
        "portcullis_upstream_failures_total",
        &[("upstream", "api")],
        1.0,
    );
}

#[test]
fn the_metrics_describe_the_snapshot_its_certificates_and_the_build() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = gateway(&pki, &upstream);
    let value = |name: &str, labels: &[(&str, &str)]| gateway.metric(name, labels);
    let fips = if cfg!(feature = "fips") {
        "true"
    } else {
        "false"
    };
    let build = [
        ("version", env!("CARGO_PKG_VERSION")),
        ("crypto_provider", "aws-lc-rs"),
        ("fips", fips),
    ];
    assert_eq!(value("portcullis_build_info", &build), 1.0);
    assert_eq!(value("portcullis_api_users", &[]), 1.0);
    assert_eq!(value("portcullis_snapshot_generation", &[]), 1.0);
    assert_eq!(value("portcullis_reload_last_success", &[]), 1.0);
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs_f64();
    let loaded = value("portcullis_snapshot_loaded_timestamp_seconds", &[]);
    assert!(loaded > now - 600.0 && loaded <= now + 1.0, "{loaded}");
    for (kind, name, file) in [
        ("server", "main/*", "server.crt"),
        ("trust_anchor", "test", "ca.crt"),
    ] {
        let told = value(
            "portcullis_certificate_not_after_timestamp_seconds",
            &[("kind", kind), ("name", name)],
        );
        assert_eq!(told, not_after(&pki, file), "{kind}");
    }
}

#[test]
fn the_process_metrics_have_the_standard_names() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = gateway(&pki, &upstream);
    let value = |name: &str| gateway.metric(name, &[]);
    assert!(value("process_resident_memory_bytes") > 1e6);
    assert!(value("process_cpu_seconds_total") > 0.0);
    assert!(value("process_open_fds") > 3.0);
    assert!(value("process_max_fds") >= value("process_open_fds"));
    assert!(value("process_threads") >= 2.0);
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs_f64();
    let start = value("process_start_time_seconds");
    assert!(start > now - 3600.0 && start < now + 2.0, "{start}");
}

#[test]
fn admin_off_opens_no_listener() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = gateway(&pki, &upstream);
    let before = gateway.admin_address();
    let text = std::fs::read_to_string(&gateway.config_file).unwrap();
    gateway.write_config(&text.replace(
        "[admin]\naddress = \"127.0.0.1:0\"",
        "[admin]\naddress = \"off\"",
    ));
    eventually("the admin listener is gone", || {
        TcpStream::connect(before).err()
    });
    let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
    assert_eq!(client.get("/").status, 200, "the rest goes on");
    gateway.write_config(&text);
    // Its old port may be another program's by now.
    let is_admin = |line: &serde_json::Value| line["message"] == "admin listening";
    eventually("the admin listener is back", || {
        (gateway.log().into_iter().filter(is_admin).count() == 2).then_some(())
    });
    assert_eq!(gateway.admin("/livez").0, 200);
}
