//! Why a handshake or the connection around it failed: from errors of rustls and of the socket to the reason.

pub use crate::reason::FailureReason;

use rustls::{CertificateError, Error, InvalidMessage};
use std::io;

impl FailureReason {
    /// The reason for a certificate error of rustls.
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

    /// The reason for an I/O error, which may wrap an error of rustls.
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
