//! Heads of requests in pieces and at their limits, and which requests go to hyper.

use super::{LAYERS, fast_path, own};
use crate::support::client::status;
use crate::support::{Chain, Upstream, eventually, eventually_is};

const POST: &str = "POST /post HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbody";
const LAST: &str = "GET /last HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

fn targets(chain: &Chain) -> Vec<String> {
    chain
        .upstream
        .recorded()
        .into_iter()
        .map(|seen| seen.target)
        .collect()
}

/// A head of exactly this many octets.
fn head_of(length: usize) -> String {
    let head = |filling: usize| {
        format!(
            "GET /long HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n",
            "x".repeat(filling)
        )
    };
    head(length - head(0).len())
}

#[test]
fn half_a_head_is_no_request() {
    for layer in LAYERS {
        let chain = Chain::on(&own(layer), Upstream::start(), "");
        for length in [1, 10, LAST.len() - 1] {
            let mut raw = chain.client.raw();
            raw.write(&LAST.as_bytes()[..length]);
            raw.close_writing();
            assert_eq!(raw.read_to_end(), "", "{layer}: {length} octets");
        }
        assert!(chain.upstream.recorded().is_empty());
        assert_eq!(status(&chain.client.exchange(LAST.as_bytes())), 200);
        chain.is_unharmed();
    }
}

#[test]
fn a_request_may_come_in_records_of_any_length() {
    let requests = POST.to_owned() + &head_of(3000) + LAST;
    for layer in LAYERS {
        let chain = Chain::on(&own(layer), Upstream::start(), "");
        for length in [1, 2, 3, 97, 1500] {
            let mut raw = chain.client.raw();
            for record in requests.as_bytes().chunks(length) {
                raw.write(record);
            }
            let answers = raw.read_to_end();
            assert_eq!(
                answers.matches("HTTP/1.1 200 OK\r\n").count(),
                3,
                "{layer}, {length}: {answers}"
            );
        }
        assert_eq!(targets(&chain).len(), 15);
        assert!(
            chain
                .upstream
                .recorded()
                .iter()
                .all(|seen| seen.method != "POST" || seen.body == "body")
        );
        eventually_is("requests", &15.0, || fast_path(&chain, "taken", "-"));
        chain.is_unharmed();
    }
}

#[test]
fn a_head_may_be_as_long_as_the_limit_and_no_longer() {
    for layer in LAYERS {
        let chain = Chain::on(
            &own(layer),
            Upstream::start(),
            "[limits]\nhead_size = \"2000B\"\n",
        );
        for piece in [5000, 1999, 700] {
            for (length, code) in [(2000, 200), (2001, 431)] {
                let mut raw = chain.client.raw();
                for part in (head_of(length) + LAST).as_bytes().chunks(piece) {
                    // The answer may come before the last part is sent.
                    let _ = raw.try_write(part);
                }
                let answers = raw.read_to_end();
                assert_eq!(
                    status(&answers),
                    code,
                    "{layer}, {length} in pieces of {piece}: {answers}"
                );
            }
        }
        chain.is_unharmed();
    }
}

#[test]
fn a_head_that_fits_no_slab_goes_to_hyper_and_a_smaller_one_does_not() {
    for layer in LAYERS {
        let chain = Chain::on(
            &own(layer),
            Upstream::start(),
            "[limits]\nhead_size = \"200kB\"\n",
        );
        let mut raw = chain.client.raw();
        for (length, handed_over) in [(40_000, 0.0), (100_000, 1.0), (100_000, 1.0)] {
            raw.write((head_of(length) + POST).as_bytes());
            for _ in 0..2 {
                assert_eq!(status(&raw.read_until("hello")), 200, "{layer}: {length}");
            }
            eventually_is("requests", &handed_over, || {
                fast_path(&chain, "handed_over", "head_size")
            });
        }
        eventually_is("requests", &2.0, || fast_path(&chain, "taken", "-"));
        assert_eq!(
            targets(&chain),
            ["/long", "/post", "/long", "/post", "/long", "/post"]
        );
        chain.is_unharmed();
    }
}

#[test]
fn what_goes_to_hyper_takes_along_what_stands_behind_it() {
    let old = "GET /other HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n";
    let absolute = "GET https://localhost/other HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for (layer, other, reason) in [
        (LAYERS[0], old, "http_1_0"),
        (LAYERS[1], old, "http_1_0"),
        (LAYERS[0], absolute, "target_form"),
        (LAYERS[1], absolute, "target_form"),
    ] {
        let chain = Chain::on(&own(layer), Upstream::start(), "");
        let requests = POST.to_owned() + other + POST + LAST;
        for piece in [requests.len(), 50, 1] {
            let mut raw = chain.client.raw();
            requests
                .as_bytes()
                .chunks(piece)
                .for_each(|part| raw.write(part));
            let answers = raw.read_to_end();
            assert_eq!(
                answers.matches(" 200 OK\r\n").count(),
                4,
                "{layer}, {reason}, {piece}: {answers}"
            );
        }
        assert_eq!(
            targets(&chain),
            ["/post", "/other", "/post", "/last"].repeat(3)
        );
        assert!(
            chain
                .upstream
                .recorded()
                .iter()
                .all(|seen| seen.method != "POST" || seen.body == "body")
        );
        eventually_is("requests", &3.0, || fast_path(&chain, "taken", "-"));
        eventually_is("requests", &3.0, || {
            fast_path(&chain, "handed_over", reason)
        });
        chain.is_unharmed();
    }
}

#[test]
fn each_request_that_our_own_engine_takes_is_counted_whatever_becomes_of_it() {
    let chain = Chain::on(
        &own(LAYERS[0]),
        Upstream::start(),
        "[limits]\nhead_size = \"2000B\"\n",
    );
    let requests = POST.to_owned() + "GET /a/../b HTTP/1.1\r\nHost: localhost\r\n\r\n" + LAST;
    let answers = chain.client.exchange(requests.as_bytes());
    assert_eq!(answers.matches("HTTP/1.1 ").count(), 3, "{answers}");
    eventually_is("requests", &3.0, || fast_path(&chain, "taken", "-"));
    // What is no request is nobody's.
    assert_eq!(status(&chain.client.exchange(b"garbage\r\n\r\n")), 400);
    eventually_is("requests", &3.0, || fast_path(&chain, "taken", "-"));
    assert_eq!(
        chain
            .gateway
            .metric("portcullis_fastpath_total", &[("result", "handed_over")]),
        0.0
    );
}

#[test]
fn a_listener_may_leave_everything_to_hyper() {
    for layer in LAYERS {
        let lines = format!("http1_engine = \"hyper\"\nrecord_layer = \"{layer}\"\n");
        let chain = Chain::on(&lines, Upstream::start(), "");
        let requests = POST.to_owned() + POST + LAST;
        for piece in [requests.len(), 50, 1] {
            let mut raw = chain.client.raw();
            requests
                .as_bytes()
                .chunks(piece)
                .for_each(|part| raw.write(part));
            let answers = raw.read_to_end();
            assert_eq!(
                answers.matches("HTTP/1.1 200 OK\r\n").count(),
                3,
                "{layer}, {piece}: {answers}"
            );
        }
        eventually("nine are logged", || {
            (chain.gateway.access_log().len() == 9).then_some(())
        });
        assert_eq!(targets(&chain), ["/post", "/post", "/last"].repeat(3));
        assert_eq!(chain.gateway.metric("portcullis_fastpath_total", &[]), 0.0);
        chain.is_unharmed();
    }
}
