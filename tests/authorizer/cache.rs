//! Verdicts that are remembered: only where that was said, and never those about somebody else.

use super::{BOTH, PATIENT, Scene, Speaks};
use crate::support::client::{Version, get};
use crate::support::eventually_is;

/// How often it was asked about these requests, each by a user.
fn questions(scene: &Scene, requests: &[(&str, &str, u16)]) -> usize {
    let before = scene.fake.asked();
    // One certificate each, for the whole of it.
    let clients = ["alice", "bob"].map(|name| (name, scene.client(name)));
    for (user, path, status) in requests {
        let (_, client) = clients.iter().find(|(name, _)| name == user).unwrap();
        for version in [Version::Http1, Version::Http2] {
            assert_eq!(
                client.send(version, get(path)).unwrap().status,
                *status,
                "{user} {path}"
            );
        }
    }
    scene.fake.asked() - before
}

const TWICE: [(&str, &str, u16); 4] = [
    ("alice", "/yes", 200),
    ("alice", "/yes", 200),
    ("alice", "/no", 403),
    ("alice", "/no", 403),
];

#[test]
fn nothing_is_remembered_unless_the_config_says_so() {
    for speaks in BOTH {
        for (keys, expected) in [("", 8), ("cache = \"off\"\n", 8), ("cache = \"10m\"\n", 2)] {
            let scene = Scene::new(speaks, "", &(PATIENT.to_owned() + keys), "");
            assert_eq!(questions(&scene, &TWICE), expected, "{keys}");
            eventually_is("remembered verdicts", &(8.0 - expected as f64), || {
                scene.counted("remembered")
            });
        }
    }
}

#[test]
fn a_cached_verdict_applies_to_the_same_client_and_request() {
    let scene = Scene::new(
        Speaks::ForwardAuth,
        "",
        &(PATIENT.to_owned() + "cache = \"10m\"\n"),
        "",
    );
    let all = [
        ("alice", "/yes", 200),
        ("bob", "/yes", 200),
        ("alice", "/yes?x", 200),
        ("alice", "/yes/a", 200),
    ];
    assert_eq!(questions(&scene, &all), 4);
}

#[test]
fn what_tells_verdicts_apart_can_be_narrowed() {
    let keys = PATIENT.to_owned() + "cache = \"10m\"\ncache_key = [\"user\", \"path\"]\n";
    let scene = Scene::new(Speaks::ExtAuthz, "", &keys, "");
    let all = [
        ("alice", "/yes", 200),
        ("alice", "/yes?x", 200),
        ("alice", "/yes/a", 200),
        ("bob", "/yes", 200),
    ];
    assert_eq!(questions(&scene, &all), 3);
}

#[test]
fn that_an_authorizer_fails_is_not_remembered() {
    let scene = Scene::new(
        Speaks::ExtAuthz,
        "",
        &(PATIENT.to_owned() + "cache = \"10m\"\n"),
        "",
    );
    assert_eq!(
        questions(
            &scene,
            &[("alice", "/broken", 503), ("alice", "/broken", 503)]
        ),
        4
    );
}
