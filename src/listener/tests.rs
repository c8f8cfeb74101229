//! Accept loops on real workers: which worker serves a connection, and that no client is lost when they end.

use super::*;
use crate::listener::PlaceLimits;
use crate::worker::{self, WorkerThreads};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{IpAddr, TcpStream as Client};
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PATIENCE: Duration = Duration::from_secs(20);

/// Greets, notes who it was, and serves until the client closes.
#[derive(Default)]
struct Greeter {
    name: &'static str,
    served_by: Mutex<Vec<usize>>,
}

impl ConnectionHandler for Greeter {
    async fn serve(&self, mut stream: TcpStream, _: SocketAddr, _place: ConnectionPlace, _: Drain) {
        self.served_by
            .lock()
            .expect("no panic")
            .push(worker::index().expect("a worker"));
        stream
            .write_all(self.name.as_bytes())
            .await
            .expect("an open client");
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        assert!(!rest.starts_with(b"panic"), "as the client wished");
    }

    fn place_limits(&self, _: IpAddr) -> PlaceLimits {
        PlaceLimits {
            connections: 1000,
            half_open: None,
        }
    }
}

struct Scene {
    threads: WorkerThreads,
    telemetry: Arc<Telemetry>,
    drain: Drain,
}

impl Scene {
    fn new(workers: usize) -> Self {
        let telemetry = Arc::<Telemetry>::default();
        let threads = WorkerThreads::start(workers, &telemetry).expect("threads");
        Self {
            threads,
            telemetry,
            drain: Drain::default(),
        }
    }

    fn bind(&self) -> BoundListener {
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        BoundListener::bind("test".into(), any_port, self.threads.workers().count())
            .expect("a free port")
    }

    fn accept(&self, bound: &mut BoundListener, name: &'static str, drain: &Drain) -> Arc<Greeter> {
        let greeter = Arc::new(Greeter {
            name,
            ..Greeter::default()
        });
        bound.accept(
            self.threads.workers(),
            greeter.clone(),
            &self.telemetry,
            drain,
        );
        greeter
    }

    /// Stops all workers until what it gives is dropped.
    fn pause(&self) -> Vec<Sender<()>> {
        let workers = self.threads.workers();
        let pauses = (0..workers.count()).map(|index| {
            let ((resume, wait), (paused, is_paused)) = (channel::<()>(), channel());
            workers.spawn(index, move || async move {
                paused.send(()).expect("a receiver");
                let _ = wait.recv();
            });
            is_paused.recv_timeout(PATIENCE).expect("a pause");
            resume
        });
        pauses.collect()
    }
}

fn connect(address: SocketAddr) -> Client {
    let client = Client::connect(address).expect("a listener");
    client.set_read_timeout(Some(PATIENCE)).expect("a socket");
    client
}

fn greeting(client: &mut Client, length: usize) -> String {
    let mut text = vec![0; length];
    client.read_exact(&mut text).expect("a greeting");
    String::from_utf8(text).expect("text")
}

fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn few_long_connections_are_spread_evenly() {
    for workers in [1, 2, 4] {
        let scene = Scene::new(workers);
        let mut bound = scene.bind();
        let greeter = scene.accept(&mut bound, "hello", &scene.drain);
        let mut clients = Vec::new();
        for _ in 0..8 {
            let mut client = connect(bound.address());
            assert_eq!(greeting(&mut client, 5), "hello");
            clients.push(client);
        }
        let served_by = greeter.served_by.lock().expect("no panic").clone();
        let mut by_worker: HashMap<usize, usize> = HashMap::new();
        served_by
            .into_iter()
            .for_each(|worker| *by_worker.entry(worker).or_default() += 1);
        let counts = (0..workers).map(|worker| by_worker.get(&worker).copied().unwrap_or_default());
        assert!(
            counts.clone().all(|count| count == 8 / workers),
            "{workers}: {by_worker:?}"
        );
        let open: Vec<usize> = (0..workers)
            .map(|worker| scene.threads.workers().open_connections(worker))
            .collect();
        assert_eq!(open, counts.collect::<Vec<_>>());
        drop(clients);
        let none_open =
            || (0..workers).all(|worker| scene.threads.workers().open_connections(worker) == 0);
        eventually("all places are given back", none_open);
    }
}

#[test]
fn open_connections_are_served_although_the_listener_closes() {
    for workers in [1, 3] {
        let scene = Scene::new(workers);
        let mut bound = scene.bind();
        let _greeter = scene.accept(&mut bound, "hello", &scene.drain);
        let address = bound.address();
        let paused = scene.pause();
        let clients: Vec<Client> = (0..60).map(|_| connect(address)).collect();
        drop(bound);
        scene.drain.begin();
        drop(paused);
        for mut client in clients {
            assert_eq!(greeting(&mut client, 5), "hello");
        }
        eventually("the address is free", || Client::connect(address).is_err());
    }
}

#[test]
fn connections_before_a_rename_are_served_under_the_new_name() {
    let scene = Scene::new(2);
    let mut before = scene.bind();
    let drain = scene.drain.child();
    let first = scene.accept(&mut before, "before", &drain);
    let address = before.address();
    assert_eq!(greeting(&mut connect(address), 6), "before");
    let paused = scene.pause();
    let clients: Vec<Client> = (0..60).map(|_| connect(address)).collect();
    let mut after = before.renamed("after".into()).expect("descriptors");
    drop(before);
    drain.begin_alone();
    let second = scene.accept(&mut after, "after!", &scene.drain);
    drop(paused);
    for mut client in clients {
        assert_eq!(greeting(&mut client, 6), "after!");
    }
    assert_eq!(first.served_by.lock().expect("no panic").len(), 1);
    assert_eq!(second.served_by.lock().expect("no panic").len(), 60);
    assert_eq!(greeting(&mut connect(address), 6), "after!");
}

#[test]
fn a_panic_ends_one_connection_and_is_counted() {
    let scene = Scene::new(1);
    let mut bound = scene.bind();
    scene.accept(&mut bound, "hello", &scene.drain);
    let mut one = connect(bound.address());
    let mut other = connect(bound.address());
    assert_eq!(
        (greeting(&mut one, 5), greeting(&mut other, 5)),
        ("hello".into(), "hello".into())
    );
    one.write_all(b"panic").expect("an open connection");
    drop(one);
    eventually("the panic is counted", || {
        scene.telemetry.metrics.panics.get() == 1
    });
    assert_eq!(greeting(&mut connect(bound.address()), 5), "hello");
    other.write_all(b"goodbye").expect("an open connection");
    drop(other);
    eventually("all places are given back", || {
        scene.threads.workers().open_connections(0) == 0
    });
}
