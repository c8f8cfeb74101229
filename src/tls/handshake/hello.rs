//! The first bytes of a connection: a ClientHello, plain HTTP, or neither. Chooses nothing.

use super::{Failed, io_failed};
use crate::tls::refusal::FailureReason;
use rustls::server::{AcceptedAlert, Acceptor};
use std::io;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// A ClientHello that rustls has read.
pub(super) struct Hello {
    /// The name of the server that the client wants.
    pub(super) server_name: Option<String>,
    /// All that was received, for reading it once more.
    pub(super) octets: Vec<u8>,
}

/// How much is received at once. Memory is taken for what has come, and not for what may come: most half-open connections
/// are silent.
const RECEIVE: usize = 4096;

/// The longest ClientHello, with the headers of its records. One with a post-quantum key share and a ticket has about 4 KiB;
/// whoever sends more than this would only hold memory.
const LONGEST: usize = 16 * 1024;

/// The content type with which every TLS connection begins (RFC 8446 section 5.1).
const HANDSHAKE: u8 = 22;

/// Reads until a ClientHello is whole. The client is told what is wrong with it.
pub(super) async fn read_hello(stream: &mut TcpStream) -> Result<Hello, Failed> {
    let mut octets = Vec::new();
    loop {
        let read = receive(stream, &mut octets).await.map_err(io_failed)?;
        match (read, octets.first()) {
            (0, None) => {
                return Err((
                    FailureReason::Closed,
                    "closed before the first byte".to_owned(),
                ));
            }
            (0, _) => return Err(io_failed(io::ErrorKind::UnexpectedEof.into())),
            (_, Some(&HANDSHAKE)) => {}
            _ => {
                answer_plain_http(stream).await;
                return Err((
                    FailureReason::NotTls,
                    "the first byte is not TLS".to_owned(),
                ));
            }
        }
        match hello_state(&octets) {
            HelloState::Whole => match server_name(&octets) {
                Ok(server_name) => {
                    return Ok(Hello {
                        server_name,
                        octets,
                    });
                }
                Err(RejectedHello { failed, record }) => {
                    let _ = stream.write_all(&record).await;
                    return Err(failed);
                }
            },
            HelloState::Missing if octets.len() < LONGEST => {}
            HelloState::Missing | HelloState::TooLong => {
                /// A fatal `decode_error` in a plain record.
                const DECODE_ERROR: [u8; 7] = [21, 3, 3, 0, 2, 2, 50];
                let _ = stream.write_all(&DECODE_ERROR).await;
                return Err((
                    FailureReason::Misbehaved,
                    format!("the ClientHello is longer than {LONGEST} bytes"),
                ));
            }
        }
    }
}

/// Waits for bytes before it makes room for them.
pub(super) async fn receive(stream: &TcpStream, octets: &mut Vec<u8>) -> io::Result<usize> {
    loop {
        stream.readable().await?;
        let mut piece = [0; RECEIVE];
        match stream.try_read(&mut piece) {
            Ok(count) => {
                octets.extend_from_slice(piece.get(..count).unwrap_or_default());
                return Ok(count);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// How much of a ClientHello is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HelloState {
    Missing,
    /// All of it; or something that is none, of which rustls says what is wrong.
    Whole,
    TooLong,
}

/// Adds up records until the message that begins in the first one is whole. rustls would keep all of it a second time while
/// it waits.
fn hello_state(mut octets: &[u8]) -> HelloState {
    const CLIENT_HELLO: u8 = 1;
    let (mut message, mut length) = ([0; 4], 0);
    while let [kind, _, _, high, low, rest @ ..] = octets {
        let record = usize::from(u16::from_be_bytes([*high, *low]));
        if *kind != HANDSHAKE || record == 0 {
            return HelloState::Whole;
        }
        let content = rest.get(..record).unwrap_or(rest);
        for (place, octet) in message.iter_mut().skip(length).zip(content) {
            *place = *octet;
        }
        length += content.len();
        let [kind, body @ ..] = message;
        if length > 0 && kind != CLIENT_HELLO {
            return HelloState::Whole;
        }
        let [high, middle, low] = body.map(usize::from);
        let whole = message.len() + (high << 16 | middle << 8 | low);
        if length >= message.len() && whole > LONGEST {
            return HelloState::TooLong;
        }
        if length >= message.len() && length >= whole {
            return HelloState::Whole;
        }
        octets = rest.get(record..).unwrap_or_default();
    }
    HelloState::Missing
}

/// A ClientHello that rustls rejects, and what its client is sent.
struct RejectedHello {
    failed: Failed,
    record: Vec<u8>,
}

impl From<Failed> for RejectedHello {
    fn from(failed: Failed) -> Self {
        Self {
            failed,
            record: Vec::new(),
        }
    }
}

/// Has rustls read a ClientHello that is here, and gives its server name. Waits for nothing, so that what rustls keeps of it
/// is part of no future.
fn server_name(mut octets: &[u8]) -> Result<Option<String>, RejectedHello> {
    let mut acceptor = Acceptor::default();
    // rustls takes a part only where its buffer ends, which is in the middle of a long hello.
    while !octets.is_empty() {
        acceptor.read_tls(&mut octets).map_err(io_failed)?;
        match acceptor.accept() {
            Ok(Some(accepted)) if octets.is_empty() => {
                return Ok(accepted.client_hello().server_name().map(str::to_owned));
            }
            // There is nothing that a client may send before it has heard from us.
            Ok(Some(_)) => {
                return Err((
                    FailureReason::Misbehaved,
                    "more than a ClientHello came".to_owned(),
                )
                    .into());
            }
            Ok(None) => {}
            Err((error, alert)) => return Err(rejected(error, alert)),
        }
    }
    Err((
        FailureReason::Misbehaved,
        "the first record is no ClientHello".to_owned(),
    )
        .into())
}

fn rejected(error: rustls::Error, mut alert: AcceptedAlert) -> RejectedHello {
    let mut record = Vec::new();
    if alert.write_all(&mut record).is_err() {
        record.clear();
    }
    RejectedHello {
        failed: io_failed(io::Error::new(io::ErrorKind::InvalidData, error)),
        record,
    }
}

/// Tells a client that speaks plain HTTP what is wrong, in words that it can show.
async fn answer_plain_http(stream: &mut TcpStream) {
    const BODY: &str = "{\"type\":\"about:blank\",\"title\":\"Bad Request\",\"status\":400,\"reason\":\"plain_http\",\
        \"detail\":\"This port speaks HTTPS only.\"}\n";
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: application/problem+json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{BODY}",
        BODY.len()
    );
    let _ = stream.write_all(answer.as_bytes()).await;
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
            hello_state(&hello(LONGEST, 16_000)[..9]),
            HelloState::TooLong
        );
        assert_eq!(
            hello_state(&hello(LONGEST - 4, 16_000)[..9]),
            HelloState::Missing
        );
        assert_eq!(
            hello_state(&[22, 3, 1, 0, 4, 2, 0, 0, 0]),
            HelloState::Whole,
            "rustls says what that is"
        );
        assert_eq!(
            hello_state(&[22, 3, 1, 0, 0]),
            HelloState::Whole,
            "an empty record"
        );
        let (mut two, length) = (hello(100, 50), hello(100, 50).len());
        two[55] = 23;
        assert_eq!(
            (two.len(), hello_state(&two)),
            (length, HelloState::Whole),
            "another kind of record"
        );
    }

    proptest! {
        #[test]
        fn a_hello_is_whole_with_its_last_byte_and_not_before(body in 0_usize..3000, record in 1_usize..1200) {
            let octets = hello(body, record);
            for cut in [1, 3, 5, 6, 9, octets.len() / 2, octets.len() - 1] {
                prop_assert_eq!(hello_state(&octets[..cut.min(octets.len() - 1)]), HelloState::Missing);
            }
            prop_assert_eq!(hello_state(&octets), HelloState::Whole);
            prop_assert_eq!(hello_state(&[&octets[..], b"more"].concat()), HelloState::Whole);
        }
    }
}
