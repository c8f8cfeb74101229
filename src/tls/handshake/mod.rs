//! From an accepted socket to a verified client: one deadline, one TLS parser, no default for unknown server names.

mod hello;
mod unbuffered;

use super::client_chain::ClientChain;
use super::failure_reason::FailureReason;
use super::handshake_failure::HandshakeFailure;
use super::host::HostPolicy;
use super::record::{ReceiveBuffer, Transport};
use super::rejected_certificate::with_rejected_certificate;
use crate::error_text::{error_text, tls_error_text};
use crate::host::{HostName, HostTable};
use hello::read_hello;
use rustls::CommonState;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

/// A TLS connection. The client is verified as far as the host requires.
pub struct TlsConnection {
    /// The record layer.
    pub records: Transport,
    /// The bytes received after the handshake.
    pub input: ReceiveBuffer,
    /// The negotiated facts.
    pub facts: HandshakeFacts,
}

/// The result of the negotiation.
#[derive(Debug)]
pub struct HandshakeFacts {
    /// The server name (SNI) that the client requested.
    pub server_name: Option<HostName<'static>>,
    /// The HTTP version.
    pub protocol: Protocol,
    /// The client's chain, leaf first; empty if it presented none.
    pub chain: ClientChain,
    /// The protocol version, such as `TLSv1.3`.
    pub version: &'static str,
    /// Whether an earlier session was resumed.
    pub resumption: Resumption,
}

/// The HTTP version negotiated by ALPN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1, also for a client without ALPN.
    Http1,
    /// HTTP/2.
    Http2,
}

/// Whether a handshake was full or resumed.
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
/// [`HandshakeFailure`]; the client was sent the alert, or an HTTP response for plain HTTP.
pub async fn handshake(
    stream: TcpStream,
    hosts: &HostTable<Arc<HostPolicy>>,
    deadline: Instant,
) -> Result<TlsConnection, HandshakeFailure> {
    let mut progress = HandshakeProgress::default();
    // Boxed, since each future that passes a future by value contains a copy of it. The part after the ClientHello has
    // its own box, since most half-open connections are silent.
    let work = with_rejected_certificate(Box::pin(run(stream, hosts, &mut progress)));
    let (reason, detail, certificate) = match timeout_at(deadline, work).await {
        Ok((Ok(established), _)) => return Ok(established),
        Ok((Err(_), Some(rejected))) => (rejected.reason, rejected.detail, rejected.certificate),
        Ok((Err(error), None)) => (error.reason, error.detail, None),
        Err(_) => (
            FailureReason::Timeout,
            "the handshake deadline passed".to_owned(),
            None,
        ),
    };
    Err(HandshakeFailure {
        reason,
        detail,
        server_name: progress.server_name,
        certificate,
        stream: progress.stream,
    })
}

/// Facts of a handshake that are also known if it fails.
#[derive(Default)]
struct HandshakeProgress {
    server_name: Option<String>,
    /// The connection, after an alert or response was sent.
    stream: Option<TcpStream>,
}

impl HandshakeFailure {
    /// Closes the connection. Unread bytes would reset it and could discard the alert, so a limited amount is read first:
    /// in TLS 1.3 a client sends its request before it learns that it is rejected.
    pub async fn close(self) {
        const LINGER: Duration = Duration::from_secs(2);
        const MAX_READ: usize = 256 * 1024;
        let Some(mut stream) = self.stream else {
            return;
        };
        let linger = async {
            let mut scratch = [0; 4096];
            let mut left = MAX_READ;
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

/// Why a handshake failed, before the facts of the connection are added.
struct HandshakeError {
    reason: FailureReason,
    /// A text for the log.
    detail: String,
}

impl HandshakeError {
    fn new(reason: FailureReason, detail: &str) -> Self {
        Self {
            reason,
            detail: detail.to_owned(),
        }
    }
}

impl From<io::Error> for HandshakeError {
    fn from(error: io::Error) -> Self {
        Self {
            reason: FailureReason::of_io(&error),
            detail: error_text(&error),
        }
    }
}

async fn run(
    mut stream: TcpStream,
    hosts: &HostTable<Arc<HostPolicy>>,
    progress: &mut HandshakeProgress,
) -> Result<TlsConnection, HandshakeError> {
    let read = read_hello(&mut stream).await;
    let hello = match read {
        Ok(hello) => hello,
        Err(error) => {
            progress.stream = Some(stream);
            return Err(error);
        }
    };
    progress.server_name = hello.server_name;
    let name = progress
        .server_name
        .as_deref()
        .and_then(HostName::parse)
        .map(HostName::into_owned);
    let Some(host) = hosts.find(name.as_ref()) else {
        /// A fatal `unrecognized_name` (RFC 6066 section 3) in a plain record.
        const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];
        let _ = stream.write_all(&UNRECOGNIZED_NAME).await;
        progress.stream = Some(stream);
        return Err(HandshakeError::new(
            FailureReason::UnknownServerName,
            "no certificate here has this name",
        ));
    };
    Box::pin(with_rustls(stream, hello.bytes, host, name, progress)).await
}

/// Runs the handshake in rustls with the host's config.
async fn with_rustls(
    mut stream: TcpStream,
    hello: Vec<u8>,
    host: &HostPolicy,
    name: Option<HostName<'static>>,
    progress: &mut HandshakeProgress,
) -> Result<TlsConnection, HandshakeError> {
    let attempt = Box::pin(unbuffered::handshake(&mut stream, host, hello)).await;
    let finished = match attempt {
        Ok(finished) => finished,
        Err(error) => {
            progress.stream = Some(stream);
            return Err(error);
        }
    };
    let facts = facts(&finished.connection, name);
    let (records, input) = finished
        .into_records(stream, host.record_layer)
        .map_err(|error| HandshakeError::new(FailureReason::Other, &tls_error_text(&error)))?;
    Ok(TlsConnection {
        records,
        input,
        facts,
    })
}

fn facts(connection: &CommonState, server_name: Option<HostName<'static>>) -> HandshakeFacts {
    HandshakeFacts {
        server_name,
        protocol: if connection.alpn_protocol() == Some(b"h2") {
            Protocol::Http2
        } else {
            Protocol::Http1
        },
        chain: ClientChain::of(connection.peer_certificates().unwrap_or_default()),
        version: connection
            .protocol_version()
            .and_then(|version| version.as_str())
            .unwrap_or("unknown"),
        resumption: match connection.handshake_kind() {
            Some(rustls::HandshakeKind::Resumed) => Resumption::Resumed,
            _ => Resumption::Full,
        },
    }
}
