//! The errors of a revocation list.

use crate::tls::der::BadDer;

/// Why a revocation list cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CrlError {
    /// Not DER, or not the structure of a revocation list.
    #[error("it is no certificate revocation list, or a broken one")]
    NotACrl,
    /// A PEM file with another label beside the lists.
    #[error("the file also contains something else than revocation lists")]
    NotAlone,
    /// Its issuer is not a CA of this trust domain.
    #[error("it is of \"{0}\", which is no CA of this trust domain")]
    AnotherIssuer(String),
    /// The issuer name matches a CA, and the signature does not match its key.
    #[error("its signature is not that of \"{0}\"")]
    WrongSignature(String),
    /// The CA has a key usage without `cRLSign`.
    #[error("\"{0}\" may not sign revocation lists, by its key usage")]
    MayNotSign(String),
    /// A delta list, which contains only changes.
    #[error("it is a delta list, which only says what has changed since another")]
    Delta,
    /// An indirect list, which covers certificates of other issuers.
    #[error("it is an indirect list, which covers certificates of other issuers")]
    Indirect,
    /// A list that covers only part of the issuer's certificates or reasons.
    #[error("it is only for {0}, so it does not say all about its issuer's certificates")]
    Partial(&'static str),
    /// A list with an unknown critical extension must not be used (RFC 5280 section 5.2).
    #[error("it has a critical extension that is not known here ({0})")]
    UnknownCriticalExtension(String),
    /// RFC 5280 allows serial numbers of at most 20 bytes.
    #[error("it has a serial number of more than 32 bytes")]
    SerialTooLong,
    /// Its date is later than now.
    #[error("it was issued in the future, at {0}")]
    Future(String),
}

impl From<BadDer> for CrlError {
    fn from(_: BadDer) -> Self {
        Self::NotACrl
    }
}
