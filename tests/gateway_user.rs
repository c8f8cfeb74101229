//! The user that the gateway becomes must be able to read what a reload reads, or it does not start.

use crate::support::gateway::{listener, route_to, user};
use crate::support::{Client, Gateway, PORTCULLIS, Pki, Upstream, eventually, run};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

const USER: &str = "nobody";

/// Whether this test may become another user at all.
fn is_root() -> bool {
    let is_root = nix::unistd::geteuid().is_root();
    if !is_root {
        eprintln!("skipped: only root can become another user");
    }
    is_root
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

struct Scene {
    pki: Pki,
    folder: tempfile::TempDir,
    config: String,
    _upstream: Upstream,
}

impl Scene {
    /// All is readable for everybody, but for keys, which are the user's.
    fn new() -> Self {
        let (pki, upstream) = (Pki::new(), Upstream::start());
        std::fs::write(pki.path("denied"), "").unwrap();
        let lines = format!("deny_list = \"{}\"\n[admin]", pki.path("denied").display());
        let users = user("alice", &["*"]) + &user("bob", &["*"]);
        let config =
            listener(&pki).replace("[admin]", &lines) + &users + &route_to(upstream.address);
        let config = config + &format!("[gateway]\nworkers = 1\nuser = \"{USER}\"\n");
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("gateway.toml"), &config).unwrap();
        let scene = Self {
            pki,
            folder,
            config,
            _upstream: upstream,
        };
        for path in [scene.folder.path(), scene.pki.folder.path()] {
            set_mode(path, 0o755);
        }
        let nobody = nix::unistd::User::from_name(USER).unwrap().unwrap();
        chown(
            scene.pki.path("server.key"),
            Some(nobody.uid.as_raw()),
            None,
        )
        .unwrap();
        set_mode(&scene.pki.path("server.key"), 0o600);
        scene
    }

    fn run(&self, command: &str) -> (String, i32) {
        let config = self.folder.path().join("gateway.toml");
        let (said, error, code) = run(PORTCULLIS, &[command, "-c", config.to_str().unwrap()]);
        (said + &error, code)
    }
}

#[test]
fn a_user_that_cannot_read_a_file_or_a_folder_is_rejected_at_start_and_by_check() {
    if !is_root() {
        return;
    }
    type Spoil = fn(&Scene);
    let cases: [(&str, Spoil); 4] = [
        ("server.key", |scene| {
            chown(scene.pki.path("server.key"), Some(0), None).unwrap()
        }),
        ("denied", |scene| set_mode(&scene.pki.path("denied"), 0o600)),
        ("gateway.toml", |scene| {
            set_mode(&scene.folder.path().join("gateway.toml"), 0o600)
        }),
        // It can be passed through, but what is replaced in it is not noticed.
        ("the folder", |scene| set_mode(scene.folder.path(), 0o711)),
    ];
    for (what, spoil) in cases {
        let scene = Scene::new();
        let (report, code) = scene.run("check");
        assert_eq!(code, 0, "{what}: {report}");
        spoil(&scene);
        for command in ["check", "run"] {
            let (report, code) = scene.run(command);
            assert_eq!(code, 1, "{what}: {report}");
            let folder = scene.folder.path().display().to_string();
            let named = if what == "the folder" { &folder } else { what };
            assert!(
                report.contains(named) && report.contains("cannot read"),
                "{what}: {report}"
            );
            assert!(
                report.contains("chgrp nogroup FILE && chmod g+r FILE"),
                "{what}: {report}"
            );
        }
    }
}

#[test]
fn a_user_that_can_read_all_reloads_and_revokes() {
    if !is_root() {
        return;
    }
    let Scene {
        pki,
        folder,
        config,
        _upstream,
    } = Scene::new();
    let config_file = folder.path().join("gateway.toml");
    let gateway = Gateway::start_in(folder, config_file);
    let client = |name: &str| Client::new(&pki, Some(&pki.client(name)), gateway.address());
    let (alice, bob) = (client("alice"), client("bob"));
    assert_eq!((alice.get("/").status, bob.get("/").status), (200, 200));
    gateway.reload_with(&(config + &user("carol", &["*"])));
    assert_eq!(client("carol").get("/").status, 200);
    std::fs::write(pki.path("denied"), "user alice\n").unwrap();
    eventually("alice is out", || {
        (alice.get("/").status == 403).then_some(())
    });
    assert_eq!(bob.get("/").status, 200);
}
