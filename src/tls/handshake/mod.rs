//! From an accepted socket to a verified client: one deadline, one TLS parser, no default for unknown names.

mod hello;
mod in_place;

use super::host::HostPolicy;
use super::record::{Input, RustlsRecords, Transport};
use super::refusal::{FailureReason, HandshakeFailure, with_refused_certificate};
use crate::config::RecordLayer;
use crate::error_text::{error_text, tls_error_text};
use crate::host::{HostName, HostTable};
use hello::{Hello, read_hello};
use in_place::{Attempt, Unsent};
use rustls::CommonState;
use rustls::pki_types::CertificateDer;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::StartHandshake;

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
    // Boxed, since a future that is passed on as a value is kept in each of those that pass it on; and what comes behind the
    // hello in a box of its own, since most half-open connections are silent.
    let work = with_refused_certificate(Box::pin(run(stream, hosts, &mut progress)));
    let (reason, detail, certificate) = match timeout_at(deadline, work).await {
        Ok((Ok(established), _)) => return Ok(established),
        Ok((Err(_), Some(refused))) => (refused.reason, refused.detail, refused.certificate),
        Ok((Err((reason, detail)), None)) => (reason, detail, None),
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
    progress.server_name = hello.accepted.client_hello().server_name().map(str::to_owned);
    let name = progress.server_name.as_deref().and_then(HostName::parse).map(HostName::into_owned);
    let Some(host) = hosts.find(name.as_ref()) else {
        /// A fatal `unrecognized_name` (RFC 6066 section 3) in a plain record.
        const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];
        let _ = stream.write_all(&UNRECOGNIZED_NAME).await;
        progress.refused = Some(stream);
        return Err((FailureReason::UnknownServerName, "no certificate here has this name".to_owned()));
    };
    if host.record_layer == RecordLayer::InPlace && in_place::may_take(&hello.accepted.client_hello()) {
        Box::pin(in_place_or_else(stream, hello, host, name, progress)).await
    } else {
        Box::pin(through_rustls(stream, hello, host, name, progress)).await
    }
}

/// rustls does all of it, behind its stream.
async fn through_rustls(
    stream: TcpStream,
    hello: Hello,
    host: &HostPolicy,
    name: Option<HostName<'static>>,
    progress: &mut Progress,
) -> Result<Established, Failed> {
    let Hello { accepted, octets } = hello;
    drop(octets);
    let start = StartHandshake::from_parts(accepted, stream);
    let accept = start.into_stream(host.config.clone()).into_fallible();
    let stream = accept.await.map_err(|(error, stream)| {
        progress.refused = Some(stream);
        io_failed(error)
    })?;
    let facts = facts(stream.get_ref().1, name);
    Ok(Established { records: Transport::Rustls(RustlsRecords::new(stream)), input: Input::new(), facts })
}

/// rustls does the handshake and hands over its keys; unless it settles on what our records cannot do.
async fn in_place_or_else(
    mut stream: TcpStream,
    mut hello: Hello,
    host: &HostPolicy,
    name: Option<HostName<'static>>,
    progress: &mut Progress,
) -> Result<Established, Failed> {
    let octets = std::mem::take(&mut hello.octets);
    let attempt = Box::pin(in_place::handshake(&mut stream, host, octets)).await;
    let failed = match attempt {
        Ok(Attempt::Done(done)) => {
            let facts = facts(&done.connection, name);
            match done.into_records(stream) {
                Ok((records, input)) => {
                    return Ok(Established { records: Transport::InPlace(records), input, facts });
                }
                Err(error) => return Err((FailureReason::Other, tls_error_text(&error))),
            }
        }
        Ok(Attempt::NotForUs(Unsent)) => return Box::pin(through_rustls(stream, hello, host, name, progress)).await,
        Err(failed) => failed,
    };
    progress.refused = Some(stream);
    Err(failed)
}

fn facts(connection: &CommonState, server_name: Option<HostName<'static>>) -> HandshakeFacts {
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
