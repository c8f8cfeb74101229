//! Listeners come, go, move and are renamed; those that stay keep their connections.

use super::{alice, ask, client, config};
use crate::support::client::Version;
use crate::support::gateway::{route_to, user};
use crate::support::upstream::HeldUpstream;
use crate::support::{Client, Gateway, Pki, ReservedPort, Upstream, eventually};
use std::net::{SocketAddr, TcpStream};

/// A listener with the ordinary server certificate.
pub(super) fn listener_at(name: &str, address: &str, pki: &Pki) -> String {
    let folder = pki.folder.path().display();
    format!(
        "[listener.{name}]\naddress = \"{address}\"\ncertificate = \"{folder}/server.crt\"\n\
         private_key = \"{folder}/server.key\"\n"
    )
}

fn wait_until_refused(address: SocketAddr) {
    eventually("the old address refuses", || {
        TcpStream::connect(address).err()
    });
}

#[test]
fn a_listener_is_added_and_removed_while_another_keeps_its_connections() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let one = config(&pki, &upstream, &alice());
    let two = one.clone() + &listener_at("extra", "127.0.0.2:0", &pki);
    let gateway = Gateway::start(&one);
    let staying = client(&pki, "alice", &gateway);
    let mut connection = staying.connect(Version::Http1).unwrap();
    assert_eq!(ask(&mut connection, "/"), "ok");
    gateway.reload_with(&two);
    let extra = gateway.address_of("extra");
    let visitor = Client::new(&pki, Some(&pki.client("alice")), extra);
    let mut other = visitor.connect(Version::Http1).unwrap();
    assert_eq!(ask(&mut other, "/"), "ok");
    let line = gateway.wait_for_access(|line| line["listener"] == "extra");
    assert_eq!(line["status"], 200);
    gateway.reload_with(&one);
    wait_until_refused(extra);
    eventually("the removed listener's connection is closed", || {
        other.send(crate::support::client::get("/")).err()
    });
    assert_eq!(
        ask(&mut connection, "/"),
        "ok",
        "on the connection from the beginning"
    );
    gateway.wait_for_metric("portcullis_connections_total", &[("listener", "main")], 1.0);
}

#[test]
fn a_listener_that_moves_serves_at_the_new_address_alone() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let text = config(&pki, &upstream, &alice());
    let gateway = Gateway::start(&text);
    let old = gateway.address();
    assert_eq!(client(&pki, "alice", &gateway).get("/").status, 200);
    gateway.reload_with(&text.replacen("127.0.0.1:0", "127.0.0.2:0", 1));
    assert_ne!(gateway.address(), old);
    assert_eq!(client(&pki, "alice", &gateway).get("/").status, 200);
    wait_until_refused(old);
}

#[test]
fn requests_under_way_on_a_listener_that_goes_are_finished() {
    let (pki, held) = (Pki::new(), HeldUpstream::start());
    let one = config(&pki, &held.upstream, &alice());
    let gateway = Gateway::start(&(one.clone() + &listener_at("extra", "127.0.0.2:0", &pki)));
    let extra = gateway.address_of("extra");
    let visitor = Client::new(&pki, Some(&pki.client("alice")), extra);
    let answer = std::thread::scope(|scope| {
        let running = scope.spawn(|| visitor.get("/"));
        held.wait_for_requests(1);
        gateway.reload_with(&one);
        wait_until_refused(extra);
        held.open();
        running.join().unwrap()
    });
    assert_eq!(
        (answer.status, answer.header("connection")),
        (200, Some("close"))
    );
}

#[test]
fn a_renamed_listener_keeps_its_socket() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let port = ReservedPort::new();
    let address = port.address();
    let text = |name: &str| {
        let process = crate::support::gateway::process();
        let trust = format!(
            "[trust_domain.test]\nanchors = [\"{}\"]\n",
            pki.ca_file().display()
        );
        process
            + &listener_at(name, &address.to_string(), &pki)
            + &trust
            + &alice()
            + &route_to(upstream.address)
    };
    let gateway = Gateway::start(&text("before"));
    let visitor = Client::new(&pki, Some(&pki.client("alice")), address);
    assert_eq!(visitor.get("/1").status, 200);
    gateway.reload_with(&text("after"));
    assert_eq!(visitor.get("/2").status, 200);
    let line = gateway.wait_for_access(|line| line["path"] == "/2");
    assert_eq!(line["listener"], "after");
    assert_eq!(gateway.reloads("failure"), 0.0);
}

#[test]
fn two_listeners_may_swap_their_addresses() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let ports = [ReservedPort::new(), ReservedPort::new()];
    let addresses = ports.each_ref().map(ReservedPort::address);
    let text = |first: usize| {
        let [one, two] =
            [addresses[first], addresses[1 - first]].map(|address| address.to_string());
        let process = crate::support::gateway::process();
        let trust = format!(
            "[trust_domain.test]\nanchors = [\"{}\"]\n",
            pki.ca_file().display()
        );
        let listeners = listener_at("one", &one, &pki) + &listener_at("two", &two, &pki);
        process + &listeners + &trust + &alice() + &route_to(upstream.address)
    };
    let gateway = Gateway::start(&text(0));
    gateway.reload_with(&text(1));
    for (address, listener) in [(addresses[1], "one"), (addresses[0], "two")] {
        let path = format!("/{listener}");
        let visitor = Client::new(&pki, Some(&pki.client("alice")), address);
        eventually("an answer", || {
            visitor
                .send(Version::Http1, crate::support::client::get(&path))
                .ok()
        });
        gateway
            .wait_for_access(|line| line["path"] == path.as_str() && line["listener"] == listener);
    }
}

#[test]
fn the_admin_listener_moves() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let text = config(&pki, &upstream, &alice());
    let gateway = Gateway::start(&text);
    let old = gateway.admin_address();
    gateway.write_config(&text.replace(
        "[admin]\naddress = \"127.0.0.1:0\"",
        "[admin]\naddress = \"127.0.0.2:0\"",
    ));
    wait_until_refused(old);
    eventually("the line about the new address", || {
        (gateway.admin_address() != old).then_some(())
    });
    assert_eq!(gateway.admin("/readyz").0, 200);
    assert_eq!(gateway.generation(), 2);
}

#[test]
fn limits_and_log_level_change_without_a_restart() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let text = config(&pki, &upstream, &user("alice", &["*"]));
    let gateway = Gateway::start(&text);
    let client = client(&pki, "alice", &gateway);
    let post = || crate::support::client::request("POST", "/", "a body of some length");
    assert_eq!(client.send(Version::Http1, post()).unwrap().status, 200);
    gateway.reload_with(&(text.clone() + "[limits]\nbody_size = \"4B\"\n"));
    assert_eq!(client.send(Version::Http1, post()).unwrap().status, 413);
    gateway.reload_with(&text.replace("level = \"debug,h2=info\"", "level = \"info\""));
    assert_eq!(client.send(Version::Http1, post()).unwrap().status, 200);
    gateway.reload_with(&(text + "[gateway]\nworkers = 3\n"));
    let warning = gateway.wait_for_log("this change needs a restart");
    assert_eq!(warning["key"], "gateway.workers");
}
