//! Warnings beside the golden reports of `config_errors`: how `check` counts them, and where `run` logs them.

use crate::support::eventually::eventually;
use crate::support::gateway::{listener, route_to, user};
use crate::support::{Gateway, PORTCULLIS, Pki, Upstream, require_program, run};

const SHADOW: &str = "[gateway]\nshadow = true\n";

/// Writes a config and checks it.
fn check(pki: &Pki, config: &str, arguments: &[&str]) -> (String, String, i32) {
    let file = pki.path("gateway.toml");
    std::fs::write(&file, config).unwrap();
    run(
        PORTCULLIS,
        &[&["check", "-c", file.to_str().unwrap()], arguments].concat(),
    )
}

fn config(pki: &Pki, upstream: &Upstream) -> String {
    listener(pki) + &user("alice", &["GET /*"]) + &route_to(upstream.address)
}

#[test]
fn strict_makes_warnings_fail_and_nothing_else() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let good = config(&pki, &upstream);
    let (out, err, code) = check(&pki, &good, &["--strict"]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(
        out.ends_with("gateway.toml: OK: 1 user, 1 route, 1 upstream, 0 warnings\n"),
        "{out}"
    );
    let warned = good.clone() + SHADOW;
    let (out, err, code) = check(&pki, &warned, &[]);
    assert_eq!(code, 0, "{err}");
    assert!(
        out.ends_with("gateway.toml: OK: 1 user, 1 route, 1 upstream, 1 warning\n"),
        "{out}"
    );
    let (out, err, code) = check(&pki, &warned, &["--strict"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("`[gateway] shadow = true`"), "{err}");
    assert!(
        err.ends_with("gateway.toml: 1 warning, and --strict allows none\n"),
        "{err}"
    );
}

#[test]
fn the_report_is_also_given_as_json() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let good = config(&pki, &upstream);
    let report = |config: &str, arguments: &[&str]| {
        let (out, err, code) = check(&pki, config, &[&["--json"], arguments].concat());
        assert_eq!(err, "", "{out}");
        (
            serde_json::from_str::<serde_json::Value>(&out).expect("JSON"),
            code,
        )
    };
    let (json, code) = report(&good, &["--strict"]);
    assert_eq!(
        (code, &json["result"], &json["users"], &json["problems"]),
        (0, &"ok".into(), &1.into(), &serde_json::json!([]))
    );
    let (json, code) = report(&(SHADOW.to_owned() + &good), &[]);
    assert_eq!(
        (code, &json["result"], &json["warnings"]),
        (0, &"ok".into(), &1.into())
    );
    let problem = &json["problems"][0];
    assert_eq!(problem["severity"], "warning");
    let place = &problem["place"];
    assert_eq!((&place["line"], &place["column"]), (&2.into(), &10.into()));
    assert!(
        place["file"]
            .as_str()
            .is_some_and(|file| file.ends_with("gateway.toml"))
    );
    assert!(
        problem["hint"]
            .as_str()
            .is_some_and(|hint| hint.starts_with("remove `shadow = true`"))
    );
    let (json, code) = report(&(SHADOW.to_owned() + &good), &["--strict"]);
    assert_eq!((code, &json["result"]), (1, &"warnings".into()));
    let (json, code) = report("[listener.main]\naddress: x\n", &[]);
    assert_eq!(
        (code, &json["result"], &json["errors"]),
        (1, &"errors".into(), &1.into())
    );
}

#[test]
fn the_help_says_what_the_exit_codes_mean() {
    let (out, _, code) = run(PORTCULLIS, &["check", "--help"]);
    assert_eq!(code, 0);
    assert!(
        out.contains("Exit codes: 0 no error; 1 errors, or warnings with --strict; 2 wrong usage."),
        "{out}"
    );
}

#[test]
fn many_warnings_of_one_kind_are_counted_and_not_all_shown() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let users =
        (0..30).map(|number| user(&format!("user-{number}"), &["GET /*"]) + "shadow = true\n");
    let config = listener(&pki) + &users.collect::<String>() + &route_to(upstream.address);
    let (out, err, code) = check(&pki, &config, &[]);
    assert_eq!(code, 0, "{err}");
    assert_eq!(err.matches("is in shadow mode").count(), 20, "{err}");
    assert!(
        err.contains("there are 10 more users and `deny` entries in shadow mode"),
        "{err}"
    );
    assert!(out.contains("OK: 30 users"), "{out}");
}

#[test]
fn warnings_are_logged_with_place_and_remedy_at_start_and_after_a_reload() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let good = config(&pki, &upstream);
    let is_warning = |line: &serde_json::Value| {
        line["level"] == "WARN"
            && line["message"]
                .as_str()
                .is_some_and(|text| text.contains("`[gateway] shadow = true`"))
    };
    let started = Gateway::start(&(SHADOW.to_owned() + &good));
    let line = eventually("a warning at start", || {
        started.log().into_iter().find(is_warning)
    });
    let text = line["message"].as_str().unwrap();
    assert!(
        text.contains("gateway.toml:2:10: ") && text.contains("(remove `shadow = true`"),
        "{text}"
    );
    let gateway = Gateway::start(&good);
    assert!(
        !gateway.settled_log().iter().any(is_warning),
        "nothing is wrong yet"
    );
    gateway.reload_with(&(SHADOW.to_owned() + &good));
    eventually("a warning after the reload", || {
        gateway.log().into_iter().find(is_warning)
    });
}

/// Starts without the privilege for ports below 1024, also where the tests are root.
#[test]
fn a_port_below_1024_without_the_privilege_is_reported_with_its_remedy() {
    let first = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap();
    if first.trim() == "0" || !require_program("setpriv") {
        return;
    }
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let file = pki.path("gateway.toml");
    let config = config(&pki, &upstream).replacen(
        "address = \"127.0.0.1:0\"",
        "address = \"127.0.0.1:1\"",
        1,
    );
    std::fs::write(&file, config).unwrap();
    let without = [
        "--bounding-set=-net_bind_service",
        "--inh-caps=-net_bind_service",
        PORTCULLIS,
    ];
    let (_, err, code) = run(
        "setpriv",
        &[&without[..], &["run", "-c", file.to_str().unwrap()]].concat(),
    );
    assert_eq!(code, 1, "{err}");
    assert!(
        err.contains("cannot listen on 127.0.0.1:1 (listener \"main\")"),
        "{err}"
    );
    assert!(
        err.contains("AmbientCapabilities=CAP_NET_BIND_SERVICE")
            && err.contains("setcap cap_net_bind"),
        "{err}"
    );
}
