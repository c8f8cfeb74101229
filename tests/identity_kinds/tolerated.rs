//! Certificates that have expired, of users who tolerate that for a while: seen, counted, and over in the end.

use super::{Scene, user};
use crate::support::client::{BOTH, get};
use crate::support::pki::Kind;
use crate::support::{Client, eventually};

const LOUD: &str = "a user came with an expired certificate";
const QUIET: &str = "an expired certificate is tolerated";

/// A day old certificates, and users of different patience.
fn scene() -> Scene {
    Scene::new(
        &(user(
            "patient",
            "client_cn = \"patient\"\ntolerate_expiry = \"2days\"",
        ) + &user("hasty", "client_cn = \"hasty\"\ntolerate_expiry = \"12h\"")
            + &user("strict", "client_cn = \"strict\"")),
    )
}

fn warnings(scene: &Scene, message: &str) -> usize {
    scene
        .gateway
        .log()
        .iter()
        .filter(|line| {
            line["message"]
                .as_str()
                .is_some_and(|text| text.starts_with(message))
        })
        .count()
}

#[test]
fn an_expired_certificate_is_accepted_only_within_the_tolerance_of_its_user() {
    let scene = scene();
    let judged = |name: &str| {
        let answer = Client::new(
            &scene.pki,
            Some(&scene.pki.of_kind(name, Kind::Expired)),
            scene.gateway.address(),
        )
        .get("/");
        (
            answer.status,
            if answer.status == 200 {
                String::new()
            } else {
                answer.reason()
            },
        )
    };
    assert_eq!(judged("patient"), (200, String::new()));
    for name in ["hasty", "strict", "mallory"] {
        assert_eq!(judged(name), (403, "expired".to_owned()), "{name}");
    }
    for name in ["hasty", "strict"] {
        let client = Client::new(
            &scene.pki,
            Some(&scene.pki.client(name)),
            scene.gateway.address(),
        );
        assert_eq!(client.get("/").status, 200, "{name}");
    }
}

#[test]
fn without_tolerance_the_handshake_ends() {
    let scene = Scene::new(&user("strict", "client_cn = \"strict\""));
    let client = Client::new(
        &scene.pki,
        Some(&scene.pki.of_kind("strict", Kind::Expired)),
        scene.gateway.address(),
    );
    assert_eq!(client.alert(), rustls::AlertDescription::CertificateExpired);
}

#[test]
fn each_connection_is_counted_and_the_first_of_a_day_is_loud() {
    let scene = scene();
    let client = Client::new(
        &scene.pki,
        Some(&scene.pki.of_kind("patient", Kind::Expired)),
        scene.gateway.address(),
    );
    for version in BOTH {
        let mut connection = client.connect(version).unwrap();
        for _ in 0..2 {
            assert_eq!(connection.send(get("/")).unwrap().status, 200);
        }
    }
    eventually("both lines", || {
        (warnings(&scene, LOUD) == 1 && warnings(&scene, QUIET) == 1).then_some(())
    });
    let line = scene.gateway.wait_for_log(LOUD);
    assert_eq!(
        (&line["level"], &line["user"], &line["trust_domain"]),
        (&"WARN".into(), &"patient".into(), &"test".into())
    );
    let counted = "portcullis_tolerated_expired_certificates_total";
    scene
        .gateway
        .wait_for_metric(counted, &[("trust_domain", "test")], 2.0);
    // A certificate that has not expired is no matter.
    let good = Client::new(
        &scene.pki,
        Some(&scene.pki.client("patient")),
        scene.gateway.address(),
    );
    assert_eq!(good.get("/").status, 200);
    scene.gateway.wait_for_metric(counted, &[], 2.0);
}

#[test]
fn tolerance_begins_and_ends_on_an_open_connection() {
    let scene = Scene::new(
        &(user(
            "patient",
            "client_cn = \"patient\"\ntolerate_expiry = \"1h\"",
        ) + &user("short", "client_cn = \"short\"\ntolerate_expiry = \"2s\"")),
    );
    let connect = |name: &str| {
        let identity = scene.pki.of_kind(name, Kind::ExpiresIn(2));
        Client::new(&scene.pki, Some(&identity), scene.gateway.address())
    };
    let (patient, short) = (connect("patient"), connect("short"));
    let (mut patient, mut short) = (
        patient.connect(BOTH[0]).unwrap(),
        short.connect(BOTH[1]).unwrap(),
    );
    let answer = eventually("the rejection", || {
        assert_eq!(patient.send(get("/")).unwrap().status, 200);
        let answer = short.send(get("/")).unwrap();
        (answer.status != 200).then_some(answer)
    });
    assert_eq!((answer.status, answer.reason().as_str()), (403, "expired"));
    // Both were let in after their certificates had expired, and said to be.
    eventually("both users in the log", || {
        (warnings(&scene, LOUD) == 2).then_some(())
    });
    assert_eq!(patient.send(get("/")).unwrap().status, 200);
}
