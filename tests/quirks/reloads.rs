//! An upstream that reloads under load: what can be asked twice has an answer, and nothing else is asked twice.

use super::{BOTH, Front, ICINGA, USUAL};
use crate::support::client::{get, request};
use crate::support::reloading::Reloading;
use crate::support::upstream::{full, read_head, write};
use crate::support::{ReservedPort, Upstream, eventually};
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

const RELOADS: usize = 20;

/// What clients saw while an upstream reloaded again and again.
#[derive(Debug, Default)]
struct Outcome {
    answered: AtomicUsize,
    failed: AtomicUsize,
    posted: AtomicUsize,
}

fn under_load(
    front: &Front,
    version: crate::support::client::Version,
    upstream: &Reloading,
) -> Outcome {
    let (outcome, over) = (Outcome::default(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let (outcome, over) = (&outcome, &over);
        for client in 0..3 {
            scope.spawn(move || {
                let mut connection = front.client.connect(version).unwrap();
                for number in 0.. {
                    if over.load(Ordering::SeqCst) {
                        return;
                    }
                    // A query of Icinga 2 has a body.
                    let text = if number % 2 == 0 {
                        String::new()
                    } else {
                        format!("{client} {number}").repeat(500)
                    };
                    let answer = connection
                        .send(request("GET", &format!("/{client}/{number}"), &text))
                        .unwrap();
                    match answer.status {
                        200 if answer.body == text => {
                            outcome.answered.fetch_add(1, Ordering::SeqCst)
                        }
                        _ => outcome.failed.fetch_add(1, Ordering::SeqCst),
                    };
                }
            });
        }
        scope.spawn(move || {
            for number in 0.. {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let answer = front
                    .client
                    .send(
                        version,
                        request("POST", &format!("/order/{number}"), "once"),
                    )
                    .unwrap();
                assert!([200, 502, 503].contains(&answer.status), "{answer:?}");
                outcome.posted.fetch_add(1, Ordering::SeqCst);
            }
        });
        for _ in 0..RELOADS {
            let (answered, posted) = (
                outcome.answered.load(Ordering::SeqCst),
                outcome.posted.load(Ordering::SeqCst),
            );
            eventually("requests since the last reload", || {
                let failed = outcome.failed.load(Ordering::SeqCst);
                let more = outcome.answered.load(Ordering::SeqCst) + failed >= answered + 20;
                (more && outcome.posted.load(Ordering::SeqCst) > posted).then_some(())
            });
            upstream.reload();
        }
        over.store(true, Ordering::SeqCst);
    });
    outcome
}

#[test]
fn twenty_reloads_under_load_are_invisible_to_clients_that_may_retry() {
    for version in BOTH {
        let upstream = Reloading::start();
        let front = Front::to(upstream.address, ICINGA);
        let outcome = under_load(&front, version, &upstream);
        assert_eq!(
            outcome.failed.load(Ordering::SeqCst),
            0,
            "{version:?} {outcome:?}"
        );
        assert!(
            upstream.most_arrivals("POST") == 1,
            "nothing with side effects arrives twice: {version:?}"
        );
        let counted = |name: &str| front.gateway.metric(name, &[("upstream", "api")]);
        assert!(
            counted("portcullis_upstream_retries_total")
                + counted("portcullis_upstream_connect_retries_total")
                > 0.0
        );
    }
}

#[test]
fn without_patience_for_reloads_an_upstream_that_is_not_there_is_a_failure() {
    for (version, method) in BOTH
        .into_iter()
        .flat_map(|way| [(way, "GET"), (way, "POST")])
    {
        let closed = ReservedPort::new();
        for (keys, retries) in [
            (USUAL, false),
            (ICINGA, true),
            ("preset = \"icinga2\"\nconnect_retry = \"off\"\n", false),
        ] {
            let front = Front::to(closed.address(), keys);
            let answer = front
                .client
                .send(version, request(method, "/", ""))
                .unwrap();
            assert_eq!(
                (answer.status, answer.reason().as_str()),
                (503, "connect_failed"),
                "{version:?}"
            );
            let counted = front
                .gateway
                .metric("portcullis_upstream_connect_retries_total", &[]);
            assert_eq!(counted > 0.0, retries, "{keys} {counted}");
        }
    }
}

/// Breaks the first answer on each of the first connections off, at a place in its head or body, and serves whole ones then.
fn breaks_off_at(place: usize, broken: usize, arrivals: &Arc<AtomicUsize>) -> Upstream {
    let count = arrivals.clone();
    Upstream::scripted(move |mut stream, _| {
        loop {
            let head = read_head(&mut stream);
            if head.is_empty()
                || head.starts_with("POST") && stream.read_exact(&mut [0; 4]).is_err()
            {
                return;
            }
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: 3000\r\n\r\n{}",
                "x".repeat(3000)
            );
            if count.fetch_add(1, Ordering::SeqCst) < broken {
                write(&mut stream, &answer.as_bytes()[..place]);
                return;
            }
            write(&mut stream, answer.as_bytes());
        }
    })
}

#[test]
fn a_truncated_short_response_is_retried_only_without_side_effects() {
    for (version, place) in BOTH
        .into_iter()
        .flat_map(|way| [10, 100, 2000].map(|place| (way, place)))
    {
        let arrivals = Arc::new(AtomicUsize::new(0));
        let upstream = breaks_off_at(place, 2, &arrivals);
        let front = Front::to(upstream.address, ICINGA);
        let answer = front.client.send(version, get("/")).unwrap();
        assert_eq!(
            (answer.status, answer.body.len()),
            (200, 3000),
            "{version:?} {place}"
        );
        assert_eq!(arrivals.load(Ordering::SeqCst), 3);

        for (keys, method, text) in [
            (ICINGA, "POST", "once"),
            (USUAL, "GET", ""),
            (NOT_HELD, "GET", ""),
        ] {
            let arrivals = Arc::new(AtomicUsize::new(0));
            let upstream = breaks_off_at(place, 1, &arrivals);
            let front = Front::to(upstream.address, keys);
            let answer = front.client.send(version, request(method, "/", text));
            // One that is not held back goes again as long as its client has seen nothing of it.
            let again = keys == NOT_HELD && place == 10;
            assert_eq!(
                answer.is_ok_and(|answer| answer.status == 200),
                again,
                "{keys} {version:?} {place}"
            );
            assert_eq!(
                arrivals.load(Ordering::SeqCst),
                if again { 2 } else { 1 },
                "{keys} {version:?} {place}"
            );
        }
    }
}

const NOT_HELD: &str = "preset = \"icinga2\"\nhold_back = \"off\"\n";

#[test]
fn responses_of_every_length_are_complete_buffered_or_not() {
    for version in BOTH {
        let upstream = Upstream::answering(|seen| {
            let length = seen.target.trim_start_matches('/').parse().unwrap();
            http::Response::new(full("y".repeat(length)))
        });
        let front = Front::to(upstream.address, ICINGA);
        let mut connection = front.client.connect(version).unwrap();
        for length in [
            0, 1, 1000, 14_000, 16_000, 16_384, 17_000, 30_000, 49_151, 49_152, 49_153, 70_000,
            300_000,
        ] {
            let answer = connection.send(get(&format!("/{length}"))).unwrap();
            assert_eq!(
                (answer.status, answer.body.len()),
                (200, length),
                "{version:?}"
            );
        }
    }
}

#[test]
fn a_response_after_interim_ones_is_buffered_separately() {
    let pieces = [
        "HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload; as=style; a=\"very long field\"\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n",
        "hel",
        "lo",
    ];
    for (version, together) in BOTH
        .into_iter()
        .flat_map(|way| [(way, 1), (way, 2), (way, 4)])
    {
        let upstream = Upstream::scripted(move |mut stream, _| {
            stream.set_nodelay(true).unwrap();
            while !read_head(&mut stream).is_empty() {
                pieces
                    .chunks(together)
                    .for_each(|pieces| write(&mut stream, pieces.concat().as_bytes()));
            }
        });
        let front = Front::to(upstream.address, ICINGA);
        let mut connection = front.client.connect(version).unwrap();
        for _ in 0..3 {
            let answer = connection.send(get("/")).unwrap();
            assert_eq!(
                (answer.status, answer.body.as_str()),
                (200, "hello"),
                "{version:?} {together}"
            );
        }
    }
}
