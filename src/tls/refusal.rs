//! Why a handshake failed, in one word and with what is known about the certificate. Sends nothing.

use super::name::rfc4514;
use super::peer_certificate::hexadecimal;
use rustls::pki_types::CertificateDer;
use rustls::{CertificateError, Error, InvalidMessage};
use std::cell::RefCell;
use std::io;
use tokio::net::TcpStream;
use x509_parser::prelude::{FromDer, X509Certificate};

/// What a refused certificate says; for the log only, since nobody vouched for it.
#[derive(Clone, Debug)]
pub struct PresentedCertificate {
    /// RFC 4514.
    pub subject: String,
    /// RFC 4514.
    pub issuer: String,
    /// Hexadecimal.
    pub serial: String,
}

impl PresentedCertificate {
    /// Reads what a certificate says of itself; `None` if it is none.
    pub fn read(der: &CertificateDer<'_>) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        Some(Self {
            subject: rfc4514(certificate.subject()),
            issuer: rfc4514(certificate.issuer()),
            serial: hexadecimal(certificate.raw_serial()),
        })
    }
}

tokio::task_local! {
    /// The verifier is shared by all connections; this is how it tells *this* handshake what it refused.
    static REFUSED: RefCell<Option<RefusedCertificate>>;
}

/// A certificate that the verifier has refused, and why, which an alert says only roughly.
pub(super) struct RefusedCertificate {
    pub(super) reason: FailureReason,
    pub(super) detail: String,
    pub(super) certificate: Option<PresentedCertificate>,
}

pub(super) fn remember(refused: RefusedCertificate) {
    // Outside a handshake (a chain judged again after a reload) there is nobody to tell.
    let _ = REFUSED.try_with(|place| *place.borrow_mut() = Some(refused));
}

/// Runs a handshake and gives its outcome together with the certificate that was refused in it, if any.
pub(super) async fn with_refused_certificate<T>(
    handshake: impl Future<Output = T>,
) -> (T, Option<RefusedCertificate>) {
    REFUSED
        .scope(RefCell::new(None), async {
            let outcome = handshake.await;
            (outcome, REFUSED.with(RefCell::take))
        })
        .await
}

/// A handshake that led nowhere.
#[derive(Debug)]
pub struct HandshakeFailure {
    /// Why.
    pub reason: FailureReason,
    /// More words for the log.
    pub detail: String,
    /// The name that the client asked for.
    pub server_name: Option<String>,
    /// The certificate that was refused, if one was sent.
    pub certificate: Option<PresentedCertificate>,
    /// The connection, if the client has been told why and may not have read it yet.
    pub(super) refused: Option<TcpStream>,
}

impl HandshakeFailure {
    /// A connection that ended beside the handshake itself. Nobody is told.
    pub fn beside(reason: FailureReason, detail: String) -> Self {
        Self {
            reason,
            detail,
            server_name: None,
            certificate: None,
            refused: None,
        }
    }
}

/// Why a handshake failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureReason {
    /// None was sent where one is required.
    NoCertificate,
    /// No anchor of the domain vouches for it.
    UnknownIssuer,
    /// Past its time.
    Expired,
    /// Before its time.
    NotYetValid,
    /// Not for clients.
    WrongUsage,
    /// Revoked by its issuer.
    Revoked,
    /// On the domain's deny list.
    Denied,
    /// The revocation list that it would stand on is too old.
    CrlStale,
    /// Its issuer has no revocation list here, and the domain asks for one.
    RevocationUnknown,
    /// More than one trust domain of the host vouches for it.
    AmbiguousDomain,
    /// More certificates between leaf and anchor than the domain allows.
    ChainTooLong,
    /// The certificate is that of a CA.
    CaCertificate,
    /// Anything else that is wrong with it.
    InvalidCertificate,
    /// The name asked for has no certificate here.
    UnknownServerName,
    /// Plain HTTP, or no TLS at all.
    NotTls,
    /// Bytes that are no TLS message.
    Malformed,
    /// No common version, suite or group.
    Incompatible,
    /// No common application protocol.
    NoApplicationProtocol,
    /// The client broke the protocol.
    Misbehaved,
    /// The client refused us and said so.
    ClientAlert,
    /// The client went away.
    Closed,
    /// Not done in time.
    Timeout,
    /// No PROXY header where connections begin with one, or one that cannot be read.
    ProxyHeader,
    /// Who sends PROXY headers here is not among those that may.
    NotAFrontProxy,
    /// Everything else.
    Other,
}

impl FailureReason {
    /// The word in log and metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::NoCertificate => "no_certificate",
            Self::UnknownIssuer => "unknown_issuer",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::WrongUsage => "wrong_usage",
            Self::Revoked => "revoked",
            Self::Denied => "deny_listed",
            Self::CrlStale => "crl_stale",
            Self::RevocationUnknown => "revocation_unknown",
            Self::AmbiguousDomain => "ambiguous_domain",
            Self::ChainTooLong => "chain_too_long",
            Self::CaCertificate => "ca_certificate",
            Self::InvalidCertificate => "invalid_certificate",
            Self::UnknownServerName => "unknown_server_name",
            Self::NotTls => "not_tls",
            Self::Malformed => "malformed",
            Self::Incompatible => "incompatible",
            Self::NoApplicationProtocol => "no_application_protocol",
            Self::Misbehaved => "misbehaved",
            Self::ClientAlert => "client_alert",
            Self::Closed => "closed",
            Self::Timeout => "timeout",
            Self::ProxyHeader => "proxy_header",
            Self::NotAFrontProxy => "not_a_front_proxy",
            Self::Other => "other",
        }
    }

    /// The reason behind what a certificate is refused for.
    pub fn of_certificate(error: &CertificateError) -> Self {
        match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Self::NotYetValid
            }
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                Self::WrongUsage
            }
            CertificateError::UnknownIssuer => Self::UnknownIssuer,
            CertificateError::Revoked => Self::Revoked,
            CertificateError::ExpiredRevocationList => Self::CrlStale,
            CertificateError::UnknownRevocationStatus => Self::RevocationUnknown,
            _ => Self::InvalidCertificate,
        }
    }

    /// The reason behind an error of the TLS library.
    pub(super) fn of_io(error: &io::Error) -> Self {
        let inner = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<Error>());
        match inner {
            Some(Error::NoCertificatesPresented) => Self::NoCertificate,
            Some(Error::InvalidCertificate(error)) => Self::of_certificate(error),
            Some(Error::AlertReceived(_)) => Self::ClientAlert,
            Some(Error::InvalidMessage(InvalidMessage::InvalidContentType)) => Self::NotTls,
            Some(Error::InvalidMessage(_) | Error::PeerSentOversizedRecord) => Self::Malformed,
            Some(Error::PeerIncompatible(_)) => Self::Incompatible,
            Some(Error::NoApplicationProtocol) => Self::NoApplicationProtocol,
            Some(
                Error::PeerMisbehaved(_)
                | Error::DecryptError
                | Error::InappropriateMessage { .. }
                | Error::InappropriateHandshakeMessage { .. },
            ) => Self::Misbehaved,
            Some(_) => Self::Other,
            None => match error.kind() {
                io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe
                | io::ErrorKind::NotConnected => Self::Closed,
                _ => Self::Other,
            },
        }
    }
}
