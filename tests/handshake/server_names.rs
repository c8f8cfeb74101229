//! Certificates by server name: each host shows its own, and what is not named is refused.

use super::failures;
use crate::support::gateway::{listener, process, route_to, trust_domain, user};
use crate::support::pki::{Identity, text};
use crate::support::{Client, Gateway, Pki, Upstream, eventually};
use rustls::AlertDescription;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

fn host(names: &[&str], identity: &Identity) -> String {
    format!(
        "[[listener.main.host]]\nnames = {names:?}\ncertificate = {:?}\nprivate_key = {:?}\n",
        text(&identity.certificate_file),
        text(&identity.key_file)
    )
}

/// Hosts `api.test`, `www.test` with `alias.test`, and `*.wild.test`, each with a certificate of its own.
struct Hosts {
    pki: Pki,
    upstream: Upstream,
    api: Identity,
    www: Identity,
    wild: Identity,
}

impl Hosts {
    fn new() -> Self {
        let pki = Pki::new();
        Self {
            api: pki.server("api", &["api.test"]),
            www: pki.server("www", &["www.test", "alias.test"]),
            wild: pki.server("wild", &["*.wild.test"]),
            upstream: Upstream::start(),
            pki,
        }
    }

    fn start(&self) -> Gateway {
        let config = "[listener.main]\naddress = \"127.0.0.1:0\"\n".to_owned()
            + &host(&["api.test"], &self.api)
            + &host(&["www.test", "alias.test"], &self.www)
            + &host(&["*.wild.test"], &self.wild)
            + &trust_domain("test", &self.pki)
            + &process()
            + &user("alice", &["GET /*"])
            + &route_to(self.upstream.address);
        Gateway::start(&config)
    }

    fn client(&self, gateway: &Gateway, name: &str) -> Client {
        let alice = self.pki.client("alice");
        Client::new(&self.pki, Some(&alice), gateway.address()).with_server_name(name)
    }
}

fn shown(client: &Client) -> CertificateDer<'static> {
    let connection = client.shake_hands();
    let chain = connection.peer_certificates().expect("a certificate");
    chain[0].clone().into_owned()
}

#[test]
fn each_server_name_gets_its_own_certificate() {
    let hosts = Hosts::new();
    let gateway = hosts.start();
    for (name, identity) in [
        ("api.test", &hosts.api),
        ("www.test", &hosts.www),
        ("alias.test", &hosts.www),
        ("a.wild.test", &hosts.wild),
        ("b.wild.test", &hosts.wild),
    ] {
        let expected = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap();
        assert_eq!(shown(&hosts.client(&gateway, name)), expected, "{name}");
        let request = format!("GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n");
        let answer = hosts.client(&gateway, name).exchange(request.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 200 "), "{name}: {answer}");
    }
}

#[test]
fn an_unknown_server_name_is_rejected_and_never_gets_a_default() {
    let hosts = Hosts::new();
    let gateway = hosts.start();
    for (before, name) in [
        "other.test",
        "test",
        "wild.test",
        "a.b.wild.test",
        "xapi.test",
    ]
    .into_iter()
    .enumerate()
    {
        let alert = hosts.client(&gateway, name).alert();
        assert_eq!(alert, AlertDescription::UnrecognisedName, "{name}");
        let line = eventually("the log line", || failures(&gateway).get(before).cloned());
        assert_eq!(
            (line["reason"].as_str(), line["server_name"].as_str()),
            (Some("unknown_server_name"), Some(name))
        );
    }
    let labels = [("listener", "main"), ("reason", "unknown_server_name")];
    gateway.wait_for_metric("portcullis_handshake_failures_total", &labels, 5.0);
}

#[test]
fn a_client_that_names_no_server_is_rejected_where_all_hosts_have_names() {
    let hosts = Hosts::new();
    let gateway = hosts.start();
    let client = hosts
        .client(&gateway, "api.test")
        .with_config(|config| config.enable_sni = false);
    assert_eq!(client.alert(), AlertDescription::UnrecognisedName);
    let line = eventually("the log line", || failures(&gateway).pop());
    assert_eq!(
        (line["reason"].as_str(), line["server_name"].as_str()),
        (Some("unknown_server_name"), Some("-"))
    );
}

#[test]
fn the_certificate_of_the_listener_itself_is_for_every_other_name_and_for_none() {
    let hosts = Hosts::new();
    let config = listener(&hosts.pki)
        + &host(&["api.test"], &hosts.api)
        + &user("alice", &["GET /*"])
        + &route_to(hosts.upstream.address);
    let gateway = Gateway::start(&config);
    assert_eq!(
        shown(&hosts.client(&gateway, "api.test")),
        CertificateDer::from_pem_slice(hosts.api.certificate.as_bytes()).unwrap()
    );
    let own = CertificateDer::from_pem_file(hosts.pki.path("server.crt")).unwrap();
    let nameless = hosts
        .client(&gateway, "localhost")
        .with_config(|config| config.enable_sni = false);
    for client in [hosts.client(&gateway, "localhost"), nameless] {
        assert_eq!(shown(&client), own);
        assert_eq!(client.get("/").status, 200);
    }
}
