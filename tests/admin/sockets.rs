//! The admin listener on a unix socket, who may use it, and how the live commands find it.

use super::gateway_with;
use crate::support::client::Version;
use crate::support::gateway::{named_listener, route_to, trust_domain, user};
use crate::support::{Client, Gateway, PORTCULLIS, Pki, Upstream, eventually, run};
use serde_json::Value;
use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const LOG: &str = "[log]\nformat = \"json\"\nlevel = \"debug\"\n";

/// A config with these tables, and logs in JSON.
fn config(pki: &Pki, upstream: &Upstream, tables: &str) -> String {
    let deny_list = format!("deny_list = {:?}\n", pki.path("denied"));
    std::fs::write(pki.path("denied"), "").unwrap();
    named_listener("main", pki, "")
        + &trust_domain("test", pki)
        + &deny_list
        + tables
        + LOG
        + &user("alice", &["GET /*"])
        + &route_to(upstream.address)
}

fn socket_of(gateway: &Gateway) -> PathBuf {
    gateway.config_file.with_file_name("admin.sock")
}

/// Status and body of a `GET` through a unix socket.
fn ask(socket: &Path, path: &str) -> (u16, String) {
    let mut stream = UnixStream::connect(socket).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (
        head.split(' ').nth(1).unwrap().parse().unwrap(),
        body.to_owned(),
    )
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_unix_socket_beside_the_config_is_the_default_and_the_owners_alone() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let mut gateway = Gateway::start(&config(&pki, &upstream, "[admin]\n"));
    let socket = socket_of(&gateway);
    let metadata = std::fs::metadata(&socket).unwrap();
    assert!(metadata.file_type().is_socket());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    for path in ["/status", "/expiring", "/metrics", "/readyz", "/"] {
        assert_eq!(ask(&socket, path).0, 200, "{path}");
    }
    let status: Value = serde_json::from_str(&ask(&socket, "/status").1).unwrap();
    assert_eq!(status["api_users"], 1);
    gateway.signal("TERM");
    assert_eq!(gateway.wait_for_exit(), 0);
    assert!(!socket.exists(), "it is removed at the end");
}

#[test]
fn live_commands_find_the_socket_through_the_config_and_by_name() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = Gateway::start(&config(
        &pki,
        &upstream,
        "[admin]\nrecent_decisions = \"10m\"\n",
    ));
    let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
    assert_eq!(client.get("/x").status, 200);
    let file = text(&gateway.config_file);
    let named = format!("--live=unix:{}", socket_of(&gateway).display());
    for live in ["--live", &named] {
        let (out, err, code) = run(
            PORTCULLIS,
            &["explain", "-c", file, live, "--user", "alice", "GET", "/"],
        );
        assert_eq!((code, err.as_str()), (0, ""), "{live}: {out}");
        let (out, err, code) = run(PORTCULLIS, &["learn", "-c", file, live]);
        assert!(code == 0 && out.contains("GET /"), "{live}: {out}{err}");
        let (out, err, code) = run(PORTCULLIS, &["plan", "-c", file, live]);
        assert_eq!(code, 0, "{live}: {out}{err}");
    }
    let socket = format!("unix:{}", socket_of(&gateway).display());
    for (arguments, undo) in [(vec![], "--undo"), (vec!["--admin", &socket], "--undo")] {
        let revoke = ["revoke", "-c", file, "--user", "alice"];
        let (out, err, code) = run(PORTCULLIS, &[&revoke[..], &arguments].concat());
        assert!(
            code == 0 && out.contains("active since generation"),
            "{arguments:?}: {out}{err}"
        );
        assert!(
            client
                .send(Version::Http1, crate::support::client::get("/"))
                .map_or(true, |got| got.status == 403)
        );
        let (out, err, code) = run(PORTCULLIS, &[&revoke[..], &arguments, &[undo]].concat());
        assert!(code == 0, "{arguments:?}: {out}{err}");
        assert_eq!(client.get("/").status, 200);
    }
}

#[test]
fn the_socket_of_a_dead_gateway_is_replaced_and_that_of_a_live_one_is_not() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("admin.sock");
    let text_of_config = config(&pki, &upstream, &format!("[admin]\npath = {socket:?}\n"));
    // Dropped, it is killed and can remove nothing.
    drop(Gateway::start(&text_of_config));
    assert!(socket.exists());
    let gateway = Gateway::start(&text_of_config);
    assert_eq!(ask(&socket, "/livez").0, 200);
    let second = folder.path().join("second.toml");
    std::fs::write(&second, &text_of_config).unwrap();
    let refused = Command::new(PORTCULLIS)
        .args(["run", "-c"])
        .arg(&second)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let error = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{error}");
    assert!(
        error.contains("cannot listen on the admin socket")
            && error.contains("another process answers"),
        "{error}"
    );
    assert_eq!(ask(&socket, "/livez").0, 200, "the first one goes on");
    drop(gateway);
}

#[test]
fn a_path_that_is_something_else_is_no_start_and_stays_as_it_is() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let folder = tempfile::tempdir().unwrap();
    let taken = folder.path().join("notes.txt");
    std::fs::write(&taken, "mine").unwrap();
    for path in [taken.clone(), folder.path().join("nowhere/admin.sock")] {
        let file = folder.path().join("gateway.toml");
        std::fs::write(
            &file,
            config(&pki, &upstream, &format!("[admin]\npath = {path:?}\n")),
        )
        .unwrap();
        let refused = Command::new(PORTCULLIS)
            .args(["run", "-c"])
            .arg(&file)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let error = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(1), "{error}");
        assert!(
            error.contains(text(&path)) && error.contains("in [admin]"),
            "{error}"
        );
    }
    assert_eq!(std::fs::read_to_string(&taken).unwrap(), "mine");
}

#[test]
fn the_listeners_move_between_sockets_and_ports_while_the_gateway_runs() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = gateway_with(&pki, &upstream, "[admin]\naddress = \"127.0.0.1:0\"\n");
    let before = gateway.admin_address();
    let generation = gateway.generation();
    // What was the admin's port becomes that of the metrics, as in a config of an earlier version that is brought up to date.
    let tables = format!("[admin]\n[metrics]\naddress = \"{before}\"\n");
    gateway.write_config(&super::config(&pki, &upstream, &tables));
    let socket = socket_of(&gateway);
    eventually("the admin socket is there", || {
        socket.exists().then_some(())
    });
    eventually("the metrics are where the admin listener was", || {
        super::ask_at(before, "/status", "localhost")
            .starts_with("HTTP/1.1 404 ")
            .then_some(())
    });
    assert!(super::ask_at(before, "/metrics", "metrics.example").starts_with("HTTP/1.1 200 "));
    let status: Value = serde_json::from_str(&ask(&socket, "/status").1).unwrap();
    assert_eq!(status["generation"], generation + 1);
    gateway.write_config(&super::config(
        &pki,
        &upstream,
        "[admin]\naddress = \"127.0.0.1:0\"\n",
    ));
    eventually("the socket is removed", || (!socket.exists()).then_some(()));
    assert_eq!(gateway.admin("/status").0, 200);
}
