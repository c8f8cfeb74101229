//! An upstream that reloads under load: what can be asked twice has an answer, and nothing else is asked twice.

use super::{Front, ICINGA, USUAL, WAYS};
use crate::support::client::{get, request};
use crate::support::eventually;
use crate::support::reloading::Reloading;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

const RELOADS: usize = 20;

/// What clients saw while an upstream reloaded again and again.
#[derive(Debug, Default)]
struct Outcome {
    answered: AtomicUsize,
    failed: AtomicUsize,
    posted: AtomicUsize,
}

fn under_load(front: &Front, version: crate::support::client::Version, upstream: &Reloading) -> Outcome {
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
                    match connection.send(get(&format!("/{client}/{number}"))).unwrap().status {
                        200 => outcome.answered.fetch_add(1, Ordering::SeqCst),
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
                let answer = front.client.send(version, request("POST", &format!("/order/{number}"), "once")).unwrap();
                assert!([200, 502, 503].contains(&answer.status), "{answer:?}");
                outcome.posted.fetch_add(1, Ordering::SeqCst);
            }
        });
        for _ in 0..RELOADS {
            let (answered, posted) = (outcome.answered.load(Ordering::SeqCst), outcome.posted.load(Ordering::SeqCst));
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
fn twenty_reloads_under_load_are_seen_by_nobody_who_may_ask_twice() {
    for (lines, version) in WAYS {
        let upstream = Reloading::start();
        let front = Front::to(lines, upstream.address, ICINGA);
        let outcome = under_load(&front, version, &upstream);
        assert_eq!(outcome.failed.load(Ordering::SeqCst), 0, "{lines} {version:?} {outcome:?}");
        assert!(upstream.most_arrivals("POST") == 1, "nothing with side effects arrives twice: {lines} {version:?}");
        let counted = |name: &str| front.gateway.metric(name, &[("upstream", "api")]);
        assert!(
            counted("portcullis_upstream_retries_total") + counted("portcullis_upstream_connect_retries_total") > 0.0
        );
    }
}

#[test]
fn without_patience_for_reloads_an_upstream_that_is_not_there_is_a_failure() {
    for ((lines, version), method) in WAYS.into_iter().flat_map(|way| [(way, "GET"), (way, "POST")]) {
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        for (keys, retries) in
            [(USUAL, false), (ICINGA, true), ("preset = \"icinga2\"\nconnect_retry = \"off\"\n", false)]
        {
            let front = Front::to(lines, nobody, keys);
            let answer = front.client.send(version, request(method, "/", "")).unwrap();
            assert_eq!((answer.status, answer.reason().as_str()), (503, "connect_failed"), "{lines} {version:?}");
            let counted = front.gateway.metric("portcullis_upstream_connect_retries_total", &[]);
            assert_eq!(counted > 0.0, retries, "{keys} {counted}");
        }
    }
}
