//! Tokens that are bound to a client certificate (RFC 8705 section 3): who issues them, whom they name, and whether one
//! counts on this connection. Knows no HTTP.

mod algorithm;
mod fetch;
mod issuer;
mod issuers;
mod json;
mod jwt;
mod keys;
mod memory;

pub use algorithm::Algorithm;
pub use fetch::{KeyFetchError, RemoteKeys};
pub use issuer::{IssuerSettings, KeySource, TokenIssuer, TokenProof};
pub use issuers::TokenIssuers;
pub use keys::{KeyDigest, KeySet, KeySetError};

/// Why a token does not count. The client learns no more than that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not three parts of base64url and JSON, or JSON with two readings.
    #[error("it is no JWT, or one with two readings")]
    Malformed,
    /// Nobody of the config issues such tokens.
    #[error("its issuer is not known here")]
    UnknownIssuer,
    /// The issuer's keys were not fetched yet.
    #[error("the keys of its issuer are not here yet")]
    NoKeys,
    /// Not one of those that the issuer may use.
    #[error("its algorithm is not allowed")]
    Algorithm,
    /// It says that something must be understood, and we understand nothing beyond the standard.
    #[error("it has critical extensions")]
    Critical,
    /// A type of token that is not for this.
    #[error("its type is not JWT or at+jwt")]
    Type,
    /// No key, or more than one, could have signed it.
    #[error("no key of its issuer, or more than one, could have signed it")]
    UnknownKey,
    /// Somebody else has signed it, or it was changed.
    #[error("its signature is wrong")]
    Signature,
    /// Its time is over, or it has none.
    #[error("it has expired, or does not say when it does")]
    Expired,
    /// Its time has not come.
    #[error("it is not valid yet")]
    NotYetValid,
    /// It was made for somebody else.
    #[error("it is meant for another audience")]
    Audience,
    /// It is bound to no certificate.
    #[error("it is bound to no certificate (no `cnf.x5t#S256`)")]
    Unbound,
    /// It is bound to another certificate than the connection's, or the connection has none.
    #[error("it is bound to another certificate than the connection's")]
    OtherCertificate,
    /// The claim that names the user is missing, or no text.
    #[error("it names no user")]
    NoUser,
}
