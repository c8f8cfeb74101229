//! Receives the PROXY header at the begin of connections of front proxies, and not one byte more, since TLS follows. Does
//! not check whether the sender is a front proxy.

use crate::config::ForwardedIdentity;
use crate::identity::{ProxyHeader, ProxyHeaderError};
use crate::listener::{ConnectionPlace, SourceRejected};
use crate::snapshot::ListenerPolicy;
use crate::tls::{FailureReason, HandshakeFailure, TlsConnection, handshake};
use std::io;
use std::net::IpAddr;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

/// A connection before its first byte.
pub(super) struct IncomingConnection<'a> {
    /// The remote address of the socket.
    pub(super) client: IpAddr,
    pub(super) place: &'a ConnectionPlace,
    /// The deadline of the handshake.
    pub(super) deadline: Instant,
}

/// Why a connection is not established.
pub(super) enum AcceptError {
    /// A failure that is to be recorded.
    Failed(HandshakeFailure),
    /// The source address in the PROXY header has too many half-open connections. That is recorded already.
    Rejected,
}

impl From<HandshakeFailure> for AcceptError {
    fn from(failure: HandshakeFailure) -> Self {
        Self::Failed(failure)
    }
}

impl From<SourceRejected> for AcceptError {
    fn from(SourceRejected: SourceRejected) -> Self {
        Self::Rejected
    }
}

/// Reads a PROXY header if the listener expects one, then does the TLS handshake.
pub(super) async fn accept_tls(
    mut stream: TcpStream,
    policy: &ListenerPolicy,
    connection: IncomingConnection<'_>,
) -> Result<(TlsConnection, Option<ProxyHeader>), AcceptError> {
    let deadline = connection.deadline;
    let begins_with_header = policy
        .front_proxy
        .as_ref()
        .is_some_and(|front| front.identity == ForwardedIdentity::ProxyV2);
    let header = if begins_with_header {
        Some(read_header(&mut stream, deadline).await?)
    } else {
        None
    };
    if let Some(header) = &header {
        connection.count_announced(policy, header)?;
    }
    Ok((handshake(stream, &policy.hosts, deadline).await?, header))
}

impl IncomingConnection<'_> {
    /// Counts the connection for the source address in its header, if the configuration places front proxies at the
    /// address of its socket. Otherwise the header is not trusted, and the address of the socket was counted.
    fn count_announced(
        &self,
        policy: &ListenerPolicy,
        header: &ProxyHeader,
    ) -> Result<(), SourceRejected> {
        let is_placed = policy
            .front_proxy
            .as_ref()
            .is_some_and(|front| front.is_placed_at(self.client));
        let ProxyHeader::Client(announced) = header else {
            return Ok(());
        };
        let Some((client, _)) = announced.addresses.filter(|_| is_placed) else {
            return Ok(());
        };
        let Some(limit) = policy.half_open_limit(client.ip()) else {
            return Ok(());
        };
        self.place.announce(client.ip(), limit)
    }
}

/// Reads a header until `deadline`.
///
/// # Errors
/// There is no header, or it cannot be parsed. No response is possible.
async fn read_header(
    stream: &mut TcpStream,
    deadline: Instant,
) -> Result<ProxyHeader, HandshakeFailure> {
    let (reason, detail) = match timeout_at(deadline, receive(stream)).await {
        Ok(Ok(header)) => return Ok(header),
        Ok(Err(HeaderError::Closed)) => (
            FailureReason::Closed,
            "closed before the first byte".to_owned(),
        ),
        Ok(Err(HeaderError::Io(error))) => (
            FailureReason::ProxyHeader,
            format!("the PROXY header is cut short: {error}"),
        ),
        Ok(Err(HeaderError::Unreadable(error))) => (FailureReason::ProxyHeader, error.to_string()),
        Err(_) => (
            FailureReason::Timeout,
            "the deadline passed before the PROXY header was whole".to_owned(),
        ),
    };
    Err(HandshakeFailure::beside(reason, detail))
}

/// Why no header was received.
enum HeaderError {
    Closed,
    Io(io::Error),
    Unreadable(ProxyHeaderError),
}

impl From<io::Error> for HeaderError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<ProxyHeaderError> for HeaderError {
    fn from(error: ProxyHeaderError) -> Self {
        Self::Unreadable(error)
    }
}

async fn receive(stream: &mut TcpStream) -> Result<ProxyHeader, HeaderError> {
    let mut prefix = [0; ProxyHeader::PREFIX];
    let mut received = 0;
    while received < prefix.len() {
        match stream
            .read(prefix.get_mut(received..).unwrap_or_default())
            .await?
        {
            0 if received == 0 => return Err(HeaderError::Closed),
            0 => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            more => received += more,
        }
        // A client without a header may wait for our first byte. It fails here, before the deadline.
        ProxyHeader::may_begin(prefix.get(..received).unwrap_or_default())?;
    }
    let mut header = prefix.to_vec();
    header.resize(prefix.len() + ProxyHeader::length(&prefix)?, 0);
    stream
        .read_exact(header.get_mut(prefix.len()..).unwrap_or_default())
        .await?;
    Ok(ProxyHeader::read(&header)?)
}
