//! Frames of HTTP/2, packed by hand, because libraries refuse to send what is needed here.

use crate::support::client::{Raw, Version, get, request};
use crate::support::{Chain, Upstream, eventually_is};
use http::HeaderValue;
use std::time::Duration;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
pub const WHOLE: u8 = END_STREAM | END_HEADERS;
const CANCEL: [u8; 4] = 8u32.to_be_bytes();
/// `:status 200` in HPACK's static table.
pub const STATUS_200: u8 = 0x88;

const REQUEST: [(&str, &str); 4] = [
    (":method", "GET"),
    (":scheme", "https"),
    (":authority", "localhost"),
    (":path", "/"),
];

pub struct Frame {
    pub kind: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// HPACK: literals that are not indexed.
pub fn packed<'f>(fields: impl IntoIterator<Item = &'f (&'f str, &'f str)>) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            match u8::try_from(text.len()) {
                Ok(length) if length < 127 => block.push(length),
                _ => {
                    let rest = text.len() - 127;
                    assert!(rest < 1 << 14);
                    block.extend([127, (rest % 128) as u8 | 128, (rest / 128) as u8]);
                }
            }
            block.extend(text.as_bytes());
        }
    }
    block
}

pub fn whole_request(stream: u32) -> Vec<u8> {
    frame(HEADERS, WHOLE, stream, &packed(&REQUEST))
}

/// A connection that has said its preface.
pub struct Http2 {
    pub raw: Raw,
    read: Vec<u8>,
}

impl Http2 {
    pub fn open(chain: &Chain) -> Self {
        let mut raw = chain.client.raw_in(Version::Http2);
        raw.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        raw.write(&frame(SETTINGS, 0, 0, &[]));
        Self {
            raw,
            read: Vec::new(),
        }
    }

    /// The next frame; none at the end of the connection.
    fn next(&mut self) -> Option<Frame> {
        while self.read.len() < self.wanted() {
            let more = self.raw.read_some();
            if more.is_empty() {
                return None;
            }
            self.read.extend(more);
        }
        let bytes: Vec<u8> = self.read.drain(..self.wanted()).collect();
        Some(Frame {
            kind: bytes[3],
            stream: u32::from_be_bytes(bytes[5..9].try_into().unwrap()),
            payload: bytes[9..].to_vec(),
        })
    }

    fn wanted(&self) -> usize {
        let length = |length: &[u8]| {
            length
                .iter()
                .fold(0, |sum, octet| sum * 256 + usize::from(*octet))
        };
        9 + self.read.get(..3).map_or(0, length)
    }

    /// The first frame of one of these kinds; none at the end of the connection.
    pub fn find(&mut self, kinds: &[u8]) -> Option<Frame> {
        std::iter::from_fn(|| self.next()).find(|frame| kinds.contains(&frame.kind))
    }

    /// Writes as much as the gateway takes.
    fn flood(&mut self, bytes: &[u8]) {
        self.raw
            .socket()
            .set_write_timeout(Some(Duration::from_secs(2)))
            .unwrap();
        for part in bytes.chunks(16 * 1024) {
            if self.raw.try_write(part).is_err() {
                return;
            }
        }
    }
}

#[test]
fn a_hand_encoded_request_gets_a_response() {
    let chain = Chain::to(Upstream::start());
    let mut client = Http2::open(&chain);
    for stream in [1, 3, 5] {
        client.raw.write(&whole_request(stream));
        let head = client.find(&[HEADERS, RST_STREAM, GOAWAY]).unwrap();
        assert_eq!(
            (head.kind, head.stream, head.payload[0]),
            (HEADERS, stream, STATUS_200)
        );
        assert_eq!(client.find(&[DATA]).unwrap().payload, b"hello");
    }
}

#[test]
fn the_id_of_a_request_is_in_no_table() {
    /// RFC 7541 section 6.2.3: a literal that is never indexed, whose name is `x-request-id` in Huffman's code.
    const NEVER_INDEXED: [u8; 11] = [
        0x10,
        0x80 | 9,
        0xf2,
        0xb5,
        0x85,
        0xed,
        0x69,
        0x50,
        0x95,
        0x8d,
        0x27,
    ];
    let chain = Chain::to(Upstream::start());
    let mut client = Http2::open(&chain);
    // What upstreams answer, what the gateway answers, and what it answers without a decision.
    for (stream, path) in [(1, "/"), (3, "/"), (5, "/a/../b"), (7, "/a/../b")] {
        let fields = [REQUEST[0], REQUEST[1], REQUEST[2], (":path", path)];
        client
            .raw
            .write(&frame(HEADERS, WHOLE, stream, &packed(&fields)));
        let head = client.find(&[HEADERS]).unwrap();
        let found = head
            .payload
            .windows(NEVER_INDEXED.len())
            .filter(|bytes| *bytes == NEVER_INDEXED)
            .count();
        assert_eq!((head.stream, found), (stream, 1), "{:x?}", head.payload);
        assert!(client.find(&[DATA]).is_some());
    }
}

#[test]
fn requests_that_are_malformed_never_reach_an_upstream() {
    let with = |fields: &[(&'static str, &'static str)]| packed(REQUEST.iter().chain(fields));
    let without = |name: &str| packed(REQUEST.iter().filter(|field| field.0 != name));
    let late = [
        REQUEST[0],
        REQUEST[1],
        REQUEST[2],
        ("accept", "*/*"),
        REQUEST[3],
    ];
    let blocks = [
        with(&[("connection", "close")]),
        with(&[("transfer-encoding", "chunked")]),
        with(&[("upgrade", "websocket")]),
        with(&[("te", "gzip")]),
        with(&[("Accept", "*/*")]),
        with(&[("a b", "c")]),
        with(&[("a\r\nb", "c")]),
        with(&[("a", "b\r\nc: d")]),
        with(&[("a", "b\0")]),
        with(&[(":path", "/other")]),
        with(&[(":unknown", "x")]),
        with(&[("content-length", "x")]),
        with(&[("content-length", "5")]),
        without(":path"),
        without(":method"),
        packed(&late),
    ];
    for block in blocks {
        let chain = Chain::to(Upstream::start());
        let mut client = Http2::open(&chain);
        client.raw.write(&frame(HEADERS, WHOLE, 1, &block));
        let answer = client.find(&[HEADERS, RST_STREAM, GOAWAY]);
        let permitted =
            answer.is_some_and(|frame| frame.kind == HEADERS && frame.payload[0] == STATUS_200);
        assert!(!permitted, "{:?}", String::from_utf8_lossy(&block));
        assert!(
            chain.upstream.recorded().is_empty(),
            "{:?}",
            String::from_utf8_lossy(&block)
        );
        chain.is_unharmed();
    }
}

#[test]
fn frames_out_of_place_end_the_connection() {
    let chain = Chain::to(Upstream::start());
    for bytes in [
        frame(HEADERS, WHOLE, 2, &packed(&REQUEST)),
        frame(HEADERS, WHOLE, 0, &packed(&REQUEST)),
        frame(DATA, 0, 0, b"hello"),
        frame(DATA, 0, 1, b"hello"),
        frame(DATA, 0, 1, &[0; 20_000]),
        frame(SETTINGS, 0, 0, b"short"),
        frame(SETTINGS, 0, 1, &[]),
        frame(PING, 0, 0, b"short"),
        frame(WINDOW_UPDATE, 0, 0, &0u32.to_be_bytes()),
        frame(CONTINUATION, END_HEADERS, 1, &[]),
        [
            frame(HEADERS, END_STREAM, 1, &packed(&REQUEST)),
            frame(PING, 0, 0, &[0; 8]),
        ]
        .concat(),
        frame(HEADERS, WHOLE, 1, &[0xff; 64]),
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
    ] {
        let mut client = Http2::open(&chain);
        client.flood(&bytes);
        let end = client.find(&[HEADERS, GOAWAY]);
        assert!(end.is_none_or(|frame| frame.kind == GOAWAY), "{bytes:?}");
    }
    assert!(chain.upstream.recorded().is_empty());
    chain.is_unharmed();
}

#[test]
fn streams_that_are_reset_again_and_again_end_the_connection() {
    const ATTEMPTS: u32 = 20_000;
    let chain = Chain::to(Upstream::start());
    let mut client = Http2::open(&chain);
    let attempt = |at: u32| {
        [
            whole_request(2 * at + 1),
            frame(RST_STREAM, 0, 2 * at + 1, &CANCEL),
        ]
        .concat()
    };
    client.flood(&(0..ATTEMPTS).flat_map(attempt).collect::<Vec<_>>());
    let end = client.find(&[GOAWAY]);
    assert!(
        end.is_none_or(|frame| frame.payload[4..8] == 11u32.to_be_bytes()),
        "enhance your calm"
    );
    assert!(client.find(&[]).is_none(), "the connection is closed");
    let reached = chain.upstream.recorded().len();
    assert!(reached < 2_000, "{reached} of {ATTEMPTS} requests went up");
    chain.is_unharmed();
}

#[test]
fn floods_of_control_frames_do_not_pile_up() {
    const MOST: f64 = 96.0 * 1024.0 * 1024.0;
    let chain = Chain::to(Upstream::start());
    for one in [
        frame(PING, 0, 0, &[7; 8]),
        frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 255, 255]),
        frame(WINDOW_UPDATE, 0, 0, &1u32.to_be_bytes()),
        frame(0x55, 0, 0, b"unknown"),
        frame(2, 0, 1, &[0, 0, 0, 0, 1]),
    ] {
        let mut client = Http2::open(&chain);
        // Nobody reads the acknowledgements.
        client.flood(&one.repeat(200_000));
        let resident = chain.gateway.metric("process_resident_memory_bytes", &[]);
        assert!(
            resident < MOST,
            "{resident} bytes are resident after many frames of kind {}",
            one[3]
        );
        chain.is_unharmed();
    }
}

#[test]
fn heads_without_end_are_cut() {
    let chain = Chain::to(Upstream::start());
    let mut client = Http2::open(&chain);
    let value = "x".repeat(8_000);
    let mut endless = frame(HEADERS, END_STREAM, 1, &packed(&REQUEST));
    for _ in 0..1_000 {
        endless.extend(frame(CONTINUATION, 0, 1, &packed(&[("x", value.as_str())])));
    }
    client.flood(&endless);
    let end = client.find(&[GOAWAY]);
    assert!(end.is_none_or(|frame| frame.payload[4..8] != [0; 4]));
    assert!(chain.upstream.recorded().is_empty());
    chain.is_unharmed();
}

#[test]
fn heads_that_are_too_large_are_rejected_and_those_below_the_limit_are_not() {
    let chain = Chain::to(Upstream::start());
    let mut connection = chain.client.connect(Version::Http2).unwrap();
    for (length, code) in [(10_000, 200), (40_000, 431), (10_000, 200)] {
        let mut request = get("/");
        let value = HeaderValue::from_str(&"x".repeat(length)).unwrap();
        request.headers_mut().insert("x", value);
        assert_eq!(connection.send(request).unwrap().status, code, "{length}");
    }
    assert_eq!(chain.upstream.recorded().len(), 2);
    chain.is_unharmed();
}

#[test]
fn a_host_field_may_not_differ_from_the_authority() {
    let chain = Chain::to(Upstream::start());
    for (host, code) in [("localhost", 200), ("elsewhere", 400)] {
        let mut request = request("GET", "/", "");
        request
            .headers_mut()
            .insert("host", HeaderValue::from_static(host));
        assert_eq!(
            chain.client.send(Version::Http2, request).unwrap().status,
            code,
            "{host}"
        );
    }
    eventually_is("decisions", &1.0, || super::decisions(&chain, "bad_host"));
}

#[test]
fn more_streams_than_allowed_are_rejected_alone() {
    let chain = Chain::with(
        Upstream::scripted(|mut stream, _| {
            crate::support::upstream::read_head(&mut stream);
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        }),
        "[limits]\nstreams = 4\n",
    );
    let mut client = Http2::open(&chain);
    let requests = (0..5).flat_map(|at| whole_request(2 * at + 1));
    client.raw.write(&requests.collect::<Vec<_>>());
    let refused = client.find(&[RST_STREAM, GOAWAY]).unwrap();
    assert_eq!((refused.kind, refused.stream), (RST_STREAM, 9));
    assert_eq!(
        refused.payload,
        7u32.to_be_bytes(),
        "refused stream, so it may go again"
    );
}
