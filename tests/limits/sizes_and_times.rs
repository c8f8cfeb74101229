//! Sizes of bodies and times of whole requests, where a user and a route both say something.

use super::*;
use crate::support::client::{request, status};
use crate::support::feed::fed;
use http::Request;
use http_body_util::BodyExt;

#[test]
fn the_smaller_size_of_user_and_route_holds() {
    for version in BOTH {
        let tables = user_with("alice", "body_size = \"10B\"")
            + &user_with("bob", "body_size = \"off\"")
            + &user_with("carol", "roles = [\"small\"]")
            + "[role.small]\nbody_size = \"5B\"\n"
            + &route("/", "api", "body_size = \"20B\"");
        let scene = Scene::new(&tables);
        for (name, most) in [("alice", 10), ("bob", 20), ("carol", 5)] {
            let client = scene.client(name);
            for (length, expected) in [(most, 200), (most + 1, 413)] {
                let text = "x".repeat(length);
                let whole = client.send(version, request("POST", "/", &text)).unwrap();
                assert_eq!(whole.status, expected, "{version:?} {name} {length}");
                let (feed, body) = fed();
                feed.data(text);
                drop(feed);
                let request = Request::post("https://localhost/").body(body).unwrap();
                let streamed = client.send(version, request).unwrap();
                assert_eq!(
                    streamed.status, expected,
                    "{version:?} {name} {length} of unknown length"
                );
            }
        }
    }
}

fn timed() -> String {
    user_with("alice", "request_time = \"1s\"")
        + &user_with("bob", "")
        + &route("/", "api", "")
        + &route("/held", "held", "")
        + &route("/short", "held", "request_time = \"1s\"")
}

#[test]
fn an_upstream_that_takes_too_long_is_given_up() {
    for version in BOTH {
        let scene = Scene::new(&timed());
        let (alice, bob) = (scene.client("alice"), scene.client("bob"));
        std::thread::scope(|scope| {
            let patient = scope.spawn(|| bob.send(version, get("/held")).unwrap().status);
            for (client, path) in [(&alice, "/held"), (&bob, "/short")] {
                let late = client.send(version, get(path)).unwrap();
                assert_eq!(
                    (late.status, late.reason().as_str()),
                    (504, "request_timeout"),
                    "{version:?}"
                );
            }
            scene.held.open();
            assert_eq!(
                patient.join().unwrap(),
                200,
                "who has the time waits longer"
            );
        });
        assert_eq!(outcomes(&alice, version, "/", 2), ["ok"; 2]);
        let line = scene
            .gateway
            .wait_for_access(|line| line["reason"] == "request_timeout");
        assert_eq!(
            (&line["cut"], &line["status"]),
            (&"stream".into(), &504.into())
        );
        eventually_is("streams that were cut", &2.0, || scene.cut("stream"));
    }
}

#[test]
fn a_client_that_sends_its_body_too_slowly_gets_408() {
    for version in BOTH {
        let scene = Scene::new(&timed());
        let alice = scene.client("alice");
        let (feed, body) = fed();
        feed.data("the beginning of a body");
        let request = Request::post("https://localhost/").body(body).unwrap();
        let late = alice.send(version, request).unwrap();
        assert_eq!(
            (late.status, late.reason().as_str()),
            (408, "request_timeout"),
            "{version:?}"
        );
        drop(feed);
        assert_eq!(outcomes(&alice, version, "/", 1), ["ok"]);
    }
}

#[test]
fn a_slow_response_is_cut_without_other_streams() {
    for version in BOTH {
        let endless = Upstream::scripted(|mut stream, _| {
            read_head(&mut stream);
            write(
                &mut stream,
                b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf",
            );
            // Until the gateway gives it up.
            read_head(&mut stream);
        });
        let tables = timed()
            + &format!(
                "[upstream.endless]\nendpoints = [\"http://{}\"]\n",
                endless.address
            )
            + &route("/endless", "endless", "");
        let scene = Scene::new(&tables);
        let alice = scene.client("alice");
        let mut connection = alice.connect(version).unwrap();
        let answer = connection.start(get("/endless")).unwrap();
        assert_eq!(answer.status(), 200);
        let body = alice.runtime().block_on(answer.into_body().collect());
        assert!(body.is_err(), "it must not look whole: {version:?}");
        let line = scene
            .gateway
            .wait_for_access(|line| line["path"] == "/endless");
        let said = ["reason", "cut", "end"].map(|key| line[key].as_str().unwrap_or_default());
        assert_eq!(said, ["request_timeout", "stream", "cut"]);
        eventually_is("streams that were cut", &1.0, || scene.cut("stream"));
        if version == Version::Http2 {
            assert_eq!(ask(&mut connection, "/"), "ok", "the connection goes on");
        }
    }
}

#[test]
fn a_tunnel_may_last_longer() {
    let echoing = Upstream::scripted(|mut stream, _| {
        read_head(&mut stream);
        write(
            &mut stream,
            b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
              sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
        );
        let _ = std::io::copy(&mut stream.try_clone().unwrap(), &mut stream);
    });
    let tables = timed()
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
    assert_eq!(status(&raw.read_until("\r\n\r\n")), 101);
    // What began later was given up for its time.
    assert_eq!(alice.get("/held").status, 504);
    assert_eq!(alice.get("/held").status, 504);
    raw.write(b"still there");
    assert_eq!(raw.read_exact(11), b"still there");
}
