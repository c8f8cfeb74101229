//! The first bytes of a connection: a ClientHello, plain HTTP, or neither. Selects no host.

use super::HandshakeError;
use crate::tls::failure_reason::FailureReason;
use rustls::server::{AcceptedAlert, Acceptor};
use std::io;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// A ClientHello that rustls has read.
pub(super) struct ClientHello {
    /// The server name (SNI) that the client requests.
    pub(super) server_name: Option<String>,
    /// All received bytes, since rustls reads them again in the handshake.
    pub(super) bytes: Vec<u8>,
}

/// Bytes received at once. Memory is allocated only for received bytes, since most half-open connections are silent.
const RECEIVE: usize = 4096;

/// Maximum size of a ClientHello in bytes, record headers included. One with a post-quantum key share and a ticket has
/// about 4 KiB; a longer one would only occupy memory.
const MAX_CLIENT_HELLO: usize = 16 * 1024;

/// The content type with which every TLS connection begins (RFC 8446 section 5.1).
const HANDSHAKE: u8 = 22;

/// Reads a complete ClientHello. Sends an alert for a malformed one, and an HTTP response to plain HTTP.
pub(super) async fn read_hello(stream: &mut TcpStream) -> Result<ClientHello, HandshakeError> {
    let mut bytes = Vec::new();
    loop {
        let read = receive(stream, &mut bytes).await?;
        match (read, bytes.first()) {
            (0, None) => {
                return Err(HandshakeError::new(
                    FailureReason::Closed,
                    "closed before the first byte",
                ));
            }
            (0, _) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            (_, Some(&HANDSHAKE)) => {}
            _ => {
                respond_to_plain_http(stream).await;
                return Err(HandshakeError::new(
                    FailureReason::NotTls,
                    "the first byte is not TLS",
                ));
            }
        }
        match hello_state(&bytes) {
            HelloState::Complete => match server_name(&bytes) {
                Ok(server_name) => {
                    return Ok(ClientHello { server_name, bytes });
                }
                Err(RejectedHello { error, record }) => {
                    let _ = stream.write_all(&record).await;
                    return Err(error);
                }
            },
            HelloState::Incomplete if bytes.len() < MAX_CLIENT_HELLO => {}
            HelloState::Incomplete | HelloState::TooLong => {
                /// A fatal `decode_error` in a plain record.
                const DECODE_ERROR: [u8; 7] = [21, 3, 3, 0, 2, 2, 50];
                let _ = stream.write_all(&DECODE_ERROR).await;
                return Err(HandshakeError {
                    reason: FailureReason::Misbehaved,
                    detail: format!("the ClientHello is longer than {MAX_CLIENT_HELLO} bytes"),
                });
            }
        }
    }
}

/// Receives bytes and appends them. Waits for them before it allocates memory.
pub(super) async fn receive(stream: &TcpStream, bytes: &mut Vec<u8>) -> io::Result<usize> {
    loop {
        stream.readable().await?;
        let mut piece = [0; RECEIVE];
        match stream.try_read(&mut piece) {
            Ok(count) => {
                bytes.extend_from_slice(piece.get(..count).unwrap_or_default());
                return Ok(count);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// How much of a ClientHello was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HelloState {
    Incomplete,
    /// All of it, or something else that rustls will reject.
    Complete,
    TooLong,
}

/// Adds up records until the message that begins in the first one is complete. rustls would store a second copy while it
/// waits.
fn hello_state(mut bytes: &[u8]) -> HelloState {
    const CLIENT_HELLO: u8 = 1;
    let mut header = [0; 4];
    let mut length = 0;
    while let [kind, _, _, high, low, rest @ ..] = bytes {
        let record = usize::from(u16::from_be_bytes([*high, *low]));
        if *kind != HANDSHAKE || record == 0 {
            return HelloState::Complete;
        }
        let content = rest.get(..record).unwrap_or(rest);
        for (slot, byte) in header.iter_mut().skip(length).zip(content) {
            *slot = *byte;
        }
        length += content.len();
        let [kind, body_length @ ..] = header;
        if length > 0 && kind != CLIENT_HELLO {
            return HelloState::Complete;
        }
        let [high, middle, low] = body_length.map(usize::from);
        let message_length = header.len() + (high << 16 | middle << 8 | low);
        if length >= header.len() && message_length > MAX_CLIENT_HELLO {
            return HelloState::TooLong;
        }
        if length >= header.len() && length >= message_length {
            return HelloState::Complete;
        }
        bytes = rest.get(record..).unwrap_or_default();
    }
    HelloState::Incomplete
}

/// A ClientHello that rustls rejects, and the alert record for the client.
struct RejectedHello {
    error: HandshakeError,
    record: Vec<u8>,
}

impl From<HandshakeError> for RejectedHello {
    fn from(error: HandshakeError) -> Self {
        Self {
            error,
            record: Vec::new(),
        }
    }
}

/// Parses a complete ClientHello with rustls and returns its server name. Not async, so that no future contains the
/// parser's buffers.
fn server_name(mut bytes: &[u8]) -> Result<Option<String>, RejectedHello> {
    let mut acceptor = Acceptor::default();
    // rustls reads only up to the end of its buffer, which may be in the middle of a long ClientHello.
    while !bytes.is_empty() {
        acceptor
            .read_tls(&mut bytes)
            .map_err(HandshakeError::from)?;
        match acceptor.accept() {
            Ok(Some(accepted)) if bytes.is_empty() => {
                return Ok(accepted.client_hello().server_name().map(str::to_owned));
            }
            // A client must not send anything else before the server's first message.
            Ok(Some(_)) => {
                return Err(HandshakeError::new(
                    FailureReason::Misbehaved,
                    "more than a ClientHello came",
                )
                .into());
            }
            Ok(None) => {}
            Err((error, alert)) => return Err(rejected(error, alert)),
        }
    }
    Err(HandshakeError::new(
        FailureReason::Misbehaved,
        "the first record is no ClientHello",
    )
    .into())
}

fn rejected(error: rustls::Error, mut alert: AcceptedAlert) -> RejectedHello {
    let mut record = Vec::new();
    if alert.write_all(&mut record).is_err() {
        record.clear();
    }
    RejectedHello {
        error: io::Error::new(io::ErrorKind::InvalidData, error).into(),
        record,
    }
}

/// Sends a problem response to a client that speaks plain HTTP.
async fn respond_to_plain_http(stream: &mut TcpStream) {
    const BODY: &str = "{\"type\":\"about:blank\",\"title\":\"Bad Request\",\"status\":400,\"reason\":\"plain_http\",\
        \"detail\":\"This port speaks HTTPS only.\"}\n";
    let response = format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: application/problem+json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{BODY}",
        BODY.len()
    );
    let _ = stream.write_all(response.as_bytes()).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A ClientHello of so many bytes, in records of at most so many.
    fn hello(body: usize, record: usize) -> Vec<u8> {
        let length = u32::try_from(body).unwrap().to_be_bytes();
        let message = [&[1][..], &length[1..], &vec![7; body]].concat();
        let records = message.chunks(record).map(|piece| {
            let length = u16::try_from(piece.len()).unwrap().to_be_bytes();
            [&[22, 3, 1][..], &length, piece].concat()
        });
        records.collect::<Vec<_>>().concat()
    }

    #[test]
    fn a_hello_that_is_too_long_is_known_by_its_header() {
        assert_eq!(
            hello_state(&hello(MAX_CLIENT_HELLO, 16_000)[..9]),
            HelloState::TooLong
        );
        assert_eq!(
            hello_state(&hello(MAX_CLIENT_HELLO - 4, 16_000)[..9]),
            HelloState::Incomplete
        );
        assert_eq!(
            hello_state(&[22, 3, 1, 0, 4, 2, 0, 0, 0]),
            HelloState::Complete,
            "rustls says what that is"
        );
        assert_eq!(
            hello_state(&[22, 3, 1, 0, 0]),
            HelloState::Complete,
            "an empty record"
        );
        let mut two = hello(100, 50);
        let length = two.len();
        two[55] = 23;
        assert_eq!(
            (two.len(), hello_state(&two)),
            (length, HelloState::Complete),
            "another kind of record"
        );
    }

    proptest! {
        #[test]
        fn a_hello_is_whole_with_its_last_byte_and_not_before(body in 0_usize..3000, record in 1_usize..1200) {
            let bytes = hello(body, record);
            for cut in [1, 3, 5, 6, 9, bytes.len() / 2, bytes.len() - 1] {
                prop_assert_eq!(hello_state(&bytes[..cut.min(bytes.len() - 1)]), HelloState::Incomplete);
            }
            prop_assert_eq!(hello_state(&bytes), HelloState::Complete);
            prop_assert_eq!(hello_state(&[&bytes[..], b"more"].concat()), HelloState::Complete);
        }
    }
}
