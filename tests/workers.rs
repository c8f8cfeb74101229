//! Several workers behind one address: each has its share, and nothing else tells that there are several.

use crate::support::client::{Raw, Version, get};
use crate::support::gateway::{listener, route_to, user};
use crate::support::{Client, Gateway, Pki, Upstream, eventually};
use std::collections::HashSet;
use std::net::TcpStream;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

struct Scene {
    gateway: Gateway,
    client: Client,
    upstream: Upstream,
    _pki: Pki,
}

fn scene(workers: usize) -> Scene {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let workers = format!("[gateway]\nworkers = {workers}\n");
    let config = listener(&pki) + &user("alice", &["*"]) + &route_to(upstream.address) + &workers;
    // Thousands of connections without a handshake would make as many lines.
    let gateway = Gateway::start(&config.replace("level = \"debug,h2=info\"", "level = \"info\""));
    let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
    Scene {
        gateway,
        client,
        upstream,
        _pki: pki,
    }
}

impl Scene {
    fn of_worker(&self, name: &str, worker: usize) -> f64 {
        self.gateway
            .metric(name, &[("worker", &worker.to_string())])
    }
}

#[test]
fn few_long_connections_are_spread_over_all_workers() {
    for workers in [1, 2, 4] {
        let scene = scene(workers);
        let mut connections: Vec<Raw> = (0..8).map(|_| scene.client.raw()).collect();
        for connection in &mut connections {
            connection.write(REQUEST);
            connection.read_until("hello");
        }
        let open: Vec<f64> = (0..workers)
            .map(|worker| scene.of_worker("portcullis_worker_connections_open", worker))
            .collect();
        assert_eq!(open.iter().sum::<f64>(), 8.0);
        let (least, most) = open.iter().fold((f64::MAX, 0.0f64), |(low, high), one| {
            (low.min(*one), high.max(*one))
        });
        // All came at once, so two workers may have chosen the same third.
        assert!(most - least <= 2.0, "{workers}: {open:?}");
        let handed_over = scene
            .gateway
            .metric("portcullis_connections_handed_over_total", &[]);
        assert!(workers > 1 || handed_over == 0.0);
        drop(connections);
        eventually("all are closed", || {
            (scene
                .gateway
                .metric("portcullis_worker_connections_open", &[])
                == 0.0)
                .then_some(())
        });
    }
}

#[test]
fn many_short_connections_are_spread_over_all_workers() {
    const CONNECTIONS: usize = 3000;
    const AT_ONCE: usize = 100;
    for workers in [2, 4] {
        let scene = scene(workers);
        // A worker that gets no time gives connections away, which is not what is asked here: so few at once.
        for opened in (0..=CONNECTIONS).step_by(AT_ONCE).skip(1) {
            for _ in 0..AT_ONCE {
                drop(TcpStream::connect(scene.gateway.address()).unwrap());
            }
            eventually("all are accepted and closed", || {
                let total = scene
                    .gateway
                    .metric("portcullis_worker_connections_total", &[]);
                let open = scene
                    .gateway
                    .metric("portcullis_worker_connections_open", &[]);
                (total == opened as f64 && open == 0.0).then_some(())
            });
        }
        for worker in 0..workers {
            let share =
                scene.of_worker("portcullis_worker_connections_total", worker) * workers as f64;
            assert!(
                share > CONNECTIONS as f64 * 0.6,
                "worker {worker} of {workers}: {share}"
            );
        }
        assert_eq!(scene.client.get("/").status, 200);
    }
}

#[test]
fn what_the_workers_count_is_one_number() {
    let scene = scene(4);
    for at in 1..=20 {
        assert_eq!(
            scene.client.send(Version::Http1, get("/")).unwrap().status,
            200
        );
        let done = [("route", "/"), ("code", "200")];
        eventually("it is counted", || {
            (scene.gateway.metric("portcullis_requests_total", &done) == f64::from(at))
                .then_some(())
        });
    }
    scene
        .gateway
        .wait_for_metric("portcullis_request_duration_seconds_count", &[], 20.0);
    scene.gateway.wait_for_metric(
        "portcullis_decisions_total",
        &[("decision", "permit")],
        20.0,
    );
    scene
        .gateway
        .wait_for_metric("portcullis_upstream_connections_total", &[], 20.0);
    let ids: HashSet<String> = scene
        .upstream
        .recorded()
        .iter()
        .flat_map(|seen| seen.values("x-request-id"))
        .map(str::to_owned)
        .collect();
    assert_eq!(ids.len(), 20, "no two workers give the same name");
}

#[test]
fn upstream_connections_stay_with_their_worker_and_are_used_again() {
    let scene = scene(4);
    let mut connections: Vec<Raw> = (0..8).map(|_| scene.client.raw()).collect();
    for _ in 0..5 {
        for connection in &mut connections {
            connection.write(REQUEST);
            connection.read_until("hello");
        }
    }
    let upstream: HashSet<_> = scene
        .upstream
        .recorded()
        .iter()
        .map(|seen| seen.connection)
        .collect();
    // The next request may come before the last answer's connection is back.
    assert!(upstream.len() <= 8, "{upstream:?}");
    assert_eq!(scene.upstream.recorded().len(), 40);
}

#[test]
fn a_second_gateway_at_the_same_address_does_not_start() {
    for (first, second) in [(1, 1), (2, 4), (4, 1), (1, 4)] {
        let (pki, upstream) = (Pki::new(), Upstream::start());
        let config = |address: &str, workers: usize| {
            let listener = listener(&pki).replacen("127.0.0.1:0", address, 1);
            listener + &route_to(upstream.address) + &format!("[gateway]\nworkers = {workers}\n")
        };
        let gateway = Gateway::start(&config("127.0.0.1:0", first));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gateway.toml");
        std::fs::write(&file, config(&gateway.address().to_string(), second)).unwrap();
        let path = file.display().to_string();
        let (_, log, code) =
            crate::support::run(crate::support::PORTCULLIS, &["run", "--config", &path]);
        assert_eq!(code, 1, "{log}");
        assert!(
            log.contains("cannot listen on") && log.contains("in use"),
            "{log}"
        );
    }
}

#[test]
fn connections_before_a_shutdown_are_served() {
    let mut scene = scene(4);
    let client = &scene.client;
    let address = scene.gateway.address();
    scene.gateway.signal("STOP");
    let waiting: Vec<Raw> = (0..6).map(|_| client.raw()).collect();
    scene.gateway.signal("TERM");
    scene.gateway.signal("CONT");
    eventually("a new client is refused", || {
        TcpStream::connect(address).err()
    });
    std::thread::scope(|scope| {
        for mut connection in waiting {
            scope.spawn(move || {
                connection.write(REQUEST);
                assert!(connection.read_to_end().ends_with("hello"));
            });
        }
    });
    assert_eq!(scene.gateway.wait_for_exit(), 0);
}
