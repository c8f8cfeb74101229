//! Pipes, devices, folders and endless files among what a load reads are errors that name the file. They hold up neither
//! a reload nor the end of the process.

use super::failures::wait_for_refusal;
use super::{alice, client, config};
use crate::support::gateway::user;
use crate::support::{Gateway, PORTCULLIS, Pki, Upstream};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

/// Puts something else where a file was.
fn put(path: &Path, make: impl FnOnce(&Path)) {
    let _ = std::fs::remove_file(path);
    make(path);
}

fn fifo(path: &Path) {
    nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).unwrap();
}

fn zeros(path: &Path) {
    symlink("/dev/zero", path).unwrap();
}

fn endless(path: &Path) {
    std::fs::File::create(path)
        .unwrap()
        .set_len(1 << 40)
        .unwrap();
}

/// With a domain whose anchors and revocation list are files of their own.
fn with_another_domain(pki: &Pki, upstream: &Upstream) -> String {
    let lines = format!(
        "[trust_domain.other]\nanchors = [\"{0}/other.crt\"]\ncrls = [\"{0}/list\"]\n",
        pki.folder.path().display()
    );
    std::fs::copy(pki.path("ca.crt"), pki.path("other.crt")).unwrap();
    std::fs::write(pki.path("list"), pki.crl(&[], 1)).unwrap();
    let host = "trust_domain = \"test\"\n";
    let text = config(
        pki,
        upstream,
        &(alice().replace("client_cn", &format!("{host}client_cn"))),
    ) + &lines;
    text.replacen(
        "[trust_domain.test]",
        &format!("{host}[trust_domain.test]"),
        1,
    )
}

#[test]
fn what_is_no_file_is_rejected_by_name_and_the_end_comes_in_order() {
    type Make = fn(&Path);
    let cases: [(&str, Make, &str); 4] = [
        ("a named pipe", fifo, "named pipe"),
        ("a device", zeros, "a device"),
        (
            "a folder",
            |path| std::fs::create_dir(path).unwrap(),
            "folder",
        ),
        ("a file without end", endless, "longer than"),
    ];
    for (what, make, says) in cases {
        let (pki, upstream) = (Pki::new(), Upstream::start());
        let text = with_another_domain(&pki, &upstream);
        let mut gateway = Gateway::start(&text);
        for (number, file) in ["list", "server.key", "other.crt"].iter().enumerate() {
            let content = std::fs::read(pki.path(file)).unwrap();
            put(&pki.path(file), make);
            gateway.signal("HUP");
            let message = wait_for_refusal(&gateway, number);
            // A folder of revocation lists may be given, but not an empty one.
            let says = if message.contains("no revocation list") {
                "list"
            } else {
                says
            };
            assert!(
                message.contains(file) && message.contains(says),
                "{what} as {file}: {message}"
            );
            assert_eq!(
                client(&pki, "alice", &gateway).get("/").status,
                200,
                "{what}"
            );
            let before = gateway.generation();
            if pki.path(file).is_dir() {
                std::fs::remove_dir(pki.path(file)).unwrap();
            }
            put(&pki.path(file), |path| {
                std::fs::write(path, content).unwrap()
            });
            gateway.wait_for_generation_after(before);
        }
        put(&pki.path("list"), make);
        gateway.signal("HUP");
        gateway.signal("TERM");
        assert_eq!(gateway.wait_for_exit(), 0, "{what}");
    }
}

#[test]
fn an_included_pipe_is_rejected_and_the_main_file_may_be_one_for_commands() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let text = config(&pki, &upstream, &user("alice", &["*"]));
    let gateway = Gateway::start(&format!("include = [\"more-*.toml\"]\n{text}"));
    fifo(&gateway.config_file.with_file_name("more-1.toml"));
    let message = wait_for_refusal(&gateway, 0);
    assert!(
        message.contains("more-1.toml") && message.contains("named pipe"),
        "{message}"
    );
    let check = Command::new(PORTCULLIS)
        .args(["check", "-c", "/dev/stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut check = check.unwrap();
    std::io::Write::write_all(&mut check.stdin.take().unwrap(), text.as_bytes()).unwrap();
    let output = check.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
