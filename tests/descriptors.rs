//! File descriptors: floods of connections and of requests leave enough for reloads, revocations, the admin listener and
//! clients that prove themselves; half-open connections are limited by source.

/// Idle connections of clients.
mod idle;
/// Connections to upstreams.
mod upstreams;
/// Half-open connections are limited by source.
mod sources;

use crate::support::client::{RequestBody, Version, get};
use crate::support::gateway::{
    ONE_WORKER, limited, listener_with, named_listener, process, trust_domain, user,
};
use crate::support::pki::Identity;
use crate::support::upstream::HeldUpstream;
use crate::support::{Client, Gateway, Pki, Upstream, eventually, eventually_is};
use serde_json::Value;
use socket2::{Domain, Socket, Type};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Stdio;

/// Longer than any test waits, so that no half-open connection ends by itself.
const PATIENT: &str = "handshake_timeout = \"1h\"\n";
const REFUSED: &str = "portcullis_connections_refused_total";

/// Two users, a deny list, one route to an upstream and one that the gateway answers itself.
struct Scene {
    pki: Pki,
    alice: Identity,
    bob: Identity,
}

impl Scene {
    fn new() -> Self {
        portcullis::descriptors::raise_limit().unwrap();
        let pki = Pki::new();
        std::fs::write(pki.path("denied"), "").unwrap();
        Self {
            alice: pki.client("alice"),
            bob: pki.client("bob"),
            pki,
        }
    }

    fn config(&self, lines: &str, upstream: SocketAddr) -> String {
        let deny_list = format!(
            "deny_list = \"{}/denied\"\n[admin]",
            self.pki.folder.path().display()
        );
        listener_with(&self.pki, lines).replace("[admin]", &deny_list)
            + ONE_WORKER
            + &user("alice", &["*"])
            + &user("bob", &["*"])
            + &routes(upstream)
    }

    fn client(&self, gateway: &Gateway, identity: &Identity) -> Client {
        Client::new(&self.pki, Some(identity), gateway.address())
    }

    /// A new deny entry and a reload come into force, the admin listener answers, and `alice` still gets in.
    fn goes_on(&self, gateway: &Gateway, config: &str) {
        let before = gateway.generation();
        std::fs::write(self.pki.path("denied"), "user bob\n").unwrap();
        let denied = gateway.wait_for_generation_after(before);
        let answer = self
            .client(gateway, &self.bob)
            .send(Version::Http1, get("/whoami"));
        assert!(
            answer.is_err() || answer.is_ok_and(|answer| answer.status == 403),
            "the entry is active"
        );
        assert!(gateway.reload_with(&(config.to_owned() + &user("carol", &["*"]))) > denied);
        gateway.wait_for_metric("portcullis_api_users", &[], 3.0);
        assert_eq!(gateway.reloads("failure"), 0.0);
        assert_eq!(gateway.admin("/readyz").0, 200);
        assert_eq!(
            self.client(gateway, &self.alice).get("/whoami").status,
            200,
            "who proves itself gets in"
        );
    }
}

fn routes(upstream: SocketAddr) -> String {
    format!(
        "[upstream.api]\nendpoints = [\"http://{upstream}\"]\n[[route]]\npath = \"/\"\nupstream = \"api\"\n\
         [[route]]\npath = \"/whoami\"\nrespond = \"whoami\"\n"
    )
}

/// A connection from this loopback address that says nothing.
fn silent(from: Ipv4Addr, to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
    socket.connect(&to.into()).unwrap();
    socket.into()
}

/// Whether the other side has closed a connection on which it never says anything.
fn is_closed(stream: &mut TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    match stream.read(&mut [0; 64]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
    }
}

fn status(gateway: &Gateway) -> Value {
    serde_json::from_str(&gateway.admin("/status").1).unwrap()
}

#[test]
fn the_soft_limit_is_raised_to_the_hard_limit_and_divided() {
    let (scene, upstream) = (Scene::new(), Upstream::start());
    let gateway = Gateway::start_with_descriptors(&scene.config("", upstream.address), 200, 1500);
    gateway.wait_for_metric("process_max_fds", &[], 1500.0);
    gateway.wait_for_metric("portcullis_descriptor_limit", &[], 1500.0);
    let part = |name| gateway.metric("portcullis_descriptor_budget", &[("use", name)]);
    assert_eq!(
        part("clients") + part("upstreams") + part("reserve"),
        1500.0
    );
    assert!(part("clients") > 500.0 && part("upstreams") > 500.0);
    let line = gateway.wait_for_log("file descriptors divided");
    assert_eq!(
        (line["limit"].as_u64(), line["soft_at_start"].as_u64()),
        (Some(1500), Some(200))
    );
    let told = &status(&gateway)["descriptors"];
    assert_eq!(
        (told["limit"].as_u64(), told["soft_limit_at_start"].as_u64()),
        (Some(1500), Some(200))
    );
    assert_eq!(told["clients"]["limit"].as_f64(), Some(part("clients")));
    assert!(
        told["open"].as_f64().unwrap() < part("reserve"),
        "what an idle gateway has open is within the reserve: {told}"
    );
    let client = scene.client(&gateway, &scene.alice);
    let mut connection = client.connect(Version::Http1).unwrap();
    assert_eq!(connection.send(get("/")).unwrap().status, 200);
    let used = |name| gateway.metric("portcullis_descriptors_used", &[("use", name)]);
    eventually_is("descriptors", &(1.0, 1.0), || {
        (used("clients"), used("upstreams"))
    });
}

#[test]
fn a_limit_that_leaves_nothing_for_clients_is_no_start_and_the_error_says_what_is_enough() {
    let (scene, upstream) = (Scene::new(), Upstream::start());
    let config = scene.config("", upstream.address);
    let needed = smallest_limit(&config);
    let gateway = Gateway::start_with_descriptors(&config, needed, needed);
    assert_eq!(scene.client(&gateway, &scene.alice).get("/").status, 200);
}

/// The limit that a gateway asks for that was started with a lower one.
fn smallest_limit(config: &str) -> u32 {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.toml");
    std::fs::write(&file, config).unwrap();
    let output = limited(80, 80)
        .args(["run", "-c"])
        .arg(&file)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(
        error.contains("80 file descriptors are too few") && error.contains("LimitNOFILE"),
        "{error}"
    );
    let behind = error.split("at least ").nth(1).unwrap();
    behind.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn half_open_connections_beyond_all_descriptors_hold_up_neither_a_reload_nor_a_revocation_nor_a_client()
 {
    let (scene, upstream) = (Scene::new(), Upstream::start());
    let config = scene.config(
        &format!("half_open_per_source = \"off\"\n{PATIENT}"),
        upstream.address,
    );
    for workers in [1, 4] {
        std::fs::write(scene.pki.path("denied"), "").unwrap();
        withstands_a_flood(
            &scene,
            &config.replace(ONE_WORKER, &format!("[gateway]\nworkers = {workers}\n")),
        );
    }
}

fn withstands_a_flood(scene: &Scene, config: &str) {
    let gateway = Gateway::start_with_descriptors(config, 1024, 1024);
    let mut flood: Vec<TcpStream> = (0..1100)
        .map(|_| silent(Ipv4Addr::LOCALHOST, gateway.address()))
        .collect();
    let part = gateway.metric("portcullis_descriptor_budget", &[("use", "clients")]);
    eventually("all are accepted", || {
        (gateway.metric("portcullis_connections_total", &[]) == 1100.0).then_some(())
    });
    eventually("the oldest give way", || {
        let open = gateway.metric("portcullis_half_open_connections", &[("listener", "main")]);
        (open <= part).then_some(())
    });
    scene.goes_on(&gateway, config);
    let rejected = |reason| gateway.metric(REFUSED, &[("reason", reason)]);
    assert!(rejected("gave_way") >= 1100.0 - part);
    assert_eq!(
        rejected("descriptors"),
        0.0,
        "there was always one that could give way"
    );
    eventually("the oldest is closed", || {
        is_closed(flood.first_mut()?).then_some(())
    });
    assert!(
        !is_closed(flood.last_mut().unwrap()),
        "the newest still has its time"
    );
    assert_eq!(gateway.metric("portcullis_accept_errors_total", &[]), 0.0);
    let is_told = |line: &serde_json::Value| line["reason"] == "gave_way";
    eventually("a line in the log", || {
        gateway.log().into_iter().find(is_told)
    });
    let lines = gateway.settled_log().into_iter().filter(is_told).count();
    assert!(
        (1..10).contains(&lines),
        "hundreds are told in {lines} lines"
    );
}

#[test]
fn a_client_that_has_proven_itself_gives_way_only_where_no_half_open_connection_does() {
    let (scene, upstream) = (Scene::new(), Upstream::start());
    let lines = format!("connections = 4\n{PATIENT}");
    let gateway = Gateway::start(&scene.config(&lines, upstream.address));
    let alice = scene.client(&gateway, &scene.alice);
    let mut proven: Vec<_> = (0..2)
        .map(|_| alice.connect(Version::Http1).unwrap())
        .collect();
    let send = |connection: &mut crate::support::client::Connection<'_>| {
        connection.send(get("/")).unwrap().status
    };
    assert!(proven.iter_mut().all(|connection| send(connection) == 200));
    let mut flood: Vec<_> = (0..20)
        .map(|_| silent(Ipv4Addr::LOCALHOST, gateway.address()))
        .collect();
    eventually("all but two give way", || {
        (flood
            .iter_mut()
            .filter_map(|stream| is_closed(stream).then_some(()))
            .count()
            == 18)
            .then_some(())
    });
    assert!(
        proven.iter_mut().all(|connection| send(connection) == 200),
        "those that have proven themselves stay"
    );
    proven.push(alice.connect(Version::Http1).unwrap());
    proven.push(alice.connect(Version::Http1).unwrap());
    assert!(proven.iter_mut().all(|connection| send(connection) == 200));
    // Now no half-open connection is left, so the one that has been idle for longest gives way.
    let mut late = silent(Ipv4Addr::LOCALHOST, gateway.address());
    gateway.wait_for_metric(REFUSED, &[("reason", "idle_gave_way")], 1.0);
    assert!(!is_closed(&mut late));
    assert!(proven.remove(0).send(get("/")).is_err());
    assert!(proven.iter_mut().all(|connection| send(connection) == 200));
    assert_eq!(gateway.metric(REFUSED, &[("reason", "limit")]), 0.0);
}

/// Streams of one HTTP/2 connection that are asked for at once, and the answers of those that do not hang.
async fn streams(
    sender: hyper::client::conn::http2::SendRequest<RequestBody>,
    count: usize,
    refused: std::sync::Arc<std::sync::Mutex<Vec<(u16, String)>>>,
) {
    use http_body_util::BodyExt;
    for _ in 0..count {
        let (mut sender, refused) = (sender.clone(), refused.clone());
        tokio::spawn(async move {
            let Ok(response) = sender.send_request(get("/")).await else {
                return;
            };
            let status = response.status().as_u16();
            let Ok(body) = response.into_body().collect().await else {
                return;
            };
            let problem: Value = serde_json::from_slice(&body.to_bytes()).unwrap();
            refused
                .lock()
                .unwrap()
                .push((status, problem["reason"].as_str().unwrap().to_owned()));
        });
    }
}

#[test]
fn hanging_streams_beyond_all_descriptors_hold_up_neither_a_reload_nor_the_revocation_of_their_user()
 {
    let (scene, held) = (Scene::new(), HeldUpstream::start());
    let config = scene.config("", held.upstream.address);
    let gateway = Gateway::start_with_descriptors(&config, 1024, 1024);
    let part = gateway.metric("portcullis_descriptor_budget", &[("use", "upstreams")]);
    let bob = scene.client(&gateway, &scene.bob);
    let connections: Vec<_> = (0..8)
        .map(|_| bob.connect(Version::Http2).unwrap())
        .collect();
    let refused = std::sync::Arc::<std::sync::Mutex<Vec<(u16, String)>>>::default();
    for connection in &connections {
        bob.runtime()
            .block_on(streams(connection.http2().clone(), 128, refused.clone()));
    }
    let hanging = part as usize;
    eventually("what is beyond the share is refused at once", || {
        (refused.lock().unwrap().len() == 8 * 128 - hanging).then_some(())
    });
    assert!(refused.lock().unwrap().iter().all(|(status, reason)| {
        (*status, reason.as_str()) == (503, "upstream_connections_used_up")
    }));
    let failures = [
        ("upstream", "api"),
        ("reason", "upstream_connections_used_up"),
    ];
    eventually("each is counted", || {
        (gateway.metric("portcullis_upstream_failures_total", &failures)
            == (8 * 128 - hanging) as f64)
            .then_some(())
    });
    gateway.wait_for_metric("portcullis_descriptors_used", &[("use", "upstreams")], part);
    gateway.wait_for_log("no descriptor is left for upstream connections");
    let line = gateway.wait_for_access(|line| line["reason"] == "upstream_connections_used_up");
    assert_eq!(line["status"].as_u64(), Some(503));
    scene.goes_on(&gateway, &config);
    // What hung is cut with its user's right, and there is room for others.
    eventually("the descriptors are free", || {
        (gateway.metric("portcullis_descriptors_used", &[("use", "upstreams")]) == 0.0)
            .then_some(())
    });
    held.open();
    assert_eq!(scene.client(&gateway, &scene.alice).get("/").status, 200);
}

#[test]
fn an_authorizer_that_cannot_be_asked_for_want_of_descriptors_permits_nothing() {
    let (scene, held, authorizer) = (Scene::new(), HeldUpstream::start(), Upstream::start());
    let config = scene.config("", held.upstream.address)
        + &format!(
            "[authorizer.opa]\nprotocol = \"forward-auth\"\nendpoint = \"http://{}/\"\nunavailable = \"permit\"\n\
             [[route]]\npath = \"/asked\"\nrespond = \"whoami\"\nauthorizer = \"opa\"\n",
            authorizer.address
        );
    let limit = smallest_limit(&config);
    let gateway = Gateway::start_with_descriptors(&config, limit, limit);
    let alice = scene.client(&gateway, &scene.alice);
    assert_eq!(alice.get("/asked").status, 200);
    let part = gateway.metric("portcullis_descriptor_budget", &[("use", "upstreams")]) as usize;
    let connection = alice.connect(Version::Http2).unwrap();
    let refused = std::sync::Arc::<std::sync::Mutex<Vec<(u16, String)>>>::default();
    alice.runtime().block_on(streams(
        connection.http2().clone(),
        part + 2,
        refused.clone(),
    ));
    eventually("all are used", || {
        (refused.lock().unwrap().len() >= 2).then_some(())
    });
    eventually(
        "the connection that was kept for the authorizer gave way",
        || {
            // It takes the place that this made.
            alice
                .runtime()
                .block_on(streams(connection.http2().clone(), 1, refused.clone()));
            let answer = alice.get("/asked");
            (answer.status == 503).then(|| assert_eq!(answer.reason(), "authorizer_unavailable"))
        },
    );
    let results = [("authorizer", "opa"), ("result", "no_descriptors")];
    assert!(gateway.metric("portcullis_authorizer_requests_total", &results) >= 1.0);
    assert_eq!(
        gateway.metric("portcullis_authorizer_unavailable_permits_total", &[]),
        0.0
    );
}
