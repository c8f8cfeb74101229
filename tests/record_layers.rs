//! Both ways of opening and sealing TLS records serve the same, to real clients.

use crate::support::client::{BOTH, Raw, Version, body, get};
use crate::support::gateway::{listener_with, route_to, user};
use crate::support::pki::Kind;
use crate::support::upstream::full;
use crate::support::{Client, Gateway, Peer, Pki, Upstream, eventually, require_program};
use http::{Request, Response};
use rustls::AlertDescription as Alert;
use rustls::version::{TLS12, TLS13};
use std::io::{Read, Write};
use std::process::{Command, Stdio};

const LAYERS: [&str; 2] = ["rustls", "in-place"];

fn start(pki: &Pki, upstream: &Upstream, layer: &str) -> Gateway {
    let lines = format!("record_layer = \"{layer}\"\n");
    Gateway::start(
        &(listener_with(pki, &lines) + &user("alice", &["*"]) + &route_to(upstream.address)),
    )
}

#[test]
fn every_client_is_served_with_every_protocol() {
    for layer in LAYERS {
        let (pki, upstream) = (Pki::new(), Upstream::start());
        let gateway = start(&pki, &upstream, layer);
        for versions in [&[&TLS13][..], &[&TLS12], &[&TLS13, &TLS12]] {
            for http in BOTH {
                let client = Client::with_provider(
                    &pki,
                    Some(&pki.client("alice")),
                    gateway.address(),
                    versions,
                );
                for _ in 0..2 {
                    assert_eq!(
                        client.send(http, get("/")).unwrap().status,
                        200,
                        "{layer} {versions:?} {http:?}"
                    );
                }
            }
        }
        gateway.wait_for_metric(
            "portcullis_handshakes_total",
            &[("resumption", "resumed")],
            6.0,
        );
        for seen in upstream.recorded() {
            assert_eq!(seen.values("x-client-cn"), ["alice"]);
        }
    }
}

#[test]
fn a_hello_of_many_records_is_read_whole() {
    for layer in LAYERS {
        let (pki, upstream) = (Pki::new(), Upstream::start());
        let gateway = start(&pki, &upstream, layer);
        for names in [100, 130, 135, 400, 440] {
            let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address())
                .with_config(|config| {
                    let odd = (0..names).map(|number| format!("{number:030}").into_bytes());
                    config.alpn_protocols = odd.chain([b"http/1.1".to_vec()]).collect();
                });
            let mut raw = client.raw_as_configured();
            raw.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
            raw.read_until("hello");
        }
        // Longer ones would only hold memory.
        for names in [530, 545, 900, 1800] {
            let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address())
                .with_config(|config| {
                    config.alpn_protocols = (0..names)
                        .map(|number| format!("{number:030}").into_bytes())
                        .collect();
                });
            assert_eq!(client.alert(), Alert::DecodeError, "{layer} {names}");
        }
    }
}

#[test]
fn a_rejected_client_learns_why_on_both() {
    for layer in LAYERS {
        let (pki, upstream) = (Pki::new(), Upstream::start());
        let gateway = start(&pki, &upstream, layer);
        for (identity, alert) in [
            (None, Alert::CertificateRequired),
            (
                Some(pki.of_kind("alice", Kind::Expired)),
                Alert::CertificateExpired,
            ),
            (
                Some(Pki::named("Other CA").client("alice")),
                Alert::UnknownCA,
            ),
        ] {
            let client =
                Client::with_provider(&pki, identity.as_ref(), gateway.address(), &[&TLS13]);
            assert_eq!(client.alert(), alert, "{layer}");
        }
        assert!(upstream.recorded().is_empty());
    }
}

/// Each layer, and what the client speaks.
const WAYS: [(&str, Version); 4] = [
    ("rustls", Version::Http1),
    ("rustls", Version::Http2),
    ("in-place", Version::Http1),
    ("in-place", Version::Http2),
];

/// An open connection on which a request was answered, if it is HTTP/1.1.
fn served(client: &Client, version: Version) -> Raw {
    let mut raw = client.raw_in(version);
    match version {
        Version::Http1 => {
            raw.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
            raw.read_until("hello");
        }
        Version::Http2 => {
            raw.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
            assert!(!raw.read_some().is_empty());
        }
    }
    raw
}

#[test]
fn a_client_that_breaks_tls_learns_it_and_that_is_logged_and_counted() {
    for (layer, version) in WAYS {
        let (pki, upstream) = (Pki::new(), Upstream::start());
        let gateway = start(&pki, &upstream, layer);
        let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
        let mut raw = served(&client, version);
        // Behind the record that nobody can open lies more that nobody reads.
        let broken = [
            &[23, 3, 3, 0, 64][..],
            &[7; 64],
            &[23, 3, 3, 0x40, 0][..],
            &[7; 60_000],
        ]
        .concat();
        raw.socket().write_all(&broken).unwrap();
        let mut alert = None;
        while alert.is_none() {
            // What HTTP/2 says before the alert is content.
            alert = raw.content_or_alert();
        }
        assert_eq!(alert, Some(Alert::BadRecordMac), "{layer} {version:?}");
        let told = |reason: &str| {
            let count = || {
                gateway.metric(
                    "portcullis_tls_failures_total",
                    &[("listener", "main"), ("reason", reason)],
                )
            };
            eventually("it is counted", || (count() == 1.0).then_some(()));
            let is_it = |line: &serde_json::Value| {
                line["message"] == "tls failed" && line["reason"] == reason
            };
            // The line is read after it was counted.
            eventually("a line about it", || gateway.log().into_iter().find(is_it));
            let count = gateway.settled_log().into_iter().filter(is_it).count();
            assert_eq!(count, 1, "{layer} {version:?}");
        };
        told("bad_record");
        // One that gives up itself is told nothing, and that is told.
        let mut raw = served(&client, version);
        raw.send_fatal_alert();
        told("client_alert");
        assert_eq!(client.send(version, get("/")).unwrap().status, 200);
        // An orderly end is no failure.
        gateway.wait_for_metric("portcullis_tls_failures_total", &[], 2.0);
    }
}

#[test]
fn a_flood_of_key_updates_is_cut_and_a_few_between_requests_pass() {
    const PING: &[u8] = b"\0\0\x08\x06\0\0\0\0\0portculs";
    for (layer, version) in WAYS {
        let (pki, upstream) = (Pki::new(), Upstream::start());
        let gateway = start(&pki, &upstream, layer);
        let client = Client::with_provider(
            &pki,
            Some(&pki.client("alice")),
            gateway.address(),
            &[&TLS13],
        );
        let mut raw = served(&client, version);
        for _ in 0..10 {
            raw.renew_keys(2);
            match version {
                Version::Http1 => {
                    raw.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
                    raw.read_until("hello");
                }
                Version::Http2 => {
                    raw.write(PING);
                    raw.read_until("portculs");
                }
            }
        }
        assert_eq!(
            gateway.metric("portcullis_tls_failures_total", &[]),
            0.0,
            "{layer} {version:?}"
        );
        raw.renew_keys(40);
        // rustls, which also has the records of HTTP/2, has no way to send a fatal alert for this: a goodbye.
        let in_place = layer == "in-place" && version == Version::Http1;
        let alert = in_place.then_some(Alert::UnexpectedMessage);
        assert_eq!(raw.end_of_tls(), alert, "{layer} {version:?}");
        let floods = [("listener", "main"), ("reason", "key_updates")];
        eventually("it is counted", || {
            (gateway.metric("portcullis_tls_failures_total", &floods) == 1.0).then_some(())
        });
        assert_eq!(gateway.wait_for_log("tls failed")["reason"], "key_updates");
        assert_eq!(client.send(version, get("/")).unwrap().status, 200);
    }
}

#[test]
fn large_bodies_pass_whole_on_both() {
    const LENGTH: usize = 3_000_000;
    for layer in LAYERS {
        let answer = |_: &_| Response::new(full(vec![b'd'; LENGTH]));
        let (pki, upstream) = (Pki::new(), Upstream::answering(answer));
        let gateway = start(&pki, &upstream, layer);
        let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
        let request = Request::post("/")
            .header("host", "localhost")
            .body(body(vec![b'u'; LENGTH]))
            .unwrap();
        let answer = client.send(Version::Http1, request).unwrap();
        assert_eq!((answer.status, answer.body.len()), (200, LENGTH), "{layer}");
        assert!(upstream.only().body.len() == LENGTH);
    }
}

#[test]
fn openssl_may_change_keys_in_the_middle() {
    if !require_program("openssl") {
        return;
    }
    for (layer, suite) in [
        ("rustls", "TLS_AES_256_GCM_SHA384"),
        ("in-place", "TLS_AES_128_GCM_SHA256"),
        ("in-place", "TLS_AES_256_GCM_SHA384"),
        ("in-place", "TLS_CHACHA20_POLY1305_SHA256"),
    ] {
        let (pki, upstream) = (Pki::new(), Upstream::start());
        let gateway = start(&pki, &upstream, layer);
        let identity = pki.client("alice");
        let mut command = Command::new("openssl");
        command
            .args([
                "s_client",
                "-connect",
                &gateway.address().to_string(),
                "-servername",
                "localhost",
            ])
            .args([
                "-CAfile",
                pki.ca_file().to_str().unwrap(),
                "-ciphersuites",
                suite,
                "-tls1_3",
            ])
            // It begins with a share for a group that is not served, so there is a second hello.
            .args(["-groups", "P-521:X25519"])
            .arg("-cert")
            .arg(&identity.certificate_file)
            .arg("-key")
            .arg(&identity.key_file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut peer = Peer::start(&mut command);
        let child = peer.process();
        let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut notes = child.stderr.take().unwrap();
        // `k` changes its own key, `K` asks for a new one of ours, too. Each is a command only as a line by itself, so
        // each is sent when the answer to what came
        // before is there.
        for (round, update) in ["k\n", "K\n", "k\n", "K\n"].into_iter().enumerate() {
            input.write_all(update.as_bytes()).unwrap();
            read_until(&mut notes, "KEYUPDATE");
            input
                .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                .unwrap();
            read_until(&mut output, "hello");
            eventually("the request upstream", || {
                (upstream.recorded().len() == round + 1).then_some(())
            });
        }
    }
}

fn read_until(output: &mut impl Read, end: &str) {
    let (mut all, mut piece) = (String::new(), [0; 4096]);
    while !all.contains(end) {
        let length = output.read(&mut piece).unwrap();
        assert!(length > 0, "no {end:?} in {all}");
        all.push_str(&String::from_utf8_lossy(&piece[..length]));
    }
}
