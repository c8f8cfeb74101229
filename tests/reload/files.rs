//! How files change: edited in place, renamed over, touched, swapped by Kubernetes, included, moved away by logrotate.

use super::{alice, ask, client, config};
use crate::support::client::Version;
use crate::support::gateway::user;
use crate::support::{Gateway, Pki, Upstream, eventually, eventually_is, json_lines};
use std::os::unix::fs::symlink;
use std::path::Path;

#[test]
fn a_file_that_is_written_in_place_is_read_again() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = Gateway::start(&config(&pki, &upstream, &alice()));
    let bob = client(&pki, "bob", &gateway);
    assert_eq!(bob.get("/").status, 403);
    let before = gateway.generation();
    std::fs::write(
        &gateway.config_file,
        config(&pki, &upstream, &user("bob", &["*"])),
    )
    .unwrap();
    gateway.wait_for_generation_after(before);
    assert_eq!(bob.get("/").status, 200);
}

#[test]
fn every_rename_over_the_file_is_seen_not_only_the_first() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = Gateway::start(&config(&pki, &upstream, &alice()));
    let bob = client(&pki, "bob", &gateway);
    for (users, status) in [
        (user("bob", &["*"]), 200),
        (alice(), 403),
        (user("bob", &["GET /"]), 200),
    ] {
        gateway.reload_with(&config(&pki, &upstream, &users));
        assert_eq!(bob.get("/").status, status);
    }
}

#[test]
fn hangup_reads_everything_again() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = Gateway::start(&config(&pki, &upstream, &alice()));
    let client = client(&pki, "alice", &gateway);
    let mut connection = client.connect(Version::Http1).unwrap();
    for expected in [2, 3] {
        gateway.signal("HUP");
        assert_eq!(gateway.wait_for_generation_after(expected - 1), expected);
        assert_eq!(ask(&mut connection, "/"), "ok");
    }
    let is_reload = |line: &serde_json::Value| line["message"] == "reloaded";
    let reloads = || {
        Some(gateway.log().into_iter().filter(is_reload).collect())
            .filter(|lines: &Vec<_>| lines.len() == 2)
    };
    let reloads = eventually("two lines", reloads);
    assert!(
        reloads.iter().all(|line| line["cause"] == "signal"),
        "{reloads:?}"
    );
}

#[test]
fn a_touch_without_a_change_breaks_nothing() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let text = config(&pki, &upstream, &alice());
    let gateway = Gateway::start(&text);
    let client = client(&pki, "alice", &gateway);
    let mut connection = client.connect(Version::Http2).unwrap();
    assert_eq!(ask(&mut connection, "/"), "ok");
    for path in [
        gateway.config_file.clone(),
        pki.path("server.crt"),
        pki.path("server.key"),
        pki.ca_file(),
    ] {
        let before = gateway.generation();
        let same = std::fs::read(&path).unwrap();
        std::fs::write(&path, same).unwrap();
        gateway.wait_for_generation_after(before);
        assert_eq!(ask(&mut connection, "/"), "ok", "{}", path.display());
    }
    assert_eq!(gateway.reloads("failure"), 0.0);
}

#[test]
fn unrelated_files_cause_no_reload() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = Gateway::start(&config(&pki, &upstream, &alice()));
    std::fs::write(gateway.config_file.with_file_name("notes.txt"), "x").unwrap();
    std::fs::write(pki.path("foreign.crt"), "x").unwrap();
    // The next real change is the second generation: the foreign files made none before it.
    assert_eq!(gateway.reload_with(&config(&pki, &upstream, "")), 2);
}

#[test]
fn users_come_and_go_with_files_of_an_included_folder() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let folder = tempfile::tempdir().unwrap();
    let users = folder.path().join("users.d");
    std::fs::create_dir(&users).unwrap();
    let file = folder.path().join("gateway.toml");
    std::fs::write(
        &file,
        "include = [\"users.d/*.toml\"]\n".to_owned() + &config(&pki, &upstream, &alice()),
    )
    .unwrap();
    let gateway = Gateway::start_in(folder, file);
    let bob = client(&pki, "bob", &gateway);
    assert_eq!(bob.get("/").status, 403);
    let step = |change: &dyn Fn()| {
        let before = gateway.generation();
        change();
        gateway.wait_for_generation_after(before);
    };
    step(&|| std::fs::write(users.join("bob.toml"), user("bob", &["GET /"])).unwrap());
    assert_eq!((bob.get("/").status, bob.get("/more").status), (200, 403));
    step(&|| std::fs::write(users.join("bob.toml"), user("bob", &["GET /*"])).unwrap());
    assert_eq!(bob.get("/more").status, 200);
    step(&|| std::fs::remove_file(users.join("bob.toml")).unwrap());
    assert_eq!(bob.get("/").status, 403);
    assert_eq!(client(&pki, "alice", &gateway).get("/").status, 200);
}

#[test]
fn hidden_and_foreign_files_of_an_included_folder_are_left_alone() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let folder = tempfile::tempdir().unwrap();
    let users = folder.path().join("users.d");
    std::fs::create_dir(&users).unwrap();
    for name in [".bob.toml.swp", ".bob.toml", "bob.toml~", "README"] {
        std::fs::write(users.join(name), "not TOML at all [").unwrap();
    }
    std::fs::write(users.join("alice.toml"), alice()).unwrap();
    let file = folder.path().join("gateway.toml");
    std::fs::write(
        &file,
        "include = [\"users.d/*.toml\"]\n".to_owned() + &config(&pki, &upstream, ""),
    )
    .unwrap();
    let gateway = Gateway::start_in(folder, file);
    assert_eq!(client(&pki, "alice", &gateway).get("/").status, 200);
}

/// What a Kubernetes volume looks like: files are links into `..data`, itself a link to a folder with a date.
fn kubernetes_swap(volume: &Path, version: &str, files: &[(&str, &str)]) {
    let folder = volume.join(format!("..{version}"));
    std::fs::create_dir(&folder).unwrap();
    for (name, text) in files {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let old = std::fs::read_link(volume.join("..data")).ok();
    symlink(format!("..{version}"), volume.join("..data_tmp")).unwrap();
    std::fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
    for (name, _) in files {
        if volume.join(name).symlink_metadata().is_err() {
            symlink(Path::new("..data").join(name), volume.join(name)).unwrap();
        }
    }
    if let Some(old) = old {
        std::fs::remove_dir_all(volume.join(old)).unwrap();
    }
}

#[test]
fn a_swap_of_a_kubernetes_volume_is_one_change_of_all_its_files() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let folder = tempfile::tempdir().unwrap();
    let volume = folder.path().to_owned();
    let server = |name: &str| pki.server(name, &["localhost"]);
    let text = |users: &str| {
        let text = config(&pki, &upstream, users);
        let path = |name: &str| pki.path(name).display().to_string();
        text.replace(&path("server.crt"), "tls.crt")
            .replace(&path("server.key"), "tls.key")
    };
    let one = server("one");
    kubernetes_swap(
        &volume,
        "1",
        &[
            ("gateway.toml", &text("")),
            ("tls.crt", &one.certificate),
            ("tls.key", &one.key),
        ],
    );
    let gateway = Gateway::start_in(folder, volume.join("gateway.toml"));
    let client = client(&pki, "alice", &gateway);
    assert_eq!(client.get("/").status, 403);
    for (version, users, status) in [
        ("2", alice(), 200),
        ("3", String::new(), 403),
        ("4", alice(), 200),
    ] {
        let pair = server(version);
        let before = gateway.generation();
        let all = [
            ("gateway.toml", text(&users)),
            ("tls.crt", pair.certificate.clone()),
            ("tls.key", pair.key.clone()),
        ];
        kubernetes_swap(
            &volume,
            version,
            &all.each_ref().map(|(name, text)| (*name, text.as_str())),
        );
        gateway.wait_for_generation_after(before);
        assert_eq!(client.get("/").status, status, "version {version}");
    }
    assert_eq!(gateway.reloads("failure"), 0.0, "never half of it");
}

#[test]
fn a_swapped_volume_of_included_users_is_seen() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let folder = tempfile::tempdir().unwrap();
    let volume = folder.path().join("users");
    std::fs::create_dir(&volume).unwrap();
    kubernetes_swap(&volume, "1", &[("alice.toml", &alice())]);
    let file = folder.path().join("gateway.toml");
    std::fs::write(
        &file,
        "include = [\"users/*.toml\"]\n".to_owned() + &config(&pki, &upstream, ""),
    )
    .unwrap();
    let gateway = Gateway::start_in(folder, file);
    let client = client(&pki, "alice", &gateway);
    assert_eq!(client.get("/").status, 200);
    let before = gateway.generation();
    kubernetes_swap(
        &volume,
        "2",
        &[("alice.toml", &user("alice", &["GET /only"]))],
    );
    gateway.wait_for_generation_after(before);
    assert_eq!(
        (client.get("/").status, client.get("/only").status),
        (403, 200)
    );
}

#[test]
fn the_access_log_moves_to_another_file_at_reload() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let log = |name: &str| {
        config(&pki, &upstream, &alice()) + &format!("[access_log]\npath = \"{name}\"\n")
    };
    let gateway = Gateway::start(&log("one.log"));
    let client = client(&pki, "alice", &gateway);
    client.get("/1");
    wait_for_paths(&gateway.config_file.with_file_name("one.log"), &["/1"]);
    gateway.reload_with(&log("two.log"));
    client.get("/2");
    wait_for_paths(&gateway.config_file.with_file_name("two.log"), &["/2"]);
    wait_for_paths(&gateway.config_file.with_file_name("one.log"), &["/1"]);
}

#[test]
fn the_access_log_is_opened_again_when_asked_after_a_rename() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let text = config(&pki, &upstream, &alice()) + "[access_log]\npath = \"access.log\"\n";
    let gateway = Gateway::start(&text);
    let client = client(&pki, "alice", &gateway);
    let (current, moved) = (
        gateway.config_file.with_file_name("access.log"),
        gateway.config_file.with_file_name("access.log.1"),
    );
    client.get("/1");
    wait_for_paths(&current, &["/1"]);
    std::fs::rename(&current, &moved).unwrap();
    client.get("/2");
    wait_for_paths(&moved, &["/1", "/2"]);
    gateway.signal("USR1");
    eventually("the log is opened again", || {
        gateway.find_log("access log opened again")
    });
    client.get("/3");
    wait_for_paths(&current, &["/3"]);
    wait_for_paths(&moved, &["/1", "/2"]);
    assert_eq!(gateway.generation(), 1, "no reload was needed");
}

fn wait_for_paths(file: &Path, expected: &[&str]) {
    let path = |line: &serde_json::Value| line["path"].as_str().unwrap().to_owned();
    let paths = || json_lines(file).iter().map(path).collect::<Vec<_>>();
    eventually_is(
        "lines of the access log",
        &expected.iter().map(|path| (*path).to_owned()).collect(),
        paths,
    );
}
