//! HTTP/2 clients that ask for much and open no window for it.

use super::frames::{DATA, GOAWAY, HEADERS, Http2, SETTINGS, STATUS_200, WINDOW_UPDATE, frame, whole_request};
use crate::support::client::{Version, get};
use crate::support::upstream::{full, read_head, write};
use crate::support::{Chain, Upstream, eventually};
use http::Response;
use http_body_util::BodyExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const LENGTH: usize = 8 * 1024 * 1024;
const LIMIT: &str = "idle_timeout = \"500ms\"\n";
/// `SETTINGS_INITIAL_WINDOW_SIZE` 0.
const NO_WINDOW: [u8; 6] = [0, 4, 0, 0, 0, 0];

/// Pushes a large answer, and counts the connections on which it ended early.
fn pushing() -> (Upstream, Arc<AtomicUsize>) {
    let ended = Arc::new(AtomicUsize::new(0));
    let count = ended.clone();
    let upstream = Upstream::scripted(move |mut stream, _| {
        use std::io::Write;
        read_head(&mut stream);
        write(&mut stream, format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", 100 * LENGTH).as_bytes());
        while stream.write_all(&[b'x'; 65_536]).is_ok() {}
        count.fetch_add(1, Ordering::SeqCst);
    });
    (upstream, ended)
}

fn open_without_window(chain: &Chain) -> Http2 {
    let mut client = Http2::open(chain);
    client.raw.write(&frame(SETTINGS, 0, 0, &NO_WINDOW));
    client
}

fn is_closed(chain: &Chain, client: &mut Http2) {
    assert!(client.find(&[]).is_none(), "the connection is closed");
    eventually("no connection is open", || {
        (chain.gateway.metric("portcullis_connections_open", &[]) == 0.0).then_some(())
    });
}

#[test]
fn a_client_that_opens_no_window_is_cut_after_the_idle_timeout() {
    let (upstream, ended) = pushing();
    let chain = Chain::with(upstream, LIMIT);
    let mut client = open_without_window(&chain);
    client.raw.write(&[whole_request(1), whole_request(3)].concat());
    is_closed(&chain, &mut client);
    eventually("the upstream connections are freed", || (ended.load(Ordering::SeqCst) == 2).then_some(()));
    chain.gateway.wait_for_access(|line| line["status"] == 200 && line["end"] == "client_gone");
    let line = chain.gateway.find_log("closing a connection whose client takes nothing").unwrap();
    assert_eq!((&line["level"], &line["listener"]), (&"INFO".into(), &"main".into()));
}

#[test]
fn a_client_that_closes_its_window_later_is_cut_too() {
    let (upstream, ended) = pushing();
    let chain = Chain::with(upstream, LIMIT);
    // All of the first window is used, and then it is never opened again.
    let mut client = Http2::open(&chain);
    client.raw.write(&whole_request(1));
    assert_eq!(client.find(&[HEADERS]).unwrap().payload[0], STATUS_200);
    is_closed(&chain, &mut client);
    eventually("the upstream connection is freed", || (ended.load(Ordering::SeqCst) == 1).then_some(()));
}

#[test]
fn a_client_that_opens_no_window_cannot_keep_what_its_right_is_gone_for() {
    let (upstream, ended) = pushing();
    let chain = Chain::with(upstream, "idle_timeout = \"off\"\n");
    let mut client = open_without_window(&chain);
    client.raw.write(&whole_request(1));
    assert_eq!(client.find(&[HEADERS]).unwrap().payload[0], STATUS_200);
    let config = std::fs::read_to_string(&chain.gateway.config_file).unwrap();
    chain.gateway.reload_with(&config.replace("client_cn = \"alice\"", "client_cn = \"somebody else\""));
    is_closed(&chain, &mut client);
    eventually("the upstream connection is freed", || (ended.load(Ordering::SeqCst) == 1).then_some(()));
    let line = chain.gateway.wait_for_access(|line| line["cut"] == "stream");
    assert_eq!((&line["reason"], &line["end"]), (&"unknown_user".into(), &"cut".into()));
}

#[test]
fn an_answer_of_our_own_that_is_not_taken_is_cut_too() {
    let chain = Chain::with(Upstream::start(), &format!("[limits]\n{LIMIT}"));
    let mut client = open_without_window(&chain);
    // A path with two readings.
    let fields = [(":method", "GET"), (":scheme", "https"), (":authority", "localhost"), (":path", "/a/../b")];
    client.raw.write(&frame(HEADERS, super::frames::WHOLE, 1, &super::frames::packed(&fields)));
    assert_ne!(client.find(&[HEADERS]).unwrap().payload[0], STATUS_200);
    is_closed(&chain, &mut client);
}

#[test]
fn a_connection_that_is_told_to_close_is_watched_still() {
    let (upstream, ended) = pushing();
    let mut chain = Chain::with(upstream, "idle_timeout = \"5s\"\n[gateway]\ndrain_deadline = \"120s\"\n");
    let mut client = open_without_window(&chain);
    client.raw.write(&whole_request(1));
    assert_eq!(client.find(&[HEADERS]).unwrap().payload[0], STATUS_200);
    chain.gateway.signal("TERM");
    assert_eq!(client.find(&[GOAWAY]).unwrap().kind, GOAWAY);
    assert!(client.find(&[]).is_none(), "the connection is closed");
    eventually("the upstream connection is freed", || (ended.load(Ordering::SeqCst) == 1).then_some(()));
    assert_eq!(chain.gateway.wait_for_exit(), 0);
}

#[test]
fn a_client_that_reads_gets_all_of_it() {
    let chain = Chain::with(Upstream::answering(|_| Response::new(full(vec![b'x'; LENGTH]))), LIMIT);
    let mut connection = chain.client.connect(Version::Http2).unwrap();
    assert_eq!(connection.send(get("/")).unwrap().body.len(), LENGTH);
    chain.is_unharmed();
}

#[test]
fn a_client_that_opens_a_small_window_again_and_again_gets_all_of_it() {
    const PIECE: u32 = 10_000;
    let chain = Chain::with(Upstream::answering(|_| Response::new(full(vec![b'x'; 100_000]))), LIMIT);
    let mut client = open_without_window(&chain);
    client.raw.write(&whole_request(1));
    let mut received = 0;
    while received < 100_000 {
        // Altogether far slower than the idle timeout, but never still for as long.
        std::thread::sleep(Duration::from_millis(150));
        client.raw.write(&frame(WINDOW_UPDATE, 0, 1, &PIECE.to_be_bytes()));
        client.raw.write(&frame(WINDOW_UPDATE, 0, 0, &PIECE.to_be_bytes()));
        received += client.find(&[DATA]).expect("the connection stays").payload.len();
    }
    assert_eq!(received, 100_000);
}

#[test]
fn an_upstream_that_may_be_silent_is_not_taken_for_a_client_that_stalls() {
    let silent = |more: &'static str| {
        Chain::with(
            Upstream::scripted(|mut stream, _| {
                let head = read_head(&mut stream);
                write(&mut stream, b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n");
                if head.starts_with("GET /clock") {
                    // Moves on, but slower than a client may.
                    std::thread::sleep(Duration::from_millis(1_500));
                    write(&mut stream, b"0\r\n\r\n");
                }
                let _ = std::io::copy(&mut stream, &mut std::io::sink());
            }),
            more,
        )
    };
    let chain = silent("idle_timeout = \"off\"\n[limits]\nidle_timeout = \"300ms\"\n");
    let mut connection = chain.client.connect(Version::Http2).unwrap();
    let mut kept = connection.start(get("/")).unwrap();
    let runtime = chain.client.runtime();
    assert_eq!(runtime.block_on(kept.body_mut().frame()).unwrap().unwrap().into_data().unwrap(), "hello");
    assert_eq!(connection.send(get("/clock")).unwrap().body, "hello", "on the same connection");
    let waiting = async { tokio::time::timeout(Duration::from_millis(100), kept.body_mut().frame()).await };
    assert!(runtime.block_on(waiting).is_err(), "still waiting");
    assert!(chain.gateway.find_log("closing a connection").is_none());
}
