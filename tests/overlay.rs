//! Deny lists, newer revocation lists and removed users take effect while the rest of a changed config is rejected. All
//! others go on, nothing else of the rejected config counts, and the overlay ends with the next config that is right.

mod older_lists;
mod rewriting;
mod rejected;

use crate::support::client::{BOTH, get};
use crate::support::gateway::{listener, route_to, user};
use crate::support::pki::Identity;
use crate::support::{Client, Gateway, Pki, Upstream, eventually, json_lines};
use rustls::AlertDescription as Alert;
use std::path::Path;

/// A gateway with users alice and bob, a deny list and a revocation list.
struct Scene {
    pki: Pki,
    alice: Identity,
    bob: Identity,
    upstream: Upstream,
}

fn replace(path: &Path, text: &str) {
    let new = path.with_file_name(".new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(&new, path).unwrap();
}

fn both() -> String {
    user("alice", &["*"]) + &user("bob", &["*"])
}

fn overlay(gateway: &Gateway) -> f64 {
    gateway.metric("portcullis_snapshot_overlay", &[])
}

fn status(gateway: &Gateway) -> serde_json::Value {
    serde_json::from_str(&gateway.admin("/status").1).unwrap()
}

fn wait_for_refusal(gateway: &Gateway) {
    eventually("a refused reload", || {
        (gateway.metric("portcullis_reload_last_success", &[]) == 0.0).then_some(())
    });
}

impl Scene {
    fn new() -> Self {
        let pki = Pki::new();
        let (alice, bob) = (pki.client("alice"), pki.client("bob"));
        std::fs::write(pki.path("denied"), "").unwrap();
        std::fs::write(pki.path("list"), pki.crl(&[], 1)).unwrap();
        Self {
            pki,
            alice,
            bob,
            upstream: Upstream::start(),
        }
    }

    fn config(&self, users: &str) -> String {
        let folder = self.pki.folder.path().display();
        let lines = format!("deny_list = \"{folder}/denied\"\ncrls = [\"{folder}/list\"]\n[admin]");
        listener(&self.pki).replace("[admin]", &lines) + users + &route_to(self.upstream.address)
    }

    fn deny(&self, text: &str) {
        replace(&self.pki.path("denied"), text);
    }

    fn client(&self, gateway: &Gateway, identity: &Identity) -> Client {
        Client::new(&self.pki, Some(identity), gateway.address())
    }
}

/// Why a client is refused, or `ok`.
fn outcome(client: &Client) -> String {
    let answer = client.get("/");
    if answer.status == 200 {
        "ok".to_owned()
    } else {
        answer.reason()
    }
}

/// A way to break a config without a word about users.
type Break = fn(&Gateway, &str);

const BREAKS: [(&str, Break); 5] = [
    ("a syntax error", |gateway, good| {
        gateway.write_config(&(good.to_owned() + "[route\n"))
    }),
    ("an unknown key", |gateway, good| {
        gateway.write_config(&(good.to_owned() + "upstraem = 1\n"))
    }),
    ("a key that is gone", |gateway, good| {
        gateway.write_config(&good.replace("server.key", "none.key"))
    }),
    ("a folder instead of the file", |gateway, _| {
        std::fs::remove_file(&gateway.config_file).unwrap();
        std::fs::create_dir(&gateway.config_file).unwrap();
    }),
    ("another file", |gateway, _| {
        gateway.write_config("[listener.other]\naddress = \"127.0.0.1:0\"\n")
    }),
];

#[test]
fn a_deny_entry_is_active_with_any_error_in_the_config() {
    for (what, spoil) in BREAKS {
        let scene = Scene::new();
        let good = scene.config(&both());
        let gateway = Gateway::start(&good);
        let (alice, bob) = (
            scene.client(&gateway, &scene.alice),
            scene.client(&gateway, &scene.bob),
        );
        let mut open = BOTH.map(|version| {
            (
                alice.connect(version).unwrap(),
                bob.connect(version).unwrap(),
            )
        });
        for (of_alice, of_bob) in &mut open {
            assert_eq!(
                (
                    of_alice.send(get("/")).unwrap().status,
                    of_bob.send(get("/")).unwrap().status
                ),
                (200, 200)
            );
        }
        spoil(&gateway, &good);
        wait_for_refusal(&gateway);
        scene.deny("cn alice\n");
        eventually(what, || (overlay(&gateway) == 1.0).then_some(()));
        for (of_alice, of_bob) in &mut open {
            of_alice.must_be_refused("deny_listed");
            assert_eq!(of_bob.send(get("/")).unwrap().status, 200, "{what}");
        }
        assert_eq!(alice.alert(), Alert::CertificateRevoked, "{what}");
        assert_eq!(
            (bob.get("/").status, gateway.generation()),
            (200, 1),
            "{what}"
        );
        overlay_is_told(&gateway);
        // Once the config is right, the overlay ends, and what it did is the snapshot's.
        let _ = std::fs::remove_dir(&gateway.config_file);
        gateway.reload_with(&good);
        assert_eq!(
            (overlay(&gateway), alice.alert()),
            (0.0, Alert::CertificateRevoked),
            "{what}"
        );
        assert_eq!(bob.get("/").status, 200);
    }
}

/// In the access log, the status and the log.
fn overlay_is_told(gateway: &Gateway) {
    let line = gateway.wait_for_access(|line| line["reason"] == "deny_listed");
    assert_eq!(
        (line["generation"].as_u64(), line["overlay"].as_u64()),
        (Some(1), Some(1)),
        "{line}"
    );
    let said = status(gateway);
    assert_eq!(
        (said["overlay"].as_u64(), said["generation"].as_u64()),
        (Some(1), Some(1)),
        "{said}"
    );
    let line = eventually("a log line", || gateway.find_log("rights were taken away"));
    assert_eq!(
        (line["overlay"].as_u64(), line["trust_domains"].as_str()),
        (Some(1), Some("test")),
        "{line}"
    );
}

#[test]
fn an_entry_that_is_taken_off_the_list_denies_until_the_config_is_right() {
    let scene = Scene::new();
    let good = scene.config(&both());
    scene.deny("cn alice\nuser bob\n");
    let gateway = Gateway::start(&good);
    let (alice, bob) = (
        scene.client(&gateway, &scene.alice),
        scene.client(&gateway, &scene.bob),
    );
    gateway.write_config("[[[");
    wait_for_refusal(&gateway);
    scene.deny("cn alice\n");
    let retained = || status(&gateway)["trust_domains"][0]["deny_list"]["retained"].as_u64();
    eventually("the file was read", || {
        (retained() == Some(1)).then_some(())
    });
    assert_eq!(
        (outcome(&bob).as_str(), alice.alert()),
        ("revoked", Alert::CertificateRevoked)
    );
    gateway.reload_with(&good);
    assert_eq!((bob.get("/").status, retained()), (200, Some(0)));
    assert_eq!(alice.alert(), Alert::CertificateRevoked);
}

#[test]
fn a_newer_revocation_list_is_used_and_entries_it_omits_stay_revoked() {
    let scene = Scene::new();
    let good = scene.config(&both());
    let gateway = Gateway::start(&good);
    let (alice, bob) = (
        scene.client(&gateway, &scene.alice),
        scene.client(&gateway, &scene.bob),
    );
    assert_eq!((alice.get("/").status, bob.get("/").status), (200, 200));
    gateway.write_config("[[[");
    wait_for_refusal(&gateway);
    replace(&scene.pki.path("list"), &scene.pki.crl(&[&scene.alice], 2));
    eventually("an overlay", || (overlay(&gateway) == 1.0).then_some(()));
    assert_eq!(
        (alice.alert(), bob.get("/").status),
        (Alert::CertificateRevoked, 200)
    );
    replace(&scene.pki.path("list"), &scene.pki.crl(&[], 3));
    eventually("another overlay", || {
        (overlay(&gateway) == 2.0).then_some(())
    });
    assert_eq!(
        (alice.alert(), bob.get("/").status),
        (Alert::CertificateRevoked, 200)
    );
    assert_eq!(status(&gateway)["trust_domains"][0]["retained_serials"], 1);
    // An older list, one of a stranger, or none at all changes nothing.
    let month = time::Duration::days(30);
    let now = time::OffsetDateTime::now_utc();
    let older = scene
        .pki
        .crl_valid(&[&scene.bob], 2, (now - month, now + month));
    for text in [older, Pki::new().crl(&[&scene.bob], 9), "none".to_owned()] {
        replace(&scene.pki.path("list"), &text);
        gateway.signal("HUP");
        eventually("it is told", || {
            let faults =
                gateway.metric("portcullis_revocation_faults", &[("trust_domain", "test")]);
            (faults > 0.0 || text.contains("BEGIN")).then_some(())
        });
        assert_eq!(
            (alice.alert(), bob.get("/").status),
            (Alert::CertificateRevoked, 200)
        );
    }
    replace(&scene.pki.path("list"), &scene.pki.crl(&[], 4));
    gateway.reload_with(&good);
    assert_eq!(
        (alice.get("/").status, overlay(&gateway)),
        (200, 0.0),
        "a load that succeeds counts in full"
    );
}

#[test]
fn a_removed_user_is_denied_although_another_file_is_broken() {
    let scene = Scene::new();
    let main = |more: &str| {
        format!(
            "include = [\"users-*.toml\"]\n{}{more}",
            scene.config(&user("carol", &["*"]))
        )
    };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("users-1.toml"), user("alice", &["*"])).unwrap();
    std::fs::write(at("users-2.toml"), user("bob", &["*"])).unwrap();
    std::fs::write(at("gateway.toml"), main("")).unwrap();
    let (users_1, users_2, config_file) =
        (at("users-1.toml"), at("users-2.toml"), at("gateway.toml"));
    let gateway = Gateway::start_in(folder, config_file);
    let names = ["alice", "bob", "carol"];
    let clients =
        names.map(|name| Client::new(&scene.pki, Some(&scene.pki.client(name)), gateway.address()));
    let outcomes = || clients.each_ref().map(|client| client.get("/").status);
    assert_eq!(outcomes(), [200; 3]);
    // The users of a file that cannot be read stay, and those of one that can be read and has them no more go.
    replace(&users_2, "[api_user.bob\n");
    wait_for_refusal(&gateway);
    assert_eq!((outcomes(), overlay(&gateway)), ([200; 3], 0.0));
    replace(&users_1, &user("dave", &["*"]));
    eventually("alice is out", || {
        (outcomes() == [403, 200, 200]).then_some(())
    });
    assert_eq!(clients[0].get("/").reason(), "unknown_user");
    let dave = Client::new(
        &scene.pki,
        Some(&scene.pki.client("dave")),
        gateway.address(),
    );
    assert_eq!(dave.get("/").reason(), "unknown_user", "nobody is added");
    assert_eq!(
        (
            gateway.generation(),
            status(&gateway)["removed_users"].as_u64()
        ),
        (1, Some(1))
    );
    gateway.wait_for_metric("portcullis_api_users", &[], 2.0);
    // Also where the main file cannot be read: it includes what it included.
    gateway.write_config("[[[");
    std::fs::remove_file(&users_2).unwrap();
    eventually("bob is out", || {
        (outcomes() == [403, 403, 200]).then_some(())
    });
    let is_bobs = |line: &serde_json::Value| line["removed_users"] == "bob";
    let line = eventually("a log line", || gateway.log().into_iter().find(is_bobs));
    assert_eq!(line["overlay"].as_u64(), Some(2), "{line}");
    gateway.reload_with(&main(""));
    assert_eq!(
        (outcomes(), dave.get("/").status, overlay(&gateway)),
        ([403, 403, 200], 200, 0.0)
    );
}

#[test]
fn a_user_with_a_shortened_time_is_denied_although_the_config_is_rejected() {
    let scene = Scene::new();
    let gateway = Gateway::start(&scene.config(&both()));
    let (alice, bob) = (
        scene.client(&gateway, &scene.alice),
        scene.client(&gateway, &scene.bob),
    );
    assert_eq!((alice.get("/").status, bob.get("/").status), (200, 200));
    // A day that is over is an error in a config, and all the same the end of alice.
    let over = user("alice", &["*"]) + "enabled_until = \"2020-01-01\"\n";
    gateway.write_config(
        &scene.config(&(over + &user("bob", &["*"]) + "enabled_until = \"2999-01-01\"\n")),
    );
    eventually("alice is out", || {
        (outcome(&alice) == "user_disabled").then_some(())
    });
    assert_eq!((bob.get("/").status, gateway.generation()), (200, 1));
    gateway.reload_with(&scene.config(&both()));
    assert_eq!(alice.get("/").status, 200);
}
