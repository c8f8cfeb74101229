//! What a connection may cost: nobody is starved, what nobody takes is not read, and who waits holds next to nothing.

use super::{LAYERS, own};
use crate::support::client::Raw;
use crate::support::eventually::PATIENCE;
use crate::support::gateway::ONE_WORKER;
use crate::support::upstream::{read_head, write};
use crate::support::{Chain, Upstream, eventually};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const GET: &str = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
const REFUSED: &str = "GET /a/../b HTTP/1.1\r\nHost: localhost\r\n\r\n";
const UPLOAD: &str =
    "POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000000\r\n\r\n";
const LARGE: &str = "GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n";
/// No route limits a body.
const ANY_BODY: &str = "body_size = \"off\"\n";

/// Says hello, takes every upload, and gives as much as is taken.
fn generous(given: &Arc<AtomicUsize>) -> Upstream {
    let given = given.clone();
    Upstream::scripted(move |mut stream, _| {
        loop {
            let head = read_head(&mut stream);
            match head.split(' ').nth(1) {
                Some("/large") => return give(&mut stream, &given),
                Some("/upload") => drop(std::io::copy(&mut stream, &mut std::io::sink())),
                Some(_) => write(
                    &mut stream,
                    b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
                ),
                None => return,
            }
        }
    })
}

fn give(stream: &mut TcpStream, given: &AtomicUsize) {
    write(
        stream,
        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", 64 << 20).as_bytes(),
    );
    for _ in 0..64 * 16 {
        if stream.write_all(&[b'x'; 65_536]).is_err() {
            return;
        }
        given.fetch_add(65_536, Ordering::Relaxed);
    }
}

/// Always has a block of requests under way, and reads the answers of the one before.
fn pipelines(mut raw: Raw, request: &str, end: &str, over: &AtomicBool) {
    const BLOCK: usize = 100;
    raw.write(request.repeat(BLOCK).as_bytes());
    while !over.load(Ordering::Relaxed) {
        raw.write(request.repeat(BLOCK).as_bytes());
        (0..BLOCK).for_each(|_| drop(raw.read_until(end)));
    }
}

fn uploads(mut raw: Raw, over: &AtomicBool) {
    raw.write(UPLOAD.as_bytes());
    while !over.load(Ordering::Relaxed) && raw.try_write(&[b'x'; 65_536]).is_ok() {}
}

fn asks_thirty_times(chain: &Chain) {
    let mut raw = chain.client.raw();
    for _ in 0..30 {
        raw.write(GET.as_bytes());
        raw.read_until("hello");
    }
}

#[test]
fn an_endless_client_does_not_starve_others() {
    for layer in LAYERS {
        let chain = Chain::on(
            &own(layer),
            generous(&Arc::default()),
            &(ANY_BODY.to_owned() + ONE_WORKER),
        );
        let over = AtomicBool::new(false);
        // On a machine that is busy with something else, what is not starved is slow, too.
        let alone = Instant::now();
        asks_thirty_times(&chain);
        let most = PATIENCE.max(alone.elapsed() * 100);
        std::thread::scope(|scope| {
            for (request, end) in [(GET, "hello"), (REFUSED, "\"type\":\"about:blank\"}")] {
                let (raw, over) = (chain.client.raw(), &over);
                scope.spawn(move || pipelines(raw, request, end, over));
            }
            scope.spawn(|| uploads(chain.client.raw(), &over));
            // It must end also where the condition fails.
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let uploaded = || chain.gateway.metric("portcullis_connections_open", &[]) >= 3.0;
                eventually("all are connected", || uploaded().then_some(()));
                let begun = Instant::now();
                asks_thirty_times(&chain);
                assert!(begun.elapsed() < most, "{layer}: too few answers");
            }));
            over.store(true, Ordering::Relaxed);
            outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        });
        chain.is_unharmed();
    }
}

const CLIENTS: usize = 40;
const UPLOADS: usize = 10;
/// Two slabs, what TLS keeps, and as much again for what the allocator does with it.
const MOST_BUSY: f64 = 256.0 * 1024.0;
/// The buffers of four sockets, of which each end may have several MiB.
const MOST_IN_SOCKETS: usize = 40 << 20;

fn resident(chain: &Chain) -> f64 {
    chain.gateway.metric("process_resident_memory_bytes", &[])
}

/// Connections that have had an answer.
fn warm(chain: &Chain, count: usize) -> Vec<Raw> {
    // One after the other: only so many of one address may have a handshake under way.
    let warm_one = |_| {
        let mut client = chain.client.raw();
        client.write(GET.as_bytes());
        client.read_until("hello");
        client
    };
    (0..count).map(warm_one).collect()
}

#[test]
fn unread_responses_are_not_read_from_the_upstream() {
    for layer in LAYERS {
        let given = Arc::new(AtomicUsize::new(0));
        let chain = Chain::on(&own(layer), generous(&given), "");
        let mut clients = warm(&chain, CLIENTS);
        let before = resident(&chain);
        clients
            .iter_mut()
            .for_each(|client| client.write(LARGE.as_bytes()));
        let mut last = (0, 0);
        eventually("all stand still", || {
            let now = given.load(Ordering::Relaxed);
            last = if now == last.0 && now > 0 {
                (now, last.1 + 1)
            } else {
                (now, 0)
            };
            (last.1 >= 20).then_some(())
        });
        let each = (resident(&chain) - before) / CLIENTS as f64;
        eprintln!(
            "{layer}: {:.0} KiB for each answer that nobody reads",
            each / 1024.0
        );
        assert!(each < MOST_BUSY, "{layer}: {each} bytes for each client");
        assert!(
            last.0 < CLIENTS * MOST_IN_SOCKETS,
            "{layer}: {} bytes were given",
            last.0
        );
        // Who reads on gets all of it.
        let mut first = clients.swap_remove(0);
        first.read_until("\r\n\r\n");
        assert!(
            first
                .read_exact(64 << 20)
                .iter()
                .all(|octet| *octet == b'x')
        );
        drop(clients);
        chain.is_unharmed();
    }
}

#[test]
fn unread_uploads_are_not_read_from_the_client() {
    for layer in LAYERS {
        let upstream = Upstream::scripted(|mut stream, _| {
            while read_head(&mut stream).starts_with("GET") {
                write(
                    &mut stream,
                    b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
                );
            }
            // It takes the head and no more, for as long as the gateway stays.
            while !matches!(stream.peek(&mut [0; 1]), Ok(0) | Err(_)) {
                std::thread::park_timeout(Duration::from_millis(20));
            }
        });
        let chain = Chain::on(&own(layer), upstream, ANY_BODY);
        let clients = warm(&chain, UPLOADS);
        let before = resident(&chain);
        let mut senders = Vec::new();
        for mut client in clients {
            senders.push(std::thread::spawn(move || {
                client.give_up_writing_after(Duration::from_millis(500));
                client.write(UPLOAD.as_bytes());
                let mut taken = 0;
                while taken < 2 * MOST_IN_SOCKETS && client.try_write(&[b'x'; 65_536]).is_ok() {
                    taken += 65_536;
                }
                (client, taken)
            }));
        }
        let senders: Vec<_> = senders
            .into_iter()
            .map(|sender| sender.join().unwrap())
            .collect();
        let each = (resident(&chain) - before) / UPLOADS as f64;
        eprintln!(
            "{layer}: {:.0} KiB for each upload that nobody reads",
            each / 1024.0
        );
        assert!(each < MOST_BUSY, "{layer}: {each} bytes for each client");
        for (_, taken) in &senders {
            assert!(
                *taken < MOST_IN_SOCKETS,
                "{layer}: {taken} bytes were taken"
            );
        }
        drop(senders);
        chain.is_unharmed();
    }
}

#[test]
fn a_connection_that_waits_holds_no_slab() {
    const IDLE: usize = 400;
    /// Less than a slab. Nearly all of it is the connection's state, which is large without optimisation.
    const MOST_IDLE: f64 = 56.0 * 1024.0;
    for layer in LAYERS {
        let chain = Chain::on(&own(layer), Upstream::start(), "");
        drop(warm(&chain, 20));
        let before = resident(&chain);
        let mut clients = warm(&chain, IDLE);
        let each = (resident(&chain) - before) / IDLE as f64;
        eprintln!("{layer}: {:.1} KiB for each idle connection", each / 1024.0);
        assert!(
            each < MOST_IDLE,
            "{layer}: {each} bytes for each idle connection"
        );
        let last = clients.last_mut().unwrap();
        last.write(GET.as_bytes());
        last.read_until("hello");
    }
}

#[test]
fn an_upload_may_stop_for_a_while_and_go_on() {
    for layer in LAYERS {
        let upstream = Upstream::scripted(|mut stream, _| {
            read_head(&mut stream);
            let mut body = vec![0; 20 << 20];
            stream.read_exact(&mut body).unwrap();
            let whole = body.iter().all(|octet| *octet == b'x');
            let answer = if whole { "whole" } else { "wrong" };
            write(
                &mut stream,
                format!("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n{answer}").as_bytes(),
            );
        });
        let chain = Chain::on(&own(layer), upstream, ANY_BODY);
        let mut raw = chain.client.raw();
        let head = format!(
            "POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
            20 << 20
        );
        raw.write(head.as_bytes());
        raw.write(&vec![b'x'; 20 << 20]);
        assert!(
            raw.read_until("\r\n\r\n").starts_with("HTTP/1.1 200"),
            "{layer}"
        );
        assert_eq!(raw.read_exact(5), b"whole");
    }
}
