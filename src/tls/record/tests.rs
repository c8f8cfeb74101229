//! Tests of both backends against a client that can do what none should, over real sockets.
#![allow(
    clippy::single_range_in_vec_init,
    reason = "a record alone is one range in a list"
)]

mod content;
mod corked;
mod input;
mod joined;
mod mutated;
mod peer;
mod strict;
mod updates;

use super::{FillOutcome, ReceiveBuffer, Records, Slab, Transport};
use crate::config::RecordLayer;
use peer::{RawClient, connect};
use rustls::crypto::aws_lc_rs::cipher_suite;
use rustls::{CipherSuite, SupportedCipherSuite};
use std::future::poll_fn;
use std::io;
use std::task::Poll;
use std::time::Duration;

const SUITES: [SupportedCipherSuite; 3] = [
    cipher_suite::TLS13_AES_128_GCM_SHA256,
    cipher_suite::TLS13_AES_256_GCM_SHA384,
    cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
];

/// How many cases a property test has: `PORTCULLIS_FUZZ_CASES`, for long runs.
fn cases(usual: u32) -> proptest::test_runner::Config {
    let cases = std::env::var("PORTCULLIS_FUZZ_CASES")
        .ok()
        .and_then(|text| text.parse().ok());
    proptest::test_runner::Config {
        failure_persistence: None,
        ..proptest::test_runner::Config::with_cases(cases.unwrap_or(usual))
    }
}

/// Our end of a connection.
struct Server<R> {
    records: R,
    input: ReceiveBuffer,
}

impl<R: Records> Server<R> {
    async fn fill(&mut self) -> io::Result<FillOutcome> {
        let filling = poll_fn(|context| self.records.poll_fill(context, &mut self.input));
        tokio::time::timeout(Duration::from_secs(20), filling)
            .await
            .unwrap_or_else(|_| panic!("nothing comes, input {:?}", self.input))
    }

    /// All that comes until `bytes` are there.
    async fn read(&mut self, bytes: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while all.len() < bytes {
            if self.input.is_empty() {
                assert_eq!(self.fill().await.expect("content"), FillOutcome::Some);
            }
            let first = self.input.first();
            all.extend_from_slice(first);
            let length = first.len();
            self.input.consume(length);
        }
        all
    }

    /// The error that ends the connection; it stays the same.
    async fn error(&mut self) -> io::Error {
        loop {
            match self.fill().await {
                Ok(FillOutcome::Some) => self.input.consume(usize::MAX),
                Ok(end) => panic!("{end:?} instead of an error"),
                Err(error) => {
                    assert!(self.fill().await.is_err(), "nothing is read after an error");
                    return error;
                }
            }
        }
    }

    /// Sends content in as many records as it needs.
    async fn send(&mut self, content: &[u8]) {
        let mut rest = content;
        while !rest.is_empty() {
            let (mut slab, mut pieces) = (Slab::take(), Vec::new());
            for space in R::spaces(Slab::RECORDS) {
                for start in space.clone().step_by(super::RECORD_PLAINTEXT) {
                    let length = rest
                        .len()
                        .min(super::RECORD_PLAINTEXT)
                        .min(space.end - start);
                    if length == 0 {
                        break;
                    }
                    slab[start..start + length].copy_from_slice(&rest[..length]);
                    pieces.push(start..start + length);
                    rest = &rest[length..];
                }
            }
            self.records
                .start_send(slab, &pieces)
                .expect("an open connection");
            self.flush().await;
        }
    }

    /// Sends one record. Whether the socket took all of it.
    async fn try_send(&mut self, content: &[u8]) -> bool {
        let mut slab = Slab::take();
        let start = R::spaces(Slab::RECORDS)
            .iter()
            .next()
            .expect("a space")
            .start;
        let piece = start..start + content.len();
        slab[piece.clone()].copy_from_slice(content);
        self.records
            .start_send(slab, &[piece])
            .expect("an open connection");
        poll_fn(|context| Poll::Ready(self.records.poll_sent(context)))
            .await
            .is_ready()
    }

    async fn flush(&mut self) {
        let sending = poll_fn(|context| self.records.poll_sent(context));
        tokio::time::timeout(Duration::from_secs(20), sending)
            .await
            .expect("a client that reads")
            .expect("a socket");
    }

    async fn close(&mut self) {
        poll_fn(|context| self.records.poll_close(context))
            .await
            .expect("a socket");
    }
}

impl super::Spaces {
    /// Only tests want to write `for` here.
    fn into_ranges(self) -> Vec<std::ops::Range<usize>> {
        self.iter().collect()
    }
}

impl IntoIterator for super::Spaces {
    type Item = std::ops::Range<usize>;
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.into_ranges().into_iter()
    }
}

/// Runs a scenario, a generic async function of a server and its client, on both backends.
macro_rules! on_both {
    ($suite:expr, $scenario:ident $(, $argument:expr)*) => {
        for layer in [$crate::config::RecordLayer::Rustls, $crate::config::RecordLayer::InPlace] {
            $crate::tls::record::tests::on_one!(layer, $suite, $scenario $(, $argument)*);
        }
    };
}

macro_rules! on_one {
    ($layer:expr, $suite:expr, $scenario:ident $(, $argument:expr)*) => {{
        let runtime = $crate::tls::record::tests::runtime();
        let (records, input, client) = runtime.block_on($crate::tls::record::tests::connected($layer, $suite));
        match records {
            $crate::tls::record::Transport::Rustls(records) => {
                let server = $crate::tls::record::tests::Server { records, input };
                runtime.block_on($scenario(server, client $(, $argument)*))
            }
            $crate::tls::record::Transport::InPlace(records) => {
                let server = $crate::tls::record::tests::Server { records, input };
                runtime.block_on($scenario(server, client $(, $argument)*))
            }
        }
    }};
}

use {on_both, on_one};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

/// A connection with this backend and suite, as the handshake makes it.
async fn connected(
    layer: RecordLayer,
    suite: SupportedCipherSuite,
) -> (Transport, ReceiveBuffer, RawClient) {
    let (established, client) = connect(layer, suite).await;
    assert_eq!(established.facts.version, "TLSv1_3");
    let in_place = matches!(established.records, Transport::InPlace(_));
    assert_eq!(in_place, layer == RecordLayer::InPlace);
    (established.records, established.input, client)
}

/// A suite to use where it does not matter which.
const SUITE: SupportedCipherSuite = cipher_suite::TLS13_AES_256_GCM_SHA384;

#[test]
fn the_suites_are_those_of_tls_1_3() {
    let names = SUITES.map(|suite| suite.suite());
    assert!(names.contains(&CipherSuite::TLS13_AES_128_GCM_SHA256));
    assert_eq!(
        names.len(),
        crate::tls::provider()
            .cipher_suites
            .iter()
            .filter(|suite| suite.tls13().is_some())
            .count()
    );
}
