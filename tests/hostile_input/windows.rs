//! HTTP/2 clients that ask for much and open no window for it.

use super::frames::{
    DATA, GOAWAY, HEADERS, Http2, SETTINGS, STATUS_200, WINDOW_UPDATE, frame, whole_request,
};
use crate::support::client::{Version, get};
use crate::support::upstream::{full, read_head, write};
use crate::support::{Chain, Upstream, eventually};
use http::Response;
use http_body_util::BodyExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

const LENGTH: usize = 8 * 1024 * 1024;
/// For clients that stand still.
const LIMIT: &str = "idle_timeout = \"500ms\"\n";
/// For clients that move, and must not be cut because the machine is busy.
const LONG_LIMIT: &str = "idle_timeout = \"2s\"\n";
const CUT: &str = "closing a connection: the client takes no byte";
/// `SETTINGS_INITIAL_WINDOW_SIZE` 0.
const NO_WINDOW: [u8; 6] = [0, 4, 0, 0, 0, 0];

/// Pushes a large answer, and counts the connections on which it ended early.
fn pushing() -> (Upstream, Arc<AtomicUsize>) {
    let ended = Arc::new(AtomicUsize::new(0));
    let count = ended.clone();
    let upstream = Upstream::scripted(move |mut stream, _| {
        use std::io::Write;
        read_head(&mut stream);
        write(
            &mut stream,
            format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n",
                100 * LENGTH
            )
            .as_bytes(),
        );
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

/// A request for a path with two readings, which the gateway answers itself.
fn ambiguous_request(stream: u32) -> Vec<u8> {
    let fields = [
        (":method", "GET"),
        (":scheme", "https"),
        (":authority", "localhost"),
        (":path", "/a/../b"),
    ];
    frame(
        HEADERS,
        super::frames::WHOLE,
        stream,
        &super::frames::packed(&fields),
    )
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
    client
        .raw
        .write(&[whole_request(1), whole_request(3)].concat());
    is_closed(&chain, &mut client);
    eventually("the upstream connections are freed", || {
        (ended.load(Ordering::SeqCst) == 2).then_some(())
    });
    chain
        .gateway
        .wait_for_access(|line| line["status"] == 200 && line["end"] == "client_gone");
    let line = chain.gateway.wait_for_log(CUT);
    assert_eq!(
        (&line["level"], &line["listener"]),
        (&"INFO".into(), &"main".into())
    );
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
    eventually("the upstream connection is freed", || {
        (ended.load(Ordering::SeqCst) == 1).then_some(())
    });
}

#[test]
fn a_client_that_opens_no_window_cannot_keep_what_its_right_is_gone_for() {
    let (upstream, ended) = pushing();
    let chain = Chain::with(upstream, "idle_timeout = \"off\"\n");
    let mut client = open_without_window(&chain);
    client.raw.write(&whole_request(1));
    assert_eq!(client.find(&[HEADERS]).unwrap().payload[0], STATUS_200);
    let config = std::fs::read_to_string(&chain.gateway.config_file).unwrap();
    chain
        .gateway
        .reload_with(&config.replace("client_cn = \"alice\"", "client_cn = \"somebody else\""));
    is_closed(&chain, &mut client);
    eventually("the upstream connection is freed", || {
        (ended.load(Ordering::SeqCst) == 1).then_some(())
    });
    let line = chain
        .gateway
        .wait_for_access(|line| line["cut"] == "stream");
    assert_eq!(
        (&line["reason"], &line["end"]),
        (&"unknown_user".into(), &"cut".into())
    );
}

#[test]
fn an_unread_gateway_response_is_cut() {
    let chain = Chain::with(Upstream::start(), &format!("[limits]\n{LIMIT}"));
    let mut client = open_without_window(&chain);
    client.raw.write(&ambiguous_request(1));
    assert_ne!(client.find(&[HEADERS]).unwrap().payload[0], STATUS_200);
    is_closed(&chain, &mut client);
}

#[test]
fn a_closing_connection_is_still_watched() {
    let (upstream, ended) = pushing();
    let mut chain = Chain::with(
        upstream,
        "idle_timeout = \"5s\"\n[gateway]\ndrain_deadline = \"120s\"\n",
    );
    let mut client = open_without_window(&chain);
    client.raw.write(&whole_request(1));
    assert_eq!(client.find(&[HEADERS]).unwrap().payload[0], STATUS_200);
    chain.gateway.signal("TERM");
    assert_eq!(client.find(&[GOAWAY]).unwrap().kind, GOAWAY);
    assert!(client.find(&[]).is_none(), "the connection is closed");
    eventually("the upstream connection is freed", || {
        (ended.load(Ordering::SeqCst) == 1).then_some(())
    });
    assert_eq!(chain.gateway.wait_for_exit(), 0);
}

#[test]
fn a_client_that_reads_gets_all_of_it() {
    let chain = Chain::with(
        Upstream::answering(|_| Response::new(full(vec![b'x'; LENGTH]))),
        LONG_LIMIT,
    );
    let mut connection = chain.client.connect(Version::Http2).unwrap();
    assert_eq!(connection.send(get("/")).unwrap().body.len(), LENGTH);
    chain.is_unharmed();
}

#[test]
fn a_client_that_opens_a_small_window_again_and_again_gets_all_of_it() {
    const PIECE: u32 = 10_000;
    let chain = Chain::with(
        Upstream::answering(|_| Response::new(full(vec![b'x'; LENGTH]))),
        LONG_LIMIT,
    );
    let mut client = open_without_window(&chain);
    client.raw.write(&whole_request(1));
    let mut take_piece = || {
        client
            .raw
            .write(&frame(WINDOW_UPDATE, 0, 1, &PIECE.to_be_bytes()));
        client
            .raw
            .write(&frame(WINDOW_UPDATE, 0, 0, &PIECE.to_be_bytes()));
        client
            .find(&[DATA])
            .expect("the connection stays")
            .payload
            .len()
    };
    let mut received = take_piece();
    // The clock: a client that begins later and stands still. When it is cut, the other one has taken longer than that.
    let mut clock = open_without_window(&chain);
    clock.raw.write(&whole_request(1));
    eventually("the client that stands still is cut", || {
        received += take_piece();
        chain.gateway.find_log(CUT)
    });
    assert!(received < LENGTH, "the other one still takes");
    while received < LENGTH {
        received += take_piece();
    }
    assert_eq!(received, LENGTH);
}

#[test]
fn an_upstream_that_may_be_silent_is_not_taken_for_a_client_that_stalls() {
    let spoken = Arc::new(AtomicBool::new(false));
    let end = spoken.clone();
    let upstream = Upstream::scripted(move |mut stream, _| {
        read_head(&mut stream);
        write(
            &mut stream,
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        );
        eventually("the end of the silence", || {
            end.load(Ordering::SeqCst).then_some(())
        });
        write(&mut stream, b"0\r\n\r\n");
    });
    let chain = Chain::with(
        upstream,
        "idle_timeout = \"off\"\n[limits]\nidle_timeout = \"300ms\"\n",
    );
    let mut connection = chain.client.connect(Version::Http2).unwrap();
    let mut kept = connection.start(get("/")).unwrap();
    let runtime = chain.client.runtime();
    assert_eq!(
        runtime
            .block_on(kept.body_mut().frame())
            .unwrap()
            .unwrap()
            .into_data()
            .unwrap(),
        "hello"
    );
    // The clock: a client that begins later and does not take the rejection of a path with two readings.
    let mut clock = open_without_window(&chain);
    clock.raw.write(&ambiguous_request(1));
    assert!(clock.find(&[]).is_none(), "it is cut");
    spoken.store(true, Ordering::SeqCst);
    assert_eq!(
        runtime
            .block_on(kept.into_body().collect())
            .unwrap()
            .to_bytes(),
        "",
        "its end comes"
    );
    assert_eq!(
        connection.send(get("/")).unwrap().body,
        "hello",
        "on the same connection"
    );
    chain.gateway.wait_for_log(CUT);
    let lines = chain.gateway.settled_log();
    let cut = lines.iter().filter(|line| {
        line["message"]
            .as_str()
            .is_some_and(|it| it.starts_with(CUT))
    });
    assert_eq!(cut.count(), 1, "the clock alone");
}
