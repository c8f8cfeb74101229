//! Streams of records that were modified in transit: what is delivered is what the client sent before the change, and
//! then the connection ends with an error or in the middle, never with a goodbye.

use super::{RawClient, SUITES, Server, cases, on_one};
use crate::config::RecordLayer;
use crate::tls::record::{FillOutcome, Records};
use proptest::prelude::*;
use proptest::sample::Index;

/// A record that a client may send.
#[derive(Clone, Debug)]
enum Sent {
    Content { length: usize, padding: usize },
    Empty,
    KeyUpdate,
    Warning,
}

/// What happens to a record, or in front of it.
#[derive(Clone, Debug)]
enum Mutation {
    Flip { byte: Index, bit: u8 },
    Drop,
    RepeatPrevious,
    SwapWithNext,
    Insert(Vec<u8>),
    Shorten(Index),
    LengthenHeader,
}

/// How much of a mutation is noticed.
#[derive(Clone, Copy, Debug)]
enum Noticed {
    /// Every one.
    Always,
    /// Not where the protocol says that a field is ignored.
    UnlessIgnored,
}

impl Sent {
    fn seal(&self, client: &mut RawClient, number: usize) -> (Vec<u8>, Vec<u8>) {
        let content = match self {
            Self::Content { length, .. } => vec![u8::try_from(number % 251).unwrap(); *length],
            Self::Empty | Self::KeyUpdate | Self::Warning => Vec::new(),
        };
        let record = match self {
            Self::Content { padding, .. } => {
                client.seal_inner(&[&content[..], &[23], &vec![0; *padding]].concat())
            }
            Self::Empty => client.seal(23, &[]),
            Self::Warning => client.seal(21, &[1, 90]),
            Self::KeyUpdate => {
                let record = client.seal(22, &[24, 0, 0, 1, 0]);
                client.renew_sealer();
                record
            }
        };
        (record, content)
    }
}

impl Mutation {
    /// Changes the record at `at`. The records before it stay as they are.
    fn apply(&self, records: &mut Vec<Vec<u8>>, at: usize) {
        match self {
            Self::Flip { byte, bit } => {
                let byte = byte.index(records[at].len());
                records[at][byte] ^= 1 << bit;
            }
            Self::Drop => drop(records.remove(at)),
            Self::RepeatPrevious if at > 0 => records.insert(at, records[at - 1].clone()),
            Self::RepeatPrevious => records.insert(at, records[at].repeat(2)[1..].to_vec()),
            Self::SwapWithNext if at + 1 < records.len() => records.swap(at, at + 1),
            Self::SwapWithNext => drop(records.remove(at)),
            Self::Insert(bytes) => records.insert(at, bytes.clone()),
            Self::Shorten(by) => {
                let length = by.index(records[at].len());
                records[at].truncate(length);
            }
            Self::LengthenHeader => {
                let length = u16::from_be_bytes([records[at][3], records[at][4]]) + 1;
                records[at][3..5].copy_from_slice(&length.to_be_bytes());
            }
        }
    }
}

async fn scenario<R: Records>(
    mut server: Server<R>,
    mut client: RawClient,
    sent: Vec<Sent>,
    at: Index,
    mutation: Mutation,
    noticed: Noticed,
) {
    let sealed = sent
        .iter()
        .enumerate()
        .map(|(number, sent)| sent.seal(&mut client, number));
    let (mut records, contents): (Vec<_>, Vec<_>) = sealed.unzip();
    let at = at.index(records.len());
    mutation.apply(&mut records, at);
    client.write(&records.concat());
    client.socket.shutdown(std::net::Shutdown::Write).unwrap();
    let mut delivered = Vec::new();
    let end = loop {
        match server.fill().await {
            Ok(FillOutcome::Some) => {
                while !server.input.is_empty() {
                    delivered.extend_from_slice(server.input.first());
                    let length = server.input.first().len();
                    server.input.consume(length);
                }
            }
            end => break end,
        }
    };
    assert!(
        !matches!(end, Ok(FillOutcome::Closed)),
        "no close_notify was sent"
    );
    match noticed {
        Noticed::Always => assert!(
            delivered == contents[..at].concat(),
            "{} bytes, {end:?}",
            delivered.len()
        ),
        Noticed::UnlessIgnored => assert!(contents.concat().starts_with(&delivered), "{end:?}"),
    }
}

fn sent() -> impl Strategy<Value = Sent> {
    prop_oneof![
        4 => (1..2000_usize, prop_oneof![Just(0_usize), 0..50_usize])
            .prop_map(|(length, padding)| Sent::Content { length, padding }),
        1 => Just(Sent::Empty),
        1 => Just(Sent::KeyUpdate),
        1 => Just(Sent::Warning),
    ]
}

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        4 => (any::<Index>(), 0..8_u8).prop_map(|(byte, bit)| Mutation::Flip { byte, bit }),
        1 => Just(Mutation::Drop),
        1 => Just(Mutation::RepeatPrevious),
        1 => Just(Mutation::SwapWithNext),
        1 => proptest::collection::vec(any::<u8>(), 1..60).prop_map(Mutation::Insert),
        1 => any::<Index>().prop_map(Mutation::Shorten),
        1 => Just(Mutation::LengthenHeader),
    ]
}

#[test]
fn nothing_is_delivered_from_a_change_on() {
    proptest!(cases(60), |(
        sent in proptest::collection::vec(sent(), 1..15),
        at in any::<Index>(),
        mutation in mutation(),
        suite in 0..SUITES.len(),
    )| {
        let (sent, mutation) = (&sent, &mutation);
        on_one!(RecordLayer::InPlace, SUITES[suite], scenario, sent.clone(), at, mutation.clone(), Noticed::Always);
        on_one!(RecordLayer::Rustls, SUITES[suite], scenario, sent.clone(), at, mutation.clone(), Noticed::UnlessIgnored);
    });
}
