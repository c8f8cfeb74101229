//! Files of several domains, files that only a rejected config names, and the audit log.

use super::*;

/// With a user and a deny list of another domain.
fn with_another_domain(scene: &Scene, other: &Pki) -> String {
    std::fs::write(other.path("denied"), "").unwrap();
    let folder = other.folder.path().display();
    let domain = format!(
        "[trust_domain.other]\nanchors = [\"{folder}/ca.crt\"]\ndeny_list = \"{folder}/denied\"\n"
    );
    let domains = "trust_domains = [\"test\", \"other\"]\n";
    let of =
        |name: &str, domain: &str| user(name, &["*"]) + &format!("trust_domain = \"{domain}\"\n");
    let users = of("alice", "test") + &of("bob", "test") + &of("carol", "other") + &domain;
    scene.config(&users).replacen(
        "[trust_domain.test]",
        &format!("{domains}[trust_domain.test]"),
        1,
    )
}

#[test]
fn a_file_that_is_wrong_holds_up_no_other() {
    let (scene, other) = (Scene::new(), Pki::named("Other CA"));
    let carol = other.client("carol");
    let config = with_another_domain(&scene, &other);
    let gateway = Gateway::start(&config);
    let (alice, bob) = (
        scene.client(&gateway, &scene.alice),
        scene.client(&gateway, &scene.bob),
    );
    let carol = scene.client(&gateway, &carol);
    assert_eq!(
        (
            alice.get("/").status,
            bob.get("/").status,
            carol.get("/").status
        ),
        (200, 200, 200)
    );
    std::fs::remove_file(other.path("denied")).unwrap();
    nix::unistd::mkfifo(&other.path("denied"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    wait_for_refusal(&gateway);
    let faults =
        |domain: &str| gateway.metric("portcullis_revocation_faults", &[("trust_domain", domain)]);
    eventually("it is told", || {
        (faults("other") == 1.0 && faults("test") == 0.0).then_some(())
    });
    let fault = status(&gateway)["revocation_faults"][0].to_string();
    assert!(
        fault.contains("\"other\"") && fault.contains("denied") && fault.contains("named pipe"),
        "{fault}"
    );
    scene.deny("user alice\n");
    eventually("alice is out", || {
        (outcome(&alice) == "revoked").then_some(())
    });
    assert_eq!(
        (
            bob.get("/").status,
            carol.get("/").status,
            gateway.generation()
        ),
        (200, 200, 1)
    );
    std::fs::remove_file(other.path("denied")).unwrap();
    std::fs::write(other.path("denied"), "user carol\n").unwrap();
    gateway.wait_for_generation_after(1);
    assert_eq!(
        (outcome(&carol).as_str(), faults("other")),
        ("revoked", 0.0)
    );
}

#[test]
fn files_named_only_by_a_rejected_config_revoke_and_nothing_else_applies() {
    let scene = Scene::new();
    let gateway = Gateway::start(&scene.config(&both()));
    let (alice, bob) = (
        scene.client(&gateway, &scene.alice),
        scene.client(&gateway, &scene.bob),
    );
    assert_eq!((alice.get("/").status, bob.get("/").status), (200, 200));
    std::fs::write(scene.pki.path("more"), "user alice\n").unwrap();
    let changed =
        scene.config(&(both().replacen("\"*\"", "\"GET /none\"", 2) + &user("carol", &["*"])));
    gateway.write_config(&(changed.replace("/denied\"", "/more\"") + "upstraem = 1\n"));
    eventually("alice is out", || {
        (outcome(&alice) == "revoked").then_some(())
    });
    let carol = scene.client(&gateway, &scene.pki.client("carol"));
    assert_eq!(
        (bob.get("/").status, outcome(&carol).as_str()),
        (200, "unknown_user")
    );
    scene.deny("user bob\n");
    eventually("bob is out by the active list", || {
        (outcome(&bob) == "revoked").then_some(())
    });
}

#[test]
fn the_audit_log_tells_of_an_overlay() {
    let scene = Scene::new();
    let path = scene.pki.path("audit.log");
    let good = scene.config(&both()) + &format!("[audit_log]\npath = \"{}\"\n", path.display());
    let gateway = Gateway::start(&good);
    let alice = scene.client(&gateway, &scene.alice);
    assert_eq!(alice.get("/").status, 200);
    gateway.write_config(&(good.replace("[api_user.alice]", "[api_user.carol]") + "[[["));
    gateway.write_config(&(good.replace(&user("alice", &["*"]), "") + "[[route]]\nupstraem = 1\n"));
    eventually("alice is out", || {
        (outcome(&alice) == "unknown_user").then_some(())
    });
    // That request may have been decided before and cut by the overlay. This one is decided by it.
    assert_eq!(outcome(&alice), "unknown_user");
    let lines = || json_lines(&path);
    let line = eventually("a line", || {
        lines().into_iter().find(|line| line["kind"] == "overlay")
    });
    assert_eq!(
        (line["generation"].as_u64(), line["overlay"].as_u64()),
        (Some(1), Some(1)),
        "{line}"
    );
    assert_eq!(line["cause"], "rejected config");
    assert_eq!(line["removed_users"], serde_json::json!(["alice"]));
    let refused =
        |line: &serde_json::Value| line["kind"] == "decision" && line["reason"] == "unknown_user";
    let line = eventually("a decision", || lines().into_iter().find(refused));
    assert_eq!(line["overlay"].as_u64(), Some(1), "{line}");
}
