//! A small TLS client that reports how a gateway reacts: which alert it sends, when, and whether it accepts the client.

use super::mint::Identity;
use crate::error_text::tls_error_text;
use crate::tls::provider;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct,
    Error, SignatureScheme, StreamOwned,
};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// Timeout of each step.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// The reaction of the gateway to an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Observation {
    /// TLS was rejected with this alert.
    Alert(AlertDescription),
    /// TLS accepted the client, and an HTTP response arrived.
    Response {
        /// The status.
        status: u16,
        /// The reason word of a denial, or empty.
        reason: String,
    },
    /// The connection was closed without an alert or a response.
    Closed,
    /// Nothing arrived within [`PATIENCE`].
    Silent,
    /// The server presented another certificate than that of the config.
    OtherCertificate,
    /// Connecting failed.
    Unreachable(String),
    /// Any other error of TLS or HTTP.
    Other(String),
}

/// The address and server name to connect to, and the expected server certificate.
#[derive(Clone, Debug)]
pub(super) struct ProbeTarget {
    pub(super) address: SocketAddr,
    /// The server name (SNI); `None` sends none.
    pub(super) server_name: Option<String>,
    /// The certificate that the config has for this name.
    pub(super) certificate: CertificateDer<'static>,
}

/// A TLS connection after the client's side of the handshake. In TLS 1.3 a rejection may still arrive.
pub(super) type VerifyConnection = StreamOwned<ClientConnection, TcpStream>;

impl ProbeTarget {
    /// A copy with another server name, or none.
    pub(super) fn named(&self, name: Option<&str>) -> Self {
        Self {
            server_name: name.map(str::to_owned),
            ..self.clone()
        }
    }

    /// A TLS configuration with or without a client certificate, offering `protocol` (ALPN). It caches sessions.
    pub(super) fn client_config(
        &self,
        identity: Option<&Identity>,
        protocol: &str,
    ) -> Result<Arc<ClientConfig>, Error> {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(ExactCertificate {
                expected: self.certificate.clone(),
            }));
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                builder.with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())?
            }
        };
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        config.enable_sni = self.server_name.is_some();
        Ok(Arc::new(config))
    }

    /// Opens a TCP connection.
    pub(super) fn connect(&self) -> Result<TcpStream, Observation> {
        let open = || {
            let stream = TcpStream::connect_timeout(&self.address, PATIENCE)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            stream.set_nodelay(true)?;
            Ok(stream)
        };
        open().map_err(|error: io::Error| Observation::Unreachable(error.to_string()))
    }

    /// Connects and completes the TLS handshake.
    pub(super) fn handshake(
        &self,
        config: Arc<ClientConfig>,
    ) -> Result<VerifyConnection, Observation> {
        let name = ServerName::try_from(self.tls_name().to_owned())
            .map_err(|error| Observation::Other(error.to_string()))?;
        let tls = ClientConnection::new(config, name)
            .map_err(|error| Observation::Other(error.to_string()))?;
        let mut connection = StreamOwned::new(tls, self.connect()?);
        while connection.conn.is_handshaking() {
            connection
                .conn
                .complete_io(&mut connection.sock)
                .map_err(|error| observation_of(&error))?;
        }
        Ok(connection)
    }

    /// Connects with TLS and sends one request.
    pub(super) fn send(&self, identity: Option<&Identity>, request: &str) -> Observation {
        let config = match self.client_config(identity, "http/1.1") {
            Ok(config) => config,
            Err(error) => return Observation::Other(error.to_string()),
        };
        match self.handshake(config) {
            Ok(mut connection) => exchange(&mut connection, request.as_bytes()),
            Err(observation) => observation,
        }
    }

    /// The server name for the TLS library, which requires one even if it is not sent.
    pub(super) fn tls_name(&self) -> &str {
        self.server_name.as_deref().unwrap_or("localhost")
    }
}

/// Sends bytes and reads one response.
pub(super) fn exchange<S: Read + Write>(stream: &mut S, bytes: &[u8]) -> Observation {
    // Reads also after a failed write, since an alert may have arrived.
    let sent = stream.write_all(bytes).and_then(|()| stream.flush());
    match (read_response(stream), sent) {
        (Observation::Closed, Err(error)) => observation_of(&error),
        (observation, _) => observation,
    }
}

fn read_response(stream: &mut impl Read) -> Observation {
    const MAX_SIZE: usize = 64 * 1024;
    let mut text = Vec::new();
    let mut part = [0; 4096];
    loop {
        if let Some(answer) = complete_response(&text) {
            return answer;
        }
        match stream.read(&mut part) {
            Ok(0) if text.is_empty() => return Observation::Closed,
            Ok(0) => return Observation::Other("an answer that broke off".to_owned()),
            Ok(read) => text.extend_from_slice(part.get(..read).unwrap_or_default()),
            Err(error) => return observation_of(&error),
        }
        if text.len() > MAX_SIZE {
            return Observation::Other("an answer without an end".to_owned());
        }
    }
}

/// The response, once its head is complete, and for a problem response also its body. Bodies of upstreams are not read.
fn complete_response(text: &[u8]) -> Option<Observation> {
    let text = String::from_utf8_lossy(text);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3))
        .and_then(|digits| digits.parse().ok());
    let Some(status) = status else {
        return Some(Observation::Other("no HTTP/1.1 answer".to_owned()));
    };
    let head = head.to_ascii_lowercase();
    let field = |name: &str| {
        head.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim)
    };
    if field("content-type") != Some("application/problem+json") {
        return Some(Observation::Response {
            status,
            reason: String::new(),
        });
    }
    let length: usize = field("content-length")
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    (body.len() >= length).then(|| Observation::Response {
        status,
        reason: reason(body),
    })
}

pub(super) fn reason(body: &str) -> String {
    let problem: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    problem
        .get("reason")
        .and_then(|word| word.as_str())
        .unwrap_or_default()
        .to_owned()
}

/// The observation for an error of the TLS library or of the socket.
pub(super) fn observation_of(error: &io::Error) -> Observation {
    match error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>())
    {
        Some(Error::AlertReceived(alert)) => Observation::Alert(*alert),
        Some(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)) => {
            Observation::OtherCertificate
        }
        Some(other) => Observation::Other(tls_error_text(other)),
        None => match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Observation::Silent,
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe => Observation::Closed,
            _ => Observation::Other(error.to_string()),
        },
    }
}

/// Accepts a server with exactly the certificate of the config, and its key. Stricter than a CA: this must be the gateway with
/// this config.
#[derive(Debug)]
struct ExactCertificate {
    expected: CertificateDer<'static>,
}

impl ServerCertVerifier for ExactCertificate {
    fn verify_server_cert(
        &self,
        presented: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match *presented == self.expected {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        presented: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            presented,
            signature,
            &provider().signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        presented: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            presented,
            signature,
            &provider().signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}
