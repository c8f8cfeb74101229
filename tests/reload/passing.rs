//! A load that fails for a reason that passes is tried again, without a signal and without a change of any file.

use super::failures::{refusals, wait_for_refusal};
use super::{alice, client, config};
use crate::support::gateway::user;
use crate::support::{Gateway, Pki, Upstream, eventually};
use std::process::Command;

/// Limits how many descriptors a running gateway may have. Those that it has stay open.
pub(super) fn limit_descriptors(gateway: &Gateway, soft: usize) {
    let process = gateway.process().to_string();
    let limit = format!("--nofile={soft}:");
    let status = Command::new("prlimit")
        .args(["--pid", &process, &limit])
        .status()
        .expect("prlimit of util-linux");
    assert!(status.success());
}

fn soft_limit_of(process: u32) -> usize {
    let limits = std::fs::read_to_string(format!("/proc/{process}/limits")).unwrap();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"))
        .unwrap();
    line.split_whitespace().nth(3).unwrap().parse().unwrap()
}

#[test]
fn a_load_without_descriptors_is_tried_again_when_there_are_some() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = Gateway::start(&config(&pki, &upstream, &alice()));
    let bob = client(&pki, "bob", &gateway);
    assert_eq!(bob.get("/").reason(), "unknown_user");
    let usual = soft_limit_of(gateway.process());
    limit_descriptors(&gateway, 3);
    let before = refusals(&gateway).len();
    gateway.write_config(&config(&pki, &upstream, &(alice() + &user("bob", &["*"]))));
    let refused = eventually("a rejection", || refusals(&gateway).into_iter().nth(before));
    assert!(refused.contains("Too many open files"), "{refused}");
    limit_descriptors(&gateway, usual);
    eventually("bob is let in", || {
        (bob.get("/").status == 200).then_some(())
    });
    assert_eq!(client(&pki, "alice", &gateway).get("/").status, 200);
}

#[test]
fn a_repeated_failure_is_logged_once_and_counted() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = Gateway::start(&config(&pki, &upstream, &alice()));
    gateway.write_config("[[[");
    wait_for_refusal(&gateway, 0);
    let retries = || gateway.metric("portcullis_reload_retries_total", &[]);
    eventually("two more attempts", || (retries() >= 2.0).then_some(()));
    assert_eq!(
        (refusals(&gateway).len(), gateway.reloads("failure")),
        (1, 1.0)
    );
    // Another mistake is told again, and at once.
    gateway.write_config("]]]");
    wait_for_refusal(&gateway, 1);
    gateway.reload_with(&config(&pki, &upstream, &alice()));
}
