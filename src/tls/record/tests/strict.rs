//! What may not come after a handshake ends the connection, with the right alert, and nothing more is read.

use super::{RawClient, SUITE, SUITES, Server, on_both, on_one};
use crate::config::RecordLayer;
use crate::tls::record::{Records, TlsFailureReason};

/// Sends bytes that the client makes, and expects the end.
async fn refused<R: Records>(
    mut server: Server<R>,
    mut client: RawClient,
    (name, make): (&str, Make),
    alert: Option<u8>,
) {
    client.send(23, b"good");
    assert_eq!(server.read(4).await, b"good");
    let bytes = make(&mut client);
    client.write(&bytes);
    let error = server.error().await;
    assert!(server.input.is_empty(), "{name}: {error}");
    if let Some(alert) = alert {
        assert_eq!(client.receive_alert(), alert, "{name}: {error}");
    }
}

type Make = fn(&mut RawClient) -> Vec<u8>;

const UNEXPECTED_MESSAGE: u8 = 10;
const BAD_RECORD_MAC: u8 = 20;
const RECORD_OVERFLOW: u8 = 22;
const ILLEGAL_PARAMETER: u8 = 47;
const DECODE_ERROR: u8 = 50;

/// What the client sends, and the alert of our own record layer.
const REFUSED_BY_BOTH: &[(&str, Make, u8)] = &[
    (
        "a flipped bit",
        |client| flipped(client, 9, 1),
        BAD_RECORD_MAC,
    ),
    (
        "a flipped bit of the tag",
        |client| flipped(client, 30, 128),
        BAD_RECORD_MAC,
    ),
    (
        "a record twice",
        |client| client.seal(23, b"again").repeat(2),
        BAD_RECORD_MAC,
    ),
    (
        "a tag alone, too short",
        |_| [&[23, 3, 3, 0, 15][..], &[0; 15]].concat(),
        BAD_RECORD_MAC,
    ),
    (
        "only padding",
        |client| client.seal_inner(&[0; 20]),
        UNEXPECTED_MESSAGE,
    ),
    (
        "an inner record that is too long",
        |client| client.seal(23, &[7; 16385]),
        RECORD_OVERFLOW,
    ),
    (
        "a length beyond all limits",
        |_| vec![23, 3, 3, 0x48, 0x01],
        RECORD_OVERFLOW,
    ),
    (
        "a plain alert",
        |_| vec![21, 3, 3, 0, 2, 1, 0],
        UNEXPECTED_MESSAGE,
    ),
    (
        "plain HTTP",
        |_| b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        UNEXPECTED_MESSAGE,
    ),
    (
        "an unknown content type",
        |client| client.seal(99, b"?"),
        UNEXPECTED_MESSAGE,
    ),
    (
        "change_cipher_spec inside",
        |client| client.seal(20, &[1]),
        UNEXPECTED_MESSAGE,
    ),
    (
        "a ClientHello",
        |client| client.seal(22, &[1, 0, 0, 0]),
        UNEXPECTED_MESSAGE,
    ),
    (
        "a malformed alert",
        |client| client.seal(21, &[1]),
        DECODE_ERROR,
    ),
    (
        "a strange key update",
        |client| client.seal(22, &[24, 0, 0, 1, 2]),
        ILLEGAL_PARAMETER,
    ),
    (
        "a long key update",
        |client| client.seal(22, &[24, 0, 0, 2, 0, 0]),
        DECODE_ERROR,
    ),
    (
        "a message behind a key update",
        |client| client.seal(22, &[24, 0, 0, 1, 0, 24]),
        UNEXPECTED_MESSAGE,
    ),
    (
        "33 empty records",
        |client| (0..33).flat_map(|_| client.seal(23, b"")).collect(),
        UNEXPECTED_MESSAGE,
    ),
];

#[test]
fn what_both_reject() {
    for (name, make, alert) in REFUSED_BY_BOTH {
        on_one!(
            RecordLayer::InPlace,
            SUITE,
            refused,
            (*name, *make),
            Some(*alert)
        );
        // It has words of its own for some of them.
        on_one!(RecordLayer::Rustls, SUITE, refused, (*name, *make), None);
    }
    for suite in SUITES {
        on_both!(
            suite,
            refused,
            ("a flipped bit", |client| flipped(client, 12, 4)),
            Some(BAD_RECORD_MAC)
        );
    }
}

#[test]
fn what_only_we_reject() {
    let cases: &[(&str, Make)] = &[
        ("a length that only older versions allow", |_| {
            vec![23, 3, 3, 0x41, 0x01]
        }),
        ("change_cipher_spec", |_| vec![20, 3, 3, 0, 1, 1]),
        ("a key update in two records", |client| {
            [client.seal(22, &[24, 0]), client.seal(22, &[0, 1, 0])].concat()
        }),
    ];
    for (name, make) in cases {
        on_one!(RecordLayer::InPlace, SUITE, refused, (*name, *make), None);
    }
}

#[test]
fn what_looks_odd_is_taken() {
    async fn scenario<R: Records>(mut server: Server<R>, mut client: RawClient) {
        for _ in 0..3 {
            let empty: Vec<u8> = (0..31).flat_map(|_| client.seal(23, b"")).collect();
            client.write(&empty);
            client.send(23, b"content");
            assert_eq!(server.read(7).await, b"content");
        }
        let padded = client.seal_inner(&[&[7; 10][..], &[23], &[0; 16374]].concat());
        assert_eq!(padded.len(), 5 + 16385 + 16, "as long as a record may be");
        client.write(&padded);
        assert_eq!(server.read(10).await, [7; 10]);
        // Says nothing about the connection.
        client.send(21, &[1, 90]);
        client.send(23, b"goes on");
        assert_eq!(server.read(7).await, b"goes on");
    }
    on_both!(SUITE, scenario);
}

#[test]
fn a_fatal_alert_ends_the_connection_without_a_response() {
    async fn scenario<R: Records>(mut server: Server<R>, mut client: RawClient) {
        client.send(21, &[2, 40]);
        server.error().await;
        assert_eq!(
            server.records.failure().unwrap().reason,
            TlsFailureReason::ClientAlert
        );
        drop(server);
        assert!(client.receive().is_err(), "nothing, and the end");
    }
    on_both!(SUITE, scenario);
}

#[test]
fn content_before_a_rejected_record_is_delivered() {
    async fn scenario<R: Records>(mut server: Server<R>, mut client: RawClient) {
        let bytes = [client.seal(23, b"good"), flipped(&mut client, 9, 1)].concat();
        client.write(&bytes);
        assert_eq!(server.read(4).await, b"good");
        server.error().await;
    }
    on_one!(RecordLayer::InPlace, SUITE, scenario);
}

#[test]
fn ranges_that_cannot_be_records_are_not_sealed() {
    async fn scenario<R: Records>(mut server: Server<R>, mut client: RawClient) {
        use crate::tls::record::{HEADROOM, Slab};
        let bad = [
            vec![],
            vec![4..10],
            vec![HEADROOM..HEADROOM],
            vec![HEADROOM..HEADROOM + 16385],
            vec![HEADROOM..HEADROOM + 10, HEADROOM + 31..HEADROOM + 40],
            vec![Slab::SIZE - 26..Slab::SIZE - 16],
            vec![HEADROOM..usize::MAX],
            (0..5)
                .map(|at| HEADROOM + at * 100..HEADROOM + at * 100 + 10)
                .collect(),
        ];
        for pieces in bad {
            assert!(
                server.records.start_send(Slab::take(), &pieces).is_err(),
                "{pieces:?}"
            );
        }
        let mut slab = Slab::take();
        slab[HEADROOM..HEADROOM + 4].copy_from_slice(b"good");
        server
            .records
            .start_send(slab, &[HEADROOM..HEADROOM + 4])
            .unwrap();
        assert!(
            server
                .records
                .start_send(Slab::take(), &[HEADROOM..HEADROOM + 4])
                .is_err(),
            "one after another"
        );
        server.flush().await;
        assert_eq!(client.receive_content(4), b"good");
    }
    on_one!(RecordLayer::InPlace, SUITE, scenario);
}

fn flipped(client: &mut RawClient, at: usize, bit: u8) -> Vec<u8> {
    let mut record = client.seal(23, b"some content that matters");
    record[at] ^= bit;
    record
}
