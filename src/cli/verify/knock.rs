//! One attempt at a gateway's door, and what it said. A small TLS client of our own, because what is looked for is the
//! refusal: which alert came, when, and whether anything was let in. Judges nothing.

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

/// How long each step may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// TLS was refused with this alert.
    Alert(AlertDescription),
    /// TLS let the client in, and HTTP answered.
    Answer {
        /// The status.
        status: u16,
        /// The reason word of a refusal, or nothing.
        reason: String,
    },
    /// The connection ended without a word.
    Closed,
    /// Nothing came within [`PATIENCE`].
    Silent,
    /// Another certificate was shown than the config has.
    OtherCertificate,
    /// There was no connection.
    Unreachable(String),
    /// What TLS or HTTP say that is none of these.
    Other(String),
}

/// Where to knock, and what must be shown there.
#[derive(Clone, Debug)]
pub(super) struct Door {
    pub(super) address: SocketAddr,
    /// The name to ask for; `None` asks for none.
    pub(super) server_name: Option<String>,
    /// The certificate that the config has for this name.
    pub(super) certificate: CertificateDer<'static>,
}

/// A TLS connection that is past its handshake, as far as the client can tell: in TLS 1.3 a refusal may still come.
pub(super) type Connection = StreamOwned<ClientConnection, TcpStream>;

impl Door {
    /// The same door under another name, or none.
    pub(super) fn named(&self, name: Option<&str>) -> Self {
        Self {
            server_name: name.map(str::to_owned),
            ..self.clone()
        }
    }

    /// How this client greets: with or without a certificate, speaking `protocol`. Sessions are remembered in it.
    pub(super) fn greeting(
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

    /// A plain connection.
    pub(super) fn connect(&self) -> Result<TcpStream, Seen> {
        let open = || {
            let stream = TcpStream::connect_timeout(&self.address, PATIENCE)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            stream.set_nodelay(true)?;
            Ok(stream)
        };
        open().map_err(|error: io::Error| Seen::Unreachable(error.to_string()))
    }

    /// Shakes hands.
    pub(super) fn shake_hands(&self, greeting: Arc<ClientConfig>) -> Result<Connection, Seen> {
        let name = ServerName::try_from(self.tls_name().to_owned())
            .map_err(|error| Seen::Other(error.to_string()))?;
        let tls = ClientConnection::new(greeting, name)
            .map_err(|error| Seen::Other(error.to_string()))?;
        let mut connection = StreamOwned::new(tls, self.connect()?);
        while connection.conn.is_handshaking() {
            connection
                .conn
                .complete_io(&mut connection.sock)
                .map_err(|error| seen_of(&error))?;
        }
        Ok(connection)
    }

    /// Shakes hands and sends one request.
    pub(super) fn ask(&self, identity: Option<&Identity>, request: &str) -> Seen {
        let greeting = match self.greeting(identity, "http/1.1") {
            Ok(greeting) => greeting,
            Err(error) => return Seen::Other(error.to_string()),
        };
        match self.shake_hands(greeting) {
            Ok(mut connection) => exchange(&mut connection, request.as_bytes()),
            Err(seen) => seen,
        }
    }

    /// The name that the TLS library wants to have also where it is not sent.
    pub(super) fn tls_name(&self) -> &str {
        self.server_name.as_deref().unwrap_or("localhost")
    }
}

/// Sends bytes and reads one answer.
pub(super) fn exchange<S: Read + Write>(stream: &mut S, bytes: &[u8]) -> Seen {
    // Also where nothing can be sent any more, the alert that says why may be there to be read.
    let sent = stream.write_all(bytes).and_then(|()| stream.flush());
    match (read_answer(stream), sent) {
        (Seen::Closed, Err(error)) => seen_of(&error),
        (seen, _) => seen,
    }
}

fn read_answer(stream: &mut impl Read) -> Seen {
    const MOST: usize = 64 * 1024;
    let (mut text, mut part) = (Vec::new(), [0; 4096]);
    loop {
        if let Some(answer) = whole_answer(&text) {
            return answer;
        }
        match stream.read(&mut part) {
            Ok(0) if text.is_empty() => return Seen::Closed,
            Ok(0) => return Seen::Other("an answer that broke off".to_owned()),
            Ok(read) => text.extend_from_slice(part.get(..read).unwrap_or_default()),
            Err(error) => return seen_of(&error),
        }
        if text.len() > MOST {
            return Seen::Other("an answer without an end".to_owned());
        }
    }
}

/// The answer once its head is there, and the body of a refusal with it. What upstreams answer is not waited for.
fn whole_answer(text: &[u8]) -> Option<Seen> {
    let text = String::from_utf8_lossy(text);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3))
        .and_then(|digits| digits.parse().ok());
    let Some(status) = status else {
        return Some(Seen::Other("no HTTP/1.1 answer".to_owned()));
    };
    let head = head.to_ascii_lowercase();
    let field = |name: &str| {
        head.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim)
    };
    if field("content-type") != Some("application/problem+json") {
        return Some(Seen::Answer {
            status,
            reason: String::new(),
        });
    }
    let length: usize = field("content-length")
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    (body.len() >= length).then(|| Seen::Answer {
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

/// What an error of the TLS library or of the socket means.
pub(super) fn seen_of(error: &io::Error) -> Seen {
    match error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>())
    {
        Some(Error::AlertReceived(alert)) => Seen::Alert(*alert),
        Some(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)) => {
            Seen::OtherCertificate
        }
        Some(other) => Seen::Other(tls_error_text(other)),
        None => match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Seen::Silent,
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe => Seen::Closed,
            _ => Seen::Other(error.to_string()),
        },
    }
}

/// Believes a server that has the very certificate of the config, and its key. Better than any CA's word for what is
/// asked here: is this the gateway with this config?
#[derive(Debug)]
struct ExactCertificate {
    expected: CertificateDer<'static>,
}

impl ServerCertVerifier for ExactCertificate {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match *shown == self.expected {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            shown,
            signature,
            &provider().signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            shown,
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
