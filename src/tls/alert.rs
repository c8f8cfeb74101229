//! The TLS alert for each reason to reject a client certificate. Sends none.

use super::failure_reason::FailureReason;
use rustls::{AlertDescription, CertificateError};

impl FailureReason {
    /// The alert for a client certificate rejected for this reason. `None` for reasons that map to several alerts.
    pub fn alert(self) -> Option<AlertDescription> {
        let error = match self {
            Self::NoCertificate => return Some(AlertDescription::CertificateRequired),
            Self::CaCertificate => return Some(AlertDescription::CertificateUnknown),
            Self::UnknownServerName => return Some(AlertDescription::UnrecognisedName),
            Self::UnknownIssuer | Self::ChainTooLong => CertificateError::UnknownIssuer,
            Self::Expired => CertificateError::Expired,
            Self::NotYetValid => CertificateError::NotValidYet,
            Self::WrongUsage => CertificateError::InvalidPurpose,
            Self::Revoked | Self::Denied => CertificateError::Revoked,
            Self::CrlStale => CertificateError::ExpiredRevocationList,
            Self::RevocationUnknown => CertificateError::UnknownRevocationStatus,
            Self::AmbiguousDomain => CertificateError::ApplicationVerificationFailure,
            _ => return None,
        };
        Some(error.into())
    }
}
