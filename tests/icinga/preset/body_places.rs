//! Places for bodies that a decision depends on: one user gets its share of them, and others are read meanwhile.

use super::*;
use crate::support::client::Raw;
use crate::support::feed::{Feed, fed};
use tokio::task::JoinSet;

/// The share of one user, a quarter of all places.
const SHARE: usize = 16;
const TYPES: &str = r#"{"types":["CheckResult"]}"#;

/// The scene with a second user, who may do what alice may.
fn scene() -> Scene {
    let scene = Scene::on("");
    let config = Scene::config(&scene.pki, &scene.upstream, &ALICE, "") + &user("bob", &ALICE);
    scene.gateway.reload_with(&config);
    scene
}

fn bob(scene: &Scene) -> Client {
    Client::new(
        &scene.pki,
        Some(&scene.pki.client("bob")),
        scene.gateway.address(),
    )
}

fn head(more: &str) -> String {
    let length = TYPES.len();
    format!(
        "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\nConnection: close\r\n{more}\r\n"
    )
}

/// Sends a head and waits for the interim response, which comes once the body has a place.
fn wait_for_a_place(client: &Client) -> Raw {
    let mut raw = client.raw();
    raw.write(head("Expect: 100-continue\r\n").as_bytes());
    raw.read_until("HTTP/1.1 100 Continue\r\n\r\n");
    raw
}

/// A subscription whose body does not end, and its feed.
fn unfinished() -> (Feed, Request<RequestBody>) {
    let (feed, body) = fed();
    let request = Request::post("https://localhost/v1/events?queue=x");
    (feed, request.body(body).unwrap())
}

#[test]
fn a_user_with_many_slow_bodies_is_refused_one_more_and_others_are_read() {
    let scene = scene();
    let alice = scene.alice();
    let mut slow: Vec<Raw> = (0..SHARE).map(|_| wait_for_a_place(&alice)).collect();

    let refused = alice.exchange(head("Expect: 100-continue\r\n").as_bytes());
    assert_eq!(status(&refused), 429, "{refused}");
    for part in [
        "too_many_concurrent",
        "retry-after: 1\r\n",
        "ratelimit: \"user-body-concurrency\";r=0\r\n",
        "ratelimit-policy: \"user-body-concurrency\";q=16;qu=\"concurrent-requests\"\r\n",
    ] {
        assert!(refused.contains(part), "{part} is missing: {refused}");
    }
    let (feed, request) = unfinished();
    let mut http2 = alice.connect(Version::Http2).unwrap();
    assert_eq!(http2.start(request).unwrap().status(), 429);
    drop(feed);
    let limited = [("listener", "main"), ("reason", "too_many_concurrent")];
    eventually_is("limited requests", &2.0, || {
        scene.gateway.metric("portcullis_limited_total", &limited)
    });

    let mut other = wait_for_a_place(&bob(&scene));
    other.write(TYPES.as_bytes());
    assert_eq!(status(&other.read_to_end()), 200, "another user is read");
    for version in BOTH {
        let answer = alice.send(version, get("/v1/objects/hosts")).unwrap();
        assert_eq!(answer.status, 200, "{version:?}: without a body to read");
    }
    let whole = alice.exchange((head("") + TYPES).as_bytes());
    assert_eq!(status(&whole), 200, "a body that is there needs no place");

    let mut first = slow.remove(0);
    first.write(TYPES.as_bytes());
    assert_eq!(status(&first.read_to_end()), 200);
    slow.push(wait_for_a_place(&alice));
}

#[test]
fn streams_of_one_connection_have_the_share_of_their_user() {
    let scene = scene();
    let alice = scene.alice();
    let connection = alice.connect(Version::Http2).unwrap();
    let mut streams = JoinSet::new();
    let mut feeds = Vec::new();
    for _ in 0..=SHARE {
        let (feed, request) = unfinished();
        feeds.push(feed);
        let stream = connection.http2().clone().send_request(request);
        streams.spawn_on(
            async { stream.await.unwrap().status().as_u16() },
            alice.runtime().handle(),
        );
    }
    let first = eventually("a rejection", || streams.try_join_next());
    assert_eq!(first.unwrap(), 429);
    let answer = bob(&scene).send(Version::Http2, subscription(TYPES));
    assert_eq!(answer.unwrap().status, 200);
    for feed in feeds {
        // One of them has been refused.
        feed.data(TYPES);
    }
    let statuses = alice.runtime().block_on(streams.join_all());
    assert_eq!(statuses, [200; SHARE]);
}
