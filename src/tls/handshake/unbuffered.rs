//! A handshake on rustls' unbuffered connection. The buffers belong to this file, so bytes after the handshake are not
//! lost, whichever layer opens the records then.

use super::HandshakeError;
use super::hello::receive;
use crate::config::{ClientAuth, RecordLayer};
use crate::tls::failure_reason::FailureReason;
use crate::tls::host::HostPolicy;
use crate::tls::record::{
    InPlaceRecords, ReceiveBuffer, ReceivedRecords, ReleasedRecords, RustlsRecords, Transport,
    encode_record, queued_records,
};
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, UnbufferedStatus};
use rustls::{Error, ProtocolVersion};
use std::io;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// A completed handshake. All its messages are sent.
pub(super) struct FinishedHandshake {
    pub(super) connection: UnbufferedServerConnection,
    /// Bytes received after the handshake, not decrypted.
    sealed: Vec<u8>,
    /// How much of `sealed` rustls has seen: nothing, unless a message has begun.
    shown: ReleasedRecords,
}

impl FinishedHandshake {
    /// The record layer for the connection, and the received bytes. The in-place layer takes over the keys if it supports
    /// the negotiated protocol.
    pub(super) fn into_records(
        self,
        stream: TcpStream,
        layer: RecordLayer,
    ) -> Result<(Transport, ReceiveBuffer), Error> {
        let mut input = ReceiveBuffer::new();
        let is_in_place = layer == RecordLayer::InPlace
            && self.connection.protocol_version() == Some(ProtocolVersion::TLSv1_3)
            && self.connection.alpn_protocol() != Some(b"h2");
        if is_in_place {
            input.begin_with(&self.sealed);
            return Ok((
                Transport::InPlace(InPlaceRecords::new(stream, self.connection)?),
                input,
            ));
        }
        let received = ReceivedRecords::new(self.sealed, self.shown);
        Ok((
            Transport::Rustls(RustlsRecords::new(stream, self.connection, received)),
            input,
        ))
    }
}

/// Runs the handshake; `received` begins with the ClientHello. On failure the client was sent the alert.
pub(super) async fn handshake(
    stream: &mut TcpStream,
    host: &HostPolicy,
    received: Vec<u8>,
) -> Result<Box<FinishedHandshake>, HandshakeError> {
    let tls_error =
        |error: Error| HandshakeError::from(io::Error::new(io::ErrorKind::InvalidData, error));
    let mut connection = UnbufferedServerConnection::new(host.config.clone()).map_err(tls_error)?;
    let mut buffers = Buffers {
        received,
        ..Buffers::default()
    };
    loop {
        match buffers.step(&mut connection) {
            Ok(HandshakeStep::Again) => {}
            Ok(HandshakeStep::Send) => buffers.send(stream).await?,
            Ok(HandshakeStep::Receive) => buffers.receive_more(stream).await?,
            Ok(HandshakeStep::Done) => {
                check_authenticated(&connection, host)?;
                let Buffers {
                    received, shown, ..
                } = buffers;
                return Ok(Box::new(FinishedHandshake {
                    connection,
                    sealed: received,
                    shown,
                }));
            }
            Ok(HandshakeStep::Closed) => {
                return Err(end_of_handshake());
            }
            Err(error) => {
                // The alert for this error.
                buffers.outgoing.extend(queued_records(&mut connection));
                // The first error is reported, not that of sending the alert.
                let _ = buffers.send(stream).await;
                return Err(tls_error(error));
            }
        }
    }
}

/// Checks again what rustls has checked: the handshake is complete, and a required certificate is present.
fn check_authenticated(
    connection: &UnbufferedServerConnection,
    host: &HostPolicy,
) -> Result<(), HandshakeError> {
    if connection.is_handshaking() {
        return Err(HandshakeError::new(
            FailureReason::Other,
            "the handshake is not complete",
        ));
    }
    if host.client_auth == ClientAuth::Required
        && connection.peer_certificates().is_none_or(<[_]>::is_empty)
    {
        return Err(HandshakeError::new(
            FailureReason::NoCertificate,
            "no certificate was presented",
        ));
    }
    Ok(())
}

fn end_of_handshake() -> HandshakeError {
    io::Error::new(io::ErrorKind::UnexpectedEof, "tls handshake eof").into()
}

#[derive(Default)]
struct Buffers {
    received: Vec<u8>,
    /// The records up to the one that rustls waits for. Records after the handshake stay hidden: rustls would process a
    /// key update among them, and its pending reply would be lost when the keys are taken over.
    shown: ReleasedRecords,
    outgoing: Vec<u8>,
}

/// The next action of the handshake loop.
enum HandshakeStep {
    /// Call rustls again.
    Again,
    Send,
    Receive,
    /// The client has closed its side.
    Closed,
    Done,
}

impl Buffers {
    /// Maximum number of buffered bytes: the longest message that rustls joins.
    const MAX_RECEIVED: usize = 64 * 1024;

    fn step(
        &mut self,
        connection: &mut UnbufferedServerConnection,
    ) -> Result<HandshakeStep, Error> {
        let shown = self
            .received
            .get_mut(..self.shown.length())
            .unwrap_or_default();
        let UnbufferedStatus { discard, state, .. } = connection.process_tls_records(shown);
        let step = match state {
            Err(error) => Err(error),
            Ok(ConnectionState::EncodeTlsData(data)) => {
                encode_record(data, &mut self.outgoing).map(|()| HandshakeStep::Again)
            }
            Ok(ConnectionState::TransmitTlsData(data)) => {
                data.done();
                Ok(HandshakeStep::Send)
            }
            Ok(ConnectionState::BlockedHandshake) => Ok(HandshakeStep::Receive),
            Ok(ConnectionState::WriteTraffic(_)) => Ok(HandshakeStep::Done),
            Ok(ConnectionState::PeerClosed) => Ok(HandshakeStep::Closed),
            // Closed by both sides, content in the last record of the handshake, or early data, which is never offered.
            Ok(_) => Err(Error::HandshakeNotComplete),
        };
        let discard = discard.min(self.shown.length());
        self.received.drain(..discard);
        self.shown.discard(discard);
        match step {
            Ok(HandshakeStep::Receive) if self.shown.extend(&self.received) => {
                Ok(HandshakeStep::Again)
            }
            step => step,
        }
    }

    async fn send(&mut self, stream: &mut TcpStream) -> io::Result<()> {
        // Frees the buffer while the client's reply is pending.
        let outgoing = std::mem::take(&mut self.outgoing);
        stream.write_all(&outgoing).await
    }

    async fn receive_more(&mut self, stream: &TcpStream) -> Result<(), HandshakeError> {
        if self.received.len() >= Self::MAX_RECEIVED {
            return Err(HandshakeError::new(
                FailureReason::Other,
                "message buffer full",
            ));
        }
        if receive(stream, &mut self.received).await? == 0 {
            return Err(end_of_handshake());
        }
        Ok(())
    }
}
