//! Revocations are not held up by a config that is written all the time, nor by logs beside it.

use super::{Scene, both, outcome, overlay, replace, wait_for_refusal};
use crate::support::{Gateway, eventually};
use rustls::AlertDescription as Alert;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;

/// Breaks the config again and again, until it is dropped.
struct Rewriting {
    ends: Arc<AtomicBool>,
    rounds: Arc<AtomicU32>,
    thread: Option<JoinHandle<()>>,
}

impl Rewriting {
    fn start(mut write: impl FnMut(u32) + Send + 'static) -> Self {
        let (ends, rounds) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU32::new(0)),
        );
        let (is_over, round) = (ends.clone(), rounds.clone());
        let thread = std::thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                write(round.fetch_add(1, Ordering::Relaxed));
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
        });
        Self {
            ends,
            rounds,
            thread: Some(thread),
        }
    }

    /// How often it has written.
    fn rounds(&self) -> u32 {
        self.rounds.load(Ordering::Relaxed)
    }
}

impl Drop for Rewriting {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

#[test]
fn a_deny_entry_is_active_while_the_config_is_rewritten_continuously() {
    let scene = Scene::new();
    let good = scene.config(&both());
    let gateway = Gateway::start(&good);
    let (alice, bob) = (
        scene.client(&gateway, &scene.alice),
        scene.client(&gateway, &scene.bob),
    );
    assert_eq!((alice.get("/").status, bob.get("/").status), (200, 200));
    let file = gateway.config_file.clone();
    let rewriting = Rewriting::start(move |round| replace(&file, &format!("[[[ # {round}\n")));
    wait_for_refusal(&gateway);
    let before = rewriting.rounds();
    scene.deny("cn alice\n");
    eventually("an overlay", || (overlay(&gateway) == 1.0).then_some(()));
    assert_eq!(
        (alice.alert(), bob.get("/").status),
        (Alert::CertificateRevoked, 200)
    );
    scene.deny("cn alice\nuser bob\n");
    eventually("another overlay", || {
        (overlay(&gateway) == 2.0).then_some(())
    });
    assert_eq!(outcome(&bob), "revoked");
    eventually("it still goes on", || {
        (rewriting.rounds() > before + 10).then_some(())
    });
    drop(rewriting);
    gateway.reload_with(&good);
    assert_eq!(
        (alice.alert(), outcome(&bob).as_str()),
        (Alert::CertificateRevoked, "revoked")
    );
}

#[test]
fn logs_beside_the_config_delay_neither_a_reload_nor_a_revocation() {
    let scene = Scene::new();
    let good = scene.config(&both());
    let gateway = Gateway::start(&good);
    let (alice, bob) = (
        scene.client(&gateway, &scene.alice),
        scene.client(&gateway, &scene.bob),
    );
    assert_eq!((alice.get("/").status, bob.get("/").status), (200, 200));
    let mut logs = [
        gateway.config_file.parent().unwrap(),
        scene.pki.folder.path(),
    ]
    .map(|folder| {
        std::fs::File::options()
            .create(true)
            .append(true)
            .open(folder.join("access.log"))
            .unwrap()
    });
    let writing = Rewriting::start(move |round| {
        for log in &mut logs {
            writeln!(log, "{round}").unwrap();
        }
    });
    gateway.write_config("[[[");
    wait_for_refusal(&gateway);
    scene.deny("cn alice\n");
    eventually("an overlay", || (overlay(&gateway) == 1.0).then_some(()));
    assert_eq!(
        (alice.alert(), bob.get("/").status),
        (Alert::CertificateRevoked, 200)
    );
    gateway.reload_with(&good);
    assert_eq!(
        (alice.alert(), bob.get("/").status),
        (Alert::CertificateRevoked, 200)
    );
    assert!(writing.rounds() > 0);
}
