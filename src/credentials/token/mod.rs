//! Tokens that are bound to a client certificate (RFC 8705 section 3): issuers, users, and verification for a connection.
//! Independent of HTTP.

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

/// The reason why a token is rejected. It is not disclosed to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not three parts of base64url and JSON, or JSON with repeated keys.
    #[error("it is not a JWT, or an ambiguous one")]
    Malformed,
    /// The config has no such issuer.
    #[error("its issuer is not in the config")]
    UnknownIssuer,
    /// The issuer's keys were not fetched yet.
    #[error("the keys of its issuer are not fetched yet")]
    NoKeys,
    /// The issuer may not use this algorithm.
    #[error("its algorithm is not allowed")]
    Algorithm,
    /// The token has critical extensions, none of which are supported.
    #[error("it has critical extensions")]
    Critical,
    /// The token has another type.
    #[error("its type is not JWT or at+jwt")]
    Type,
    /// No key, or more than one, matches algorithm and key id.
    #[error("no key of its issuer, or more than one, could have signed it")]
    UnknownKey,
    /// The signature does not match.
    #[error("its signature is wrong")]
    Signature,
    /// The token has expired, or has no expiry time.
    #[error("it has expired, or does not say when it does")]
    Expired,
    /// The validity has not begun.
    #[error("it is not valid yet")]
    NotYetValid,
    /// The token has another audience.
    #[error("it is meant for another audience")]
    Audience,
    /// The token is not bound to a certificate.
    #[error("it is bound to no certificate (no `cnf.x5t#S256`)")]
    Unbound,
    /// The token is bound to another certificate, or the connection has none.
    #[error("it is bound to another certificate than the connection's")]
    OtherCertificate,
    /// The user claim is missing, or not a string.
    #[error("it names no user")]
    NoUser,
}
