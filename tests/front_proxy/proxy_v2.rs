//! A PROXY header before TLS says who the client of the whole connection is.

use super::{Scene, through};
use crate::support::client::{BOTH, Version, get};
use crate::support::pki::{Identity, Kind};
use crate::support::{Client, Gateway, eventually};
use std::io::{Read, Write};
use std::net::TcpStream;

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
const FRONT: &str = "identity = \"proxy-v2\"";

fn tlv(kind: u8, value: &[u8]) -> Vec<u8> {
    [
        &[kind],
        &u16::try_from(value.len()).unwrap().to_be_bytes()[..],
        value,
    ]
    .concat()
}

/// A header of a client at 192.0.2.7:4660.
fn header(command: u8, fields: &[u8]) -> Vec<u8> {
    let body = [
        &[192, 0, 2, 7, 127, 0, 0, 1, 0x12, 0x34, 0x01, 0xbb],
        fields,
    ]
    .concat();
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    [SIGNATURE, &[command, 0x11], &length, &body].concat()
}

fn ssl(flags: u8, verdict: u32, fields: &[u8]) -> Vec<u8> {
    tlv(
        0x20,
        &[&[flags], &verdict.to_be_bytes()[..], fields].concat(),
    )
}

fn with_certificate(identity: &Identity) -> Vec<u8> {
    header(0x21, &ssl(7, 0, &tlv(0x28, &identity.der())))
}

fn with_name(name: &str) -> Vec<u8> {
    header(0x21, &ssl(7, 0, &tlv(0x22, name.as_bytes())))
}

/// Status and reason behind a header.
fn behind(client: Client, version: Version, header: &[u8]) -> (u16, String) {
    let answer = client
        .beginning_with(header)
        .send(version, get("/"))
        .unwrap();
    let reason = if answer.status == 200 {
        String::new()
    } else {
        answer.reason()
    };
    (answer.status, reason)
}

#[test]
fn the_connection_belongs_to_the_client_in_the_header() {
    let scene = Scene::new();
    let expired = scene.partners.of_kind("alice", Kind::Expired);
    let gateway = scene.start("", &format!("{FRONT}\nsources = [\"127.0.0.1\"]"));
    for version in BOTH {
        let outcome = |header: &[u8]| behind(scene.client(&gateway, &scene.edge), version, header);
        assert_eq!(outcome(&with_certificate(&scene.alice)), through());
        let up = scene.last();
        assert_eq!(up.values("x-client-user"), ["alice"]);
        assert_eq!(up.values("x-forwarded-for"), ["192.0.2.7"]);
        let refused = |status, reason: &str| (status, reason.to_owned());
        assert_eq!(
            outcome(&with_certificate(&expired)),
            refused(403, "expired")
        );
        assert_eq!(
            outcome(&with_certificate(&scene.edge)),
            refused(403, "unknown_issuer")
        );
        assert_eq!(
            outcome(&with_certificate(&scene.partners.client("carol"))),
            refused(403, "unknown_user")
        );
        assert_eq!(
            outcome(&header(0x21, &[])),
            refused(401, "no_forwarded_identity")
        );
        let without = header(0x21, &ssl(1, 0, &tlv(0x28, &scene.alice.der())));
        assert_eq!(outcome(&without), refused(401, "no_forwarded_identity"));
        let unverified = header(0x21, &ssl(7, 1, &tlv(0x28, &scene.alice.der())));
        assert_eq!(
            outcome(&unverified),
            refused(403, "forwarded_identity_unverified")
        );
        assert_eq!(
            outcome(&with_name("alice")),
            refused(400, "no_forwarded_certificate")
        );
        // The proxy itself, which wants to know whether we live.
        assert_eq!(outcome(&header(0x20, &[])), through());
        assert_eq!(scene.last().values("x-client-user"), ["edge"]);
    }
    let line = gateway.wait_for_access(|line| line["user"] == "alice");
    assert_eq!(
        (line["client"].as_str(), line["forwarded_by"].as_str()),
        (Some("192.0.2.7:4660"), Some("edge"))
    );
    let line = gateway.wait_for_access(|line| line["user"] == "edge");
    assert!(
        line["client"].as_str().unwrap().starts_with("127.0.0.1:"),
        "{line}"
    );
}

#[test]
fn a_name_without_a_certificate_is_accepted_only_where_configured() {
    let scene = Scene::new();
    let denied = scene.partners.path("denied");
    std::fs::write(&denied, "cn bob\nuser dora\n").unwrap();
    let config = scene.config("", &format!("{FRONT}\nbelieve = \"common-name\""))
        + "[api_user.dora]\nclient_cn = \"dora\"\ntrust_domain = \"partners\"\npermissions = [\"*\"]\n";
    let domain = crate::support::gateway::trust_domain("partners", &scene.partners);
    let gateway =
        Gateway::start(&config.replace(&domain, &format!("{domain}deny_list = {denied:?}\n")));
    for version in BOTH {
        let outcome = |header: &[u8]| behind(scene.client(&gateway, &scene.edge), version, header);
        assert_eq!(outcome(&with_name("alice")), through());
        let up = scene.last();
        assert_eq!(up.values("x-client-user"), ["alice"]);
        assert_eq!(up.values("x-client-verify"), ["NONE"], "by us");
        let refused = |status, reason: &str| (status, reason.to_owned());
        assert_eq!(outcome(&with_name("carol")), refused(403, "unknown_user"));
        // Users of other domains are not meant.
        assert_eq!(outcome(&with_name("edge")), refused(403, "unknown_user"));
        for name in ["bob", "dora"] {
            assert_eq!(
                outcome(&with_name(name)),
                refused(403, "deny_listed"),
                "{name}"
            );
        }
        assert_eq!(
            outcome(&with_name("a\nb")),
            refused(400, "bad_forwarded_identity")
        );
        // A certificate that does not count is not saved by its name.
        let expired = scene.partners.of_kind("alice", Kind::Expired);
        let both = [tlv(0x22, b"alice"), tlv(0x28, &expired.der())].concat();
        assert_eq!(
            outcome(&header(0x21, &ssl(7, 0, &both))),
            refused(403, "expired")
        );
    }
}

#[test]
fn a_header_from_anybody_else_ends_the_connection() {
    let scene = Scene::new();
    let other = scene.ours.client("other");
    for (front, identity) in [
        (FRONT.to_owned(), Some(&other)),
        (FRONT.to_owned(), None),
        (
            format!("{FRONT}\nsources = \"10.0.0.0/8\""),
            Some(&scene.edge),
        ),
    ] {
        let gateway = scene.start("", &front);
        for (count, octets) in [with_certificate(&scene.alice), header(0x20, &[])]
            .into_iter()
            .enumerate()
        {
            let client =
                Client::new(&scene.ours, identity, gateway.address()).beginning_with(&octets);
            assert!(client.send(Version::Http1, get("/")).is_err());
            eventually("a metric", || {
                let labels = [("reason", "not_a_front_proxy")];
                (gateway.metric("portcullis_handshake_failures_total", &labels)
                    >= (count + 1) as f64)
                    .then_some(())
            });
        }
        let is_it = |line: &serde_json::Value| line["reason"] == "not_a_front_proxy";
        eventually("a line in the log", || {
            gateway.log().into_iter().find(is_it)
        });
    }
    assert!(scene.upstream.recorded().is_empty());
}

#[test]
fn a_connection_without_a_complete_header_is_closed_without_a_response() {
    let scene = Scene::new();
    let gateway = scene.start("handshake_timeout = \"2s\"", FRONT);
    let too_long = [SIGNATURE, &[0x21, 0x00, 0x20, 0x01]].concat();
    let whole = with_certificate(&scene.alice);
    let mut twice = whole.clone();
    twice.extend_from_slice(&whole);
    for (octets, reason) in [
        (
            b"PROXY TCP4 192.0.2.7 127.0.0.1 4660 443\r\n".to_vec(),
            "proxy_header",
        ),
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), "proxy_header"),
        (vec![22, 3, 1, 0, 5], "proxy_header"),
        (too_long, "proxy_header"),
        (header(0x22, &[]), "proxy_header"),
        (header(0x21, &[0x20, 0, 9, 1]), "proxy_header"),
        (
            header(0x21, &[ssl(7, 0, &[]), ssl(7, 0, &[])].concat()),
            "proxy_header",
        ),
        (whole[..whole.len() - 1].to_vec(), "timeout"),
        (whole[..10].to_vec(), "timeout"),
    ] {
        let count = || gateway.metric("portcullis_handshake_failures_total", &[("reason", reason)]);
        let before = count();
        let mut stream = TcpStream::connect(gateway.address()).unwrap();
        stream
            .set_read_timeout(Some(std::time::Duration::from_secs(30)))
            .unwrap();
        stream.write_all(&octets).unwrap();
        let mut answer = Vec::new();
        // Closed or reset: nothing is said in any case.
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.is_empty(), "{answer:?}");
        eventually(reason, || (count() > before).then_some(()));
    }
    // A second header is no ClientHello.
    let client = scene.client(&gateway, &scene.edge).beginning_with(&twice);
    assert!(client.send(Version::Http1, get("/")).is_err());
    // Nor is no header at all forgiven to a front proxy.
    assert!(
        scene
            .client(&gateway, &scene.edge)
            .send(Version::Http1, get("/"))
            .is_err()
    );
    assert_eq!(
        behind(scene.client(&gateway, &scene.edge), Version::Http1, &whole),
        through()
    );
}

#[test]
fn a_header_is_used_after_a_reload_only_where_still_configured() {
    let scene = Scene::new();
    let config = scene.config("", FRONT);
    let gateway = Gateway::start(&config);
    let others = [
        config.replace("peers = [\"edge\"]", "peers = [\"other\"]"),
        config.replace(FRONT, "identity = \"rfc9440\""),
        scene
            .config("", FRONT)
            .split("[listener.main.front_proxy]")
            .collect::<Vec<_>>()
            .concat()
            .replace(
                &format!("\npeers = [\"edge\"]\ntrust_domain = \"partners\"\n{FRONT}\n"),
                "\n",
            ),
    ];
    for other in &others {
        for version in BOTH {
            gateway.reload_with(&config);
            let client = scene
                .client(&gateway, &scene.edge)
                .beginning_with(&with_certificate(&scene.alice));
            let mut connection = client.connect(version).unwrap();
            assert_eq!(connection.send(get("/")).unwrap().status, 200);
            gateway.reload_with(other);
            let answer = connection.send(get("/")).unwrap();
            assert_eq!(
                (answer.status, answer.reason().as_str()),
                (403, "not_a_front_proxy"),
                "{other}"
            );
        }
    }
}
