//! Why a revocation list cannot be used.

use crate::tls::der::BadDer;

/// Why a revocation list cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CrlError {
    /// No DER, or not of the structure.
    #[error("it is no certificate revocation list, or a broken one")]
    NotACrl,
    /// A PEM file with something that has another label.
    #[error("something else than revocation lists stands beside them")]
    NotAlone,
    /// It speaks for certificates that nobody here vouches for.
    #[error("it is of \"{0}\", which is no CA of this trust domain")]
    AnotherIssuer(String),
    /// The name is right, the key is not.
    #[error("its signature is not that of \"{0}\"")]
    WrongSignature(String),
    /// The CA's key usage is there and does not name it.
    #[error("\"{0}\" may not sign revocation lists, by its key usage")]
    MayNotSign(String),
    /// It says only what has changed.
    #[error("it is a delta list, which only says what has changed since another")]
    Delta,
    /// It speaks for certificates of others.
    #[error("it is an indirect list, which speaks for certificates of other issuers")]
    Indirect,
    /// It leaves out what another list says.
    #[error("it is only for {0}, so it does not say all about its issuer's certificates")]
    Partial(&'static str),
    /// Whoever does not know it must not use the list.
    #[error("it has a critical extension that is not known here ({0})")]
    UnknownCriticalExtension(String),
    /// Serial numbers have 20 octets at most.
    #[error("it has a serial number of more than 32 octets")]
    SerialTooLong,
    /// It was made later than now.
    #[error("it was issued in the future, at {0}")]
    Future(String),
}

impl From<BadDer> for CrlError {
    fn from(_: BadDer) -> Self {
        Self::NotACrl
    }
}
