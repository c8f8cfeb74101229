//! Upstreams: endpoints, credentials, and what a reload keeps.

use super::*;

fn with_upstream(lines: &str) -> String {
    let base = BASE.split("[upstream.api]").next().unwrap();
    format!("{base}[upstream.api]\n{lines}\n{ROUTE}")
}

#[test]
fn an_upstream_has_endpoints_that_can_be_read() {
    let scene = Scene::new();
    for (endpoints, expected) in [
        ("[]", "has no endpoints"),
        ("[\"127.0.0.1:80\"]", "is no endpoint"),
        ("[\"ftp://127.0.0.1\"]", "is no endpoint"),
        ("[\"http://127.0.0.1:80/path\"]", "is no endpoint"),
    ] {
        let errors = scene.errors_of(&with_upstream(&format!("endpoints = {endpoints}")));
        assert!(errors[0].contains(expected), "{errors:#?}");
    }
    let good = "endpoints = [\"http://127.0.0.1:1\", \"http://localhost:2\"]";
    let snapshot = scene.snapshot_of(&with_upstream(good));
    assert!(snapshot.upstreams.contains_key("api"));
}

#[test]
fn credentials_are_user_and_password_and_never_in_an_error() {
    let scene = Scene::new();
    let config =
        with_upstream("endpoints = [\"http://127.0.0.1:1\"]\nbasic_credentials = \"secret\"");
    let _ = scene.errors_of(&config);
    for bad in [
        "hunter2",
        ":hunter2",
        "hunter2:",
        "gateway:hunter2\nhunter2\n",
    ] {
        std::fs::write(scene.path().join("secret"), bad).unwrap();
        let outcome = scene.load(&config, None, Depth::Warnings);
        let report = outcome.report();
        assert!(outcome.snapshot.is_none(), "{bad}");
        assert!(!report.contains("hunter2"), "{report}");
    }
    std::fs::write(scene.path().join("secret"), "gateway:hunter2\n").unwrap();
    let _ = scene.snapshot_of(&config);
}

#[test]
fn an_upstream_keeps_its_connections_over_a_reload_unless_it_changes() {
    let scene = Scene::new();
    let endpoint = |port: u16| format!("endpoints = [\"http://127.0.0.1:{port}\"]");
    let first = scene.snapshot_of(&with_upstream(&endpoint(1)));
    let reload = |lines: &str| {
        let outcome = scene.load(&with_upstream(lines), Some(&first), Depth::Errors);
        let snapshot = outcome.snapshot.unwrap();
        Arc::ptr_eq(&snapshot.upstreams["api"], &first.upstreams["api"])
    };
    assert!(reload(&endpoint(1)));
    assert!(!reload(&endpoint(2)));
    assert!(!reload(&format!("{}\npool_size = 3", endpoint(1))));
}

#[test]
fn an_ejection_is_no_longer_than_the_longest() {
    let scene = Scene::new();
    let with = |first: &str| {
        with_upstream(&format!(
            "endpoints = [\"http://127.0.0.1:1\"]\n[upstream.api.health]\nejection_time = \"{first}\"\n\
             max_ejection_time = \"10s\"\n"
        ))
    };
    let errors = scene.errors_of(&with("11s"));
    assert!(
        errors[0].contains("`ejection_time` of upstream \"api\" is longer than"),
        "{errors:#?}"
    );
    let _ = scene.snapshot_of(&with("10s"));
}
