//! How many requests are under way at once, and that each makes room when it ends, however it ends.

use super::*;
use crate::support::client::body;
use http::Request;
use std::sync::atomic::{AtomicBool, Ordering};

fn one_at_a_time() -> String {
    user_with("alice", "concurrency = 1")
        + &user_with("bob", "")
        + &route("/", "api", "")
        + &route("/held", "held", "")
}

#[test]
fn one_more_than_may_be_under_way_is_rejected_until_one_ends() {
    for version in BOTH {
        let scene = Scene::new(&one_at_a_time());
        let (alice, bob) = (scene.client("alice"), scene.client("bob"));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| alice.send(version, get("/held")).unwrap().status);
            scene.held.wait_for_requests(1);
            let refused = alice.send(version, get("/")).unwrap();
            assert_eq!(
                (refused.status, refused.reason().as_str()),
                (429, "too_many_concurrent")
            );
            assert_eq!(refused.header("retry-after"), Some("1"));
            assert_eq!(
                refused.header("ratelimit"),
                Some("\"user-concurrency\";r=0")
            );
            let policy = "\"user-concurrency\";q=1;qu=\"concurrent-requests\"";
            assert_eq!(refused.header("ratelimit-policy"), Some(policy));
            assert_eq!(outcomes(&bob, version, "/", 2), ["ok"; 2]);
            eventually_is("limited requests", &1.0, || {
                scene.limited("too_many_concurrent")
            });
            scene.held.open();
            assert_eq!(waiting.join().unwrap(), 200, "{version:?}");
        });
        passes_at_last(&alice, version, "/");
        let mut connection = alice.connect(version).unwrap();
        assert_eq!(
            (0..5)
                .map(|_| ask(&mut connection, "/"))
                .collect::<Vec<_>>(),
            ["ok"; 5],
            "one behind the other"
        );
    }
}

#[test]
fn a_client_that_goes_away_makes_room() {
    for version in BOTH {
        let scene = Scene::new(&one_at_a_time());
        let alice = scene.client("alice");
        let mut connection = alice.connect(version).unwrap();
        let goes = AtomicBool::new(false);
        let is_over = || goes.load(Ordering::SeqCst);
        std::thread::scope(|scope| {
            scope.spawn(|| assert!(connection.start_until(get("/held"), is_over).is_none()));
            scene.held.wait_for_requests(1);
            assert_eq!(
                outcomes(&alice, version, "/", 1),
                ["too_many_concurrent"],
                "{version:?}"
            );
            goes.store(true, Ordering::SeqCst);
        });
        drop(connection);
        passes_at_last(&alice, version, "/");
    }
}

#[test]
fn a_stream_that_is_reset_makes_room_on_its_connection() {
    let scene = Scene::new(&one_at_a_time());
    let alice = scene.client("alice");
    let mut connection = alice.connect(Version::Http2).unwrap();
    let held = Request::get("https://localhost/held")
        .body(body(""))
        .unwrap();
    let stream = alice
        .runtime()
        .spawn(connection.http2().clone().send_request(held));
    scene.held.wait_for_requests(1);
    assert_eq!(ask(&mut connection, "/"), "too_many_concurrent");
    stream.abort();
    eventually("room on the same connection", || {
        (ask(&mut connection, "/") == "ok").then_some(())
    });
}

#[test]
fn an_upstream_that_fails_makes_room_whenever_it_fails() {
    for version in BOTH {
        let failing = Upstream::scripted(|mut stream, _| {
            if read_head(&mut stream).contains("/half") {
                write(
                    &mut stream,
                    b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf",
                );
            }
        });
        let nowhere = "http://127.0.0.1:1";
        let tables = one_at_a_time()
            + &format!(
                "[upstream.failing]\nendpoints = [\"http://{}\"]\n",
                failing.address
            )
            + &format!("[upstream.nowhere]\nendpoints = [\"{nowhere}\"]\n")
            + &route("/failing", "failing", "")
            + &route("/nowhere", "nowhere", "");
        let scene = Scene::new(&tables);
        let alice = scene.client("alice");
        for path in ["/failing/none", "/nowhere", "/failing/half"] {
            let failed = alice.send(version, get(path));
            assert!(
                failed.is_err() || failed.is_ok_and(|answer| answer.status >= 502),
                "{version:?} {path}"
            );
            passes_at_last(&alice, version, "/");
        }
    }
}

#[test]
fn a_tunnel_is_under_way_until_it_is_closed() {
    let echoing = Upstream::scripted(|mut stream, _| {
        read_head(&mut stream);
        write(
            &mut stream,
            b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
              sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
        );
        let _ = std::io::copy(&mut stream.try_clone().unwrap(), &mut stream);
    });
    let tables = one_at_a_time()
        + &format!(
            "[upstream.echo]\nendpoints = [\"http://{}\"]\n",
            echoing.address
        )
        + &route("/chat", "echo", "");
    let scene = Scene::new(&tables);
    let alice = scene.client("alice");
    let mut raw = alice.raw();
    raw.write(
        b"GET /chat HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
          Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    raw.read_until("\r\n\r\n");
    raw.write(b"ping");
    assert_eq!(raw.read_exact(4), b"ping");
    for version in [Version::Http1, Version::Http2] {
        assert_eq!(
            outcomes(&alice, version, "/", 2),
            ["too_many_concurrent"; 2]
        );
    }
    drop(raw);
    passes_at_last(&alice, Version::Http1, "/");
}

#[test]
fn a_route_has_places_of_its_own() {
    let tables =
        user_with("alice", "") + &user_with("bob", "") + &route("/", "held", "concurrency = 1");
    let scene = Scene::new(&tables);
    let (alice, bob) = (scene.client("alice"), scene.client("bob"));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| alice.get("/").status);
        scene.held.wait_for_requests(1);
        assert_eq!(
            outcomes(&bob, Version::Http1, "/", 1),
            ["too_many_concurrent"]
        );
        scene.held.open();
        assert_eq!(waiting.join().unwrap(), 200);
    });
    passes_at_last(&bob, Version::Http1, "/");
}
