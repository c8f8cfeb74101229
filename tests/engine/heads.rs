//! Heads of requests in pieces and at their limits.

use super::{LAYERS, own};
use crate::support::client::{reason, status};
use crate::support::{Chain, Upstream};

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
fn a_head_may_be_longer_than_the_receive_buffer() {
    for layer in LAYERS {
        let limits = "[limits]\nhead_size = \"200kB\"\n";
        let chain = Chain::on(&own(layer), Upstream::start(), limits);
        for piece in [200_000, 16_384, 5_000] {
            let mut raw = chain.client.raw();
            for length in [40_000, 60_000, 100_000, 200_000] {
                for part in (head_of(length) + POST).as_bytes().chunks(piece) {
                    raw.write(part);
                }
                for _ in 0..2 {
                    assert_eq!(status(&raw.read_until("hello")), 200, "{layer}: {length}");
                }
            }
            let mut raw = chain.client.raw();
            for part in (head_of(200_001) + POST).as_bytes().chunks(piece) {
                // The response may come before the last part is sent.
                let _ = raw.try_write(part);
            }
            let answers = raw.read_to_end();
            assert_eq!(
                answers.matches("HTTP/1.1 ").count(),
                1,
                "{layer}: {answers}"
            );
            assert_eq!(status(&answers), 431, "{layer}: {answers}");
        }
        assert_eq!(targets(&chain), ["/long", "/post"].repeat(12));
        let recorded = chain.upstream.recorded();
        let mut posts = recorded.iter().filter(|seen| seen.method == "POST");
        assert!(posts.all(|seen| seen.body == "body"));
        chain.is_unharmed();
    }
}

#[test]
fn a_long_head_that_does_not_end_is_rejected_in_time() {
    for layer in LAYERS {
        let limits = "[limits]\nhead_size = \"200kB\"\nhead_timeout = \"1s\"\n";
        let chain = Chain::on(&own(layer), Upstream::start(), limits);
        let mut raw = chain.client.raw();
        raw.write(&head_of(150_000).as_bytes()[..149_998]);
        let answer = raw.read_to_end();
        assert_eq!(status(&answer), 408, "{layer}: {answer}");
        let mut raw = chain.client.raw();
        raw.write(&head_of(150_000).as_bytes()[..149_998]);
        raw.close_writing();
        assert_eq!(raw.read_to_end(), "", "{layer}: half a head is no request");
        assert!(chain.upstream.recorded().is_empty());
        chain.is_unharmed();
    }
}

#[test]
fn a_target_may_name_its_authority_if_it_is_that_of_the_host() {
    for layer in LAYERS {
        let chain = Chain::on(&own(layer), Upstream::start(), "");
        let absolute = "GET https://localhost/other?a=b HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let requests = POST.to_owned() + absolute + POST + LAST;
        for piece in [requests.len(), 50, 1] {
            let mut raw = chain.client.raw();
            for part in requests.as_bytes().chunks(piece) {
                raw.write(part);
            }
            let answers = raw.read_to_end();
            assert_eq!(
                answers.matches("HTTP/1.1 200 OK\r\n").count(),
                4,
                "{layer}: {answers}"
            );
        }
        assert_eq!(
            targets(&chain),
            ["/post", "/other?a=b", "/post", "/last"].repeat(3)
        );
        for target in [
            "https://elsewhere/other",
            "https://localhost:1/other",
            "https://user@localhost/other",
        ] {
            let request =
                format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
            let answers = chain.client.exchange(request.as_bytes());
            assert_eq!(status(&answers), 400, "{layer}, {target}: {answers}");
            assert_eq!(reason(&answers), "bad_host", "{layer}, {target}: {answers}");
        }
        for target in ["*", "localhost"] {
            let request = format!(
                "OPTIONS {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            );
            let answers = chain.client.exchange(request.as_bytes());
            assert_eq!(reason(&answers), "bad_path", "{layer}, {target}: {answers}");
        }
        let log = chain
            .gateway
            .wait_for_access(|line| line["path"] == "/other");
        assert_eq!(log["status"], 200, "{log}");
        chain.is_unharmed();
    }
}
