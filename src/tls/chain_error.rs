//! Why a chain is rejected, with the TLS error and the reason word. Verifies nothing.

use super::failure_reason::FailureReason;
use crate::error_text::certificate_error_text;
use rustls::CertificateError;

/// Why no trust domain accepts a chain.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ChainError {
    /// An error of the certificates, their signatures or their times.
    #[error("{}", certificate_error_text(.0))]
    Certificate(CertificateError),
    /// The leaf is a CA certificate, which is not accepted as a client certificate.
    #[error("this is a CA's certificate, not that of a client")]
    CaCertificate,
    /// The path has more certificates between leaf and anchor than `chain_depth`.
    #[error(
        "more certificates stand between the leaf and the trust anchor than `chain_depth` allows"
    )]
    TooLong,
    /// The certificate is for servers only, and the domain's exception for those has ended.
    #[error("the certificate is for servers, and is not taken any more")]
    ServerOnly,
    /// Its issuer has revoked it, or the certificate of a CA above it is revoked.
    #[error("it is revoked")]
    Revoked,
    /// It matches an entry of the domain's deny list.
    #[error("it is on the deny list of the trust domain")]
    Denied,
    /// The domain requires revocation lists, and its issuer has none.
    #[error("there is no revocation list of its issuer")]
    RevocationUnknown,
    /// The revocation list that covers it is too old.
    #[error("the revocation list of its issuer is too old")]
    CrlStale,
    /// Two trust domains of one host verify it, which would give it two identities.
    #[error("more than one trust domain of this host verifies it")]
    Ambiguous,
}

impl ChainError {
    /// The reason, for metrics and responses.
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

    /// The error from which rustls derives the alert.
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

    /// Whether a path to an anchor was found before the rejection. Such an error is final: another domain must not accept
    /// the chain.
    pub(super) fn is_after_path(&self) -> bool {
        match self {
            Self::Certificate(_) | Self::CaCertificate | Self::TooLong | Self::ServerOnly => false,
            Self::Revoked
            | Self::Denied
            | Self::RevocationUnknown
            | Self::CrlStale
            | Self::Ambiguous => true,
        }
    }

    /// The more specific of the errors of two domains: anything else than an unknown issuer.
    pub(super) fn or_more_specific(self, other: Self) -> Self {
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
            // webpki has a limit of its own.
            webpki::Error::MaximumPathDepthExceeded => Self::TooLong,
            webpki::Error::CaUsedAsEndEntity => Self::CaCertificate,
            error => Self::Certificate(certificate_error(error)),
        }
    }
}

/// The same mapping as in rustls' own verifier.
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
