//! Several revocations at once, `/status`, and files that are no deny list.

use super::*;

#[test]
fn several_at_once_lose_nothing() {
    let scene = Scene::new();
    std::thread::scope(|scope| {
        for number in 1..=8 {
            let scene = &scene;
            scope.spawn(move || {
                let (_, error, code) =
                    scene.revoke(&["--serial", &format!("{number}"), "--timeout", "30s"]);
                assert_eq!(code, 0, "{error}");
            });
        }
    });
    assert_eq!(
        scene
            .list()
            .lines()
            .filter(|line| line.starts_with("serial "))
            .count(),
        8
    );
    let domain = &scene.status()["trust_domains"][0];
    assert_eq!(domain["deny_list"]["entries"], 8);
}

#[test]
fn status_reports_the_active_snapshot() {
    let scene = Scene::new();
    let status = scene.status();
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(
        (status["generation"].as_u64(), status["api_users"].as_u64()),
        (Some(1), Some(2))
    );
    assert_eq!(status["last_reload"], Value::Null);
    assert_eq!(status["listeners"][0]["name"], "main");
    assert_eq!(
        status["listeners"][0]["address"],
        scene.gateway.address().to_string()
    );
    let domain = &status["trust_domains"][0];
    assert_eq!(
        (&domain["name"], &domain["anchors"][0]["subject"]),
        (&"test".into(), &"CN=Test CA".into())
    );
    let list = &domain["crls"][0];
    assert_eq!(
        (&list["issuer"], &list["number"], &list["entries"]),
        (&"CN=Test CA".into(), &"1f".into(), &0.into())
    );
    assert_eq!(
        (&list["stale"], &list["counts"]),
        (&false.into(), &true.into())
    );
    assert!(
        list["this_update"].as_str() < list["next_update"].as_str(),
        "{list}"
    );
    assert_eq!(
        domain["deny_list"]["path"],
        scene.pki.path("denied").to_str().unwrap()
    );
    scene.gateway.signal("HUP");
    let status = eventually("a reload", || {
        Some(scene.status()).filter(|it| it["generation"] == 2)
    });
    let last = eventually("its result", || {
        Some(scene.status()["last_reload"].clone()).filter(|it| !it.is_null())
    });
    assert_eq!(
        (&last["result"], &last["cause"], &last["error"]),
        (&"success".into(), &"signal".into(), &Value::Null)
    );
    let digest = status["trust_domains"][0]["deny_list"]["sha256"]
        .as_str()
        .map(str::len);
    assert_eq!(digest, Some(64));
}

#[test]
fn a_list_that_is_no_regular_file_is_rejected_and_a_link_to_one_is_changed() {
    let scene = Scene::new();
    let at = |name: &str| scene.pki.path(name).to_str().unwrap().to_owned();
    nix::unistd::mkfifo(&scene.pki.path("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    std::os::unix::fs::symlink("/dev/zero", scene.pki.path("endless")).unwrap();
    std::os::unix::fs::symlink(scene.pki.path("denied"), scene.pki.path("link")).unwrap();
    for (name, what) in [("fifo", "a named pipe"), ("endless", "a device")] {
        let (_, error, code) = scene.revoke(&["--cn", "alice", "--deny-list", &at(name)]);
        assert_eq!(code, 1, "{error}");
        assert!(
            error.contains(what) && error.contains("only regular files"),
            "{error}"
        );
    }
    let (_, error, code) = scene.revoke(&["--cn", "alice", "--deny-list", &at("link")]);
    assert_eq!(code, 0, "{error}");
    assert!(scene.list().contains("cn alice"));
}

#[test]
fn a_syntax_error_is_named_as_check_names_it() {
    let scene = Scene::new();
    let good = std::fs::read_to_string(&scene.gateway.config_file).unwrap();
    scene
        .gateway
        .write_config(&(good + "\n[[route]]\nbad = = 1\n"));
    let (_, error, code) = scene.revoke(&["--cn", "alice"]);
    assert_eq!(code, 0, "{error}");
    let config = scene.gateway.config_file.to_str().unwrap();
    let (_, check, _) = run(PORTCULLIS, &["check", "-c", config]);
    let first = check
        .lines()
        .find_map(|line| line.strip_prefix("error: "))
        .unwrap();
    assert!(
        error.contains(first) && !error.contains("unknown key"),
        "{error}\n{check}"
    );
}
