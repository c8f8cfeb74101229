//! Who is revoked is out: at the handshake, on the connection that is open, and in a session that is resumed. Whoever is
//! not goes on.

mod old_lists;

use crate::support::client::{BOTH, Version, get};
use crate::support::gateway::{listener, route_to, user};
use crate::support::pki::Identity;
use crate::support::{Client, Gateway, PORTCULLIS, Pki, Upstream, eventually, run};
use rustls::AlertDescription as Alert;
use std::path::Path;
use time::{Duration, OffsetDateTime};

/// A CA, two of its users, and a gateway that lets both in.
struct Scene {
    pki: Pki,
    alice: Identity,
    bob: Identity,
    upstream: Upstream,
}

impl Scene {
    fn new() -> Self {
        let pki = Pki::new();
        let (alice, bob) = (pki.client("alice"), pki.client("bob"));
        Self {
            pki,
            alice,
            bob,
            upstream: Upstream::start(),
        }
    }

    /// With these lines in the trust domain; paths are relative to the folder of the CA.
    fn config(&self, lines: &str) -> String {
        let folder = self.pki.folder.path().display();
        let lines = lines
            .replace("= [\"", &format!("= [\"{folder}/"))
            .replace("deny_list = \"", &format!("deny_list = \"{folder}/"));
        let listener = listener(&self.pki).replace("[admin]", &format!("{lines}\n[admin]"));
        listener + &user("alice", &["*"]) + &user("bob", &["*"]) + &route_to(self.upstream.address)
    }

    fn start(&self, lines: &str) -> Gateway {
        Gateway::start(&self.config(lines))
    }

    fn client(&self, gateway: &Gateway, identity: &Identity) -> Client {
        Client::new(&self.pki, Some(identity), gateway.address())
    }

    fn write(&self, name: &str, text: &str) {
        replace(&self.pki.path(name), text.as_bytes());
    }
}

/// Puts a file in place of another as tools do.
fn replace(path: &Path, octets: &[u8]) {
    let new = path.with_file_name(".new");
    std::fs::write(&new, octets).unwrap();
    std::fs::rename(&new, path).unwrap();
}

const CRLS: &str = "crls = [\"ca.crl\"]";
const DENY_LIST: &str = "deny_list = \"denied\"";

#[test]
fn a_revoked_client_gets_the_certificate_revoked_alert() {
    let scene = Scene::new();
    scene.write("ca.crl", &scene.pki.crl(&[&scene.alice], 1));
    let gateway = scene.start(CRLS);
    assert_eq!(
        scene.client(&gateway, &scene.alice).alert(),
        Alert::CertificateRevoked
    );
    assert_eq!(scene.client(&gateway, &scene.bob).get("/").status, 200);
    let labels = [("reason", "revoked")];
    gateway.wait_for_metric("portcullis_handshake_failures_total", &labels, 1.0);
    let line = eventually("a log line", || gateway.find_log("handshake failed"));
    assert_eq!(
        (line["reason"].as_str(), line["subject"].as_str()),
        (Some("revoked"), Some("CN=alice"))
    );
    let labels = [("trust_domain", "test"), ("issuer", "CN=Test CA")];
    gateway.wait_for_metric("portcullis_crl_entries", &labels, 1.0);
    let due = gateway.metric("portcullis_crl_next_update_timestamp_seconds", &labels);
    assert!(due > OffsetDateTime::now_utc().unix_timestamp() as f64);
}

#[test]
fn a_new_list_is_active_at_the_next_request_of_an_open_connection() {
    let scene = Scene::new();
    scene.write("ca.crl", &scene.pki.crl(&[], 1));
    let gateway = scene.start(CRLS);
    let (alice, bob) = (
        scene.client(&gateway, &scene.alice),
        scene.client(&gateway, &scene.bob),
    );
    for (round, version) in BOTH.into_iter().enumerate() {
        let number = 10 * (round as u64 + 1);
        let (mut of_alice, mut of_bob) = (
            alice.connect(version).unwrap(),
            bob.connect(version).unwrap(),
        );
        assert_eq!(of_alice.send(get("/")).unwrap().status, 200);
        assert_eq!(of_bob.send(get("/")).unwrap().status, 200);
        let before = gateway.generation();
        scene.write("ca.crl", &scene.pki.crl(&[&scene.alice], number));
        gateway.wait_for_generation_after(before);
        of_alice.must_be_refused("revoked");
        assert_eq!(of_bob.send(get("/")).unwrap().status, 200, "{version:?}");
        let before = gateway.generation();
        scene.write("ca.crl", &scene.pki.crl(&[], number + 1));
        gateway.wait_for_generation_after(before);
        assert_eq!(
            alice.send(version, get("/")).unwrap().status,
            200,
            "taken back"
        );
    }
    let is_refused =
        |line: &serde_json::Value| line["reason"] == "revoked" && line["decision"] == "refuse";
    let line = eventually("a line", || {
        gateway.access_log().into_iter().find(is_refused)
    });
    assert_eq!(
        (line["serial"].as_str(), line.get("user")),
        (Some(&*scene.alice.serial_text()), None),
        "{line}"
    );
    assert!(
        line["detail"].as_str().unwrap().contains("CN=alice"),
        "{line}"
    );
}

#[test]
fn a_revocation_reaches_every_idle_connection_of_a_client_and_no_other_client() {
    let scene = Scene::new();
    scene.write("denied", "");
    let gateway = scene.start(DENY_LIST);
    let (alice, bob) = (
        scene.client(&gateway, &scene.alice),
        scene.client(&gateway, &scene.bob),
    );
    for version in BOTH {
        // What is known of a client is shared by its connections.
        let mut connections = Vec::new();
        for client in [&alice, &bob].repeat(4) {
            let mut connection = client.connect(version).unwrap();
            assert_eq!(connection.send(get("/")).unwrap().status, 200);
            connections.push(connection);
        }
        let before = gateway.generation();
        scene.write("denied", "cn alice\n");
        gateway.wait_for_generation_after(before);
        for pair in connections.chunks_mut(2) {
            let [of_alice, of_bob] = pair else {
                panic!("pairs")
            };
            of_alice.must_be_refused("deny_listed");
            assert_eq!(of_bob.send(get("/")).unwrap().status, 200, "{version:?}");
        }
        let before = gateway.generation();
        scene.write("denied", "");
        gateway.wait_for_generation_after(before);
    }
}

#[test]
fn a_session_from_before_the_revocation_does_not_help() {
    let scene = Scene::new();
    scene.write("ca.crl", &scene.pki.crl(&[], 1));
    let gateway = scene.start(CRLS);
    let resumed = || gateway.metric("portcullis_handshakes_total", &[("resumption", "resumed")]);
    for (round, versions) in [&rustls::version::TLS13, &rustls::version::TLS12]
        .into_iter()
        .enumerate()
    {
        let number = 10 * (round as u64 + 1);
        let client = |identity| {
            Client::with_provider(&scene.pki, Some(identity), gateway.address(), &[versions])
        };
        let (alice, bob) = (client(&scene.alice), client(&scene.bob));
        let before = resumed();
        for client in [&alice, &bob] {
            assert_eq!((client.get("/").status, client.get("/").status), (200, 200));
        }
        assert_eq!(
            resumed(),
            before + 2.0,
            "{versions:?}: both have tickets that are taken"
        );
        let mut open = alice.connect(Version::Http1).unwrap();
        assert_eq!(open.send(get("/")).unwrap().status, 200);
        let generation = gateway.generation();
        scene.write("ca.crl", &scene.pki.crl(&[&scene.alice], number));
        gateway.wait_for_generation_after(generation);
        assert_eq!(
            open.send(get("/")).unwrap().reason(),
            "revoked",
            "{versions:?}: a resumed connection"
        );
        assert_eq!(alice.alert(), Alert::CertificateRevoked, "{versions:?}");
        assert_eq!(bob.get("/").status, 200, "{versions:?}");
        let generation = gateway.generation();
        scene.write("ca.crl", &scene.pki.crl(&[], number + 1));
        gateway.wait_for_generation_after(generation);
    }
}

#[test]
fn a_list_that_appears_in_a_folder_or_under_a_pattern_is_noticed() {
    let scene = Scene::new();
    for lines in ["crls = [\"lists/\"]", "crls = [\"lists/*.crl\"]"] {
        let folder = scene.pki.path("lists");
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir(&folder).unwrap();
        replace(&folder.join("1.crl"), scene.pki.crl(&[], 1).as_bytes());
        let gateway = scene.start(lines);
        let mut open = [&scene.alice, &scene.bob].map(|identity| scene.client(&gateway, identity));
        let [alice, bob] = open
            .each_mut()
            .map(|client| client.connect(Version::Http1).unwrap());
        let (mut alice, mut bob) = (alice, bob);
        assert_eq!(
            (
                alice.send(get("/")).unwrap().status,
                bob.send(get("/")).unwrap().status
            ),
            (200, 200)
        );
        let before = gateway.generation();
        replace(
            &folder.join("2.crl"),
            scene.pki.crl(&[&scene.alice], 2).as_bytes(),
        );
        gateway.wait_for_generation_after(before);
        eventually("the list is read", || {
            (gateway.metric("portcullis_crl_entries", &[]) == 1.0).then_some(())
        });
        assert_eq!(alice.send(get("/")).unwrap().reason(), "revoked", "{lines}");
        assert_eq!(bob.send(get("/")).unwrap().status, 200, "{lines}");
    }
}

#[test]
fn an_unusable_list_rejects_the_reload_and_the_old_one_stays_active() {
    let scene = Scene::new();
    let stranger = Pki::named("Stranger");
    let good = scene.pki.crl(&[&scene.alice], 1);
    scene.write("ca.crl", &good);
    let gateway = scene.start(CRLS);
    let bob = scene.client(&gateway, &scene.bob);
    let mut open = bob.connect(Version::Http1).unwrap();
    for (bad, reason) in [
        (
            stranger.crl(&[], 2),
            "is of \\\"CN=Stranger\\\", which is no CA of this trust domain",
        ),
        (Pki::new().crl(&[], 2), "its signature is not that of"),
        ("nothing".to_owned(), "holds no certificate revocation list"),
    ] {
        let (failures, generation) = (gateway.reloads("failure"), gateway.generation());
        scene.write("ca.crl", &bad);
        eventually("the reload is refused", || {
            (gateway.reloads("failure") > failures).then_some(())
        });
        let said = |line: &serde_json::Value| {
            let text = line["message"].to_string();
            text.contains("ca.crl") && text.contains(reason)
        };
        eventually("a log line with the reason", || {
            gateway.log().iter().any(said).then_some(())
        });
        assert_eq!(gateway.generation(), generation);
        assert_eq!(open.send(get("/")).unwrap().status, 200);
        assert_eq!(
            scene.client(&gateway, &scene.alice).alert(),
            Alert::CertificateRevoked,
            "{reason}"
        );
        scene.write("ca.crl", &good);
        let file = gateway.config_file.clone();
        let (_, report, code) = run(PORTCULLIS, &["check", "-c", file.to_str().unwrap()]);
        assert_eq!(code, 0, "{report}");
        gateway.wait_for_generation_after(generation);
    }
}
