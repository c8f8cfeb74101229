//! A handshake on rustls' unbuffered connection, whose keys can be taken over. Its bytes are ours from the first to the
//! last, so none that follows the handshake is lost.

use super::{Failed, io_failed};
use crate::config::ClientAuth;
use crate::tls::host::HostPolicy;
use crate::tls::record::{InPlaceRecords, Input, RECORD_HEADER};
use crate::tls::refusal::FailureReason;
use rustls::server::{ClientHello, ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{ConnectionState, EncodeError, EncodeTlsData, UnbufferedStatus};
use rustls::{Error, ProtocolVersion};
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Whether a client will probably settle on HTTP/1 and TLS 1.3. The handshake itself makes sure.
pub(super) fn may_take(hello: &ClientHello<'_>) -> bool {
    let offers_http2 = hello.alpn().is_some_and(|mut names| names.any(|name| name == b"h2"));
    // Suites that begin so are those of TLS 1.3 (RFC 8446 appendix B.4).
    let offers_tls13 = hello.cipher_suites().iter().any(|suite| suite.to_array()[0] == 0x13);
    offers_tls13 && !offers_http2
}

/// What became of it.
pub(super) enum Attempt {
    /// The client is verified as far as the host asks.
    Done(Box<Done>),
    /// It would be HTTP/2 or an older TLS. To be done in another way.
    NotForUs(Unsent),
}

/// Nothing has been sent.
pub(super) struct Unsent;

/// A handshake that is done and sent.
pub(super) struct Done {
    pub(super) connection: UnbufferedServerConnection,
    /// Received behind it and not opened.
    sealed: Vec<u8>,
}

impl Done {
    /// Takes the keys over.
    pub(super) fn into_records(self, stream: TcpStream) -> Result<(InPlaceRecords, Input), Error> {
        let mut input = Input::new();
        input.begin_with(&self.sealed);
        Ok((InPlaceRecords::new(stream, self.connection)?, input))
    }
}

/// Runs the handshake; `received` begins with the ClientHello. On failure the client has got the alert.
pub(super) async fn handshake(stream: &mut TcpStream, host: &HostPolicy, received: Vec<u8>) -> Result<Attempt, Failed> {
    let tls_failed = |error: Error| io_failed(io::Error::new(io::ErrorKind::InvalidData, error));
    let mut connection = UnbufferedServerConnection::new(host.config.clone()).map_err(tls_failed)?;
    let mut buffers = Buffers { received, ..Buffers::default() };
    let mut sent = false;
    let mut failure = None;
    loop {
        let step = buffers.step(&mut connection);
        if !sent && failure.is_none() && is_not_for_us(&connection) {
            return Ok(Attempt::NotForUs(Unsent));
        }
        match step {
            Ok(Step::Again) => {}
            Ok(Step::Send) => {
                let outcome = stream.write_all(&buffers.outgoing).await;
                buffers.outgoing.clear();
                sent = true;
                // The first error is the one that counts.
                if failure.is_none() {
                    outcome.map_err(io_failed)?;
                }
            }
            _ if failure.is_some() => break,
            Ok(Step::Receive) => buffers.receive(stream).await?,
            Ok(Step::Done) => {
                is_authenticated(&connection, host)?;
                return Ok(Attempt::Done(Box::new(Done { connection, sealed: buffers.received })));
            }
            Ok(Step::Closed) => {
                return Err(io_failed(io::Error::new(io::ErrorKind::UnexpectedEof, "tls handshake eof")));
            }
            // Once more: there may be an alert to encode.
            Err(error) => failure = Some(error),
        }
    }
    let _ = stream.write_all(&buffers.outgoing).await;
    Err(tls_failed(failure.unwrap_or(Error::HandshakeNotComplete)))
}

/// Known before the first byte is sent.
fn is_not_for_us(connection: &UnbufferedServerConnection) -> bool {
    let other_version = connection.protocol_version().is_some_and(|version| version != ProtocolVersion::TLSv1_3);
    other_version || connection.alpn_protocol() == Some(b"h2")
}

/// rustls has made sure; whoever takes its keys over makes sure once more.
fn is_authenticated(connection: &UnbufferedServerConnection, host: &HostPolicy) -> Result<(), Failed> {
    if connection.is_handshaking() || connection.protocol_version() != Some(ProtocolVersion::TLSv1_3) {
        return Err((FailureReason::Other, "the handshake is not complete".to_owned()));
    }
    if host.client_auth == ClientAuth::Required && connection.peer_certificates().is_none_or(<[_]>::is_empty) {
        return Err((FailureReason::NoCertificate, "no certificate was presented".to_owned()));
    }
    Ok(())
}

#[derive(Default)]
struct Buffers {
    received: Vec<u8>,
    /// How much of it rustls may see: records up to the one that it waits for. Those behind the last one of the handshake are
    /// not for rustls. It would take a key update among them for itself, and the reply that it owes for it would be lost with
    /// the keys that are taken over.
    shown: usize,
    /// How much of that are whole records.
    whole: usize,
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
    const RECEIVE: usize = 4096;

    fn step(&mut self, connection: &mut UnbufferedServerConnection) -> Result<Step, Error> {
        let shown = self.received.get_mut(..self.shown).unwrap_or_default();
        let UnbufferedStatus { discard, state, .. } = connection.process_tls_records(shown);
        let step = match state {
            Err(error) => Err(error),
            Ok(ConnectionState::EncodeTlsData(data)) => encode(data, &mut self.outgoing),
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
        let discard = discard.min(self.shown);
        self.received.drain(..discard);
        (self.shown, self.whole) = (self.shown - discard, self.whole.saturating_sub(discard));
        match step {
            Ok(Step::Receive) if self.show_more() => Ok(Step::Again),
            step => step,
        }
    }

    /// Shows the next record, or what is here of it. `false` if there is nothing new.
    fn show_more(&mut self) -> bool {
        let before = self.shown;
        self.shown = match self.received.get(self.whole..) {
            Some([_, _, _, high, low, body @ ..]) => {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                if body.len() >= length {
                    self.whole += RECORD_HEADER + length;
                    self.whole
                } else {
                    self.received.len()
                }
            }
            _ => self.received.len(),
        };
        self.shown > before
    }

    async fn receive(&mut self, stream: &mut TcpStream) -> Result<(), Failed> {
        if self.received.len() >= Self::MOST_RECEIVED {
            return Err((FailureReason::Other, "message buffer full".to_owned()));
        }
        self.received.reserve(Self::RECEIVE);
        let read = stream.take(Self::RECEIVE as u64).read_buf(&mut self.received).await.map_err(io_failed)?;
        if read == 0 {
            return Err(io_failed(io::Error::new(io::ErrorKind::UnexpectedEof, "tls handshake eof")));
        }
        Ok(())
    }
}

fn encode(mut data: EncodeTlsData<'_, ServerConnectionData>, outgoing: &mut Vec<u8>) -> Result<Step, Error> {
    let start = outgoing.len();
    if let Err(EncodeError::InsufficientSize(size)) = data.encode(&mut []) {
        outgoing.resize(start + size.required_size, 0);
        let place = outgoing.get_mut(start..).unwrap_or_default();
        data.encode(place).map_err(|error| Error::General(error.to_string()))?;
    }
    Ok(Step::Again)
}
