//! Who ApiUsers are at upstreams: each is itself there, by a password or a certificate, and never somebody else.

mod changes;

use crate::support::client::{Version, get, request, status};
use crate::support::gateway::{listener, listener_with, user};
use crate::support::tls_upstream::tls_upstream;
use crate::support::{Client, Gateway, PORTCULLIS, Pki, Upstream, eventually, run};
use http::HeaderValue;
use std::collections::{HashMap, HashSet};
use std::fs::write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// The record layer, and what the client speaks.
const WAYS: [(&str, Version); 3] = [
    ("record_layer = \"rustls\"\n", Version::Http1),
    ("record_layer = \"in-place\"\n", Version::Http1),
    ("", Version::Http2),
];

/// An upstream that says whom it sees: `NAME of the certificate|Authorization|number of the connection`.
struct Mirror {
    upstream: Upstream,
    /// How many connections are open.
    open: Arc<AtomicUsize>,
    pki: Pki,
}

impl Mirror {
    fn start() -> Self {
        let (pki, open): (_, Arc<AtomicUsize>) = (Pki::named("Their CA"), Arc::default());
        let count = open.clone();
        let upstream = tls_upstream(&pki, move |mut stream| {
            count.fetch_add(1, Ordering::SeqCst);
            loop {
                let head = stream.read_head();
                if head.is_empty() {
                    break;
                }
                let mut shown = head
                    .lines()
                    .filter_map(|line| line.strip_prefix("authorization: "));
                let text = format!(
                    "{}|{}|{}",
                    stream.client,
                    shown.next().unwrap_or("-"),
                    stream.number
                );
                assert_eq!(shown.next(), None, "one field at most");
                stream.write(&format!(
                    "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}",
                    text.len()
                ));
            }
            count.fetch_sub(1, Ordering::SeqCst);
        });
        Self {
            upstream,
            open,
            pki,
        }
    }

    fn endpoint(&self) -> String {
        format!(
            "[upstream.api]\nendpoints = [\"https://localhost:{}\"]\nanchors = [\"{}\"]\n",
            self.upstream.address.port(),
            self.pki.ca_file().display()
        )
    }

    /// Lines for a certificate of the upstream's own CA.
    fn certificate(&self, name: &str) -> String {
        let identity = self.pki.client(name);
        format!(
            "certificate = \"{}\"\nprivate_key = \"{}\"\n",
            identity.certificate_file.display(),
            identity.key_file.display()
        )
    }
}

const ROUTES: &str = "[[route]]\npath = \"/\"\nupstream = \"api\"\n\
    [[route]]\npath = \"/public\"\nupstream = \"api\"\nclient_auth = \"optional\"\n";

/// Whom the upstream saw, and on which connection.
#[derive(Debug, PartialEq, Eq)]
struct Saw {
    certificate: String,
    authorization: String,
    connection: usize,
}

fn saw(body: &str) -> Saw {
    let parts: Vec<_> = body.split('|').collect();
    let [certificate, authorization, connection] = parts[..] else {
        panic!("{body}")
    };
    let connection = connection.parse().unwrap();
    Saw {
        certificate: certificate.to_owned(),
        authorization: authorization.to_owned(),
        connection,
    }
}

struct Scene {
    pki: Pki,
    mirror: Mirror,
    gateway: Gateway,
    lines: &'static str,
}

impl Scene {
    /// `upstream` continues its table.
    fn new(
        lines: &'static str,
        upstream: &str,
        users: impl FnOnce(&Pki, &Mirror) -> String,
    ) -> Self {
        let (pki, mirror) = (Pki::new(), Mirror::start());
        let users = users(&pki, &mirror);
        let gateway = Gateway::start(&Self::text(&pki, &mirror, lines, upstream, &users));
        Self {
            pki,
            mirror,
            gateway,
            lines,
        }
    }

    fn text(pki: &Pki, mirror: &Mirror, lines: &str, upstream: &str, users: &str) -> String {
        listener_with(pki, lines) + users + &mirror.endpoint() + upstream + ROUTES
    }

    fn reload(&self, upstream: &str, users: &str) {
        self.gateway.reload_with(&Self::text(
            &self.pki,
            &self.mirror,
            self.lines,
            upstream,
            users,
        ));
    }

    fn client(&self, name: &str) -> Client {
        Client::new(
            &self.pki,
            Some(&self.pki.client(name)),
            self.gateway.address(),
        )
    }

    fn saw(&self, version: Version, name: &str) -> Saw {
        let answer = self
            .client(name)
            .send(version, with_authorization("/"))
            .unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        saw(&answer.body)
    }
}

fn with_authorization(path: &str) -> http::Request<crate::support::client::RequestBody> {
    let mut request = get(path);
    request.headers_mut().insert(
        "authorization",
        HeaderValue::from_static("Basic c3RvbGVuOnNlY3JldA=="),
    );
    request
}

fn by_password(pki: &Pki, name: &str, secret: &str) -> String {
    let file = pki.path(&format!("{name}.secret"));
    write(&file, format!("{secret}\n")).unwrap();
    user(name, &["*"])
        + &format!(
            "[api_user.{name}.upstream.api]\nbasic_credentials = \"{}\"\n",
            file.display()
        )
}

fn by_certificate(mirror: &Mirror, name: &str, shown: &str) -> String {
    user(name, &["*"])
        + &format!(
            "[api_user.{name}.upstream.api]\n{}",
            mirror.certificate(shown)
        )
}

/// The gateway's own: `gateway:own`.
fn own(pki: &Pki) -> String {
    write(pki.path("own.secret"), "gateway:own\n").unwrap();
    format!(
        "basic_credentials = \"{}\"\n",
        pki.path("own.secret").display()
    )
}

const OWN: &str = "Basic Z2F0ZXdheTpvd24=";
/// `alice:one` and `bob:two`.
const ALICE: &str = "Basic YWxpY2U6b25l";
const BOB: &str = "Basic Ym9iOnR3bw==";

#[test]
fn each_user_has_its_own_upstream_password_and_client_credentials_are_removed() {
    for (lines, version) in WAYS {
        let (pki, mirror) = (Pki::new(), Mirror::start());
        let users = by_password(&pki, "alice", "alice:one")
            + &by_password(&pki, "bob", "bob:two")
            + &user("carol", &["*"]);
        let gateway = Gateway::start(&Scene::text(&pki, &mirror, lines, &own(&pki), &users));
        let scene = Scene {
            pki,
            mirror,
            gateway,
            lines,
        };
        for (name, expected) in [
            ("alice", ALICE),
            ("bob", BOB),
            ("carol", OWN),
            ("alice", ALICE),
        ] {
            let saw = scene.saw(version, name);
            assert_eq!(
                (saw.certificate.as_str(), saw.authorization.as_str()),
                ("", expected),
                "{lines} {version:?}"
            );
        }
        eventually("a line for each request", || {
            (scene.gateway.access_log().len() == 4).then_some(())
        });
        let logged = format!(
            "{:?}{:?}",
            scene.gateway.settled_log(),
            scene.gateway.access_log()
        );
        for secret in [
            "alice:one",
            "YWxpY2U6b25l",
            "gateway:own",
            "Z2F0ZXdheTpvd24",
        ] {
            assert!(!logged.contains(secret), "{secret} is in a log");
        }
    }
}

#[test]
fn each_user_has_its_own_certificate_there_on_connections_that_no_other_shares() {
    const ROUNDS: usize = 30;
    for (lines, version) in WAYS {
        let scene = Scene::new(lines, "", |_, mirror| {
            by_certificate(mirror, "alice", "icinga-alice")
                + &by_certificate(mirror, "bob", "icinga-bob")
                + &user("carol", &["*"])
        });
        let connections: Mutex<HashMap<&str, HashSet<usize>>> = Mutex::default();
        let names = [
            ("alice", "icinga-alice"),
            ("bob", "icinga-bob"),
            ("carol", ""),
        ];
        std::thread::scope(|scope| {
            for (name, shown) in names.into_iter().cycle().take(6) {
                let (scene_, connections) = (&scene, &connections);
                scope.spawn(move || {
                    let client = scene_.client(name);
                    let mut connection = client.connect(version).unwrap();
                    for _ in 0..ROUNDS {
                        let saw = saw(&connection.send(with_authorization("/")).unwrap().body);
                        assert_eq!(saw.certificate, shown, "{lines} {version:?}");
                        // What carol sends is hers, since neither she nor the gateway is anybody there.
                        assert_eq!(
                            saw.authorization == "-",
                            name != "carol",
                            "{lines} {version:?} {saw:?}"
                        );
                        connections
                            .lock()
                            .unwrap()
                            .entry(name)
                            .or_default()
                            .insert(saw.connection);
                    }
                });
            }
        });
        let connections = connections.into_inner().unwrap();
        for (name, _) in names {
            let own = &connections[name];
            assert!(own.len() < ROUNDS, "connections are used again: {own:?}");
            for (other, _) in names.iter().filter(|(other, _)| *other != name) {
                assert!(
                    own.is_disjoint(&connections[other]),
                    "{name} and {other} share one: {lines} {version:?}"
                );
            }
        }
    }
}

#[test]
fn with_required_accounts_no_request_uses_the_gateway_account() {
    for (lines, version) in WAYS {
        let (pki, mirror) = (Pki::new(), Mirror::start());
        let users = by_password(&pki, "alice", "alice:one")
            + &by_certificate(&mirror, "bob", "icinga-bob")
            + &user("carol", &["*"]);
        let upstream = own(&pki) + "credentials_of_users = \"required\"\n";
        let gateway = Gateway::start(&Scene::text(&pki, &mirror, lines, &upstream, &users));
        let scene = Scene {
            pki,
            mirror,
            gateway,
            lines,
        };
        assert_eq!(scene.saw(version, "alice").authorization, ALICE);
        assert_eq!(scene.saw(version, "bob").certificate, "icinga-bob");
        for (name, path) in [
            ("carol", "/"),
            ("carol", "/public"),
            ("stranger", "/public"),
        ] {
            let refused = scene.client(name).send(version, get(path)).unwrap();
            let expected = (403, "no_upstream_credentials".to_owned());
            assert_eq!(
                (refused.status, refused.reason()),
                expected,
                "{name} {path} {lines} {version:?}"
            );
        }
        let public = scene.client("alice").send(version, get("/public")).unwrap();
        assert_eq!(saw(&public.body).authorization, ALICE);
        let config = scene.gateway.config_file.to_str().unwrap();
        let arguments = [
            "explain",
            "-c",
            config,
            "--cn",
            "carol",
            "GET",
            "https://localhost/",
        ];
        let (out, err, _) = run(PORTCULLIS, &arguments);
        assert!(out.contains("no_upstream_credentials"), "{out}{err}");
    }
}
