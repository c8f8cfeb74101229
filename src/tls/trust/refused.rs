//! Why a chain does not count, and which alert and which reason word that makes. Judges nothing.

use crate::error_text::certificate_error_text;
use crate::tls::refusal::FailureReason;
use rustls::CertificateError;

/// Why nobody vouches for a chain.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ChainError {
    /// The certificates themselves, their signatures or their times.
    #[error("{}", certificate_error_text(.0))]
    Certificate(CertificateError),
    /// The leaf is a CA's certificate, with which no client may identify itself.
    #[error("this is a CA's certificate, not that of a client")]
    CaCertificate,
    /// More certificates stand between leaf and anchor than the domain allows.
    #[error(
        "more certificates stand between the leaf and the trust anchor than `chain_depth` allows"
    )]
    TooLong,
    /// It is a server's certificate, and the time in which the domain takes such is over.
    #[error("the certificate is for servers, and is not taken any more")]
    ServerOnly,
    /// Its issuer has revoked it, or a CA above it.
    #[error("it is revoked")]
    Revoked,
    /// The domain's deny list names it.
    #[error("it is on the deny list of the trust domain")]
    Denied,
    /// The domain asks for revocation lists, and its issuer has none.
    #[error("there is no revocation list of its issuer")]
    RevocationUnknown,
    /// The revocation list that covers it is past its time.
    #[error("the revocation list of its issuer is too old")]
    CrlStale,
    /// Two trust domains of one host vouch for it, which would give it two identities.
    #[error("more than one trust domain of this host vouches for it")]
    Ambiguous,
}

impl ChainError {
    /// The reason, for metrics and answers.
    pub fn reason(&self) -> FailureReason {
        match self {
            Self::Certificate(error) => FailureReason::of_certificate(error),
            Self::CaCertificate => FailureReason::CaCertificate,
            Self::TooLong => FailureReason::ChainTooLong,
            Self::ServerOnly => FailureReason::WrongUsage,
            Self::Revoked => FailureReason::Revoked,
            Self::Denied => FailureReason::Denied,
            Self::RevocationUnknown => FailureReason::RevocationUnknown,
            Self::CrlStale => FailureReason::CrlStale,
            Self::Ambiguous => FailureReason::AmbiguousDomain,
        }
    }

    /// What the TLS library makes an alert of.
    pub(super) fn into_certificate_error(self) -> CertificateError {
        match self {
            Self::Certificate(error) => error,
            Self::CaCertificate => certificate_error(webpki::Error::CaUsedAsEndEntity),
            Self::TooLong => CertificateError::UnknownIssuer,
            Self::ServerOnly => CertificateError::InvalidPurpose,
            Self::Revoked | Self::Denied => CertificateError::Revoked,
            Self::RevocationUnknown => CertificateError::UnknownRevocationStatus,
            Self::CrlStale => CertificateError::ExpiredRevocationList,
            Self::Ambiguous => CertificateError::ApplicationVerificationFailure,
        }
    }

    /// Whether a path to an anchor was found all the same, so that another domain's word for it would be a second one.
    pub(super) fn is_about_a_path(&self) -> bool {
        match self {
            Self::Certificate(_) | Self::CaCertificate | Self::TooLong | Self::ServerOnly => false,
            Self::Revoked
            | Self::Denied
            | Self::RevocationUnknown
            | Self::CrlStale
            | Self::Ambiguous => true,
        }
    }

    /// Of what several domains say, what tells the client most: that one knows it, but not in this way.
    pub(super) fn more_telling(self, other: Self) -> Self {
        if self == Self::Certificate(CertificateError::UnknownIssuer) {
            other
        } else {
            self
        }
    }
}

impl From<CertificateError> for ChainError {
    fn from(error: CertificateError) -> Self {
        Self::Certificate(error)
    }
}

impl From<webpki::Error> for ChainError {
    fn from(error: webpki::Error) -> Self {
        match error {
            // The library has a limit of its own.
            webpki::Error::MaximumPathDepthExceeded => Self::TooLong,
            webpki::Error::CaUsedAsEndEntity => Self::CaCertificate,
            error => Self::Certificate(certificate_error(error)),
        }
    }
}

/// As the TLS library does it for its own verifier.
fn certificate_error(error: webpki::Error) -> CertificateError {
    use webpki::Error;
    match error {
        Error::BadDer | Error::BadDerTime | Error::TrailingData(_) => CertificateError::BadEncoding,
        Error::CertNotValidYet { time, not_before } => {
            CertificateError::NotValidYetContext { time, not_before }
        }
        Error::CertExpired { time, not_after } => {
            CertificateError::ExpiredContext { time, not_after }
        }
        Error::InvalidCertValidity => CertificateError::Expired,
        Error::UnknownIssuer => CertificateError::UnknownIssuer,
        Error::InvalidSignatureForPublicKey => CertificateError::BadSignature,
        Error::UnsupportedSignatureAlgorithmContext(context) => {
            CertificateError::UnsupportedSignatureAlgorithmContext {
                signature_algorithm_id: context.signature_algorithm_id,
                supported_algorithms: context.supported_algorithms,
            }
        }
        Error::UnsupportedSignatureAlgorithmForPublicKeyContext(context) => {
            CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext {
                signature_algorithm_id: context.signature_algorithm_id,
                public_key_algorithm_id: context.public_key_algorithm_id,
            }
        }
        Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => {
            CertificateError::InvalidPurpose
        }
        other => CertificateError::Other(rustls::OtherError(std::sync::Arc::new(other))),
    }
}
