//! Messages in several records, which only rustls takes: it keeps where their parts lie, so all of them must stay in front of
//! it, for any data sent or received meanwhile. And clients that stop in the middle.

use super::{FillOutcome, RawClient, SUITE, SUITES, Server, on_both, on_one};
use crate::config::RecordLayer;
use crate::tls::record::{RECORD_PLAINTEXT, Records, Slab};
use std::task::Poll;

const HANDSHAKE: u8 = 22;
const CONTENT: u8 = 23;
const CLOSE_NOTIFY: u8 = 0;

/// Polls until nothing more comes for now.
async fn wait_for_nothing<R: Records>(server: &mut Server<R>) {
    let polled = std::future::poll_fn(|context| {
        Poll::Ready(
            server
                .records
                .poll_fill(context, &mut server.input)
                .is_pending(),
        )
    });
    assert!(polled.await, "{:?}", server.input);
}

/// Waits until so many more bytes can be received, and takes them without any content.
async fn take_silently<R: Records>(server: &mut Server<R>) {
    server.records.socket().readable().await.expect("a socket");
    wait_for_nothing(server).await;
}

#[test]
fn a_key_update_in_two_records_is_processed_while_a_response_is_sent() {
    async fn scenario<R: Records>(mut server: Server<R>, mut client: RawClient) {
        for _ in 0..3 {
            client.send(HANDSHAKE, &[24, 0]);
            take_silently(&mut server).await;
            server.send(b"answer").await;
            assert_eq!(client.receive_content(6), b"answer");
            client.send(HANDSHAKE, &[0, 1, 0]);
            client.renew_sealer();
            client.send(CONTENT, b"request");
            assert_eq!(server.read(7).await, b"request");
        }
        client.send(HANDSHAKE, &[24, 0]);
        take_silently(&mut server).await;
        server.close().await;
        assert_eq!(client.receive_alert(), CLOSE_NOTIFY);
    }
    for suite in SUITES {
        on_one!(RecordLayer::Rustls, suite, scenario);
    }
}

#[test]
fn a_response_is_sent_although_the_client_closed_within_a_record() {
    async fn scenario<R: Records>(mut server: Server<R>, mut client: RawClient) {
        client.send(HANDSHAKE, &[24, 0]);
        client
            .socket
            .shutdown(std::net::Shutdown::Write)
            .expect("a socket");
        assert_eq!(server.fill().await.expect("an end"), FillOutcome::Cut);
        server.send(b"answer").await;
        server.close().await;
        assert_eq!(client.receive_content(6), b"answer");
        assert_eq!(client.receive_alert(), CLOSE_NOTIFY);
    }
    on_one!(RecordLayer::Rustls, SUITE, scenario);
}

#[test]
fn an_empty_part_of_a_message_is_skipped() {
    async fn scenario<R: Records>(mut server: Server<R>, mut client: RawClient) {
        for length in [1, 5, 16, 17, 22, 23, 1000, RECORD_PLAINTEXT] {
            client.send(HANDSHAKE, b"");
            take_silently(&mut server).await;
            server.send(b"answer").await;
            assert_eq!(client.receive_content(6), b"answer");
            let content = vec![7; length];
            client.send(CONTENT, &content);
            assert_eq!(server.read(length).await, content);
            server.send(&content).await;
            assert_eq!(client.receive_content(length), content);
        }
        server.close().await;
        assert_eq!(client.receive_alert(), CLOSE_NOTIFY);
    }
    on_one!(RecordLayer::Rustls, SUITE, scenario);
}

#[test]
fn content_between_parts_of_a_message_ends_the_connection() {
    async fn scenario<R: Records>(mut server: Server<R>, mut client: RawClient) {
        client.send(HANDSHAKE, &[24, 0]);
        take_silently(&mut server).await;
        client.send(CONTENT, b"between");
        server.error().await;
        assert!(server.input.is_empty());
        assert_eq!(client.receive_alert(), CLOSE_NOTIFY);
        assert!(
            server
                .records
                .start_send(Slab::take(), &[3000..3001])
                .is_err()
        );
    }
    on_one!(RecordLayer::Rustls, SUITE, scenario);
}

#[test]
fn a_message_that_never_ends_is_not_held() {
    async fn scenario<R: Records>(mut server: Server<R>, mut client: RawClient, part: usize) {
        let thread = std::thread::spawn(move || {
            client.send(HANDSHAKE, &[1, 0, 0xea, 0x60]);
            for _ in 0..60_000 / part - 1 {
                client.send(HANDSHAKE, &vec![0; part]);
            }
            client
        });
        server.error().await;
        assert_eq!(
            thread.join().expect("a client").receive_alert(),
            CLOSE_NOTIFY
        );
    }
    // With all that is around them, the parts are longer than what is held.
    on_one!(RecordLayer::Rustls, SUITE, scenario, 1);
    on_one!(RecordLayer::Rustls, SUITE, scenario, 100);
}

#[test]
fn a_flood_without_content_ends_with_a_goodbye() {
    async fn scenario<R: Records>(mut server: Server<R>, mut client: RawClient) {
        let flood: Vec<u8> = (0..33).flat_map(|_| client.seal(CONTENT, b"")).collect();
        client.write(&flood);
        server.error().await;
        assert_eq!(client.receive_alert(), CLOSE_NOTIFY);
    }
    on_one!(RecordLayer::Rustls, SUITE, scenario);
}

#[test]
fn part_of_a_record_holds_no_slab() {
    async fn scenario<R: Records>(mut server: Server<R>, mut client: RawClient) {
        let record = client.seal(CONTENT, &[7; RECORD_PLAINTEXT]);
        let (mut sent, mut pieces) = (0, Vec::new());
        for cut in [1, 4, 5, 6, 1000, 16_000, record.len()] {
            pieces.push(&record[sent..cut]);
            sent = cut;
        }
        let last = pieces.pop().expect("several");
        for piece in pieces {
            client.write(piece);
            let free = Slab::free();
            take_silently(&mut server).await;
            assert!(Slab::free() >= free.max(1));
            server.send(b"meanwhile").await;
            assert_eq!(client.receive_content(9), b"meanwhile");
        }
        client.write(last);
        assert!(server.read(RECORD_PLAINTEXT).await == [7; RECORD_PLAINTEXT]);
    }
    on_both!(SUITE, scenario);
}

#[test]
fn a_client_that_reads_late_still_gets_its_alert() {
    async fn scenario<R: Records>(mut server: Server<R>, mut client: RawClient) {
        let mut sent = 0;
        loop {
            let (mut slab, space) = (Slab::take(), R::spaces(1).into_ranges().remove(0));
            slab[space.clone()].fill(7);
            server
                .records
                .start_send(slab, &[space.start..space.start + RECORD_PLAINTEXT])
                .expect("an open connection");
            sent += RECORD_PLAINTEXT;
            let polled =
                std::future::poll_fn(|context| Poll::Ready(server.records.poll_sent(context)));
            if polled.await.is_pending() {
                break;
            }
        }
        // The client has taken nothing so far.
        client.write(&[[23, 3, 3, 0, 64].as_slice(), &[7; 64]].concat());
        server.error().await;
        let thread = std::thread::spawn(move || {
            assert_eq!(client.receive_content(sent).len(), sent);
            client.receive_alert()
        });
        server.close().await;
        assert_eq!(thread.join().expect("a client"), 20);
    }
    on_both!(SUITE, scenario);
}

#[test]
fn a_response_is_sent_before_a_pending_close() {
    async fn scenario<R: Records>(mut server: Server<R>, mut client: RawClient) {
        client.send(21, &[1, CLOSE_NOTIFY]);
        assert_eq!(
            server.fill().await.expect("an orderly end"),
            FillOutcome::Closed
        );
        server.send(&[7; 3 * RECORD_PLAINTEXT]).await;
        server.close().await;
        assert_eq!(
            client.receive_content(3 * RECORD_PLAINTEXT).len(),
            3 * RECORD_PLAINTEXT
        );
        assert_eq!(client.receive_alert(), CLOSE_NOTIFY);
    }
    on_both!(SUITE, scenario);
}
