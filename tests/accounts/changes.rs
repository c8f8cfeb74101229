//! Accounts that change, and connections that are kept.

use super::*;

#[test]
fn a_changed_secret_applies_to_the_next_request() {
    for (lines, version) in WAYS {
        let (pki, mirror) = (Pki::new(), Mirror::start());
        let users =
            by_password(&pki, "alice", "alice:one") + &by_certificate(&mirror, "bob", "icinga-bob");
        let gateway = Gateway::start(&Scene::text(&pki, &mirror, lines, &own(&pki), &users));
        let scene = Scene {
            pki,
            mirror,
            gateway,
            lines,
        };
        assert_eq!(scene.saw(version, "alice").authorization, ALICE);
        assert_eq!(scene.saw(version, "bob").certificate, "icinga-bob");

        // Only the files change.
        let before = scene.gateway.generation();
        write(scene.pki.path("alice.secret"), "bob:two\n").unwrap();
        scene.gateway.wait_for_generation_after(before);
        assert_eq!(scene.saw(version, "alice").authorization, BOB);

        let with_other = by_password(&scene.pki, "alice", "alice:one")
            + &by_certificate(&scene.mirror, "bob", "icinga-other");
        scene.reload(&own(&scene.pki), &with_other);
        assert_eq!(scene.saw(version, "alice").authorization, ALICE);
        assert_eq!(
            scene.saw(version, "bob").certificate,
            "icinga-other",
            "and not on a connection from before"
        );

        let without = user("alice", &["*"]) + &user("bob", &["*"]);
        scene.reload(&own(&scene.pki), &without);
        for name in ["alice", "bob"] {
            let saw = scene.saw(version, name);
            assert_eq!(
                (saw.certificate.as_str(), saw.authorization.as_str()),
                ("", OWN),
                "{name}"
            );
        }
        // Those of certificates that nobody shows any more are closed; what is left is the gateway's.
        eventually("connections of nobody are closed", || {
            (scene.mirror.open.load(Ordering::SeqCst) <= 2).then_some(())
        });
    }
}

#[test]
fn a_reload_that_changes_nothing_for_a_user_keeps_its_connection() {
    let one_worker = "[gateway]\nworkers = 1\n";
    let scene = Scene::new("", "", |_, mirror| {
        one_worker.to_owned() + &by_certificate(mirror, "bob", "icinga-bob")
    });
    let before = scene.saw(Version::Http1, "bob").connection;
    let users = by_certificate_again(&scene, "bob", "icinga-bob");
    // Another user stands before it now, so that its number is another one.
    scene.reload(
        "",
        &(one_worker.to_owned() + &user("aaron", &["*"]) + &users),
    );
    assert_eq!(scene.saw(Version::Http1, "bob").connection, before);
}

/// The same files as before.
fn by_certificate_again(scene: &Scene, name: &str, shown: &str) -> String {
    let file = |ending: &str| {
        scene
            .mirror
            .pki
            .path(&format!("{shown}.{ending}"))
            .display()
            .to_string()
    };
    user(name, &["*"])
        + &format!(
            "[api_user.{name}.upstream.api]\ncertificate = \"{}\"\nprivate_key = \"{}\"\n",
            file("crt"),
            file("key")
        )
}

#[test]
fn users_share_the_room_for_unused_connections() {
    let names = ["alice", "bob", "carol"];
    let scene = Scene::new("", "pool_size = 1\n", |_, mirror| {
        let users = names.map(|name| by_certificate(mirror, name, &format!("icinga-{name}")));
        "[gateway]\nworkers = 1\n".to_owned() + &users.concat()
    });
    for round in 0..3 {
        for name in names {
            assert_eq!(
                scene.saw(Version::Http1, name).certificate,
                format!("icinga-{name}"),
                "{round}"
            );
        }
    }
    eventually("one connection is kept", || {
        (scene.mirror.open.load(Ordering::SeqCst) == 1).then_some(())
    });
}

#[test]
fn a_stream_ends_when_its_user_has_no_account_at_the_upstream() {
    let pki = Pki::new();
    let upstream = Upstream::scripted(|mut stream, _| {
        crate::support::upstream::read_head(&mut stream);
        crate::support::upstream::write(&mut stream, b"HTTP/1.1 200 OK\r\n\r\n{\"event\":1}\n");
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let text = |users: &str| {
        let endpoint = format!(
            "[upstream.api]\nendpoints = [\"http://{}\"]\n",
            upstream.address
        );
        listener(&pki) + users + &endpoint + "credentials_of_users = \"required\"\n" + ROUTES
    };
    let alice = by_password(&pki, "alice", "alice:one");
    let gateway = Gateway::start(&text(&alice));
    let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
    let mut raw = client.raw();
    raw.write(b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(status(&raw.read_until("\n\r\n")), 200);
    gateway.reload_with(&text(&user("alice", &["*"])));
    assert!(
        !raw.read_to_end().ends_with("0\r\n\r\n"),
        "it must not look whole"
    );
    let line = gateway.wait_for_access(|line| line["cut"] == "stream");
    assert_eq!(line["reason"], "no_upstream_credentials");
    let refused = client
        .send(Version::Http1, request("POST", "/v1/events", ""))
        .unwrap();
    assert_eq!(
        (refused.status, refused.reason().as_str()),
        (403, "no_upstream_credentials")
    );
}
