//! Signals that a daemon gets by mistake or too early: none ends the gateway, and none that asks for something is lost.

use crate::support::gateway::{listener, route_to, user};
use crate::support::{Gateway, PORTCULLIS, Pki, Upstream, eventually};
use std::process::{Command, Stdio};

#[test]
fn signals_without_a_meaning_are_ignored_with_a_log_line() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let mut gateway = gateway(&pki, &upstream);
    for name in ["USR2", "ALRM"] {
        gateway.signal(name);
        eventually("a log line", || {
            let mut lines = gateway.log().into_iter();
            lines.find(|line| line["signal"] == format!("SIG{name}") && line["level"] == "WARN")
        });
    }
    // Ignored by the runtime of every Rust program, so without a line.
    gateway.signal("PIPE");
    assert_eq!(gateway.generation(), 1, "it runs, and nothing was reloaded");
    gateway.signal("TERM");
    assert_eq!(gateway.wait_for_exit(), 0);
}

#[test]
fn signals_that_come_before_the_gateway_is_ready_are_neither_its_end_nor_lost() {
    let pki = Pki::new();
    let upstream = Upstream::start();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("gateway.toml");
    // Reading so many takes a while, in which the signals come.
    let users: String = (0..20_000)
        .map(|number| user(&format!("user-{number}"), &["GET /*"]))
        .collect();
    std::fs::write(
        &config,
        listener(&pki) + &users + &route_to(upstream.address),
    )
    .unwrap();
    let mut child = Command::new(PORTCULLIS)
        .args(["run", "--config"])
        .arg(&config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(folder.path().join("log")).unwrap())
        .spawn()
        .unwrap();
    let process = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    eventually("the gateway catches signals", || {
        assert_eq!(child.try_wait().unwrap(), None, "the gateway runs");
        catches(child.id(), &["HUP", "USR1", "USR2", "ALRM"])
    });
    for name in ["HUP", "USR1", "USR2", "ALRM"] {
        nix::sys::signal::kill(
            process,
            format!("SIG{name}")
                .parse::<nix::sys::signal::Signal>()
                .unwrap(),
        )
        .unwrap();
    }
    let log = || std::fs::read_to_string(folder.path().join("log")).unwrap();
    for message in ["reloaded", "access log opened again", "SIGUSR2", "SIGALRM"] {
        eventually(message, || {
            assert_eq!(
                child.try_wait().unwrap(),
                None,
                "the gateway runs: {}",
                log()
            );
            log().contains(message).then_some(())
        });
    }
    nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGTERM).unwrap();
    assert_eq!(
        eventually("the end", || child.try_wait().unwrap()).code(),
        Some(0)
    );
}

/// Whether a process catches these signals, as the system says.
fn catches(process: u32, names: &[&str]) -> Option<()> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigCgt:"))?;
    let mask = u64::from_str_radix(mask.trim(), 16).ok()?;
    let number = |name: &&str| {
        format!("SIG{name}")
            .parse::<nix::sys::signal::Signal>()
            .unwrap() as u32
    };
    names
        .iter()
        .all(|name| mask >> (number(name) - 1) & 1 == 1)
        .then_some(())
}

fn gateway(pki: &Pki, upstream: &Upstream) -> Gateway {
    Gateway::start(&(listener(pki) + &user("alice", &["GET /*"]) + &route_to(upstream.address)))
}
