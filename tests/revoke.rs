//! `portcullis revoke`: who is put on a deny list is out when the command says so, and the file stays what it was
//! otherwise. `/status` says what is active.

mod broken_config;
mod lists;

use crate::support::client::{Version, get};
use crate::support::gateway::{listener, route_to, user};
use crate::support::pki::Identity;
use crate::support::{Client, Gateway, PORTCULLIS, Pki, ReservedPort, Upstream, eventually, run};
use rustls::AlertDescription as Alert;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;

/// A gateway with an empty deny list, and two users.
struct Scene {
    pki: Pki,
    alice: Identity,
    bob: Identity,
    gateway: Gateway,
    _upstream: Upstream,
}

impl Scene {
    fn new() -> Self {
        let (pki, upstream) = (Pki::new(), Upstream::start());
        std::fs::write(pki.path("denied"), "# who is out\n").unwrap();
        std::fs::write(pki.path("ca.crl"), pki.crl(&[], 0x1f)).unwrap();
        let folder = pki.folder.path().display();
        let lines =
            format!("deny_list = \"{folder}/denied\"\ncrls = [\"{folder}/ca.crl\"]\n[admin]");
        let config = listener(&pki).replace("[admin]", &lines)
            + &user("alice", &["*"])
            + &user("bob", &["*"]);
        let gateway = Gateway::start(&(config + &route_to(upstream.address)));
        Self {
            alice: pki.client("alice"),
            bob: pki.client("bob"),
            pki,
            gateway,
            _upstream: upstream,
        }
    }

    fn client(&self, identity: &Identity) -> Client {
        Client::new(&self.pki, Some(identity), self.gateway.address())
    }

    /// Standard output, standard error and exit code.
    fn revoke(&self, arguments: &[&str]) -> (String, String, i32) {
        let admin = self.gateway.admin_address().to_string();
        self.revoke_elsewhere(&[&["--admin", &admin], arguments].concat())
    }

    fn revoke_elsewhere(&self, arguments: &[&str]) -> (String, String, i32) {
        let config = self.gateway.config_file.to_str().unwrap();
        run(PORTCULLIS, &[&["revoke", "-c", config], arguments].concat())
    }

    fn list(&self) -> String {
        std::fs::read_to_string(self.pki.path("denied")).unwrap()
    }

    fn status(&self) -> Value {
        let (status, text) = self.gateway.admin("/status");
        assert_eq!(status, 200);
        serde_json::from_str(&text).unwrap()
    }
}

#[test]
fn a_revoked_user_is_denied_on_confirmation_and_permitted_after_undo() {
    let scene = Scene::new();
    let certificate = scene.pki.path("alice.crt");
    let serial = scene.alice.serial_text();
    for (who, rejection) in [
        (["--user", "alice"], "revoked"),
        (["--cn", "alice"], "deny_listed"),
        (["--serial", &serial], "deny_listed"),
        (["--cert", certificate.to_str().unwrap()], "deny_listed"),
    ] {
        let alice = scene.client(&scene.alice);
        let mut open = alice.connect(Version::Http1).unwrap();
        assert_eq!(open.send(get("/")).unwrap().status, 200);
        let mode = std::fs::Permissions::from_mode(0o640);
        std::fs::set_permissions(scene.pki.path("denied"), mode).unwrap();
        let (said, error, code) =
            scene.revoke(&[&who[..], &["--reason", "laptop stolen"]].concat());
        assert_eq!(code, 0, "{who:?}: {said}{error}");
        assert!(said.contains("\nactive since generation "), "{said}");
        open.must_be_refused(rejection);
        match rejection {
            "revoked" => assert_eq!(alice.get("/").reason(), "revoked"),
            _ => assert_eq!(alice.alert(), Alert::CertificateRevoked),
        }
        assert_eq!(scene.client(&scene.bob).get("/").status, 200, "{who:?}");
        let list = scene.list();
        assert!(
            list.starts_with("# who is out\n# revoked 20") && list.contains("Z: laptop stolen\n"),
            "{list}"
        );
        let mode = std::fs::metadata(scene.pki.path("denied"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o640, "the mode stays");

        let (said, _, code) = scene.revoke(&who);
        assert!(code == 0 && said.starts_with("already on "), "{said}");
        assert_eq!(scene.list(), list, "once is enough");

        let (said, error, code) = scene.revoke(&[&["--undo"][..], &who].concat());
        assert_eq!(code, 0, "{said}{error}");
        assert_eq!(scene.list(), "# who is out\n");
        assert_eq!(alice.get("/").status, 200);
    }
}

#[test]
fn what_cannot_be_meant_is_rejected_and_nothing_is_written() {
    let scene = Scene::new();
    for (arguments, reason) in [
        (
            &["--user", "alicia"][..],
            "there is no api_user \"alicia\"; did you mean \"alice\"?",
        ),
        (
            &["--user", "nobody-here"],
            "there is no api_user \"nobody-here\"; for a certificate",
        ),
        (&["--serial", "4g"], "a serial number is hexadecimal"),
        (&["--fingerprint", "abcd"], "64 hexadecimal digits"),
        (&["--cn", "a\nuser bob"], "control characters"),
        (&["--cert", "/nowhere.crt"], "cannot read /nowhere.crt"),
        (
            &["--user", "alice", "--trust-domain", "other"],
            "there is no trust domain \"other\"; trust domains: test",
        ),
        (
            &["--user", "alice", "--reason", "a\nuser bob"],
            "must be one line",
        ),
    ] {
        let (said, error, code) = scene.revoke(arguments);
        assert_eq!((code, said.as_str()), (1, ""), "{arguments:?}: {error}");
        assert!(error.contains(reason), "{arguments:?}: {error}");
        assert_eq!(scene.list(), "# who is out\n");
    }
    for wrong in [
        &[][..],
        &["--user", "alice", "--cn", "alice"],
        &["--undo", "--user", "alice", "--reason", "x"],
    ] {
        assert_eq!(scene.revoke(wrong).2, 2, "{wrong:?}");
    }
    // A line that says nothing is told, and holds up no entry.
    std::fs::write(scene.pki.path("denied"), "userr bob\n").unwrap();
    let (said, error, code) = scene.revoke(&["--user", "alice"]);
    assert!(
        code == 0 && error.contains("line 1 of ") && error.contains("an entry begins with"),
        "{said}{error}"
    );
    assert_eq!(scene.client(&scene.alice).get("/").reason(), "revoked");
}

#[test]
fn an_unconfirmed_entry_is_reported_as_written_but_not_confirmed() {
    let scene = Scene::new();
    // Port 0: only the gateway knows the real one.
    let (said, error, code) = scene.revoke_elsewhere(&["--user", "alice"]);
    assert_eq!(code, 3, "{said}{error}");
    assert!(
        said.starts_with("put on ")
            && error.contains("not confirmed: the config has no admin listener"),
        "{error}"
    );
    eventually("active all the same", || {
        (scene.client(&scene.alice).get("/").status == 403).then_some(())
    });
    let closed = ReservedPort::new();
    let admin = closed.address().to_string();
    let (_, error, code) = scene.revoke_elsewhere(&["--user", "bob", "--admin", &admin]);
    assert!(code == 3 && error.contains("gives no status"), "{error}");
}

#[test]
fn a_revocation_is_active_while_the_config_is_broken() {
    let scene = Scene::new();
    let good = std::fs::read_to_string(&scene.gateway.config_file).unwrap();
    scene
        .gateway
        .write_config(&(good.clone() + "\n[api_user.alice2]\nclient_cn = \"alice\"\n"));
    let (said, error, code) = scene.revoke(&["--user", "alice"]);
    assert!(
        code == 0 && said.contains("active since generation 1, overlay "),
        "{said}{error}"
    );
    assert_eq!(scene.client(&scene.alice).get("/").reason(), "revoked");
    assert_eq!(scene.client(&scene.bob).get("/").status, 200);
    let status = eventually("a refused reload", || {
        Some(scene.status()).filter(|it| !it["last_reload"].is_null())
    });
    assert_eq!(status["last_reload"]["result"], "failure");
    // What was revoked stays so until the config is right.
    let (said, error, code) = scene.revoke(&["--undo", "--user", "alice", "--timeout", "1s"]);
    assert_eq!(code, 1, "{said}{error}");
    assert!(
        error.contains("still denies until a config is loaded") && error.contains("refused: error"),
        "{error}"
    );
    assert_eq!(scene.client(&scene.alice).get("/").reason(), "revoked");
    scene.gateway.write_config(&good);
    let (said, error, code) = scene.revoke(&["--undo", "--user", "alice"]);
    assert!(code == 0 && said.starts_with("not on "), "{said}{error}");
    assert_eq!(scene.client(&scene.alice).get("/").status, 200);
}

#[test]
fn where_there_is_no_deny_list_the_two_steps_that_make_one_are_enough() {
    let scene = Scene::new();
    let text = std::fs::read_to_string(&scene.gateway.config_file).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with("deny_list"));
    let without: String = lines.map(|line| format!("{line}\n")).collect();
    scene.gateway.reload_with(&without);
    let (said, error, code) = scene.revoke(&["--user", "alice"]);
    let list = scene.gateway.config_file.with_file_name("denied");
    let steps = format!(
        "run `touch {}`, write `deny_list = \"denied\"` below `[trust_domain.test]`, and revoke again",
        list.display()
    );
    assert!(code == 1 && error.contains(&steps), "{said}{error}");
    assert_eq!(scene.client(&scene.alice).get("/").status, 200);
    std::fs::write(&list, "").unwrap();
    let with = without.replace(
        "[trust_domain.test]",
        "[trust_domain.test]\ndeny_list = \"denied\"",
    );
    scene.gateway.reload_with(&with);
    let (said, error, code) = scene.revoke(&["--user", "alice"]);
    assert!(
        code == 0 && said.contains("active since generation"),
        "{said}{error}"
    );
    assert_eq!(scene.client(&scene.alice).get("/").reason(), "revoked");
    assert_eq!(scene.client(&scene.bob).get("/").status, 200);
}

#[test]
fn what_does_not_come_into_force_in_time_is_an_error_with_the_reason() {
    let scene = Scene::new();
    let other = scene.pki.path("other");
    std::fs::write(&other, "").unwrap();
    // The running gateway has no such trust domain.
    let text = std::fs::read_to_string(&scene.gateway.config_file).unwrap();
    let config = scene.pki.path("other.toml");
    std::fs::write(
        &config,
        text.replace("[trust_domain.test]", "[trust_domain.elsewhere]"),
    )
    .unwrap();
    let admin = scene.gateway.admin_address().to_string();
    let arguments = [
        "revoke",
        "-c",
        config.to_str().unwrap(),
        "--admin",
        &admin,
        "--user",
        "alice",
        "--timeout",
        "1s",
    ];
    let (said, error, code) = run(PORTCULLIS, &arguments);
    assert_eq!(code, 1, "{said}{error}");
    assert!(
        error.contains("NOT active after 1s: the running gateway has no deny list"),
        "{error}"
    );
    // A list that the gateway does not read is no help, either.
    let other = other.to_str().unwrap();
    let (said, error, code) =
        scene.revoke(&["--deny-list", other, "--cn", "alice", "--timeout", "1s"]);
    assert_eq!(code, 1, "{said}{error}");
    assert!(
        error.contains("no trust domain of the running gateway reads this file"),
        "{error}"
    );
}

/// A way to break the config.
type Break = fn(&str) -> String;

#[test]
fn a_list_is_found_in_a_config_that_cannot_be_read_or_is_named() {
    let breaks: [(&str, Break, &[&str]); 3] = [
        (
            "a syntax error behind it",
            |good| good.to_owned() + "[route\n",
            &[],
        ),
        (
            "a syntax error before it",
            |good| "[gateway\n".to_owned() + good,
            &[],
        ),
        (
            "nothing that could be read",
            |_| "[[[".to_owned(),
            &["--deny-list"],
        ),
    ];
    for (what, spoil, flags) in breaks {
        let scene = Scene::new();
        let good = std::fs::read_to_string(&scene.gateway.config_file).unwrap();
        scene.gateway.write_config(&spoil(&good));
        let list = scene.pki.path("denied");
        let mut arguments = vec!["--user", "alice"];
        if !flags.is_empty() {
            let (_, error, code) = scene.revoke(&arguments);
            assert!(code == 1 && error.contains("--deny-list"), "{error}");
            arguments.extend(flags);
            arguments.push(list.to_str().unwrap());
        }
        let (said, error, code) = scene.revoke(&arguments);
        assert!(
            code == 0 && said.contains("active since generation 1"),
            "{what}: {said}{error}"
        );
        assert!(
            error.contains("warning") && error.contains("gateway.toml"),
            "{what}: {error}"
        );
        assert_eq!(
            scene.client(&scene.alice).get("/").reason(),
            "revoked",
            "{what}"
        );
        assert_eq!(scene.client(&scene.bob).get("/").status, 200, "{what}");
    }
}
