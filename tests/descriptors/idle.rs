//! Idle connections of clients give way to new ones when places run out, the oldest first; connections with something under
//! way never do.

use super::{PATIENT, REFUSED, Scene, is_closed, routes, silent, smallest_limit};
use crate::support::client::{Connection, Raw, Version, get, status};
use crate::support::gateway::{ONE_WORKER, listener_with, user};
use crate::support::upstream::HeldUpstream;
use crate::support::{Client, Gateway, Upstream, eventually};
use crate::upgrades;
use std::net::Ipv4Addr;
use tokio::task::JoinHandle;

/// Each record layer, and what the client speaks.
const WAYS: [(&str, Version); 4] = [
    ("rustls", Version::Http1),
    ("in-place", Version::Http1),
    ("rustls", Version::Http2),
    ("in-place", Version::Http2),
];

fn lines(connections: usize, layer: &str) -> String {
    format!("connections = {connections}\nrecord_layer = \"{layer}\"\n")
}

fn answers(connection: &mut Connection<'_>) -> bool {
    connection
        .send(get("/"))
        .is_ok_and(|answer| answer.status == 200)
}

fn closed(gateway: &Gateway, reason: &str) -> f64 {
    gateway.metric(REFUSED, &[("listener", "main"), ("reason", reason)])
}

fn gave_way(gateway: &Gateway, count: f64) {
    eventually("idle connections that gave way", || {
        (closed(gateway, "idle_gave_way") == count).then_some(())
    });
}

#[test]
fn the_connection_that_has_been_idle_for_longest_gives_way_and_the_others_stay() {
    for (layer, version) in WAYS {
        let (scene, upstream) = (Scene::new(), Upstream::start());
        let gateway = Gateway::start(&scene.config(&lines(4, layer), upstream.address));
        let alice = scene.client(&gateway, &scene.alice);
        let mut open: Vec<_> = (0..4).map(|_| alice.connect(version).unwrap()).collect();
        assert!(open.iter_mut().all(answers));
        // Now the second is the oldest.
        assert!(answers(&mut open[0]));
        for oldest in [1, 2] {
            let mut new = alice.connect(version).unwrap();
            assert!(answers(&mut new), "{layer} {version:?}");
            gave_way(&gateway, oldest as f64);
            assert!(!answers(&mut open[oldest]), "{layer} {version:?}");
            open.push(new);
        }
        for stays in [0, 3, 4, 5] {
            assert!(answers(&mut open[stays]), "{layer} {version:?} {stays}");
        }
        assert_eq!(closed(&gateway, "limit"), 0.0);
        let line = gateway.wait_for_log("idle connections closed for new ones");
        assert_eq!(
            (&line["reason"], &line["source"]),
            (&"idle_gave_way".into(), &"127.0.0.1".into())
        );
    }
}

#[test]
fn a_connection_with_a_request_in_progress_is_not_evicted() {
    for (layer, version) in WAYS {
        let (scene, held) = (Scene::new(), HeldUpstream::start());
        let gateway = Gateway::start(&scene.config(&lines(2, layer), held.upstream.address));
        let alice = scene.client(&gateway, &scene.alice);
        let mut under_way: Vec<_> = (0..2)
            .map(|_| ConcurrencyGuard::begin(&alice, version))
            .collect();
        held.wait_for_requests(2);
        let mut new = silent(Ipv4Addr::LOCALHOST, gateway.address());
        eventually("the new one is closed", || {
            is_closed(&mut new).then_some(())
        });
        assert_eq!(
            (closed(&gateway, "limit"), closed(&gateway, "idle_gave_way")),
            (1.0, 0.0)
        );
        held.open();
        under_way
            .iter_mut()
            .for_each(|request| request.finish(&alice));
        assert_eq!(
            alice.send(version, get("/")).unwrap().status,
            200,
            "{layer} {version:?}"
        );
        gave_way(&gateway, 1.0);
        assert_eq!(closed(&gateway, "limit"), 1.0);
    }
}

/// A connection with a request that waits for its answer.
enum ConcurrencyGuard<'c> {
    Http1(Box<Raw>),
    Http2 {
        _open: Connection<'c>,
        answer: Option<JoinHandle<u16>>,
    },
}

impl<'c> ConcurrencyGuard<'c> {
    fn begin(client: &'c Client, version: Version) -> Self {
        if version == Version::Http1 {
            let mut raw = client.raw();
            raw.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
            return Self::Http1(Box::new(raw));
        }
        let connection = client.connect(version).unwrap();
        let mut sender = connection.http2().clone();
        let task = client.runtime().spawn(async move {
            sender
                .send_request(get("/"))
                .await
                .unwrap()
                .status()
                .as_u16()
        });
        Self::Http2 {
            _open: connection,
            answer: Some(task),
        }
    }

    /// Leaves the connection open.
    fn finish(&mut self, client: &Client) {
        let status = match self {
            Self::Http1(raw) => status(&raw.read_until("late")),
            Self::Http2 { answer, .. } => {
                client.runtime().block_on(answer.take().unwrap()).unwrap()
            }
        };
        assert_eq!(status, 200);
    }
}

#[test]
fn neither_a_tunnel_nor_half_a_request_gives_way() {
    for layer in ["rustls", "in-place"] {
        let (scene, upstream) = (Scene::new(), upgrades::echoing());
        let gateway = Gateway::start(&scene.config(&lines(3, layer), upstream.address));
        let alice = scene.client(&gateway, &scene.alice);
        let mut tunnel = upgrades::open_tunnel(&alice);
        let mut half = alice.raw();
        half.write(b"GET /half HTTP/1.1\r\nHo");
        let mut idle = alice.connect(Version::Http1).unwrap();
        assert!(answers(&mut idle));
        let mut new = alice.connect(Version::Http1).unwrap();
        assert!(answers(&mut new), "{layer}");
        gave_way(&gateway, 1.0);
        assert!(!answers(&mut idle), "{layer}");
        tunnel.write(b"still there");
        assert_eq!(tunnel.read_exact(11), b"still there");
        half.write(b"st: localhost\r\n\r\n");
        assert_eq!(status(&half.read_until("ok")), 200, "{layer}");
    }
}

#[test]
fn an_evicted_http_2_client_gets_goaway_and_is_closed() {
    for layer in ["rustls", "in-place"] {
        let (scene, upstream) = (Scene::new(), Upstream::start());
        let gateway = Gateway::start(&scene.config(&lines(1, layer), upstream.address));
        let alice = scene.client(&gateway, &scene.alice);
        let mut raw = alice.raw_in(Version::Http2);
        raw.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
        let mut said = raw.read_some();
        assert_eq!(alice.get("/").status, 200);
        // It answers no ping, and does not close.
        said.extend(
            std::iter::repeat_with(|| raw.read_some())
                .take_while(|piece| !piece.is_empty())
                .flatten(),
        );
        let goodbye = frames(&said)
            .into_iter()
            .find(|(kind, _)| *kind == 7)
            .unwrap();
        assert_eq!(goodbye.1[4..8], [0; 4], "{layer}: no error");
        gave_way(&gateway, 1.0);
    }
}

/// Type and payload of each frame.
fn frames(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut found = Vec::new();
    while let [a, b, c, kind, _, _, _, _, _, rest @ ..] = bytes {
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        found.push((*kind, rest[..length].to_vec()));
        bytes = &rest[length..];
    }
    found
}

#[test]
fn idle_connections_of_all_workers_give_way_and_none_is_rejected() {
    for version in [Version::Http1, Version::Http2] {
        let (scene, upstream) = (Scene::new(), Upstream::start());
        let config = scene.config(&lines(8, "in-place"), upstream.address);
        let gateway = Gateway::start(&config.replace(ONE_WORKER, "[gateway]\nworkers = 4\n"));
        let alice = scene.client(&gateway, &scene.alice);
        let mut open: Vec<_> = (0..28)
            .map(|_| alice.connect(version).unwrap())
            .map(|mut connection| {
                assert!(answers(&mut connection), "{version:?}");
                connection
            })
            .collect();
        gave_way(&gateway, 20.0);
        assert_eq!(
            closed(&gateway, "limit") + closed(&gateway, "gave_way"),
            0.0
        );
        let stay: Vec<usize> = (0..28).filter(|at| answers(&mut open[*at])).collect();
        assert_eq!(
            stay,
            (20..28).collect::<Vec<_>>(),
            "{version:?}: the oldest of all workers go first"
        );
    }
}

#[test]
fn handshakes_that_anybody_can_finish_keep_no_client_out() {
    for workers in [1, 4] {
        let (scene, upstream) = (Scene::new(), Upstream::start());
        let config = listener_with(&scene.pki, "client_auth = \"optional\"\n")
            + &format!("[gateway]\nworkers = {workers}\n")
            + &user("alice", &["*"])
            + &routes(upstream.address);
        let limit = smallest_limit(&config);
        let gateway = Gateway::start_with_descriptors(&config, limit, limit);
        let part = gateway.metric("portcullis_descriptor_budget", &[("use", "clients")]) as usize;
        let anybody = Client::new(&scene.pki, None, gateway.address());
        let alice = scene.client(&gateway, &scene.alice);
        let mut proven = alice.connect(Version::Http1).unwrap();
        // One after another, so that each is idle when the next comes.
        let _idle: Vec<_> = (0..part + 10)
            .map(|_| {
                assert!(answers(&mut proven), "the connection that is used stays");
                anybody.connect(Version::Http1).unwrap()
            })
            .collect();
        assert_eq!(alice.get("/").status, 200);
        gave_way(&gateway, 12.0);
        assert_eq!(
            closed(&gateway, "descriptors") + closed(&gateway, "gave_way"),
            0.0
        );
    }
}

#[test]
fn half_open_connections_take_an_eighth_of_the_places_from_idle_ones_and_then_give_way_themselves()
{
    let (scene, upstream) = (Scene::new(), Upstream::start());
    let gateway =
        Gateway::start(&scene.config(&format!("connections = 16\n{PATIENT}"), upstream.address));
    let alice = scene.client(&gateway, &scene.alice);
    let mut idle: Vec<_> = (0..16)
        .map(|_| alice.connect(Version::Http1).unwrap())
        .collect();
    assert!(idle.iter_mut().all(answers));
    let mut flood: Vec<_> = (0..2)
        .map(|_| silent(Ipv4Addr::LOCALHOST, gateway.address()))
        .collect();
    gave_way(&gateway, 2.0);
    assert_eq!(alice.get("/").status, 200);
    gave_way(&gateway, 3.0);
    assert!(
        !flood.iter_mut().any(is_closed),
        "handshakes have their time while there are idle connections"
    );
    flood.extend((0..38).map(|_| silent(Ipv4Addr::LOCALHOST, gateway.address())));
    eventually("all came", || {
        (gateway.metric("portcullis_connections_total", &[]) == 57.0).then_some(())
    });
    eventually("the oldest give way", || {
        (closed(&gateway, "gave_way") >= 36.0).then_some(())
    });
    assert!(
        idle.iter_mut()
            .filter_map(|connection| answers(connection).then_some(()))
            .count()
            >= 12
    );
    assert_eq!(closed(&gateway, "limit"), 0.0);
}
