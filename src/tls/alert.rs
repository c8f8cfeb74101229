//! TLS alerts: their names, and which one tells a client why its certificate is rejected. Sends none.

use super::refusal::FailureReason;
use rustls::{AlertDescription, CertificateError};

/// An alert as RFC 8446 writes it: `UnknownCA` is `unknown_ca`.
pub fn alert_name(alert: AlertDescription) -> String {
    if alert == AlertDescription::UnrecognisedName {
        return "unrecognized_name".to_owned();
    }
    let mut name = String::new();
    let mut after_small = false;
    for letter in format!("{alert:?}").chars() {
        if letter.is_ascii_uppercase() && after_small {
            name.push('_');
        }
        after_small = letter.is_ascii_lowercase();
        name.push(letter.to_ascii_lowercase());
    }
    name
}

impl FailureReason {
    /// The alert for a client certificate that is rejected for this reason. `None` for reasons that several alerts stand for.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_have_their_names_of_the_rfc() {
        assert_eq!(alert_name(AlertDescription::UnknownCA), "unknown_ca");
        assert_eq!(alert_name(AlertDescription::CertificateRequired), "certificate_required");
        assert_eq!(alert_name(AlertDescription::UnrecognisedName), "unrecognized_name");
    }
}
