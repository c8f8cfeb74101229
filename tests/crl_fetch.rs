//! Revocation lists from URLs: the newest that a CA has signed comes into force, and nothing else that a server may send
//! changes anything.

mod sources;

use crate::support::client::{Version, get};
use crate::support::gateway::{listener, route_to, user};
use crate::support::pki::{Identity, subject};
use crate::support::upstream::{Body, full, pieces};
use crate::support::{Client, Gateway, Pki, Upstream, eventually};
use bytes::Bytes;
use http::Response;
use http_body::Frame;
use http_body_util::BodyExt;
use rcgen::{CertificateParams, CrlDistributionPoint, ExtendedKeyUsagePurpose};
use rustls::AlertDescription as Alert;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use time::{Duration, OffsetDateTime};

/// What the server of lists answers.
#[derive(Clone)]
enum Reply {
    List(Vec<u8>),
    /// In chunks, so that no length is told.
    Chunked(Vec<u8>),
    Status(u16),
    Redirect(String),
    /// A head, and then nothing.
    Silence,
}

/// A body that never comes.
struct Never;

impl http_body::Body for Never {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}

/// A server of lists, in clear or over TLS. It has ETags.
struct Server {
    http: Upstream,
    reply: Arc<Mutex<Reply>>,
}

impl Server {
    fn start(tls: Option<rustls::ServerConfig>) -> Self {
        let reply = Arc::new(Mutex::new(Reply::Status(503)));
        let said = reply.clone();
        let answer = move |request: &crate::support::upstream::Recorded| {
            let reply = said.lock().unwrap().clone();
            respond(reply, request.values("if-none-match").first().copied())
        };
        let http = match tls {
            None => Upstream::answering(answer),
            Some(config) => Upstream::over_tls_answering(config, answer),
        };
        Self { http, reply }
    }

    fn serve(&self, reply: Reply) {
        *self.reply.lock().unwrap() = reply;
    }

    fn serve_list(&self, pem: &str) {
        self.serve(Reply::List(pem.as_bytes().to_vec()));
    }
}

fn respond(reply: Reply, known: Option<&str>) -> Response<Body> {
    let build = Response::builder();
    match reply {
        Reply::List(octets) => {
            let etag = format!(
                "\"{}\"",
                octets
                    .iter()
                    .fold(0_u64, |sum, octet| sum.wrapping_mul(31) + u64::from(*octet))
            );
            match known == Some(&etag) {
                true => build.status(304).body(full("")),
                false => build.header("etag", etag).body(full(octets)),
            }
        }
        Reply::Chunked(octets) => build.body(pieces(
            octets
                .chunks(1000)
                .map(|it| Frame::data(Bytes::copy_from_slice(it))),
        )),
        Reply::Status(status) => build.status(status).body(full("<html>")),
        Reply::Redirect(to) => build.status(302).header("location", to).body(full("")),
        Reply::Silence => build.body(Never.boxed_unsync()),
    }
    .unwrap()
}

/// A CA, two users, a server of lists and a folder for them.
struct Scene {
    pki: Pki,
    alice: Identity,
    bob: Identity,
    server: Server,
    upstream: Upstream,
}

impl Scene {
    fn new() -> Self {
        let pki = Pki::new();
        std::fs::create_dir(pki.path("cache")).unwrap();
        let (alice, bob) = (pki.client("alice"), pki.client("bob"));
        Self {
            pki,
            alice,
            bob,
            server: Server::start(None),
            upstream: Upstream::start(),
        }
    }

    /// With these lines in the trust domain, and these in its `crl_fetch`.
    fn config(&self, domain: &str, fetch: &str) -> String {
        let lines = format!(
            "{domain}\n[trust_domain.test.crl_fetch]\ncache = \"{}\"\nrefresh = \"1s\"\n{fetch}\n[admin]",
            self.pki.path("cache").display()
        );
        let listener = listener(&self.pki).replace("[admin]", &lines);
        listener + &user("alice", &["*"]) + &user("bob", &["*"]) + &route_to(self.upstream.address)
    }

    fn by_url(&self) -> String {
        format!(
            "urls = [\"http://{}/ca.crl\"]\nsize_limit = \"4KiB\"\ntimeout = \"1s\"",
            self.server.http.address
        )
    }

    fn start(&self) -> Gateway {
        Gateway::start(&self.config("", &self.by_url()))
    }

    fn client(&self, gateway: &Gateway, identity: &Identity) -> Client {
        Client::new(&self.pki, Some(identity), gateway.address())
    }

    /// Waits until a list with so many entries is active.
    fn wait_for_entries(&self, gateway: &Gateway, count: usize) {
        // What is new is an overlay at first, and then a snapshot.
        let wanted = |status: &serde_json::Value| {
            status["overlay"] == 0
                && status["trust_domains"][0]["crls"]
                    .as_array()
                    .is_some_and(|lists| lists.iter().any(|it| it["entries"] == count))
        };
        eventually("an active list", || wanted(&status(gateway)).then_some(()));
    }

    fn cached(&self) -> Vec<Vec<u8>> {
        let entries = std::fs::read_dir(self.pki.path("cache")).unwrap();
        entries
            .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
            .collect()
    }
}

fn status(gateway: &Gateway) -> serde_json::Value {
    serde_json::from_str(&gateway.admin("/status").1).unwrap()
}

fn fetches(gateway: &Gateway, result: &str) -> f64 {
    gateway.metric(
        "portcullis_crl_fetches_total",
        &[("trust_domain", "test"), ("result", result)],
    )
}

fn der(pem: &str) -> Vec<u8> {
    CertificateRevocationListDer::from_pem_slice(pem.as_bytes())
        .unwrap()
        .to_vec()
}

#[test]
fn without_a_list_all_are_denied_and_with_the_first_only_the_revoked() {
    let scene = Scene::new();
    let (gateway, lenient) = (
        scene.start(),
        Gateway::start(&scene.config("unknown_revocation = \"allow\"", &scene.by_url())),
    );
    eventually("a failed fetch", || {
        (fetches(&gateway, "unreachable") > 0.0).then_some(())
    });
    let line = eventually("a warning", || {
        gateway.find_log("a revocation list cannot be fetched")
    });
    assert_eq!(
        (
            line["lists_in_force"].as_u64(),
            line["trust_domain"].as_str()
        ),
        (Some(0), Some("test"))
    );
    assert_eq!(scene.client(&gateway, &scene.bob).alert(), Alert::UnknownCA);
    let labels = [("reason", "revocation_unknown")];
    gateway.wait_for_metric("portcullis_handshake_failures_total", &labels, 1.0);
    assert_eq!(scene.client(&lenient, &scene.bob).get("/").status, 200);
    assert_eq!(gateway.admin("/readyz").0, 200, "it is up, and refuses");
    // Both kinds of encoding are taken.
    scene
        .server
        .serve(Reply::List(der(&scene.pki.crl(&[&scene.alice], 1))));
    for gateway in [&gateway, &lenient] {
        scene.wait_for_entries(gateway, 1);
        assert_eq!(scene.client(gateway, &scene.bob).get("/").status, 200);
        assert_eq!(
            scene.client(gateway, &scene.alice).alert(),
            Alert::CertificateRevoked
        );
    }
    assert_eq!(scene.cached().len(), 1, "both write one file");
    let last = gateway.metric(
        "portcullis_crl_fetch_last_success_timestamp_seconds",
        &[("trust_domain", "test")],
    );
    assert!(last + 60.0 > OffsetDateTime::now_utc().unix_timestamp() as f64);
    let source = &status(&gateway)["trust_domains"][0]["crl_fetch"][0];
    assert_eq!(
        source["url"],
        format!("http://{}/ca.crl", scene.server.http.address)
    );
    assert!(source["last_success"].is_string(), "{source}");
}

#[test]
fn a_newer_list_is_active_on_open_connections_and_an_unchanged_one_is_not_sent_again() {
    let scene = Scene::new();
    scene.server.serve_list(&scene.pki.crl(&[], 1));
    let gateway = scene.start();
    scene.wait_for_entries(&gateway, 0);
    let (alice, bob) = (
        scene.client(&gateway, &scene.alice),
        scene.client(&gateway, &scene.bob),
    );
    let (mut of_alice, mut of_bob) = (
        alice.connect(Version::Http1).unwrap(),
        bob.connect(Version::Http2).unwrap(),
    );
    assert_eq!(
        (
            of_alice.send(get("/")).unwrap().status,
            of_bob.send(get("/")).unwrap().status
        ),
        (200, 200)
    );
    let generation = gateway.generation();
    let unchanged = fetches(&gateway, "unchanged");
    eventually("the same again", || {
        (fetches(&gateway, "unchanged") > unchanged + 1.0).then_some(())
    });
    let conditional =
        |request: &&crate::support::upstream::Recorded| !request.values("if-none-match").is_empty();
    assert!(
        scene
            .server
            .http
            .recorded()
            .iter()
            .filter(conditional)
            .count()
            > 1
    );
    assert_eq!(
        gateway.generation(),
        generation,
        "what is the same is no reload"
    );
    scene.server.serve_list(&scene.pki.crl(&[&scene.alice], 2));
    scene.wait_for_entries(&gateway, 1);
    of_alice.must_be_refused("revoked");
    assert_eq!(of_bob.send(get("/")).unwrap().status, 200);
    // Somebody cleans up: the list is fetched again, although the server thinks that we have it.
    for entry in std::fs::read_dir(scene.pki.path("cache")).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    eventually("the list again", || {
        (scene.cached().len() == 1).then_some(())
    });
    scene.wait_for_entries(&gateway, 1);
    // The count may be that from before; a snapshot without the list, which lets nobody in, is active in between.
    eventually("bob is let in", || {
        (bob.get("/").status == 200).then_some(())
    });
    // Panics if alice gets in.
    alice.alert();
}

/// Replies that change nothing, and what each counts as.
fn useless_replies(pki: &Pki, elsewhere: &Server) -> Vec<(Reply, &'static str)> {
    let newer = |number| pki.crl(&[], number);
    let large = "-\n".repeat(4096) + &newer(6);
    let mut bent = der(&newer(6));
    *bent.last_mut().unwrap() ^= 1;
    let both = newer(6) + &Pki::named("Stranger").crl(&[], 6);
    vec![
        (Reply::List(large.clone().into()), "too_large"),
        (Reply::Chunked(large.into()), "too_large"),
        (Reply::List(Pki::new().crl(&[], 6).into()), "unusable"),
        (
            Reply::List(Pki::named("Stranger").crl(&[], 6).into()),
            "unusable",
        ),
        (Reply::List(both.into()), "unusable"),
        (Reply::List(bent), "unusable"),
        (Reply::List(b"<html>not here</html>".to_vec()), "unusable"),
        (Reply::List(Vec::new()), "unusable"),
        (Reply::List(newer(4).into()), "older"),
        (Reply::Status(500), "unreachable"),
        (
            Reply::Redirect(format!("http://{}/ca.crl", elsewhere.http.address)),
            "unreachable",
        ),
        (Reply::Silence, "timeout"),
    ]
}

#[test]
fn other_server_messages_change_nothing() {
    let scene = Scene::new();
    let good = scene.pki.crl(&[&scene.alice], 5);
    scene.server.serve_list(&good);
    let gateway = scene.start();
    scene.wait_for_entries(&gateway, 1);
    let cached = scene.cached();
    assert_eq!(cached, [der(&good)]);
    let newer = |number| scene.pki.crl(&[], number);
    let elsewhere = Server::start(None);
    elsewhere.serve_list(&newer(6));
    for (reply, result) in useless_replies(&scene.pki, &elsewhere) {
        let before = fetches(&gateway, result);
        scene.server.serve(reply);
        eventually(result, || {
            (fetches(&gateway, result) > before).then_some(())
        });
        assert_eq!(scene.cached(), cached, "{result}");
        assert_eq!(
            scene.client(&gateway, &scene.alice).alert(),
            Alert::CertificateRevoked,
            "{result}"
        );
        assert_eq!(
            scene.client(&gateway, &scene.bob).get("/").status,
            200,
            "{result}"
        );
    }
    assert!(
        elsewhere.http.recorded().is_empty(),
        "redirects are not followed"
    );
    assert_eq!(gateway.reloads("failure"), 0.0);
    // The same list, when it is sent as it should be.
    scene.server.serve(Reply::Chunked(newer(6).into()));
    scene.wait_for_entries(&gateway, 0);
    // What takes rights away is active at once; a right comes back with the reload.
    eventually("alice is let in again", || {
        let answer = scene
            .client(&gateway, &scene.alice)
            .send(Version::Http1, get("/"))
            .ok()?;
        (answer.status == 200).then_some(())
    });
}
