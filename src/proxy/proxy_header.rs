//! Receives the PROXY header with which connections of front proxies begin, and not one octet more: what follows is TLS.
//! Believes nothing of it.

use crate::config::ForwardedIdentity;
use crate::identity::{ProxyHeader, ProxyHeaderError};
use crate::listener::{ConnectionPlace, SourceRejected};
use crate::snapshot::ListenerPolicy;
use crate::tls::{Established, FailureReason, HandshakeFailure, handshake};
use std::io;
use std::net::IpAddr;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

/// What is known of a connection before its first byte.
pub(super) struct Arrival<'a> {
    /// Where its socket leads.
    pub(super) client: IpAddr,
    pub(super) place: &'a ConnectionPlace,
    /// Of the handshake.
    pub(super) deadline: Instant,
}

/// Why a connection has no client.
pub(super) enum NotEstablished {
    /// Something failed, which is to be told.
    Failed(HandshakeFailure),
    /// The source that a proxy has announced has too many half-open connections. That is counted already.
    Rejected,
}

impl From<HandshakeFailure> for NotEstablished {
    fn from(failure: HandshakeFailure) -> Self {
        Self::Failed(failure)
    }
}

impl From<SourceRejected> for NotEstablished {
    fn from(SourceRejected: SourceRejected) -> Self {
        Self::Rejected
    }
}

/// Up to the end of the handshake: a PROXY header where there must be one, then TLS.
pub(super) async fn first_words(
    mut stream: TcpStream,
    policy: &ListenerPolicy,
    arrival: Arrival<'_>,
) -> Result<(Established, Option<ProxyHeader>), NotEstablished> {
    let deadline = arrival.deadline;
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
        arrival.count_announced(policy, header)?;
    }
    Ok((handshake(stream, &policy.hosts, deadline).await?, header))
}

impl Arrival<'_> {
    /// Counts the connection at the address that its header announces, where the config says that front proxies are at the
    /// address of its socket. Elsewhere anybody could announce anything, so the socket was counted.
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
/// Without one, or with one that cannot be read; there is nobody who would understand an answer.
async fn read_header(
    stream: &mut TcpStream,
    deadline: Instant,
) -> Result<ProxyHeader, HandshakeFailure> {
    let (reason, detail) = match timeout_at(deadline, receive(stream)).await {
        Ok(Ok(header)) => return Ok(header),
        Ok(Err(NoHeader::Closed)) => (
            FailureReason::Closed,
            "closed before the first byte".to_owned(),
        ),
        Ok(Err(NoHeader::Io(error))) => (
            FailureReason::ProxyHeader,
            format!("the PROXY header is cut short: {error}"),
        ),
        Ok(Err(NoHeader::Unreadable(error))) => (FailureReason::ProxyHeader, error.to_string()),
        Err(_) => (
            FailureReason::Timeout,
            "the deadline passed before the PROXY header was whole".to_owned(),
        ),
    };
    Err(HandshakeFailure::beside(reason, detail))
}

/// Why there is no header.
enum NoHeader {
    Closed,
    Io(io::Error),
    Unreadable(ProxyHeaderError),
}

impl From<io::Error> for NoHeader {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<ProxyHeaderError> for NoHeader {
    fn from(error: ProxyHeaderError) -> Self {
        Self::Unreadable(error)
    }
}

async fn receive(stream: &mut TcpStream) -> Result<ProxyHeader, NoHeader> {
    let mut prefix = [0; ProxyHeader::PREFIX];
    let mut received = 0;
    while received < prefix.len() {
        match stream
            .read(prefix.get_mut(received..).unwrap_or_default())
            .await?
        {
            0 if received == 0 => return Err(NoHeader::Closed),
            0 => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            more => received += more,
        }
        // Who begins otherwise may wait for us, and need not wait for the deadline.
        ProxyHeader::may_begin(prefix.get(..received).unwrap_or_default())?;
    }
    let mut header = prefix.to_vec();
    header.resize(prefix.len() + ProxyHeader::length(&prefix)?, 0);
    stream
        .read_exact(header.get_mut(prefix.len()..).unwrap_or_default())
        .await?;
    Ok(ProxyHeader::read(&header)?)
}
