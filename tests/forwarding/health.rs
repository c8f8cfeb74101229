//! Endpoints that fail beside others that work: clients notice nothing that could be avoided, and the gateway stops using them.

/// What is sent to another endpoint, and what is not.
mod retries;

use crate::support::client::{BOTH, get};
use crate::support::gateway::ONE_WORKER;
use crate::support::upstream::{read_head, write};
use crate::support::{Chain, ReservedPort, Upstream, eventually};
use std::io::Read;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
/// Long enough that no trial disturbs a test.
const LONG: &str = "ejection_time = \"1h\"\nmax_ejection_time = \"1h\"\n";

/// An upstream with these endpoints, further keys of it and of its health, one route, and one worker.
fn endpoints(addresses: &[SocketAddr], keys: &str, health: &str) -> String {
    let urls: Vec<_> = addresses
        .iter()
        .map(|it| format!("\"http://{it}\""))
        .collect();
    format!(
        "[upstream.api]\nendpoints = [{}]\n{keys}[upstream.api.health]\n{health}\
         [[route]]\npath = \"/\"\nupstream = \"api\"\n{ONE_WORKER}",
        urls.join(", ")
    )
}

/// Accepts connections, reads a request, and closes.
fn closing() -> Upstream {
    Upstream::scripted(|mut stream, _| drop(read_head(&mut stream)))
}

/// Never answers.
fn silent() -> Upstream {
    Upstream::scripted(|mut stream, _| drop(stream.read_to_end(&mut Vec::new())))
}

/// Closes connections without an answer until it is told to answer.
fn recovering(is_well: &Arc<AtomicBool>) -> Upstream {
    let is_well = is_well.clone();
    Upstream::scripted(move |mut stream, _| {
        while !read_head(&mut stream).is_empty() && is_well.load(Ordering::SeqCst) {
            write(&mut stream, OK);
        }
    })
}

/// A listening socket whose queue is full, so that it drops what would connect.
struct BlackHole {
    address: SocketAddr,
    _socket: socket2::Socket,
    _waiting: Vec<std::net::TcpStream>,
}

impl BlackHole {
    fn new() -> Self {
        let socket =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket
            .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
            .unwrap();
        socket.listen(0).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        let mut waiting = Vec::new();
        let brief = std::time::Duration::from_millis(200);
        while let Ok(stream) = std::net::TcpStream::connect_timeout(&address, brief) {
            waiting.push(stream);
        }
        Self {
            address,
            _socket: socket,
            _waiting: waiting,
        }
    }
}

fn lines(chain: &Chain, message: &str) -> usize {
    let log = chain.gateway.settled_log();
    log.iter().filter(|line| line["message"] == message).count()
}

fn ejected_workers(chain: &Chain, endpoint: SocketAddr) -> f64 {
    let labels = [("upstream", "api"), ("endpoint", &*endpoint.to_string())];
    chain
        .gateway
        .metric("portcullis_upstream_endpoint_ejected", &labels)
}

/// The state of each endpoint in `/status`.
fn states(chain: &Chain) -> Vec<(String, u64)> {
    let (_, status) = chain.gateway.admin("/status");
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    let endpoints = status["upstreams"][0]["endpoints"].as_array().unwrap();
    let state = |endpoint: &serde_json::Value| {
        let workers = endpoint["ejected_on_workers"].as_u64().unwrap();
        (endpoint["state"].as_str().unwrap().to_owned(), workers)
    };
    endpoints.iter().map(state).collect()
}

/// With two good endpoints and this bad one, no client sees an error, and the bad one is ejected for this reason.
fn is_ejected(bad: SocketAddr, reason: &str) {
    for version in BOTH {
        let other = Upstream::start();
        let chain = Chain::configured(Upstream::start(), |_, good| {
            let timeouts = "connect_timeout = \"2s\"\nresponse_timeout = \"400ms\"\n";
            endpoints(&[good, bad, other.address], timeouts, LONG)
        });
        let mut connection = chain.client.connect(version).unwrap();
        for _ in 0..30 {
            let answer = connection.send(get("/")).unwrap();
            assert_eq!(answer.status, 200, "{version:?} {reason}");
        }
        let counts = [chain.upstream.recorded().len(), other.recorded().len()];
        assert_eq!(counts.iter().sum::<usize>(), 30);
        assert!(counts.iter().all(|count| *count >= 12), "{counts:?}");
        let bad = bad.to_string();
        chain.gateway.wait_for_metric(
            "portcullis_upstream_ejections_total",
            &[("upstream", "api"), ("endpoint", &bad), ("reason", reason)],
            1.0,
        );
        let active = || ("active".to_owned(), 0);
        assert_eq!(
            states(&chain),
            [active(), ("ejected".to_owned(), 1), active()]
        );
        let line = chain.gateway.wait_for_log("upstream endpoint ejected");
        assert_eq!(
            (&line["endpoint"], &line["reason"], &line["failures"]),
            (&bad.as_str().into(), &reason.into(), &3.into())
        );
        assert_eq!(lines(&chain, "upstream endpoint ejected"), 1);
    }
}

#[test]
fn an_endpoint_that_accepts_and_closes_is_ejected() {
    is_ejected(closing().address, "upstream_broke_off");
}

#[test]
fn an_endpoint_that_never_answers_is_ejected() {
    is_ejected(silent().address, "response_timeout");
}

#[test]
fn an_endpoint_that_refuses_connections_is_ejected() {
    is_ejected(ReservedPort::new().address(), "connect_failed");
}

#[test]
fn an_endpoint_that_drops_packets_is_ejected() {
    is_ejected(BlackHole::new().address, "connect_timeout");
}

#[test]
fn a_trial_returns_an_endpoint_that_has_recovered() {
    let is_well = Arc::new(AtomicBool::new(false));
    let bad = recovering(&is_well);
    let chain = Chain::configured(Upstream::start(), |_, good| {
        endpoints(
            &[good, bad.address],
            "",
            "ejection_time = \"50ms\"\nmax_ejection_time = \"100ms\"\n",
        )
    });
    let ejected = eventually("an ejection", || {
        assert_eq!(chain.client.get("/").status, 200);
        chain.gateway.find_log("upstream endpoint ejected")
    });
    assert_eq!(ejected["endpoint"], bad.address.to_string());
    // Trials fail, and the endpoint stays ejected.
    eventually("a failed trial", || {
        assert_eq!(chain.client.get("/").status, 200);
        chain.gateway.find_log("upstream endpoint failed its trial")
    });
    assert_eq!(ejected_workers(&chain, bad.address), 1.0);
    is_well.store(true, Ordering::SeqCst);
    eventually("the return of the endpoint", || {
        assert_eq!(chain.client.get("/").status, 200);
        chain.gateway.find_log("upstream endpoint returned")
    });
    assert_eq!(ejected_workers(&chain, bad.address), 0.0);
    assert_eq!(states(&chain)[1].0, "active");
    let before = chain.upstream.recorded().len();
    for _ in 0..10 {
        assert_eq!(chain.client.get("/").status, 200);
    }
    assert_eq!(chain.upstream.recorded().len(), before + 5);
    assert_eq!(lines(&chain, "upstream endpoint ejected"), 1);
    assert_eq!(lines(&chain, "upstream endpoint returned"), 1);
}

#[test]
fn the_only_endpoint_is_never_ejected() {
    let is_well = Arc::new(AtomicBool::new(false));
    let chain = Chain::configured(recovering(&is_well), |_, address| {
        endpoints(&[address], "", LONG)
    });
    for _ in 0..10 {
        assert_eq!(chain.client.get("/").status, 502);
    }
    is_well.store(true, Ordering::SeqCst);
    assert_eq!(chain.client.get("/").status, 200);
    assert_eq!(states(&chain), [("active".to_owned(), 0)]);
}

#[test]
fn if_all_endpoints_fail_all_are_used_and_serve_as_soon_as_they_can() {
    let is_well = Arc::new(AtomicBool::new(false));
    let other = recovering(&is_well);
    let chain = Chain::configured(recovering(&is_well), |_, address| {
        endpoints(&[address, other.address], "", LONG)
    });
    for _ in 0..10 {
        assert_eq!(chain.client.get("/").status, 502);
    }
    let ejected = ("ejected".to_owned(), 1);
    assert_eq!(states(&chain), [ejected.clone(), ejected]);
    is_well.store(true, Ordering::SeqCst);
    for _ in 0..4 {
        assert_eq!(chain.client.get("/").status, 200);
    }
    // One is active now, which is enough: the other one waits for its trial.
    let mut states: Vec<_> = states(&chain).into_iter().map(|it| it.0).collect();
    states.sort();
    assert_eq!(states, ["active", "ejected"]);
}

#[test]
fn with_failures_off_no_endpoint_is_ejected() {
    let bad = closing();
    let chain = Chain::configured(Upstream::start(), |_, good| {
        endpoints(
            &[good, bad.address],
            "retry_percent = 0\n",
            "failures = \"off\"\n",
        )
    });
    for _ in 0..10 {
        let statuses = [chain.client.get("/").status, chain.client.get("/").status];
        assert_eq!(statuses, [200, 502]);
    }
    assert_eq!(ejected_workers(&chain, bad.address), 0.0);
}

#[test]
fn a_reload_keeps_what_is_known_about_an_unchanged_upstream() {
    let bad = closing();
    let chain = Chain::configured(Upstream::start(), |_, good| {
        endpoints(&[good, bad.address], "", LONG)
    });
    for _ in 0..6 {
        assert_eq!(chain.client.get("/").status, 200);
    }
    assert_eq!(ejected_workers(&chain, bad.address), 1.0);
    let config = std::fs::read_to_string(&chain.gateway.config_file).unwrap();
    chain
        .gateway
        .reload_with(&config.replace("path = \"/\"", "path = \"/api\""));
    assert_eq!(chain.client.get("/api").status, 200);
    assert_eq!(states(&chain)[1], ("ejected".to_owned(), 1));
    chain.gateway.reload_with(&config.replace(
        "[upstream.api.health]",
        "pool_size = 1\n[upstream.api.health]",
    ));
    assert_eq!(states(&chain)[1], ("active".to_owned(), 0));
}
