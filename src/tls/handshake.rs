//! From an accepted socket to a verified client: one deadline, one TLS parser, no default for unknown names.

use super::host::HostPolicy;
use super::record::{Input, RustlsRecords, Transport};
use super::refusal::{FailureReason, HandshakeFailure, with_refused_certificate};
use crate::host::{HostName, HostTable};
use rustls::pki_types::CertificateDer;
use rustls::server::Acceptor;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

/// A TLS connection whose client is verified as far as the host asks.
pub struct Established {
    /// Its records.
    pub records: Transport,
    /// What came with the end of the handshake.
    pub input: Input,
    /// What the handshake settled.
    pub facts: HandshakeFacts,
}

/// What a handshake settled.
#[derive(Debug)]
pub struct HandshakeFacts {
    /// The server name that the client asked for.
    pub server_name: Option<HostName<'static>>,
    /// The HTTP version.
    pub protocol: Protocol,
    /// The client's chain, leaf first; empty if it showed none.
    pub chain: Vec<CertificateDer<'static>>,
    /// `TLSv1.3` and the like.
    pub version: &'static str,
    /// Whether an earlier session was resumed.
    pub resumption: Resumption,
}

/// What ALPN settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1, also where the client named nothing.
    Http1,
    /// HTTP/2.
    Http2,
}

/// Whether a handshake was a whole one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resumption {
    /// Certificates were exchanged.
    Full,
    /// The client's chain came from a ticket and was not verified by the handshake.
    Resumed,
}

/// Runs a handshake until `deadline`.
///
/// # Errors
/// [`HandshakeFailure`]; the client has got the alert, or for plain HTTP a readable answer.
pub async fn handshake(
    stream: TcpStream,
    hosts: &HostTable<Arc<HostPolicy>>,
    deadline: Instant,
) -> Result<Established, HandshakeFailure> {
    let mut progress = Progress::default();
    let work = with_refused_certificate(run(stream, hosts, &mut progress));
    let (reason, detail, certificate) = match timeout_at(deadline, work).await {
        Ok((Ok(established), _)) => return Ok(established),
        Ok((Err((reason, detail)), certificate)) => (reason, detail, certificate),
        Err(_) => (FailureReason::Timeout, "the handshake deadline passed".to_owned(), None),
    };
    Err(HandshakeFailure { reason, detail, server_name: progress.server_name, certificate, refused: progress.refused })
}

/// What is known of a handshake also if it fails.
#[derive(Default)]
struct Progress {
    server_name: Option<String>,
    /// The connection, once the client has been told why.
    refused: Option<TcpStream>,
}

impl HandshakeFailure {
    /// Closes. With unread bytes that would reset the connection and could take our last words with it, so a little is
    /// read: in TLS 1.3 a client sends its request before it learns that it is refused.
    pub async fn close(self) {
        const LINGER: Duration = Duration::from_secs(2);
        const MOST_READ: usize = 256 * 1024;
        let Some(mut stream) = self.refused else { return };
        let linger = async {
            let (mut scratch, mut left) = ([0; 4096], MOST_READ);
            if stream.shutdown().await.is_err() {
                return;
            }
            while left > 0
                && let Ok(read @ 1..) = stream.read(&mut scratch).await
            {
                left = left.saturating_sub(read);
            }
        };
        let _ = timeout(LINGER, linger).await;
    }
}

type Failed = (FailureReason, String);

fn io_failed(error: io::Error) -> Failed {
    (FailureReason::of_io(&error), error.to_string())
}

async fn run(
    mut stream: TcpStream,
    hosts: &HostTable<Arc<HostPolicy>>,
    progress: &mut Progress,
) -> Result<Established, Failed> {
    /// The content type with which every TLS connection begins (RFC 8446 section 5.1).
    const HANDSHAKE: u8 = 22;
    let mut first = [0];
    if stream.peek(&mut first).await.map_err(io_failed)? == 0 {
        return Err((FailureReason::Closed, "closed before the first byte".to_owned()));
    }
    if first != [HANDSHAKE] {
        answer_plain_http(&mut stream).await;
        progress.refused = Some(stream);
        return Err((FailureReason::NotTls, "the first byte is not TLS".to_owned()));
    }
    let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await.map_err(io_failed)?;
    progress.server_name = start.client_hello().server_name().map(str::to_owned);
    let name = progress.server_name.as_deref().and_then(HostName::parse).map(HostName::into_owned);
    let Some(host) = hosts.find(name.as_ref()) else {
        let mut stream = start.io;
        /// A fatal `unrecognized_name` (RFC 6066 section 3) in a plain record.
        const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];
        let _ = stream.write_all(&UNRECOGNIZED_NAME).await;
        progress.refused = Some(stream);
        return Err((FailureReason::UnknownServerName, "no certificate here has this name".to_owned()));
    };
    let accept = start.into_stream(host.config.clone()).into_fallible();
    let stream = accept.await.map_err(|(error, stream)| {
        progress.refused = Some(stream);
        io_failed(error)
    })?;
    let facts = facts(&stream, name);
    Ok(Established { records: Transport::Rustls(RustlsRecords::new(stream)), input: Input::new(), facts })
}

fn facts(stream: &TlsStream<TcpStream>, server_name: Option<HostName<'static>>) -> HandshakeFacts {
    let connection = stream.get_ref().1;
    HandshakeFacts {
        server_name,
        protocol: if connection.alpn_protocol() == Some(b"h2") { Protocol::Http2 } else { Protocol::Http1 },
        chain: connection.peer_certificates().unwrap_or_default().to_vec(),
        version: connection.protocol_version().and_then(|version| version.as_str()).unwrap_or("unknown"),
        resumption: match connection.handshake_kind() {
            Some(rustls::HandshakeKind::Resumed) => Resumption::Resumed,
            _ => Resumption::Full,
        },
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
