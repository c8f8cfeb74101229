//! What openssl and curl try after, before and beside an ordinary handshake: sessions of users who are gone, renegotiation,
//! early data, authentication after the handshake.

use crate::support::der::{element, explicit, integer};
use crate::support::gateway::{listener, route_to, user};
use crate::support::pki::{Identity, Kind, text};
use crate::support::{Gateway, Peer, Pki, Upstream, eventually, require_program, run};
use rustls::pki_types::pem::PemObject;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

struct Scene {
    pki: Pki,
    alice: Identity,
    upstream: Upstream,
    gateway: Gateway,
}

impl Scene {
    fn new() -> Self {
        let (pki, upstream) = (Pki::new(), Upstream::start());
        let gateway = Gateway::start(&config(&pki, &upstream, "alice"));
        Self {
            alice: pki.client("alice"),
            pki,
            upstream,
            gateway,
        }
    }

    /// Runs `openssl s_client` as alice; what is typed is typed after the handshake.
    fn s_client(&self, flags: &[&str], typed: &str) -> String {
        let mut client = Typist::start(self, flags);
        client.wait_for("Verify return code");
        client.write(typed);
        client.end()
    }
}

fn config(pki: &Pki, upstream: &Upstream, name: &str) -> String {
    listener(pki) + &user(name, &["GET /*"]) + &route_to(upstream.address)
}

const REQUEST: &str = "GET /x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// A running `openssl s_client`, and what it has printed so far.
struct Typist {
    process: Peer,
    printed: Arc<Mutex<Vec<u8>>>,
    readers: Vec<std::thread::JoinHandle<()>>,
}

impl Typist {
    fn start(scene: &Scene, flags: &[&str]) -> Self {
        let mut command = Command::new("openssl");
        command
            .args([
                "s_client",
                "-connect",
                &scene.gateway.address().to_string(),
                "-servername",
                "localhost",
            ])
            .args(["-CAfile", &text(&scene.pki.ca_file())])
            .args([
                "-cert",
                &text(&scene.alice.certificate_file),
                "-key",
                &text(&scene.alice.key_file),
            ])
            .args(flags)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = Peer::start(&mut command);
        let child = process.process();
        let printed = Arc::new(Mutex::new(Vec::new()));
        let sources: [Box<dyn Read + Send>; 2] = [
            Box::new(child.stdout.take().unwrap()),
            Box::new(child.stderr.take().unwrap()),
        ];
        let readers = sources.into_iter().map(|mut source| {
            let printed = printed.clone();
            std::thread::spawn(move || {
                let mut octets = [0; 4096];
                while let Ok(length @ 1..) = source.read(&mut octets) {
                    printed.lock().unwrap().extend(&octets[..length]);
                }
            })
        });
        Self {
            readers: readers.collect(),
            process,
            printed,
        }
    }

    fn printed(&self) -> String {
        String::from_utf8_lossy(&self.printed.lock().unwrap()).into_owned()
    }

    fn wait_for(&self, words: &str) {
        eventually(words, || self.printed().contains(words).then_some(()));
    }

    fn write(&mut self, text: &str) {
        // It may be gone already.
        let _ = self
            .process
            .process()
            .stdin
            .as_mut()
            .unwrap()
            .write_all(text.as_bytes());
    }

    /// Waits for its end, and gives all that it has printed.
    fn end(mut self) -> String {
        self.process.wait();
        self.readers
            .drain(..)
            .for_each(|reader| reader.join().unwrap());
        self.printed()
    }
}

#[test]
fn a_session_of_a_removed_user_is_not_resumed() {
    if !require_program("openssl") {
        return;
    }
    let scene = Scene::new();
    let session = text(&scene.pki.path("session"));
    for version in ["-tls1_3", "-tls1_2"] {
        scene
            .gateway
            .reload_with(&config(&scene.pki, &scene.upstream, "alice"));
        let first = scene.s_client(&[version, "-sess_out", &session], REQUEST);
        assert!(
            first.contains("New, TLS") && first.contains("HTTP/1.1 200"),
            "{first}"
        );
        // Its twin: as long as there is a user, the session is as good as before.
        let second = scene.s_client(&[version, "-sess_in", &session], REQUEST);
        assert!(
            second.contains("Reused, TLS") && second.contains("HTTP/1.1 200"),
            "{second}"
        );
        scene
            .gateway
            .reload_with(&config(&scene.pki, &scene.upstream, "bob"));
        let third = scene.s_client(&[version, "-sess_in", &session], REQUEST);
        assert!(
            third.contains("Reused, TLS") && third.contains("HTTP/1.1 403"),
            "{version}: {third}"
        );
        assert!(third.contains("unknown_user"), "{third}");
    }
    assert_eq!(scene.upstream.recorded().len(), 4);
}

#[test]
fn nobody_negotiates_anew() {
    if !require_program("openssl") {
        return;
    }
    let scene = Scene::new();
    let plain = scene.s_client(&["-tls1_2"], REQUEST);
    assert!(plain.contains("HTTP/1.1 200"), "{plain}");
    let anew = scene.s_client(&["-tls1_2"], "R\n");
    assert!(
        anew.contains("RENEGOTIATING") && anew.contains("no renegotiation"),
        "{anew}"
    );
    scene
        .gateway
        .wait_for_metric("portcullis_handshakes_total", &[], 2.0);
    assert_eq!(scene.upstream.recorded().len(), 1);
}

#[test]
fn after_the_handshake_no_certificate_is_requested() {
    if !require_program("openssl") {
        return;
    }
    let scene = Scene::new();
    let output = scene.s_client(&["-tls1_3", "-enable_pha", "-msg"], REQUEST);
    assert!(output.contains("HTTP/1.1 200"), "{output}");
    assert_eq!(
        output.matches(", CertificateRequest").count(),
        1,
        "{output}"
    );
}

/// A session as openssl stores it, that claims to be good for early data.
fn with_early_data(session: &str) -> Vec<u8> {
    let (_, rest) = session
        .split_once("-----BEGIN SSL SESSION PARAMETERS-----")
        .expect("a session");
    let (body, _) = rest.split_once("-----END").expect("a session");
    let certificate = format!("-----BEGIN CERTIFICATE-----{body}-----END CERTIFICATE-----\n");
    let der = rustls::pki_types::CertificateDer::from_pem_slice(certificate.as_bytes())
        .expect("PEM")
        .to_vec();
    // The length of the outer sequence takes two octets. Parts are in the order of their tags, and 15 is the size.
    assert_eq!(der[..2], [0x30, 0x82]);
    let mut rest = &der[4..];
    let (mut before, mut after) = (Vec::new(), Vec::new());
    while !rest.is_empty() {
        let length = match rest[1] {
            short @ 0..=0x7f => 2 + usize::from(short),
            0x81 => 3 + usize::from(rest[2]),
            _ => 4 + usize::from(u16::from_be_bytes([rest[2], rest[3]])),
        };
        let (part, behind) = rest.split_at(length);
        match part[0] {
            tag @ 0xa0.. if tag > 0xaf => after.extend(part),
            0xaf => {}
            _ => before.extend(part),
        }
        rest = behind;
    }
    element(
        0x30,
        &[before, explicit(15, &integer(&[0x40, 0])), after].concat(),
    )
}

#[test]
fn data_before_the_handshake_is_not_taken() {
    if !require_program("openssl") {
        return;
    }
    let scene = Scene::new();
    let (session, early) = (scene.pki.path("session"), scene.pki.path("early"));
    let first = scene.s_client(&["-tls1_3", "-sess_out", &text(&session)], REQUEST);
    assert!(
        first.contains("HTTP/1.1 200") && first.contains("Max Early Data: 0"),
        "{first}"
    );
    // Tickets do not allow it, so openssl only sends it if the session lies.
    let lie = with_early_data(&std::fs::read_to_string(&session).unwrap());
    std::fs::write(&session, super::scene::pem("SSL SESSION PARAMETERS", &lie)).unwrap();
    std::fs::write(&early, REQUEST.replace("/x", "/early")).unwrap();
    let resumed = || {
        scene
            .gateway
            .metric("portcullis_handshakes_total", &[("resumption", "resumed")])
    };
    let mut client = Typist::start(
        &scene,
        &[
            "-tls1_3",
            "-sess_in",
            &text(&session),
            "-early_data",
            &text(&early),
        ],
    );
    eventually("a word about early data", || {
        let printed = client.printed();
        (printed.contains("Early data was rejected") || printed.contains("alert")).then_some(())
    });
    client.write(REQUEST);
    let output = client.end();
    assert!(!output.contains("Early data was accepted"), "{output}");
    assert!(
        scene
            .upstream
            .recorded()
            .iter()
            .all(|request| request.target != "/early"),
        "{output}"
    );
    // The twin: the same session without it.
    let plain = scene.s_client(&["-tls1_3", "-sess_in", &text(&session)], REQUEST);
    assert!(
        plain.contains("HTTP/1.1 200") && resumed() >= 1.0,
        "{plain}"
    );
}

#[test]
fn curl_gets_the_alert_for_its_certificate() {
    if !require_program("curl") {
        return;
    }
    let scene = Scene::new();
    let url = format!("https://localhost:{}/x", scene.gateway.address().port());
    let authority = text(&scene.pki.ca_file());
    let stranger = Pki::named("Stranger").client("alice");
    let expired = scene.pki.of_kind("alice", Kind::Expired);
    let server = scene.pki.of_kind("alice", Kind::Server);
    for (identity, words) in [
        (Some(&scene.alice), None),
        (None, Some("certificate required")),
        (Some(&expired), Some("certificate expired")),
        (Some(&stranger), Some("unknown ca")),
        (Some(&server), Some("unsupported certificate")),
    ] {
        let mut arguments = vec!["-sS".to_owned(), "--cacert".to_owned(), authority.clone()];
        if let Some(identity) = identity {
            // The folder of a stranger is gone, so files are written once more.
            let (certificate, key) = (scene.pki.path("shown.crt"), scene.pki.path("shown.key"));
            std::fs::write(&certificate, &identity.certificate).unwrap();
            std::fs::write(&key, &identity.key).unwrap();
            arguments.extend([
                "--cert".to_owned(),
                text(&certificate),
                "--key".to_owned(),
                text(&key),
            ]);
        }
        arguments.push(url.clone());
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let (out, error, code) = run("curl", &arguments);
        match words {
            None => assert_eq!((out.as_str(), code), ("hello", 0), "{error}"),
            Some(words) => assert!(
                code != 0 && out.is_empty() && error.contains(words),
                "{words}: {error}"
            ),
        }
    }
    assert_eq!(scene.upstream.recorded().len(), 1);
}
