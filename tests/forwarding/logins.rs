//! Upstreams that authenticate a connection in place of each request (NTLM, Negotiate): no login serves another request.

use crate::support::client::{BOTH, RequestBody, Version, get};
use crate::support::gateway::{ONE_WORKER, user};
use crate::support::upstream::{read_head, write};
use crate::support::{Chain, Client, Upstream};
use http::Request;
use std::collections::HashSet;

/// The upstream says on each connection who logged in on it, `nobody` before. `more` are fields of each response to a request
/// that the upstream does not know, and `confirmed` of those on a connection with a login.
fn authenticating(challenge: &'static str, confirmed: &'static str) -> Upstream {
    Upstream::scripted(move |mut stream, connection| {
        let mut logged_in = None;
        loop {
            let head = read_head(&mut stream);
            if head.is_empty() {
                return;
            }
            if let Some(line) = head
                .lines()
                .find(|line| line.to_ascii_lowercase().starts_with("authorization:"))
            {
                logged_in = line.split_whitespace().last().map(str::to_owned);
            }
            let (status, fields) = match logged_in {
                None => ("401 Unauthorized", challenge),
                Some(_) => ("200 OK", confirmed),
            };
            let text = format!(
                "{} on {connection}",
                logged_in.as_deref().unwrap_or("nobody")
            );
            let length = text.len();
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{fields}\r\n");
            write(&mut stream, format!("{head}{text}").as_bytes());
        }
    })
}

/// One worker, so that both users would share connections if they may.
struct Scene {
    chain: Chain,
    bob: Client,
}

impl Scene {
    fn with(upstream: Upstream) -> Self {
        let chain = Chain::with(upstream, &(user("bob", &["*"]) + ONE_WORKER));
        let bob = Client::new(
            &chain.pki,
            Some(&chain.pki.client("bob")),
            chain.gateway.address(),
        );
        Self { chain, bob }
    }

    /// Who the upstream takes the sender for, and on which connection.
    fn ask(
        &self,
        client: &Client,
        version: Version,
        authorization: Option<&str>,
    ) -> (String, String) {
        let answer = client
            .send(version, with_authorization(authorization))
            .unwrap();
        let (user, connection) = answer
            .body
            .split_once(" on ")
            .unwrap_or_else(|| panic!("{answer:?}"));
        (user.to_owned(), connection.to_owned())
    }
}

fn with_authorization(value: Option<&str>) -> Request<RequestBody> {
    let mut request = get("/");
    if let Some(value) = value {
        request
            .headers_mut()
            .insert("authorization", value.parse().unwrap());
    }
    request
}

#[test]
fn a_login_of_one_user_serves_no_request_of_another() {
    for scheme in ["NTLM", "ntlm", "Negotiate", "nEGOTIATE"] {
        let scene = Scene::with(authenticating("", ""));
        let alice = &scene.chain.client;
        for (logs_in, follows) in [
            (BOTH[0], BOTH[1]),
            (BOTH[1], BOTH[0]),
            (BOTH[0], BOTH[0]),
            (BOTH[1], BOTH[1]),
        ] {
            let (user, first) = scene.ask(alice, logs_in, Some(&format!("{scheme} alice")));
            assert_eq!(user, "alice");
            let (user, second) = scene.ask(&scene.bob, follows, None);
            assert_eq!(user, "nobody", "{scheme}: {logs_in:?}, then {follows:?}");
            assert_ne!(first, second);
        }
        // Nor does it serve another connection of the same user: who asks there is judged anew.
        scene.ask(alice, BOTH[0], Some(&format!("{scheme} alice")));
        assert_eq!(scene.ask(alice, BOTH[0], None).0, "nobody");
    }
}

#[test]
fn a_connection_on_which_a_login_is_offered_or_confirmed_is_not_used_again() {
    for (challenge, confirmed) in [
        ("WWW-Authenticate: NTLM\r\n", ""),
        ("WWW-Authenticate: Basic realm=\"x\", Negotiate\r\n", ""),
        (
            "www-authenticate: Basic realm=\"x\"\r\nwww-authenticate: negotiate\r\n",
            "",
        ),
        ("Proxy-Authenticate: NTLM\r\n", ""),
        ("Proxy-Support: Session-Based-Authentication\r\n", ""),
        ("", "Persistent-Auth: true\r\n"),
    ] {
        let scene = Scene::with(authenticating(challenge, confirmed));
        // A scheme of which the gateway knows nothing: only the response tells.
        let authorization = (!confirmed.is_empty()).then_some("Custom alice");
        let mut connections = HashSet::new();
        for version in [BOTH[0], BOTH[1], BOTH[0]] {
            connections.insert(scene.ask(&scene.chain.client, version, authorization).1);
            let (user, connection) = scene.ask(&scene.bob, version, None);
            assert_eq!(user, "nobody", "{challenge}{confirmed}");
            connections.insert(connection);
        }
        let wanted = if confirmed.is_empty() { 6 } else { 4 };
        assert!(
            connections.len() >= wanted,
            "{challenge}{confirmed}: {connections:?}"
        );
    }
}

#[test]
fn credentials_of_a_request_leave_its_connection_in_the_pool() {
    for authorization in ["Basic YTpi", "Bearer ntlm.x", "Digest username=\"a\""] {
        let scene = Scene::with(Upstream::answering(|seen| {
            let challenge = "Basic realm=\"x\", Bearer";
            let text = format!("somebody on {}", seen.connection);
            let body = crate::support::upstream::full(text);
            http::Response::builder()
                .header("www-authenticate", challenge)
                .body(body)
                .unwrap()
        }));
        let mut connections = HashSet::new();
        for version in [BOTH[0], BOTH[1], BOTH[0]] {
            connections.insert(
                scene
                    .ask(&scene.chain.client, version, Some(authorization))
                    .1,
            );
            connections.insert(scene.ask(&scene.bob, version, None).1);
        }
        assert_eq!(connections.len(), 1, "{authorization}");
    }
}
