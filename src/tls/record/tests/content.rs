//! Content passes completely and in order, both ways, for all sizes of records and reads. A clean end is distinguished from a
//! truncation.

use super::peer::connect_with;
use super::{FillOutcome, RawClient, SUITE, SUITES, Server, cases, on_both, on_one, runtime};
use crate::config::RecordLayer;
use crate::tls::record::{ReceiveBuffer, RecordStream, Records, Slab, Transport, copied_bytes};
use proptest::prelude::*;
use std::net::Shutdown;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn pattern(length: usize) -> Vec<u8> {
    (0..length)
        .map(|at| u8::try_from(at % 251).unwrap())
        .collect()
}

#[test]
fn small_content_passes_both_ways_in_all_suites() {
    async fn scenario<R: Records>(mut server: Server<R>, mut client: RawClient) {
        for length in [1, 2, 15, 16, 17, 255, 4096, 16383, 16384] {
            let content = pattern(length);
            client.send(23, &content);
            assert_eq!(server.read(length).await, content);
            server.send(&content).await;
            assert_eq!(client.receive_content(length), content);
        }
    }
    for suite in SUITES {
        on_both!(suite, scenario);
    }
}

#[test]
fn every_length_of_a_record_passes() {
    async fn scenario<R: Records>(mut server: Server<R>, mut client: RawClient) {
        let content = pattern(16384);
        for length in 0..=16384_usize {
            client.send(23, &content[..length]);
            assert_eq!(server.read(length).await, &content[..length]);
        }
    }
    on_one!(RecordLayer::InPlace, SUITE, scenario);
}

#[test]
fn every_response_length_passes() {
    async fn scenario<R: Records>(mut server: Server<R>, mut client: RawClient) {
        let content = pattern(16384);
        for length in 1..=16384_usize {
            server.send(&content[..length]).await;
            assert_eq!(client.receive_content(length), &content[..length]);
        }
    }
    on_one!(RecordLayer::InPlace, SUITE, scenario);
}

#[test]
fn much_passes_both_ways_at_once() {
    const LENGTH: usize = 5_000_000;
    async fn scenario<R: Records>(mut server: Server<R>, mut client: RawClient) {
        let thread = std::thread::spawn(move || {
            for piece in pattern(LENGTH).chunks(16384) {
                client.send(23, piece);
            }
            client.receive_content(LENGTH) == pattern(LENGTH)
        });
        assert!(server.read(LENGTH).await == pattern(LENGTH));
        server.send(&pattern(LENGTH)).await;
        assert!(thread.join().unwrap());
    }
    on_both!(SUITE, scenario);
}

#[test]
fn a_stream_of_full_records_is_not_moved_in_memory() {
    async fn scenario<R: Records>(mut server: Server<R>, mut client: RawClient) {
        const LENGTH: usize = 200 * 16384;
        let thread = std::thread::spawn(move || {
            client.send(23, b"a head");
            for piece in pattern(LENGTH).chunks(16384) {
                client.send(23, piece);
            }
            client
        });
        let before = copied_bytes();
        server.read(LENGTH + 6).await;
        assert_eq!(copied_bytes(), before);
        thread.join().unwrap();
    }
    on_both!(SUITE, scenario);
}

#[test]
fn records_without_content_take_no_room_for_what_follows() {
    async fn scenario<R: Records>(mut server: Server<R>, mut client: RawClient) {
        let content = pattern(16384);
        (0..3).for_each(|_| client.send(23, &content));
        while server.input.len() < 3 * content.len() {
            assert_eq!(server.fill().await.unwrap(), FillOutcome::Some);
        }
        // There is room for one record, and it has no content.
        let empty = client.seal_inner(&[&[23][..], &[0; 16384]].concat());
        let both = [empty, client.seal(23, &content)].concat();
        client.write(&both);
        while server.input.len() < 4 * content.len() && !server.input.is_full() {
            assert_eq!(server.fill().await.unwrap(), FillOutcome::Some);
        }
        server.input.consume(3 * content.len());
        assert!(server.read(content.len()).await == content);
    }
    on_both!(SUITE, scenario);
}

#[test]
fn close_notify_differs_from_a_bare_end() {
    async fn closes<R: Records>(mut server: Server<R>, mut client: RawClient) {
        let last = [
            client.seal(23, b"last"),
            client.seal(21, &[1, 0]),
            client.seal(23, b"too late"),
        ]
        .concat();
        client.write(&last);
        assert_eq!(server.read(4).await, b"last");
        assert_eq!(server.fill().await.unwrap(), FillOutcome::Closed);
        assert_eq!(server.fill().await.unwrap(), FillOutcome::Closed);
        assert!(server.input.is_empty());
        // The client still reads.
        server.send(b"answer").await;
        server.close().await;
        assert_eq!(client.receive_content(6), b"answer");
        assert_eq!(client.receive_alert(), 0);
    }
    async fn vanishes<R: Records>(mut server: Server<R>, mut client: RawClient) {
        let record = client.seal(23, b"half of it never comes");
        client.write(&record);
        client.write(&record[..10]);
        client.socket.shutdown(Shutdown::Write).unwrap();
        assert_eq!(server.read(22).await, b"half of it never comes");
        assert_eq!(server.fill().await.unwrap(), FillOutcome::Cut);
        assert_eq!(server.fill().await.unwrap(), FillOutcome::Cut);
    }
    on_both!(SUITE, closes);
    on_both!(SUITE, vanishes);
}

#[test]
fn after_closing_nothing_is_sent() {
    async fn scenario<R: Records>(mut server: Server<R>, mut client: RawClient) {
        server.close().await;
        assert!(
            server
                .records
                .start_send(Slab::take(), &[3000..3001])
                .is_err()
        );
        assert_eq!(client.receive_alert(), 0);
        // Reading goes on.
        client.send(23, b"still here");
        assert_eq!(server.read(10).await, b"still here");
    }
    on_both!(SUITE, scenario);
}

#[test]
fn nothing_is_held_while_waiting() {
    async fn scenario<R: Records>(mut server: Server<R>, mut client: RawClient) {
        for _ in 0..3 {
            client.send(23, b"request");
            assert_eq!(server.read(7).await, b"request");
            let free = Slab::free();
            let waiting = std::future::poll_fn(|context| {
                std::task::Poll::Ready(
                    server
                        .records
                        .poll_fill(context, &mut server.input)
                        .is_pending(),
                )
            });
            assert!(waiting.await);
            assert!(Slab::free() >= free);
            assert!(format!("{:?}", server.input).contains("slab: None"));
        }
    }
    on_both!(SUITE, scenario);
}

#[test]
fn what_comes_with_the_end_of_the_handshake_is_not_lost() {
    for layer in [RecordLayer::Rustls, RecordLayer::InPlace] {
        let runtime = runtime();
        runtime.block_on(async {
            let behind = vec![b"first".to_vec(), pattern(2000), pattern(16000)];
            let (established, mut client) = connect_with(layer, SUITE, behind).await;
            client.send(23, b"later");
            let expected = [
                b"first".to_vec(),
                pattern(2000),
                pattern(16000),
                b"later".to_vec(),
            ]
            .concat();
            let got = match established.records {
                Transport::Rustls(records) => {
                    Server {
                        records,
                        input: established.input,
                    }
                    .read(expected.len())
                    .await
                }
                Transport::InPlace(records) => {
                    Server {
                        records,
                        input: established.input,
                    }
                    .read(expected.len())
                    .await
                }
            };
            assert!(got == expected, "{layer:?}");
        });
    }
}

#[test]
fn a_stream_reads_and_writes_and_counts_its_copies() {
    async fn scenario<R: Records>(server: Server<R>, mut client: RawClient) {
        let before = copied_bytes();
        let mut stream = RecordStream::new(server.records, server.input);
        client.send(23, b"hello");
        let mut got = [0; 5];
        stream.read_exact(&mut got).await.unwrap();
        assert_eq!(&got, b"hello");
        stream.write_all(&pattern(100_000)).await.unwrap();
        stream.flush().await.unwrap();
        assert!(client.receive_content(100_000) == pattern(100_000));
        assert_eq!(copied_bytes() - before, 100_005);
        client.send(21, &[1, 0]);
        assert_eq!(stream.read(&mut got).await.unwrap(), 0);
        stream.shutdown().await.unwrap();
        assert_eq!(client.receive_alert(), 0);
        assert!(client.receive().is_err());
    }
    on_both!(SUITE, scenario);
}

#[test]
fn a_stream_that_is_cut_is_an_error() {
    async fn scenario<R: Records>(server: Server<R>, client: RawClient) {
        let mut stream = RecordStream::new(server.records, ReceiveBuffer::new());
        drop(client);
        let error = stream.read(&mut [0; 5]).await.unwrap_err();
        assert!(matches!(
            error.kind(),
            std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::ConnectionReset
        ));
    }
    on_both!(SUITE, scenario);
}

#[test]
fn content_passes_with_all_record_and_write_sizes() {
    async fn scenario<R: Records>(
        mut server: Server<R>,
        mut client: RawClient,
        sizes: Vec<(usize, usize)>,
        splits: Vec<usize>,
    ) {
        let (mut wire, mut expected) = (Vec::new(), Vec::new());
        for (at, (length, padding)) in sizes.iter().enumerate() {
            let content = vec![u8::try_from(at % 256).unwrap(); *length];
            let inner = [
                &content[..],
                &[23],
                &vec![0; (*padding).min(16384 - length)],
            ]
            .concat();
            wire.extend(client.seal_inner(&inner));
            expected.extend(content);
        }
        let thread = std::thread::spawn(move || {
            let mut rest = &wire[..];
            for split in splits.iter().cycle() {
                let (now, later) = rest.split_at((*split).min(rest.len()));
                client.write(now);
                rest = later;
                if rest.is_empty() {
                    return client;
                }
            }
            client
        });
        assert!(server.read(expected.len()).await == expected);
        thread.join().unwrap();
    }
    proptest!(cases(40), |(
        sizes in proptest::collection::vec((0..16384_usize, prop_oneof![Just(0_usize), 0..100_usize]), 1..20),
        splits in proptest::collection::vec(prop_oneof![1..40_usize, 1..40_000_usize], 1..10),
    )| {
        // At most 32 records without content may follow one another, which 20 cannot.
        on_both!(SUITE, scenario, sizes.clone(), splits.clone());
    });
}
