//! Streams that are joined from known ones, bent in a few places, and cut into records anywhere.

use proptest::collection::vec;
use proptest::prelude::*;

/// A stream, and where its records end.
#[derive(Clone, Debug)]
pub struct Bent {
    pub stream: Vec<u8>,
    pub cuts: Vec<usize>,
}

/// What is done to a stream; places are taken modulo its length.
#[derive(Clone, Debug)]
enum Change {
    Insert(usize, &'static [u8]),
    Replace(usize, &'static [u8]),
    Remove(usize, usize),
    Repeat(usize, usize),
    SwapCase(usize),
    Byte(usize, u8),
}

const TOKENS: [&[u8]; 36] = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n\r\n",
    b" ",
    b"\t",
    b":",
    b",",
    b";",
    b"\0",
    b"\x7f",
    b"\xff",
    b"\xc3\xa4",
    b"0",
    b"5",
    b"f",
    b"/",
    b"..",
    b"%2f",
    b"%",
    b"?",
    b"#",
    b"\\",
    b"\"",
    b"chunked",
    b"close",
    b"HTTP/1.0",
    b"0\r\n\r\n",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Host: localhost\r\n",
    b"Connection: close\r\n",
    b"Connection: x-a\r\nX-A: 1\r\n",
    b"Expect: 100-continue\r\n",
    b"X-Client-CN: root\r\n",
    b"GET /hidden HTTP/1.1\r\nHost: localhost\r\n\r\n",
];

impl Change {
    fn apply(&self, stream: &mut Vec<u8>) {
        let length = stream.len();
        let at = |place: &usize| place % (length + 1);
        let range = |place: &usize, count: &usize| at(place)..(at(place) + count).min(length);
        match self {
            Self::Insert(place, token) => {
                drop(stream.splice(at(place)..at(place), token.iter().copied()))
            }
            Self::Replace(place, token) => {
                drop(stream.splice(range(place, &token.len()), token.iter().copied()))
            }
            Self::Remove(place, count) => drop(stream.drain(range(place, count))),
            Self::Repeat(place, count) => {
                let piece = stream[range(place, count)].to_vec();
                drop(stream.splice(at(place)..at(place), piece));
            }
            Self::SwapCase(place) => {
                if let Some(byte) = stream.get_mut(at(place)) {
                    *byte ^= if byte.is_ascii_alphabetic() { 0x20 } else { 0 };
                }
            }
            Self::Byte(place, byte) => {
                if let Some(place) = stream.get_mut(at(place)) {
                    *place = *byte;
                }
            }
        }
    }
}

fn change() -> impl Strategy<Value = Change> {
    // Most heads are shorter than this, and most tricks are in heads.
    let place = || 0..300_usize;
    let token = || proptest::sample::select(TOKENS.as_slice());
    prop_oneof![
        3 => (place(), token()).prop_map(|(place, token)| Change::Insert(place, token)),
        2 => (place(), token()).prop_map(|(place, token)| Change::Replace(place, token)),
        2 => (place(), 1..5_usize).prop_map(|(place, count)| Change::Remove(place, count)),
        1 => (place(), 1..60_usize).prop_map(|(place, count)| Change::Repeat(place, count)),
        1 => place().prop_map(Change::SwapCase),
        1 => (place(), any::<u8>()).prop_map(|(place, byte)| Change::Byte(place, byte)),
    ]
}

/// One to four streams, unchanged, and up to six cuts.
pub fn joined(known: Vec<Vec<u8>>) -> impl Strategy<Value = Bent> {
    let streams = vec(proptest::sample::select(known), 1..5);
    (streams, vec(0..400_000_usize, 0..7)).prop_map(|(streams, cuts)| Bent {
        stream: streams.concat(),
        cuts,
    })
}

/// One to three known streams, up to three changes, and up to six cuts.
pub fn bent(known: Vec<Vec<u8>>) -> impl Strategy<Value = Bent> {
    let streams = vec(proptest::sample::select(known), 1..4);
    (streams, vec(change(), 0..4), vec(0..2000_usize, 0..7)).prop_map(|(streams, changes, cuts)| {
        let mut stream = streams.concat();
        changes.iter().for_each(|change| change.apply(&mut stream));
        Bent { stream, cuts }
    })
}
