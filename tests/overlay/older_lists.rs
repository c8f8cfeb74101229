//! A revocation list that is older than the active one makes no revoked certificate valid again.

use super::{Scene, both, replace, status};
use crate::support::{Gateway, eventually};
use rustls::AlertDescription as Alert;

fn is_told(gateway: &Gateway) -> bool {
    let text = "is older than the active one (number 2, of";
    gateway.log().iter().any(|line| {
        line["message"]
            .as_str()
            .is_some_and(|message| message.contains(text))
    })
}

fn replace_list(scene: &Scene, gateway: &Gateway, text: &str) {
    let before = gateway.generation();
    replace(&scene.pki.path("list"), text);
    gateway.wait_for_generation_after(before);
}

#[test]
fn an_older_revocation_list_does_not_replace_the_active_one() {
    let scene = Scene::new();
    let good = scene.config(&both());
    let older = std::fs::read_to_string(scene.pki.path("list")).unwrap();
    let gateway = Gateway::start(&good);
    let (alice, bob) = (
        scene.client(&gateway, &scene.alice),
        scene.client(&gateway, &scene.bob),
    );
    assert_eq!((alice.get("/").status, bob.get("/").status), (200, 200));
    let status_of = || status(&gateway)["trust_domains"][0].clone();
    let replace_list = |text: &str| replace_list(&scene, &gateway, text);
    let list_2 = scene.pki.crl(&[&scene.alice], 2);
    replace_list(&list_2);
    assert_eq!(
        (alice.alert(), bob.get("/").status),
        (Alert::CertificateRevoked, 200)
    );
    assert!(!is_told(&gateway));
    // Again and again: what was carried over once is carried over by the next load, too.
    for text in [&older, &format!("{older}\n")] {
        replace_list(text);
        assert_eq!(
            (alice.alert(), bob.get("/").status),
            (Alert::CertificateRevoked, 200)
        );
        let said = status_of();
        assert_eq!(
            (
                said["crls"][0]["number"].as_str(),
                said["older_crls"].as_u64()
            ),
            (Some("2"), Some(1)),
            "{said}"
        );
    }
    eventually("a warning", || is_told(&gateway).then_some(()));
    // A newer list counts in full.
    replace_list(&scene.pki.crl(&[&scene.bob], 3));
    assert_eq!(
        (alice.get("/").status, bob.alert()),
        (200, Alert::CertificateRevoked)
    );
    assert_eq!(status_of()["older_crls"], 0);
    // One whose number is lower and whose date is later is neither older nor newer: both revoke.
    let now = time::OffsetDateTime::now_utc();
    replace_list(
        &scene
            .pki
            .crl_valid(&[&scene.alice], 1, (now, now + time::Duration::hours(1))),
    );
    assert_eq!(
        (alice.alert(), bob.alert()),
        (Alert::CertificateRevoked, Alert::CertificateRevoked)
    );
    replace_list(
        &scene
            .pki
            .crl_valid(&[], 4, (now, now + time::Duration::hours(1))),
    );
    assert_eq!((alice.get("/").status, bob.get("/").status), (200, 200));
}
