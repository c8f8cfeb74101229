//! From an accepted socket to a verified client: one deadline, one TLS parser, no default for unknown names.

mod hello;
mod unbuffered;

use super::client_chain::ClientChain;
use super::host::HostPolicy;
use super::record::{Input, Transport};
use super::refusal::{FailureReason, HandshakeFailure, with_refused_certificate};
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
    pub chain: ClientChain,
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
    // Boxed, since a future that is passed on as a value is kept in each of those that pass it on; and what comes behind the
    // hello in a box of its own, since most half-open connections are silent.
    let work = with_refused_certificate(Box::pin(run(stream, hosts, &mut progress)));
    let (reason, detail, certificate) = match timeout_at(deadline, work).await {
        Ok((Ok(established), _)) => return Ok(established),
        Ok((Err(_), Some(refused))) => (refused.reason, refused.detail, refused.certificate),
        Ok((Err((reason, detail)), None)) => (reason, detail, None),
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
        refused: progress.refused,
    })
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
        let Some(mut stream) = self.refused else {
            return;
        };
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
    (FailureReason::of_io(&error), error_text(&error))
}

async fn run(
    mut stream: TcpStream,
    hosts: &HostTable<Arc<HostPolicy>>,
    progress: &mut Progress,
) -> Result<Established, Failed> {
    let read = read_hello(&mut stream).await;
    let hello = match read {
        Ok(hello) => hello,
        Err(failed) => {
            progress.refused = Some(stream);
            return Err(failed);
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
        progress.refused = Some(stream);
        return Err((
            FailureReason::UnknownServerName,
            "no certificate here has this name".to_owned(),
        ));
    };
    Box::pin(with_rustls(stream, hello.octets, host, name, progress)).await
}

/// rustls does the handshake with the host's config.
async fn with_rustls(
    mut stream: TcpStream,
    hello: Vec<u8>,
    host: &HostPolicy,
    name: Option<HostName<'static>>,
    progress: &mut Progress,
) -> Result<Established, Failed> {
    let attempt = Box::pin(unbuffered::handshake(&mut stream, host, hello)).await;
    let finished = match attempt {
        Ok(finished) => finished,
        Err(failed) => {
            progress.refused = Some(stream);
            return Err(failed);
        }
    };
    let facts = facts(&finished.connection, name);
    let records = finished.into_records(stream, host.record_layer);
    let (records, input) =
        records.map_err(|error| (FailureReason::Other, tls_error_text(&error)))?;
    Ok(Established {
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
