//! HTTP/2 clients that open wide windows, and then read nothing, or slowly: only the socket shows it.

use super::frames::{HEADERS, Http2, SETTINGS, STATUS_200, WINDOW_UPDATE, frame, whole_request};
use crate::support::gateway::ONE_WORKER;
use crate::support::upstream::{read_head, write};
use crate::support::{Chain, Upstream, eventually};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// More than all sockets on the way hold.
const LENGTH: usize = 100 * 1024 * 1024;
const CUT: &str = "closing a connection: the client takes no byte";
/// `SETTINGS_INITIAL_WINDOW_SIZE`, the largest.
const WIDE: [u8; 6] = [0, 4, 0x7f, 0xff, 0xff, 0xff];

/// Pushes a large answer. Counts the connections on which it ended early, and what was pushed.
#[derive(Clone, Default)]
struct Pushed {
    ended: Arc<AtomicUsize>,
    bytes: Arc<AtomicUsize>,
}

impl Pushed {
    fn upstream(&self) -> Upstream {
        let pushed = self.clone();
        Upstream::scripted(move |mut stream, _| {
            use std::io::Write;
            read_head(&mut stream);
            write(
                &mut stream,
                format!("HTTP/1.1 200 OK\r\ncontent-length: {LENGTH}\r\n\r\n").as_bytes(),
            );
            for _ in 0..LENGTH / 65_536 {
                if stream.write_all(&[b'x'; 65_536]).is_err() {
                    pushed.ended.fetch_add(1, Ordering::SeqCst);
                    return;
                }
                pushed.bytes.fetch_add(65_536, Ordering::SeqCst);
            }
        })
    }

    /// Waits until nothing moves any more.
    fn wait_until_held_back(&self) {
        let (mut before, mut still) = (0, 0);
        eventually("the upstream is held back", || {
            let now = self.bytes.load(Ordering::SeqCst);
            still = if now == before && now > 0 {
                still + 1
            } else {
                0
            };
            before = now;
            (still > 25).then_some(())
        });
    }
}

/// A client that has its answer's head, and wide windows.
fn asking(chain: &Chain) -> Http2 {
    let mut client = Http2::open(chain);
    client.raw.write(&frame(SETTINGS, 0, 0, &WIDE));
    client.raw.write(&frame(
        WINDOW_UPDATE,
        0,
        0,
        &(i32::MAX as u32 - 65_535).to_be_bytes(),
    ));
    client.raw.write(&whole_request(1));
    assert_eq!(client.find(&[HEADERS]).unwrap().payload[0], STATUS_200);
    client
}

#[test]
fn a_client_that_reads_nothing_is_cut_after_the_idle_timeout() {
    let pushed = Pushed::default();
    let chain = Chain::with(pushed.upstream(), "idle_timeout = \"500ms\"\n");
    let mut client = asking(&chain);
    let line = chain.gateway.wait_for_log(CUT);
    assert_eq!(
        (&line["level"], &line["listener"]),
        (&"INFO".into(), &"main".into())
    );
    eventually("the upstream connection is freed", || {
        (pushed.ended.load(Ordering::SeqCst) == 1).then_some(())
    });
    assert!(client.find(&[]).is_none(), "the connection is closed");
    chain
        .gateway
        .wait_for_access(|line| line["status"] == 200 && line["end"] == "client_gone");
}

#[test]
fn a_client_that_reads_slowly_gets_all_of_it() {
    /// The system lets a full socket take more only when a third of it is free, which is megabytes on loopback.
    const PIECE: usize = 256 * 1024;
    let pushed = Pushed::default();
    let chain = Chain::with(pushed.upstream(), "idle_timeout = \"2s\"\n");
    let mut slow = asking(&chain);
    let mut received = 0;
    // The clock: a client that begins later and stands still. When it is cut, the other one has taken longer than that.
    let clock = asking(&chain);
    eventually("the client that stands still is cut", || {
        received += slow.raw.read_exact(PIECE).len();
        chain.gateway.find_log(CUT)
    });
    assert!(received < LENGTH, "the other one still takes");
    while received < LENGTH {
        let piece = slow.raw.read_some();
        assert!(
            !piece.is_empty(),
            "the connection stays, after {received} bytes"
        );
        received += piece.len();
    }
    drop(clock);
    assert_eq!(
        pushed.ended.load(Ordering::SeqCst),
        1,
        "only that of the clock"
    );
}

#[test]
fn a_client_that_reads_nothing_costs_bounded_memory() {
    const CLIENTS: usize = 20;
    /// A slab each way (67 KiB), what is sealed of it (64 KiB), what HTTP/2 holds of one stream (64 KiB) and what was read
    /// from the upstream (64 KiB), with HTTP/2's own buffers and the connection.
    const MOST_EACH: f64 = 400.0 * 1024.0;
    for layer in ["rustls", "in-place"] {
        let pushed = Pushed::default();
        let listener = format!("record_layer = \"{layer}\"\n");
        let chain = Chain::on(
            &listener,
            pushed.upstream(),
            &("idle_timeout = \"off\"\n".to_owned() + ONE_WORKER),
        );
        let resident = || chain.gateway.metric("process_resident_memory_bytes", &[]);
        let mut clients = vec![asking(&chain)];
        pushed.wait_until_held_back();
        let before = resident();
        clients.extend((0..CLIENTS).map(|_| asking(&chain)));
        pushed.wait_until_held_back();
        let each = (resident() - before) / CLIENTS as f64;
        assert!(each < MOST_EACH, "{each} bytes for each client ({layer})");
        drop(clients);
        eventually("all upstream connections are freed", || {
            (pushed.ended.load(Ordering::SeqCst) == CLIENTS + 1).then_some(())
        });
    }
}
