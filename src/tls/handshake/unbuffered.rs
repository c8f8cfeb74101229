//! A handshake on rustls' unbuffered connection. Its bytes are ours from the first to the last, so none that follows the
//! handshake is lost, whoever opens the records from then on.

use super::hello::receive;
use super::{Failed, io_failed};
use crate::config::{ClientAuth, RecordLayer};
use crate::tls::host::HostPolicy;
use crate::tls::record::{
    InPlaceRecords, Input, ReceivedRecords, RustlsRecords, ShownRecords, Transport, encode_record,
    queued_records,
};
use crate::tls::refusal::FailureReason;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, UnbufferedStatus};
use rustls::{Error, ProtocolVersion};
use std::io;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// A handshake that is done and sent.
pub(super) struct FinishedHandshake {
    pub(super) connection: UnbufferedServerConnection,
    /// Received behind it and not opened.
    sealed: Vec<u8>,
    /// How much of that rustls has seen: nothing, unless a message has begun.
    shown: ShownRecords,
}

impl FinishedHandshake {
    /// The records from now on, and what is here of them. Our own take the keys over where they can do what was settled.
    pub(super) fn into_records(
        self,
        stream: TcpStream,
        layer: RecordLayer,
    ) -> Result<(Transport, Input), Error> {
        let mut input = Input::new();
        let is_for_ours = self.connection.protocol_version() == Some(ProtocolVersion::TLSv1_3)
            && self.connection.alpn_protocol() != Some(b"h2");
        if layer == RecordLayer::InPlace && is_for_ours {
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

/// Runs the handshake; `received` begins with the ClientHello. On failure the client has got the alert.
pub(super) async fn handshake(
    stream: &mut TcpStream,
    host: &HostPolicy,
    received: Vec<u8>,
) -> Result<Box<FinishedHandshake>, Failed> {
    let tls_failed = |error: Error| io_failed(io::Error::new(io::ErrorKind::InvalidData, error));
    let mut connection =
        UnbufferedServerConnection::new(host.config.clone()).map_err(tls_failed)?;
    let mut buffers = Buffers {
        received,
        ..Buffers::default()
    };
    loop {
        match buffers.step(&mut connection) {
            Ok(Step::Again) => {}
            Ok(Step::Send) => buffers.send(stream).await.map_err(io_failed)?,
            Ok(Step::Receive) => buffers.receive_more(stream).await?,
            Ok(Step::Done) => {
                is_authenticated(&connection, host)?;
                let Buffers {
                    received, shown, ..
                } = buffers;
                return Ok(Box::new(FinishedHandshake {
                    connection,
                    sealed: received,
                    shown,
                }));
            }
            Ok(Step::Closed) => {
                return Err(io_failed(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "tls handshake eof",
                )));
            }
            Err(error) => {
                // The alert that belongs to it.
                buffers.outgoing.extend(queued_records(&mut connection));
                // The first error is the one that counts.
                let _ = buffers.send(stream).await;
                return Err(tls_failed(error));
            }
        }
    }
}

/// rustls has made sure; whoever goes on with its connection makes sure once more.
fn is_authenticated(
    connection: &UnbufferedServerConnection,
    host: &HostPolicy,
) -> Result<(), Failed> {
    if connection.is_handshaking() {
        return Err((
            FailureReason::Other,
            "the handshake is not complete".to_owned(),
        ));
    }
    if host.client_auth == ClientAuth::Required
        && connection.peer_certificates().is_none_or(<[_]>::is_empty)
    {
        return Err((
            FailureReason::NoCertificate,
            "no certificate was presented".to_owned(),
        ));
    }
    Ok(())
}

#[derive(Default)]
struct Buffers {
    received: Vec<u8>,
    /// Records up to the one that rustls waits for. Those behind the last one of the handshake are not for this loop: rustls
    /// would take a key update among them for itself, and the reply that it owes for it would be lost with keys that are
    /// taken over.
    shown: ShownRecords,
    outgoing: Vec<u8>,
}

/// What is to be done next.
enum Step {
    Again,
    Send,
    Receive,
    /// The client sends no more.
    Closed,
    Done,
}

impl Buffers {
    /// More than rustls joins for one message (64 KiB) is never waited for.
    const MOST_RECEIVED: usize = 64 * 1024;

    fn step(&mut self, connection: &mut UnbufferedServerConnection) -> Result<Step, Error> {
        let shown = self
            .received
            .get_mut(..self.shown.length())
            .unwrap_or_default();
        let UnbufferedStatus { discard, state, .. } = connection.process_tls_records(shown);
        let step = match state {
            Err(error) => Err(error),
            Ok(ConnectionState::EncodeTlsData(data)) => {
                encode_record(data, &mut self.outgoing).map(|()| Step::Again)
            }
            Ok(ConnectionState::TransmitTlsData(data)) => {
                data.done();
                Ok(Step::Send)
            }
            Ok(ConnectionState::BlockedHandshake) => Ok(Step::Receive),
            Ok(ConnectionState::WriteTraffic(_)) => Ok(Step::Done),
            Ok(ConnectionState::PeerClosed) => Ok(Step::Closed),
            // Closed by both, content in the record that ends the handshake, or early data, which is never offered.
            Ok(_) => Err(Error::HandshakeNotComplete),
        };
        let discard = discard.min(self.shown.length());
        self.received.drain(..discard);
        self.shown.discard(discard);
        match step {
            Ok(Step::Receive) if self.shown.extend(&self.received) => Ok(Step::Again),
            step => step,
        }
    }

    async fn send(&mut self, stream: &mut TcpStream) -> io::Result<()> {
        // The client may take its time for an answer, and this is not kept meanwhile.
        let outgoing = std::mem::take(&mut self.outgoing);
        stream.write_all(&outgoing).await
    }

    async fn receive_more(&mut self, stream: &TcpStream) -> Result<(), Failed> {
        if self.received.len() >= Self::MOST_RECEIVED {
            return Err((FailureReason::Other, "message buffer full".to_owned()));
        }
        let read = receive(stream, &mut self.received)
            .await
            .map_err(io_failed)?;
        if read == 0 {
            return Err(io_failed(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "tls handshake eof",
            )));
        }
        Ok(())
    }
}
