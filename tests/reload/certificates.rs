//! Server certificates, keys and trust anchors are replaced while connections are open.

use super::{alice, ask, client, config};
use crate::support::client::{BOTH, Version, get};
use crate::support::gateway::user;
use crate::support::pki::Identity;
use crate::support::{Client, Gateway, Pki, Upstream, eventually};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

const HOSTS: [&str; 1] = ["localhost"];

fn der(identity: &Identity) -> Vec<u8> {
    CertificateDer::from_pem_slice(identity.certificate.as_bytes())
        .unwrap()
        .to_vec()
}

/// Puts a file in place of another as renewal tools do.
fn replace(path: &std::path::Path, text: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(&new, path).unwrap();
}

#[test]
fn new_handshakes_see_the_new_server_certificate_and_old_connections_live_on() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = Gateway::start(&config(&pki, &upstream, &alice()));
    let client = client(&pki, "alice", &gateway);
    let old = client.raw().server_certificate();
    let mut connection = client.connect(Version::Http1).unwrap();
    assert_eq!(ask(&mut connection, "/"), "ok");
    let before = gateway.generation();
    // Written in place, certificate first: `Pki::server` does just that.
    let new = der(&pki.server("server", &HOSTS));
    assert_ne!(old, new);
    gateway.wait_for_generation_after(before);
    eventually("the new certificate", || {
        (client.raw().server_certificate() == new).then_some(())
    });
    assert_eq!(
        ask(&mut connection, "/"),
        "ok",
        "the open connection was not closed"
    );
    assert_eq!(client.get("/").status, 200);
}

#[test]
fn a_pair_whose_key_comes_late_breaks_nothing() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = Gateway::start(&config(&pki, &upstream, &alice()));
    let client = client(&pki, "alice", &gateway);
    let old = client.raw().server_certificate();
    let new = pki.server("next", &HOSTS);
    replace(&pki.path("server.crt"), &new.certificate);
    // The other half comes only when the gateway has given up waiting for it.
    eventually("the half is refused", || {
        let refused = gateway.reloads("failure") > 0.0;
        assert_eq!(
            client.raw().server_certificate(),
            old,
            "the old pair serves on"
        );
        assert_eq!(client.get("/").status, 200);
        refused.then_some(())
    });
    replace(&pki.path("server.key"), &new.key);
    eventually("the new pair", || {
        (client.raw().server_certificate() == der(&new)).then_some(())
    });
    eventually("success", || {
        (gateway.metric("portcullis_reload_last_success", &[]) == 1.0).then_some(())
    });
    assert_eq!(client.get("/").status, 200);
}

#[test]
fn a_pair_that_is_written_at_one_go_counts_no_failure() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = Gateway::start(&config(&pki, &upstream, &alice()));
    let client = client(&pki, "alice", &gateway);
    for round in 0..5 {
        let new = pki.server(&format!("next{round}"), &HOSTS);
        replace(&pki.path("server.crt"), &new.certificate);
        replace(&pki.path("server.key"), &new.key);
        eventually("the new pair", || {
            (client.raw().server_certificate() == der(&new)).then_some(())
        });
    }
    assert_eq!(gateway.reloads("failure"), 0.0);
}

#[test]
fn an_open_connection_is_rejected_once_its_authority_is_gone() {
    let (pki, other, upstream) = (Pki::new(), Pki::named("Other CA"), Upstream::start());
    let gateway = Gateway::start(&config(&pki, &upstream, &alice()));
    let ours = std::fs::read_to_string(pki.ca_file()).unwrap();
    let theirs = std::fs::read_to_string(other.ca_file()).unwrap();
    // Clients go on trusting the server by a copy, so that only the gateway's trust changes.
    let client = client(&pki, "alice", &gateway);
    for version in BOTH {
        let mut connection = client.connect(version).unwrap();
        assert_eq!(ask(&mut connection, "/"), "ok");
        let before = gateway.generation();
        replace(&pki.ca_file(), &(ours.clone() + &theirs));
        gateway.wait_for_generation_after(before);
        assert_eq!(
            ask(&mut connection, "/"),
            "ok",
            "an anchor more changes nothing"
        );
        let before = gateway.generation();
        replace(&pki.ca_file(), &theirs);
        gateway.wait_for_generation_after(before);
        // HTTP/2 says goodbye unasked, so a request may come too late for an answer.
        match connection.send(get("/")) {
            Ok(answer) => assert_eq!(
                (answer.status, answer.reason().as_str()),
                (403, "unknown_issuer"),
                "{version:?}"
            ),
            Err(error) => assert_eq!(version, Version::Http2, "{error}"),
        }
        // HTTP/2 may answer once more while it says goodbye.
        eventually("the connection is closed", || {
            match connection.send(get("/")) {
                Ok(answer) => (answer.status != 403).then(|| panic!("{answer:?}")),
                Err(_) => Some(()),
            }
        });
        client
            .send(version, get("/"))
            .expect_err("nor is there a new one");
        let before = gateway.generation();
        replace(&pki.ca_file(), &ours);
        gateway.wait_for_generation_after(before);
        assert_eq!(
            client.send(version, get("/")).unwrap().status,
            200,
            "the anchor is back"
        );
    }
}

#[test]
fn sessions_are_resumed_but_never_past_a_change_of_trust() {
    let (pki, other, upstream) = (Pki::new(), Pki::named("Other CA"), Upstream::start());
    let gateway = Gateway::start(&config(&pki, &upstream, &alice()));
    for versions in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let client = Client::with_provider(
            &pki,
            Some(&pki.client("alice")),
            gateway.address(),
            &[versions],
        );
        let ours = std::fs::read_to_string(pki.ca_file()).unwrap();
        assert_eq!(client.get("/").status, 200);
        let resumed_before =
            gateway.metric("portcullis_handshakes_total", &[("resumption", "resumed")]);
        let mut resumed = client.connect(Version::Http1).unwrap();
        assert_eq!(ask(&mut resumed, "/"), "ok");
        let resumed_after =
            gateway.metric("portcullis_handshakes_total", &[("resumption", "resumed")]);
        assert_eq!(
            resumed_after,
            resumed_before + 1.0,
            "{versions:?}: the second connection was resumed"
        );
        let before = gateway.generation();
        replace(
            &pki.ca_file(),
            &std::fs::read_to_string(other.ca_file()).unwrap(),
        );
        gateway.wait_for_generation_after(before);
        assert_eq!(
            resumed.send(get("/")).unwrap().reason(),
            "unknown_issuer",
            "{versions:?}"
        );
        client
            .send(Version::Http1, get("/"))
            .expect_err("its ticket does not help");
        let before = gateway.generation();
        replace(&pki.ca_file(), &ours);
        gateway.wait_for_generation_after(before);
        assert_eq!(client.get("/").status, 200);
    }
}

#[test]
fn a_resumed_connection_lives_on_through_other_reloads() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = Gateway::start(&config(&pki, &upstream, &alice()));
    let client = client(&pki, "alice", &gateway);
    assert_eq!(client.get("/").status, 200);
    let mut resumed = client.connect(Version::Http2).unwrap();
    assert_eq!(ask(&mut resumed, "/"), "ok");
    gateway.reload_with(&config(&pki, &upstream, &(alice() + "# nothing new\n")));
    assert_eq!(ask(&mut resumed, "/"), "ok");
}

#[test]
fn a_session_outlives_reloads_that_change_users_only() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = Gateway::start(&config(&pki, &upstream, &alice()));
    let resumed = || gateway.metric("portcullis_handshakes_total", &[("resumption", "resumed")]);
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        gateway.reload_with(&config(&pki, &upstream, &alice()));
        let client = Client::with_provider(
            &pki,
            Some(&pki.client("alice")),
            gateway.address(),
            &[version],
        );
        assert_eq!(client.get("/").status, 200);
        let before = resumed();
        gateway.reload_with(&config(&pki, &upstream, &user("alice", &["POST /*"])));
        let answer = client.get("/");
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (403, "no_permission"),
            "{version:?}"
        );
        assert_eq!(resumed(), before + 1.0, "{version:?}");
        // The present counts for a resumed client, too.
        gateway.reload_with(&config(&pki, &upstream, ""));
        assert_eq!(client.get("/").reason(), "unknown_user");
        assert_eq!(resumed(), before + 2.0, "{version:?}");
    }
}

#[test]
fn no_session_outlives_a_change_of_what_it_was_made_under() {
    let (pki, other, upstream) = (Pki::new(), Pki::named("Other CA"), Upstream::start());
    let gateway = Gateway::start(&config(&pki, &upstream, &alice()));
    let resumed = || gateway.metric("portcullis_handshakes_total", &[("resumption", "resumed")]);
    let client = client(&pki, "alice", &gateway);
    let ours = std::fs::read_to_string(pki.ca_file()).unwrap();
    let theirs = std::fs::read_to_string(other.ca_file()).unwrap();
    let optional = config(&pki, &upstream, &alice())
        .replace("[trust_domain", "client_auth = \"optional\"\n[trust_domain");
    let changes: [&dyn Fn(); 3] = [
        // An anchor more, although the old one still verifies.
        &|| replace(&pki.ca_file(), &(ours.clone() + &theirs)),
        &|| drop(pki.server("server", &["localhost", "127.0.0.1"])),
        &|| std::fs::write(&gateway.config_file, &optional).unwrap(),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        assert_eq!(client.get("/").status, 200);
        let before = resumed();
        assert_eq!(client.get("/").status, 200);
        assert_eq!(resumed(), before + 1.0, "{number}: before the change");
        let generation = gateway.generation();
        change();
        gateway.wait_for_generation_after(generation);
        eventually("a whole handshake", || {
            let before = resumed();
            assert_eq!(client.get("/").status, 200);
            (resumed() == before).then_some(())
        });
    }
}

#[test]
fn credentials_for_an_upstream_are_read_again() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    std::fs::write(pki.path("secret"), "root:one\n").unwrap();
    let credentials = format!("basic_credentials = \"{}\"\n", pki.path("secret").display());
    let text = config(&pki, &upstream, &alice()).replace("[[route]]", &(credentials + "[[route]]"));
    let gateway = Gateway::start(&text);
    let client = client(&pki, "alice", &gateway);
    assert_eq!(client.get("/").status, 200);
    let before = gateway.generation();
    replace(&pki.path("secret"), "root:two\n");
    gateway.wait_for_generation_after(before);
    assert_eq!(client.get("/").status, 200);
    let sent: Vec<_> = upstream
        .recorded()
        .iter()
        .map(|seen| seen.values("authorization").join(","))
        .collect();
    assert_eq!(sent, ["Basic cm9vdDpvbmU=", "Basic cm9vdDp0d28="]);
}
