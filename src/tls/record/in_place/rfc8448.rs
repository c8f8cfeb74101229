//! The records of RFC 8448 section 3: opened, and sealed to the same bytes.

use super::*;
use aws_lc_rs::aead::AES_128_GCM;

fn bytes(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect()
}

fn direction(key: &str, iv: &str, sequence: u64) -> Direction {
    Direction::new(&AES_128_GCM, &bytes(key), &bytes(iv), sequence).unwrap()
}

fn client(sequence: u64) -> Direction {
    direction(
        "17422dda596ed5d9acd890e3c63f5051",
        "5b78923dee08579033e523d9",
        sequence,
    )
}

fn server(sequence: u64) -> Direction {
    direction(
        "9f02283b6c9c07efc26bb9f2ac92e356",
        "cf782b88dd83549aadf1e984",
        sequence,
    )
}

/// Which direction, sequence number, content type, content, record.
type Vector = (fn(u64) -> Direction, u64, u8, Vec<u8>, &'static str);

fn vectors() -> [Vector; 4] {
    let content: Vec<u8> = (0..50).collect();
    [
        (client, 0, APPLICATION_DATA, content.clone(), CLIENT_CONTENT),
        (
            client,
            1,
            ALERT,
            vec![1, 0],
            "17 03 03 00 13 c9 87 27 60 65 56 66 b7 4d 7f f1 15 3e fd 6d b6 d0 b0 e3",
        ),
        (server, 1, APPLICATION_DATA, content, SERVER_CONTENT),
        (
            server,
            2,
            ALERT,
            vec![1, 0],
            "17 03 03 00 13 b5 8f d6 71 66 eb f5 99 d2 47 20 cf be 7e fa 7a 88 64 a9",
        ),
    ]
}

const CLIENT_CONTENT: &str = "17 03 03 00 43 a2 3f 70 54 b6 2c 94 d0 af fa fe 82 28 ba 55 cb ef ac ea 42 f9 14 aa 66 bc
    ab 3f 2b 98 19 a8 a5 b4 6b 39 5b d5 4a 9a 20 44 1e 2b 62 97 4e 1f 5a 62 92 a2 97 70 14 bd 1e 3d ea e6 3a ee bb 21 69
    49 15 e4";
const SERVER_CONTENT: &str = "17 03 03 00 43 2e 93 7e 11 ef 4a c7 40 e5 38 ad 36 00 5f c4 a4 69 32 fc 32 25 d0 5f 82 aa
    1b 36 e3 0e fa f9 7d 90 e6 df fc 60 2d cb 50 1a 59 a8 fc c4 9c 4b f2 e5 f0 a2 1c 00 47 c2 ab f3 32 54 0d d0 32 e1 67
    c2 95 5d";

#[test]
fn the_records_of_rfc_8448_open() {
    for (direction, sequence, kind, content, record) in vectors() {
        let mut record = bytes(record);
        assert_eq!(frame(&record), Ok(Frame::Whole(record.len())));
        let (found, range) = direction(sequence).open(&mut record).unwrap();
        assert_eq!((found, &record[range]), (kind, &content[..]));
    }
}

#[test]
fn the_records_of_rfc_8448_are_sealed_to_the_same_bytes() {
    for (direction, sequence, kind, content, record) in vectors() {
        let mut buffer = vec![0; RECORD_HEADER];
        buffer.extend(&content);
        buffer.resize(buffer.len() + RECORD_TRAILER, 0);
        let mut direction = direction(sequence);
        let range = direction
            .seal(
                &mut buffer,
                RECORD_HEADER..RECORD_HEADER + content.len(),
                kind,
            )
            .unwrap();
        assert_eq!(range, 0..buffer.len());
        assert_eq!(buffer, bytes(record));
        assert_eq!(direction.sequence(), sequence + 1);
    }
}

#[test]
fn a_record_opens_only_in_its_turn_and_unchanged() {
    let record = bytes(CLIENT_CONTENT);
    assert_eq!(
        client(1).open(&mut record.clone()),
        Err(RecordError::BadMac)
    );
    assert_eq!(
        server(0).open(&mut record.clone()),
        Err(RecordError::BadMac)
    );
    for at in 0..record.len() {
        for bit in 0..8 {
            let mut changed = record.clone();
            changed[at] ^= 1 << bit;
            assert!(
                client(0).open(&mut changed).is_err(),
                "byte {at}, bit {bit}"
            );
        }
    }
    for length in 0..record.len() {
        assert!(
            client(0).open(&mut record[..length].to_vec()).is_err(),
            "{length} bytes"
        );
    }
    assert!(client(0).open(&mut record.clone()).is_ok());
}

#[test]
fn sequence_numbers_do_not_wrap() {
    let mut direction = client(u64::MAX - 1);
    let mut buffer = vec![0; 100];
    assert!(direction.seal(&mut buffer, 5..10, APPLICATION_DATA).is_ok());
    assert_eq!(direction.sequence(), u64::MAX);
    assert_eq!(
        direction.seal(&mut buffer, 5..10, APPLICATION_DATA),
        Err(RecordError::NoKey)
    );
    assert_eq!(
        direction.open(&mut bytes(CLIENT_CONTENT)),
        Err(RecordError::NoKey)
    );
    assert_eq!(direction.sequence(), u64::MAX);
}

#[test]
fn a_header_is_checked_as_soon_as_it_is_complete() {
    for (received, expected) in [
        (&[][..], Ok(Frame::Unknown)),
        (&[23], Ok(Frame::Unknown)),
        (&[23, 9, 9, 0], Ok(Frame::Unknown)),
        (&[23, 3, 3, 0, 17], Ok(Frame::Missing(17))),
        (&[23, 3, 3, 0, 17, 0], Ok(Frame::Missing(16))),
        (&[23, 3, 3, 0x41, 0], Ok(Frame::Missing(16384 + 256))),
        (&[23, 3, 3, 0x41, 1], Err(RecordError::TooLong)),
        (&[23, 3, 3, 0, 15], Err(RecordError::BadMac)),
        (&[22], Err(RecordError::Unexpected)),
        (&[20, 3, 3, 0, 1, 1], Err(RecordError::Unexpected)),
    ] {
        assert_eq!(frame(received), expected, "{received:?}");
    }
}
