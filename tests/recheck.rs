//! Whoever loses a right loses what is open by it: event streams, WebSockets, streams of HTTP/2, uploads and requests that
//! wait. Whoever keeps it loses nothing.

/// Certificates that expire while something is open by them.
mod expiry;
/// What HTTP/2 connections are told.
mod http2;
/// What is open is cut by an overlay, too.
mod overlay;
/// Streams, tunnels, uploads and waiting requests, and how long they live on.
mod streams;

use crate::support::client::{Version, get};
use crate::support::gateway::{listener_with, route_to, user};
use crate::support::upstream::{read_head, write};
use crate::support::{Client, Gateway, Pki, Upstream, eventually, eventually_is};
use http_body_util::BodyExt;
use std::io::Read;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Both record layers, as lines in the table of a listener.
const RECORD_LAYERS: [&str; 2] = ["record_layer = \"rustls\"", "record_layer = \"in-place\""];

/// What can be open when a right goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Events,
    Http2Events,
    WebSocket,
    /// Requests one after the other on one connection; to be measured only.
    Requests,
    Http2Requests,
}

const STREAMS: [Open; 3] = [Open::Events, Open::Http2Events, Open::WebSocket];

impl Open {
    /// The word in log and metrics.
    fn kind(self) -> &'static str {
        if self == Self::WebSocket {
            "tunnel"
        } else {
            "stream"
        }
    }
}

/// How something open ended, as its client sees it.
#[derive(Debug)]
struct Ended {
    /// What came, without heads.
    text: String,
    last_byte: Instant,
    /// Whether the end was one that the protocol knows.
    clean: bool,
}

/// An upstream that never ends by itself: `/events` and WebSockets tick until nobody listens or [`Self::finish`], `/poll`
/// never answers, uploads are read for ever, and `/flood` has no end either.
struct Pulse {
    upstream: Upstream,
    count: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    arrived: AtomicUsize,
    /// Connections that were closed under it.
    left: AtomicUsize,
    uploaded: AtomicUsize,
    finish: AtomicUsize,
}

impl Pulse {
    fn start() -> Self {
        let count: Arc<Counts> = Arc::default();
        let shared = count.clone();
        let upstream = Upstream::scripted(move |mut stream, _| {
            loop {
                let head = read_head(&mut stream);
                if head.is_empty() {
                    return;
                }
                shared.arrived.fetch_add(1, Ordering::SeqCst);
                match head.split(' ').nth(1) {
                    Some("/events") => tick(
                        &mut stream,
                        &shared,
                        "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n",
                    ),
                    Some("/socket") => {
                        let head = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                                    sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
                        tick(&mut stream, &shared, head);
                    }
                    Some("/poll" | "/upload") => swallow(&mut stream, &shared),
                    Some("/flood") => flood(&mut stream, &shared),
                    Some("/heavy") => {
                        // A head that is too long to go down together with its body.
                        let head =
                            format!("X-Padding: {}\r\nContent-Length: 40000", "x".repeat(20_000));
                        write(
                            &mut stream,
                            format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n").as_bytes(),
                        );
                        write(&mut stream, &[b'x'; 40_000]);
                        continue;
                    }
                    _ => {
                        write(
                            &mut stream,
                            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
                        );
                        continue;
                    }
                }
                return;
            }
        });
        Self { upstream, count }
    }

    fn wait_until_arrived(&self, count: usize) {
        eventually("requests at the upstream", || {
            (self.count.arrived.load(Ordering::SeqCst) >= count).then_some(())
        });
    }

    /// Whoever was cut, their connections to the upstream are closed, and not used again.
    fn wait_until_left(&self, count: usize) {
        eventually("closed upstream connections", || {
            (self.count.left.load(Ordering::SeqCst) >= count).then_some(())
        });
    }

    /// Ends all that ticks, in peace.
    fn finish(&self) {
        self.count.finish.store(1, Ordering::SeqCst);
    }
}

/// Lines with ascending numbers.
fn tick(stream: &mut TcpStream, count: &Counts, head: &str) {
    use std::io::Write;
    write(stream, head.as_bytes());
    for number in 0.. {
        if count.finish.load(Ordering::SeqCst) > 0 {
            return;
        }
        if stream.write_all(format!("{number}\n").as_bytes()).is_err() {
            count.left.fetch_add(1, Ordering::SeqCst);
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// More than all buffers on the way hold.
fn flood(stream: &mut TcpStream, count: &Counts) {
    use std::io::Write;
    write(
        stream,
        b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n",
    );
    while stream.write_all(&[b'x'; 65_536]).is_ok() {}
    count.left.fetch_add(1, Ordering::SeqCst);
}

fn swallow(stream: &mut TcpStream, count: &Counts) {
    let mut space = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut space) {
        count.uploaded.fetch_add(read, Ordering::SeqCst);
    }
    count.left.fetch_add(1, Ordering::SeqCst);
}

/// Opens something, says so when its first bytes are here, and reads until it ends.
fn follow(open: Open, client: &Client, begun: impl FnOnce()) -> Ended {
    match open {
        Open::Events | Open::WebSocket => follow_raw(open, client, begun),
        Open::Requests => follow_requests(Version::Http1, client, begun),
        Open::Http2Requests => follow_requests(Version::Http2, client, begun),
        Open::Http2Events => follow_http2_events(client, begun),
    }
}

fn follow_raw(open: Open, client: &Client, begun: impl FnOnce()) -> Ended {
    let mut raw = client.raw();
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let (path, fields) = if open == Open::Events {
        ("events", "Connection: close\r\n")
    } else {
        ("socket", upgrade)
    };
    raw.write(format!("GET /{path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n").as_bytes());
    raw.read_until("\r\n\r\n");
    let mut bytes = raw.read_some();
    let mut last_byte = Instant::now();
    begun();
    loop {
        let more = raw.read_some();
        if more.is_empty() {
            break;
        }
        last_byte = Instant::now();
        bytes.extend(more);
    }
    let text = String::from_utf8(bytes).expect("text");
    // What ends with the upstream's connection comes in chunks.
    let clean = open == Open::WebSocket || text.ends_with("\r\n0\r\n\r\n");
    let text = if open == Open::Events {
        without_chunks(&text)
    } else {
        text
    };
    Ended {
        text,
        last_byte,
        clean,
    }
}

fn follow_requests(version: Version, client: &Client, begun: impl FnOnce()) -> Ended {
    let mut connection = client.connect(version).expect("a connection");
    let mut last_byte = Instant::now();
    begun();
    while connection
        .send(get("/"))
        .is_ok_and(|answer| answer.status == 200)
    {
        last_byte = Instant::now();
    }
    Ended {
        text: String::new(),
        last_byte,
        clean: false,
    }
}

fn follow_http2_events(client: &Client, begun: impl FnOnce()) -> Ended {
    let mut connection = client.connect(Version::Http2).expect("a connection");
    let mut answer = connection.start(get("/events")).expect("an answer");
    let (mut text, mut last_byte, mut begun) = (String::new(), Instant::now(), Some(begun));
    let clean = loop {
        match client.runtime().block_on(answer.body_mut().frame()) {
            None => break true,
            Some(Err(_)) => break false,
            Some(Ok(frame)) => {
                last_byte = Instant::now();
                let data = frame.into_data().unwrap_or_default();
                text.push_str(std::str::from_utf8(&data).expect("text"));
                if let Some(begun) = begun.take() {
                    begun();
                }
            }
        }
    };
    Ended {
        text,
        last_byte,
        clean,
    }
}

/// The data of chunks that are whole, and of the last one as far as it came.
fn without_chunks(text: &str) -> String {
    let (mut data, mut rest) = (String::new(), text);
    while let Some((size, behind)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect("the size of a chunk");
        data.push_str(behind.get(..size).unwrap_or(behind));
        rest = behind.get(size + 2..).unwrap_or_default();
    }
    data
}

/// Every number came, once and in order.
fn nothing_is_missing(text: &str) {
    let numbers: Vec<usize> = text
        .lines()
        .map(|line| line.parse().expect("a number"))
        .collect();
    assert!(
        numbers.iter().copied().eq(0..numbers.len()),
        "gaps in {numbers:?}"
    );
}

/// One listener with these lines, one route for everything.
fn config(pki: &Pki, pulse: &Pulse, lines: &str, users: &str) -> String {
    listener_with(pki, lines) + users + &route_to(pulse.upstream.address)
}

fn alice() -> String {
    user("alice", &["*"])
}

fn bob() -> String {
    user("bob", &["*"])
}

fn client(pki: &Pki, name: &str, gateway: &Gateway) -> Client {
    Client::new(pki, Some(&pki.client(name)), gateway.address())
}

/// Puts a file in place of another as renewal tools do.
fn replace(path: &std::path::Path, text: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, text).expect("a writable folder");
    std::fs::rename(&new, path).expect("a rename");
}
