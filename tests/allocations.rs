//! What requests and connections cost in the steady state, counted on the workers' threads of a gateway in this process: heap
//! allocations for each request, bytes of bodies that our own code moves, and heap that open connections hold.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    unreachable_pub,
    reason = "tests fail by panicking, and nobody reads their documentation; clippy's own switch does not reach helpers"
)]

#[path = "allocations/clients.rs"]
mod clients;
#[path = "../bench/counting.rs"]
mod counting;
#[path = "support/pki.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "shared with the other tests, which need more of it"
)]
mod pki;

use clients::{Http2Client, client_connection, exchange};
use counting::Counting;
use pki::Pki;
use portcullis::gateway::{Gateway, GatewayRequest};
use portcullis::snapshot::{Depth, load};
use portcullis::telemetry::Telemetry;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What is counted is counted for the whole process.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

const REQUESTS: u64 = 2_000;
/// What a worker does beside requests (adding up, looking after its pools) allocates a little now and then.
const BESIDE: u64 = REQUESTS / 50;

type Client = BufReader<StreamOwned<ClientConnection, TcpStream>>;

#[test]
fn small_requests_need_no_memory_of_ours() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    for (layer, allowed) in [("in-place", 0), ("rustls", 2)] {
        let scene = Scene::new(layer);
        let mut client = scene.client();
        for _ in 0..200 {
            exchange(
                &mut client,
                b"GET /small HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n",
            );
        }
        let before = counting::on_workers();
        for _ in 0..REQUESTS {
            exchange(
                &mut client,
                b"GET /small HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n",
            );
        }
        let allocations = counting::on_workers() - before;
        let most = allowed * REQUESTS + BESIDE;
        eprintln!(
            "{layer}: {:.3} allocations for each request",
            allocations as f64 / REQUESTS as f64
        );
        assert!(
            allocations <= most,
            "{layer}: {allocations} allocations for {REQUESTS} requests, allowed {most}"
        );
    }
}

#[test]
fn small_requests_of_http2_need_little_memory() {
    const STREAMS: u64 = 16;
    const ALLOWED: u64 = 20;
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    for layer in ["in-place", "rustls"] {
        let scene = Scene::new(layer);
        let mut client = Http2Client::new(scene.connect(&scene.client_config("h2")));
        for _ in 0..200 / STREAMS {
            client.exchange(STREAMS);
        }
        let before = counting::on_workers();
        for _ in 0..REQUESTS / STREAMS {
            client.exchange(STREAMS);
        }
        let allocations = counting::on_workers() - before;
        eprintln!(
            "HTTP/2, {layer}: {:.3} allocations for each request",
            allocations as f64 / REQUESTS as f64
        );
        assert!(
            allocations <= ALLOWED * REQUESTS + BESIDE,
            "{layer}: {allocations} for {REQUESTS} requests"
        );
    }
}

#[test]
fn bodies_pass_without_being_copied_by_us() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    for layer in ["in-place", "rustls"] {
        let scene = Scene::new(layer);
        let mut client = scene.client();
        let mut upload =
            b"POST /up HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3000000\r\n\r\n".to_vec();
        upload.resize(upload.len() + 3_000_000, b'x');
        exchange(&mut client, &upload);
        exchange(
            &mut client,
            b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n",
        );
        exchange(
            &mut client,
            b"GET /chunked HTTP/1.1\r\nHost: localhost\r\n\r\n",
        );
        let copied = || scene.metric("portcullis_copied_body_bytes_total");
        assert_eq!(copied(), 0.0, "{layer}");
        // The counter can count: HTTP/1.0 knows no chunks, so their data is moved together.
        let request = b"GET /chunked HTTP/1.0\r\nHost: localhost\r\n\r\n";
        client.get_mut().write_all(request).expect("a connection");
        let mut response = Vec::new();
        client.read_to_end(&mut response).expect("a response");
        assert!(response.starts_with(b"HTTP/1.0 200 "), "{layer}");
        let body = vec![b'x'; 20 * 0x10000];
        assert!(
            response.ends_with(&[b"\r\n\r\n".as_slice(), &body].concat()),
            "{layer}"
        );
        eventually("it is counted", || copied() > 0.0);
    }
}

/// Connections whose memory is counted together.
const CONNECTIONS: i64 = 100;

#[test]
fn an_idle_connection_holds_little_memory() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    for (layer, most) in [("in-place", 4500), ("rustls", 6000)] {
        let scene = Scene::new(layer);
        let config = scene.client_config("http/1.1");
        let connect = |_| {
            let mut client = scene.connect(&config);
            exchange(
                &mut client,
                b"GET /small HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n",
            );
            client
        };
        // The first ones are what the worker's own tables and free lists grow with.
        let _others: Vec<Client> = (0..CONNECTIONS).map(connect).collect();
        let before = counting::held_by_workers();
        let _idle: Vec<Client> = (0..CONNECTIONS).map(connect).collect();
        holds_at_most(&format!("an idle connection, {layer}"), before, most);
    }
}

#[test]
fn a_half_open_connection_holds_little_memory() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    for (layer, most) in [("in-place", 16 * 1024), ("rustls", 16 * 1024)] {
        let scene = Scene::new(layer);
        let config = scene.client_config("http/1.1");
        let connect = |_| {
            let mut client = client_connection(&config);
            let mut socket = TcpStream::connect(scene.address).expect("the gateway");
            client.write_tls(&mut socket).expect("a ClientHello");
            // The server has said all that it says before the client's certificate.
            socket.read_exact(&mut [0; 100]).expect("a ServerHello");
            socket
        };
        let _others: Vec<TcpStream> = (0..CONNECTIONS).map(connect).collect();
        let before = counting::held_by_workers();
        let _half_open: Vec<TcpStream> = (0..CONNECTIONS).map(connect).collect();
        holds_at_most(&format!("a half-open connection, {layer}"), before, most);
    }
}

/// Waits until each of the connections that were opened since then holds no more than this. What they needed for a moment
/// is given back a moment later.
fn holds_at_most(what: &str, before: i64, most: i64) {
    let each = || (counting::held_by_workers() - before) / CONNECTIONS;
    eventually(what, || {
        eprintln!("{what}: {} bytes", each());
        each() <= most
    });
}

fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(
            Instant::now() < deadline,
            "not so after a long time: {what}"
        );
        thread::sleep(Duration::from_millis(100));
    }
}

/// A gateway with one worker, and its upstream.
struct Scene {
    pki: Pki,
    address: SocketAddr,
    admin: SocketAddr,
    requests: mpsc::UnboundedSender<GatewayRequest>,
    gateway: Option<thread::JoinHandle<()>>,
}

impl Scene {
    fn new(record_layer: &str) -> Self {
        let pki = Pki::new();
        let upstream = upstream();
        let config = format!(
            "[gateway]\nworkers = 1\n[admin]\naddress = \"127.0.0.1:0\"\n[access_log]\nformat = \"off\"\n[limits]\nbody_size = \"10MB\"\n\
             [listener.main]\naddress = \"127.0.0.1:0\"\ncertificate = \"server.crt\"\nprivate_key = \"server.key\"\n\
             trust_domain = \"internal\"\nrecord_layer = \"{record_layer}\"\n\
             [trust_domain.internal]\nanchors = [\"ca.crt\"]\n\
             [api_user.alice]\nclient_cn = \"alice\"\npermissions = [\"*\"]\nrequest_rate = \"1000000/s\"\n\
             concurrency = 100\ndaily_quota = 1000000\nrequest_time = \"1h\"\nbody_size = \"10MB\"\n\
             [upstream.api]\nendpoints = [\"http://{upstream}\"]\n[[route]]\npath = \"/\"\nupstream = \"api\"\n\
             concurrency = 100\ndaily_quota = 1000000\n"
        );
        let path = pki.folder.path().join("gateway.toml");
        std::fs::write(&path, config).expect("a config file");
        let (requests, mut asked) = mpsc::unbounded_channel();
        let (told, started) = std::sync::mpsc::channel();
        let gateway = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let telemetry = Arc::new(Telemetry::default());
                let outcome = load(&path, None, &telemetry, Depth::Errors);
                assert!(outcome.snapshot.is_some(), "{}", outcome.report());
                let mut gateway = Gateway::start(path, outcome, telemetry, None)
                    .await
                    .expect("a gateway");
                let address = gateway.addresses().first().expect("a listener").1;
                told.send((address, gateway.admin_address().expect("an admin listener")))
                    .expect("a waiting test");
                gateway.run(&mut asked).await;
                gateway.shut_down().await;
            });
        });
        let (address, admin) = started.recv().expect("a started gateway");
        Self {
            pki,
            address,
            admin,
            requests,
            gateway: Some(gateway),
        }
    }

    fn client(&self) -> Client {
        self.connect(&self.client_config("http/1.1"))
    }

    fn connect(&self, config: &Arc<ClientConfig>) -> Client {
        let socket = TcpStream::connect(self.address).expect("the gateway");
        socket.set_nodelay(true).expect("a socket");
        BufReader::new(StreamOwned::new(client_connection(config), socket))
    }

    fn client_config(&self, protocol: &str) -> Arc<ClientConfig> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        let file = |name: &str| self.pki.folder.path().join(name);
        for certificate in portcullis::tls::certificates(&file("ca.crt")).expect("the CA") {
            roots.add(certificate).expect("an anchor");
        }
        let alice = self.pki.client("alice");
        let chain = portcullis::tls::certificates(&alice.certificate_file).expect("a certificate");
        let key = portcullis::tls::private_key(&alice.key_file).expect("a key");
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("TLS 1.3")
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .expect("a client certificate");
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        Arc::new(config)
    }

    /// The sum over all labels.
    fn metric(&self, name: &str) -> f64 {
        let mut stream = TcpStream::connect(self.admin).expect("the admin listener");
        stream
            .write_all(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n")
            .expect("a request");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("an answer");
        let lines = text.lines().filter(|line| line.starts_with(name));
        lines
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = self.requests.send(GatewayRequest::Shutdown);
        if let Some(gateway) = self.gateway.take() {
            let ended = gateway.join();
            assert!(thread::panicking() || ended.is_ok());
        }
    }
}

/// Answers by path, and reads every body.
fn upstream() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.expect("a connection");
            thread::spawn(move || serve(&mut BufReader::new(stream)));
        }
    });
    address
}

fn serve(stream: &mut BufReader<TcpStream>) {
    let _ = stream.get_ref().set_nodelay(true);
    loop {
        let (mut first, mut line, mut length) = (String::new(), String::new(), 0);
        if stream.read_line(&mut first).unwrap_or(0) == 0 {
            return;
        }
        while line != "\r\n" {
            line.clear();
            stream.read_line(&mut line).expect("a field");
            length = line
                .strip_prefix("content-length: ")
                .map_or(length, |text| text.trim().parse().expect("a length"));
        }
        std::io::copy(&mut stream.take(length), &mut std::io::sink()).expect("a body");
        let answer = match first.split(' ').nth(1) {
            Some("/large") => [
                b"HTTP/1.1 200 OK\r\ncontent-length: 2000000\r\n\r\n".as_slice(),
                &[b'x'; 2_000_000],
            ]
            .concat(),
            Some("/chunked") => {
                let chunk = [b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat();
                let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".as_slice();
                [head, &chunk.repeat(20), b"0\r\n\r\n"].concat()
            }
            _ => b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello".to_vec(),
        };
        if stream.get_mut().write_all(&answer).is_err() {
            return;
        }
    }
}
