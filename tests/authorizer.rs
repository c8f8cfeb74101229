//! External authorizers: what they are told, what they can take away, and what happens when they do not answer.

/// Verdicts that are remembered.
mod cache;
/// An authorizer of Envoy's kind.
mod grpc;
/// Requests under way, shadow mode, passwords and public routes.
mod judgement;
/// The real nginx as an authorizer.
mod real;
/// `https`, and our certificate.
mod secured;
/// Authorizers that do not answer.
mod silent;
/// What they are told, and what upstreams are told by them.
mod told;

use crate::support::client::{Answer, Version, get};
use crate::support::gateway::{listener_with, user};
use crate::support::upstream::full;
use crate::support::{Client, Gateway, Pki, Upstream, eventually_is};
use grpc::{Grpc, Message};
use http::Response;
use std::net::SocketAddr;

/// Long enough that only what hangs runs into it.
const PATIENT: &str = "timeout = \"20s\"\n";

/// Who is asked, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speaks {
    ForwardAuth,
    ExtAuthz,
}

const BOTH: [Speaks; 2] = [Speaks::ForwardAuth, Speaks::ExtAuthz];

impl Speaks {
    /// `[authorizer.opa]` at this address.
    fn table(self, address: SocketAddr, keys: &str) -> String {
        let (protocol, endpoint) = match self {
            Self::ForwardAuth => (
                "forward-auth",
                format!("http://{address}/check?by=portcullis"),
            ),
            Self::ExtAuthz => ("ext-authz", format!("http://{address}")),
        };
        format!("[authorizer.opa]\nprotocol = \"{protocol}\"\nendpoint = \"{endpoint}\"\n{keys}")
    }
}

/// A route for everything to the upstream, which asks.
fn asking_route(upstream: SocketAddr) -> String {
    format!(
        "[upstream.api]\nendpoints = [\"http://{upstream}\"]\n[[route]]\npath = \"/\"\nupstream = \"api\"\nauthorizer = \"opa\"\n"
    )
}

/// What an authorizer says to a path: it permits `/yes...` alone.
fn status_for(target: &str) -> u16 {
    match target.split(['?', '/']).nth(1).unwrap_or_default() {
        "yes" => 200,
        "login" => 302,
        "unauthorized" => 401,
        "broken" => 500,
        _ => 403,
    }
}

/// An authorizer that says this.
fn forward_auth() -> Upstream {
    Upstream::answering(|asked| {
        let status = status_for(asked.values("x-forwarded-uri")[0]);
        let answer = Response::builder()
            .status(status)
            .header("x-org", "example")
            .header("location", "/elsewhere");
        answer
            .header("www-authenticate", "Basic")
            .body(full("words for nobody"))
            .unwrap()
    })
}

/// The same for Envoy.
fn ext_authz() -> Grpc {
    Grpc::answering(None, |asked: &Message| {
        Some(match status_for(&asked.text(&[1, 4, 2, 4])) {
            200 => {
                let header = [grpc::field(1, "x-org"), grpc::field(2, "example")].concat();
                let ok = grpc::field(2, grpc::field(1, header));
                grpc::Answer::message(&[grpc::field(1, ""), grpc::field(3, ok)].concat())
            }
            500 => grpc::Answer {
                grpc_status: Some("13"),
                ..grpc::Answer::code(0)
            },
            _ => grpc::Answer::code(7),
        })
    })
}

/// A fake authorizer of either kind.
enum Fake {
    ForwardAuth(Upstream),
    ExtAuthz(Grpc),
}

impl Fake {
    fn start(speaks: Speaks) -> Self {
        match speaks {
            Speaks::ForwardAuth => Self::ForwardAuth(forward_auth()),
            Speaks::ExtAuthz => Self::ExtAuthz(ext_authz()),
        }
    }

    fn address(&self) -> SocketAddr {
        match self {
            Self::ForwardAuth(server) => server.address,
            Self::ExtAuthz(server) => server.address,
        }
    }

    /// How often it was asked.
    fn asked(&self) -> usize {
        match self {
            Self::ForwardAuth(server) => server.recorded().len(),
            Self::ExtAuthz(server) => server.asked().len(),
        }
    }
}

/// A gateway that asks.
struct Scene {
    pki: Pki,
    fake: Fake,
    upstream: Upstream,
    gateway: Gateway,
}

impl Scene {
    /// With these keys of the listener and of the authorizer, and further tables.
    fn new(speaks: Speaks, listener: &str, keys: &str, more: &str) -> Self {
        let (pki, fake, upstream) = (Pki::new(), Fake::start(speaks), Upstream::start());
        let config = listener_with(&pki, listener)
            + &user("alice", &["GET /*", "POST /*"])
            + &user("bob", &["GET /*"])
            + &speaks.table(fake.address(), keys)
            + &asking_route(upstream.address)
            + more;
        let gateway = Gateway::start(&config);
        Self {
            pki,
            fake,
            upstream,
            gateway,
        }
    }

    fn client(&self, name: &str) -> Client {
        Client::new(
            &self.pki,
            Some(&self.pki.client(name)),
            self.gateway.address(),
        )
    }

    /// The line of the access log for an answer of the gateway itself.
    fn line(&self, answer: &Answer) -> serde_json::Value {
        let id = answer.header("x-request-id").expect("an id").to_owned();
        self.gateway
            .wait_for_access(|line| line["id"] == id.as_str())
    }

    fn counted(&self, result: &str) -> f64 {
        let labels = [("authorizer", "opa"), ("result", result)];
        self.gateway
            .metric("portcullis_authorizer_requests_total", &labels)
    }
}

/// Nothing of what the authorizer says reaches the client.
fn is_refused(answer: &Answer, line: &serde_json::Value, reason: &str) {
    let status = if reason == "authorizer_denied" {
        403
    } else {
        503
    };
    assert_eq!(
        (answer.status, answer.reason().as_str()),
        (status, reason),
        "{line}"
    );
    assert_eq!(
        (line["decision"].as_str(), line["reason"].as_str()),
        (Some("refuse"), Some(reason))
    );
    assert!(
        line["detail"].as_str().unwrap().contains("\"opa\""),
        "{line}"
    );
    for name in ["location", "www-authenticate", "x-org"] {
        assert_eq!(
            answer.header(name),
            None,
            "nothing of its answer reaches the client"
        );
    }
    assert!(!answer.body.contains("words for nobody"));
}

#[test]
fn what_an_authorizer_permits_passes_and_what_it_rejects_does_not() {
    for speaks in BOTH {
        let scene = Scene::new(speaks, "", PATIENT, "");
        let client = scene.client("alice");
        for version in [Version::Http1, Version::Http2] {
            for (path, reason) in [
                ("/yes", None),
                ("/no", Some("authorizer_denied")),
                ("/login", Some("authorizer_denied")),
                ("/unauthorized", Some("authorizer_denied")),
                ("/broken", Some("authorizer_unavailable")),
                ("/yes?again", None),
            ] {
                let (asked, up) = (scene.fake.asked(), scene.upstream.recorded().len());
                let answer = client.send(version, get(path)).unwrap();
                assert_eq!(scene.fake.asked(), asked + 1);
                assert_eq!(
                    scene.upstream.recorded().len() - up,
                    usize::from(reason.is_none()),
                    "{path}"
                );
                let line = scene.line(&answer);
                let Some(reason) = reason else {
                    assert_eq!(
                        (answer.status, line["decision"].as_str()),
                        (200, Some("permit"))
                    );
                    continue;
                };
                is_refused(&answer, &line, reason);
            }
        }
        let verdicts = || ["permitted", "denied", "failed"].map(|result| scene.counted(result));
        eventually_is("verdicts", &[4.0, 6.0, 2.0], verdicts);
        let duration = "portcullis_authorizer_duration_seconds_count";
        scene
            .gateway
            .wait_for_metric(duration, &[("authorizer", "opa")], 12.0);
    }
}

#[test]
fn what_the_gateway_rejects_itself_is_never_asked_about() {
    let scene = Scene::new(
        Speaks::ForwardAuth,
        "client_auth = \"optional\"\n",
        PATIENT,
        "",
    );
    let (bob, stranger) = (scene.client("bob"), scene.client("stranger"));
    let anonymous = Client::new(&scene.pki, None, scene.gateway.address());
    for version in [Version::Http1, Version::Http2] {
        for (client, request, reason) in [
            (
                &bob,
                crate::support::client::request("POST", "/yes", ""),
                "no_permission",
            ),
            (&bob, get("/yes/%2F"), "encoded_slash"),
            (&stranger, get("/yes"), "unknown_user"),
            (&anonymous, get("/yes"), "no_certificate"),
        ] {
            assert_eq!(client.send(version, request).unwrap().reason(), reason);
        }
    }
    assert_eq!(scene.fake.asked(), 0);
    assert_eq!(bob.get("/yes").status, 200);
    assert_eq!(scene.fake.asked(), 1);
}

#[test]
fn bodies_and_pipelined_requests_wait_for_the_verdict_and_are_forwarded_complete() {
    for speaks in BOTH {
        let scene = Scene::new(speaks, "", PATIENT, "");
        let client = scene.client("alice");
        let requests = "POST /yes HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nfirst\
            POST /no HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\nsecond\
            POST /yes HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nthird\r\n0\r\n\r\n";
        let answers = client.exchange(requests.as_bytes());
        let statuses: Vec<_> = answers
            .split("HTTP/1.1 ")
            .skip(1)
            .map(|answer| &answer[..3])
            .collect();
        let bodies: Vec<_> = scene
            .upstream
            .recorded()
            .iter()
            .map(|up| up.body.clone())
            .collect();
        assert_eq!(
            (statuses, bodies),
            (
                vec!["200", "403", "200"],
                vec!["first".into(), "third".into()]
            )
        );
    }
}
