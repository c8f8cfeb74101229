//! Clients of HTTP/1.1 and HTTP/2 that allocate little.

use super::*;

/// A client of HTTP/2 (RFC 9113) that reads of a response where it ends.
pub(super) struct Http2Client {
    connection: Client,
    next_stream: u32,
}

impl Http2Client {
    const DATA: u8 = 0;
    const HEADERS: u8 = 1;
    const SETTINGS: u8 = 4;
    const WINDOW_UPDATE: u8 = 8;
    const END_STREAM: u8 = 1;
    const END_HEADERS: u8 = 4;

    pub(super) fn new(mut connection: Client) -> Self {
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice();
        let window = Self::frame(Self::WINDOW_UPDATE, 0, 0, &(1_u32 << 30).to_be_bytes());
        let first = [preface, &*Self::frame(Self::SETTINGS, 0, 0, &[]), &window].concat();
        connection
            .get_mut()
            .write_all(&first)
            .expect("a connection");
        Self {
            connection,
            next_stream: 1,
        }
    }

    /// Sends so many requests at once and reads all responses.
    pub(super) fn exchange(&mut self, streams: u64) {
        // HPACK: `:method: GET` and `:scheme: https` of the static table, then literals with names of it.
        let block = [
            b"\x82\x87\x04\x06/small".as_slice(),
            b"\x01\x09localhost",
            b"\x0f\x04\x03*/*",
        ]
        .concat();
        let mut requests = Vec::new();
        for _ in 0..streams {
            let flags = Self::END_STREAM | Self::END_HEADERS;
            requests.extend(Self::frame(Self::HEADERS, flags, self.next_stream, &block));
            self.next_stream += 2;
        }
        self.connection
            .get_mut()
            .write_all(&requests)
            .expect("a connection");
        let mut ended = 0;
        while ended < streams {
            let mut head = [0; 9];
            self.connection.read_exact(&mut head).expect("a frame");
            let [_, a, b, kind, flags, ..] = head;
            skip(
                &mut self.connection,
                usize::from(u16::from_be_bytes([a, b])),
            );
            let is_of_response = [Self::DATA, Self::HEADERS].contains(&kind);
            assert!(
                is_of_response || kind == Self::SETTINGS || kind == Self::WINDOW_UPDATE,
                "a frame of kind {kind}"
            );
            ended += u64::from(is_of_response && flags & Self::END_STREAM != 0);
        }
    }

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len())
            .expect("a short frame")
            .to_be_bytes();
        [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
    }
}

/// The client's side of one connection.
pub(super) fn client_connection(config: &Arc<ClientConfig>) -> ClientConnection {
    let name = ServerName::try_from("localhost").expect("a name");
    ClientConnection::new(config.clone(), name).expect("a connection")
}

/// Sends a request and reads its whole answer.
pub(super) fn exchange(client: &mut Client, request: &[u8]) {
    client.get_mut().write_all(request).expect("a connection");
    let (mut length, mut chunked) = (0, false);
    let mut line = String::new();
    client.read_line(&mut line).expect("an answer");
    assert!(line.contains(" 200 "), "{line}");
    while line != "\r\n" {
        line.clear();
        client.read_line(&mut line).expect("a field");
        length = line
            .strip_prefix("content-length: ")
            .map_or(length, |text| text.trim().parse().expect("a length"));
        chunked |= line.starts_with("transfer-encoding: chunked");
    }
    skip(client, length);
    while chunked {
        line.clear();
        client.read_line(&mut line).expect("a chunk");
        length = usize::from_str_radix(line.trim(), 16).expect("a size");
        skip(client, length + 2);
        chunked = length > 0;
    }
}

fn skip(client: &mut Client, length: usize) {
    let copied =
        std::io::copy(&mut client.take(length as u64), &mut std::io::sink()).expect("a body");
    assert_eq!(copied, length as u64);
}
