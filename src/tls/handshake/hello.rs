//! The first bytes of a connection: a ClientHello, plain HTTP, or neither. Chooses nothing.

use super::{Failed, io_failed};
use crate::tls::refusal::FailureReason;
use rustls::server::{Accepted, AcceptedAlert, Acceptor};
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A ClientHello that rustls has read.
pub(super) struct Hello {
    pub(super) accepted: Accepted,
    /// All that was received, for reading it once more.
    pub(super) octets: Vec<u8>,
}

/// How much is received at once: what rustls takes in one piece.
const RECEIVE: usize = 4096;

/// Reads until a ClientHello is whole. The client is told what is wrong with it.
pub(super) async fn read_hello(stream: &mut TcpStream) -> Result<Hello, Failed> {
    /// The content type with which every TLS connection begins (RFC 8446 section 5.1).
    const HANDSHAKE: u8 = 22;
    let (mut acceptor, mut octets) = (Acceptor::default(), Vec::new());
    loop {
        let before = octets.len();
        octets.reserve_exact(RECEIVE);
        let read = (&mut *stream).take(RECEIVE as u64).read_buf(&mut octets).await.map_err(io_failed)?;
        match (read, octets.first()) {
            (0, None) => return Err((FailureReason::Closed, "closed before the first byte".to_owned())),
            (0, _) => return Err(io_failed(io::ErrorKind::UnexpectedEof.into())),
            (_, Some(&HANDSHAKE)) => {}
            _ => {
                answer_plain_http(stream).await;
                return Err((FailureReason::NotTls, "the first byte is not TLS".to_owned()));
            }
        }
        let mut new = octets.get(before..).unwrap_or_default();
        let mut accepted = None;
        // rustls takes a part only where its buffer ends, which is in the middle of a very long hello.
        while !new.is_empty() && accepted.is_none() {
            acceptor.read_tls(&mut new).map_err(io_failed)?;
            accepted = match acceptor.accept() {
                Ok(accepted) => accepted,
                Err((error, alert)) => return Err(refused(stream, error, alert).await),
            };
        }
        match accepted {
            Some(accepted) if new.is_empty() => return Ok(Hello { accepted, octets }),
            // There is nothing that a client may send before it has heard from us.
            Some(_) => return Err((FailureReason::Misbehaved, "more than a ClientHello came".to_owned())),
            None => {}
        }
    }
}

async fn refused(stream: &mut TcpStream, error: rustls::Error, mut alert: AcceptedAlert) -> Failed {
    let mut record = Vec::new();
    if alert.write_all(&mut record).is_ok() {
        let _ = stream.write_all(&record).await;
    }
    io_failed(io::Error::new(io::ErrorKind::InvalidData, error))
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
