//! Keys change: when the client says so, when it asks for it, and before a key has protected too much; but not at the
//! client's every whim.

use super::peer::connect_with_update;
use super::{RawClient, SUITES, Server, on_both, on_one};
use crate::config::RecordLayer;
use crate::tls::record::{
    FillOutcome, InPlaceRecords, Records, TlsFailure, TlsFailureReason, Transport,
};
use rustls::SupportedCipherSuite;
use std::future::poll_fn;
use std::task::Poll;

const NOT_ASKED: [u8; 5] = [24, 0, 0, 1, 0];
const ASKED: [u8; 5] = [24, 0, 0, 1, 1];

fn update(client: &mut RawClient, message: [u8; 5]) {
    client.send(22, &message);
    client.renew_sealer();
}

#[test]
fn a_client_may_change_its_key() {
    async fn scenario<R: Records>(mut server: Server<R>, mut client: RawClient) {
        for _ in 0..5 {
            update(&mut client, NOT_ASKED);
            client.send(23, b"request");
            assert_eq!(server.read(7).await, b"request");
            server.send(b"answer").await;
            assert_eq!(
                client.receive().unwrap(),
                (23, b"answer".to_vec()),
                "our key stays"
            );
        }
    }
    for suite in SUITES {
        on_both!(suite, scenario);
    }
}

#[test]
fn a_client_may_ask_for_a_new_key_and_gets_one_before_the_next_content() {
    async fn scenario<R: Records>(mut server: Server<R>, mut client: RawClient) {
        for _ in 0..5 {
            update(&mut client, ASKED);
            client.send(23, b"request");
            assert_eq!(server.read(7).await, b"request");
            server.send(b"answer").await;
            assert_eq!(client.receive().unwrap(), (22, NOT_ASKED.to_vec()));
            client.renew_opener();
            assert_eq!(client.receive().unwrap(), (23, b"answer".to_vec()));
        }
    }
    for suite in SUITES {
        on_both!(suite, scenario);
    }
}

#[test]
fn a_key_update_right_behind_the_handshake_is_taken() {
    async fn scenario<R: Records>(mut server: Server<R>, mut client: RawClient, update: [u8; 5]) {
        client.send(23, b"request");
        assert_eq!(server.read(7).await, b"request");
        server.send(b"answer").await;
        if update == ASKED {
            assert_eq!(client.receive().unwrap(), (22, NOT_ASKED.to_vec()));
            client.renew_opener();
        }
        assert_eq!(client.receive().unwrap(), (23, b"answer".to_vec()));
    }
    for suite in SUITES {
        for update in [NOT_ASKED, ASKED] {
            super::runtime().block_on(async {
                let (established, client) =
                    connect_with_update(RecordLayer::InPlace, suite, update).await;
                let Transport::InPlace(records) = established.records else {
                    panic!("in place")
                };
                scenario(
                    Server {
                        records,
                        input: established.input,
                    },
                    client,
                    update,
                )
                .await;
                let (established, client) =
                    connect_with_update(RecordLayer::Rustls, suite, update).await;
                let Transport::Rustls(records) = established.records else {
                    panic!("rustls")
                };
                scenario(
                    Server {
                        records,
                        input: established.input,
                    },
                    client,
                    update,
                )
                .await;
            });
        }
    }
}

#[test]
fn a_new_key_in_the_middle_of_much_content() {
    async fn scenario<R: Records>(mut server: Server<R>, mut client: RawClient) {
        let content = vec![7; 100_000];
        let (mut wire, mut expected) = (Vec::new(), Vec::<u8>::new());
        for piece in content.chunks(16384) {
            wire.extend(client.seal(23, piece));
            wire.extend(client.seal(22, &NOT_ASKED));
            client.renew_sealer();
            expected.extend(piece);
        }
        let thread = std::thread::spawn(move || {
            client.write(&wire);
            client
        });
        assert!(server.read(expected.len()).await == expected);
        thread.join().unwrap();
    }
    on_both!(SUITES[0], scenario);
}

#[test]
fn few_key_updates_are_taken_at_once_but_not_a_flood() {
    async fn few<R: Records>(mut server: Server<R>, mut client: RawClient) {
        for _ in 0..10 {
            for _ in 0..32 {
                update(&mut client, ASKED);
            }
            client.send(23, b"x");
            assert_eq!(server.read(1).await, b"x");
        }
    }
    async fn flood<R: Records>(mut server: Server<R>, mut client: RawClient) {
        for _ in 0..33 {
            update(&mut client, NOT_ASKED);
        }
        let error = server.error().await;
        assert!(
            error.to_string().contains("too many key updates"),
            "{error}"
        );
        assert_eq!(client.receive_alert(), 10);
    }
    /// rustls has no fatal alert for this, so the client gets a goodbye.
    async fn flood_of_rustls<R: Records>(mut server: Server<R>, mut client: RawClient) {
        for _ in 0..33 {
            update(&mut client, NOT_ASKED);
        }
        let error = server.error().await;
        assert_eq!(
            TlsFailure::among(&error).unwrap().reason,
            TlsFailureReason::KeyUpdates,
            "{error}"
        );
        assert_eq!(client.receive_alert(), 0);
    }
    on_both!(SUITES[1], few);
    on_one!(RecordLayer::InPlace, SUITES[1], flood);
    on_one!(RecordLayer::Rustls, SUITES[1], flood_of_rustls);
}

#[test]
fn a_key_update_is_processed_while_a_response_waits_for_the_client() {
    async fn scenario<R: Records>(mut server: Server<R>, mut client: RawClient) {
        // The socket is full, and records sealed with the old key wait.
        let mut sent = 0;
        while server.try_send(&[7; 16384]).await {
            sent += 16384;
        }
        sent += 16384;
        update(&mut client, ASKED);
        client.send(23, b"request");
        assert_eq!(server.read(7).await, b"request");
        let reader = std::thread::spawn(move || {
            assert!(client.receive_content(sent).iter().all(|byte| *byte == 7));
            client
        });
        server.flush().await;
        let mut client = reader.join().unwrap();
        server.send(b"answer").await;
        assert_eq!(client.receive().unwrap(), (22, NOT_ASKED.to_vec()));
        client.renew_opener();
        assert_eq!(client.receive().unwrap(), (23, b"answer".to_vec()));
    }
    on_both!(SUITES[0], scenario);
}

#[test]
fn a_key_update_is_taken_when_only_a_goodbye_follows_on_either_side() {
    async fn ours<R: Records>(mut server: Server<R>, mut client: RawClient) {
        poll_fn(|context| server.records.poll_close(context))
            .await
            .unwrap();
        // It may send on, with new keys, and ask for one of ours, of which nothing comes any more.
        update(&mut client, ASKED);
        client.send(23, b"late");
        assert_eq!(server.read(4).await, b"late");
        assert_eq!(client.receive_alert(), 0);
    }
    async fn the_clients<R: Records>(mut server: Server<R>, mut client: RawClient) {
        update(&mut client, ASKED);
        client.send(21, &[1, 0]);
        assert_eq!(server.fill().await.unwrap(), FillOutcome::Closed);
        server.send(b"answer").await;
        let first = client.receive().unwrap();
        assert_eq!(first, (22, NOT_ASKED.to_vec()));
        client.renew_opener();
        assert_eq!(client.receive().unwrap(), (23, b"answer".to_vec()));
    }
    on_both!(SUITES[0], ours);
    on_both!(SUITES[0], the_clients);
}

#[test]
fn a_key_update_split_over_reads_is_taken() {
    async fn scenario<R: Records>(mut server: Server<R>, mut client: RawClient) {
        for split in [1, 4, 5, 6, 20] {
            let record = client.seal(22, &NOT_ASKED);
            client.renew_sealer();
            let (now, later) = record.split_at(split);
            client.write(now);
            assert!(
                poll_fn(|context| Poll::Ready(
                    server.records.poll_fill(context, &mut server.input)
                ))
                .await
                .is_pending()
            );
            client.write(later);
            client.send(23, b"content");
            assert_eq!(server.read(7).await, b"content");
        }
    }
    on_both!(SUITES[2], scenario);
}

/// As if so many records had passed: ours with `sealer`, the client's with `opener`.
fn age(server: &mut Server<InPlaceRecords>, client: &mut RawClient, opener: u64, sealer: u64) {
    server.records.set_sequences(opener, sealer);
    *client.sealer_sequence() = opener;
    *client.opener_sequence() = sealer;
}

/// A connection in place, with its ticket out of the way.
fn in_place(
    suite: SupportedCipherSuite,
    scenario: impl AsyncFn(Server<InPlaceRecords>, RawClient),
) {
    super::runtime().block_on(async {
        let (records, input, mut client) = super::connected(RecordLayer::InPlace, suite).await;
        let Transport::InPlace(records) = records else {
            panic!("in place")
        };
        let mut server = Server { records, input };
        server.send(b"first").await;
        assert_eq!(client.receive_content(5), b"first");
        scenario(server, client).await;
    });
}

/// What AES-GCM may protect with one key, well below the limit of RFC 8446 section 5.5.
const RECORDS_WITH_ONE_KEY: u64 = 1 << 23;

#[test]
fn no_key_protects_too_much() {
    for suite in SUITES {
        in_place(suite, async |mut server, mut client| {
            age(&mut server, &mut client, 1 << 40, RECORDS_WITH_ONE_KEY - 1);
            server.send(b"last").await;
            assert_eq!(client.receive().unwrap(), (23, b"last".to_vec()));
            server.send(b"first").await;
            assert_eq!(client.receive().unwrap(), (22, NOT_ASKED.to_vec()));
            client.renew_opener();
            assert_eq!(client.receive().unwrap(), (23, b"first".to_vec()));
            // The client's key is its own affair.
            client.send(23, b"still the old one");
            assert_eq!(server.read(17).await, b"still the old one");
        });
    }
}

#[test]
fn several_records_at_once_get_their_new_key_together() {
    in_place(SUITES[0], async |mut server, mut client| {
        age(&mut server, &mut client, 0, RECORDS_WITH_ONE_KEY - 3);
        let content = vec![9; 4 * 16384];
        server.send(&content).await;
        assert_eq!(client.receive().unwrap(), (22, NOT_ASKED.to_vec()));
        client.renew_opener();
        assert!(client.receive_content(content.len()) == content);
    });
}

#[test]
fn a_client_that_never_changes_its_key_comes_to_an_end() {
    in_place(SUITES[2], async |mut server, mut client| {
        age(&mut server, &mut client, u64::MAX - 1, 5);
        client.send(23, b"last");
        assert_eq!(server.read(4).await, b"last");
        *client.sealer_sequence() = 0;
        client.send(23, b"wrapped");
        assert!(server.error().await.to_string().contains("no key"));
        assert_eq!(client.receive_alert(), 80);
    });
}
