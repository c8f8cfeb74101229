//! PeerCertificate to Principal: which ApiUser is this? Says nothing about what the user may do.

mod assertion;
mod front_proxy;
mod headers;
mod identifier;
mod known_client;
mod proxy_protocol;
mod proxy_v2;
mod reserved;
mod users;

pub use assertion::{AssertionKey, AssertionSigner, UnsupportedKey};
pub use front_proxy::{
    BadNetwork, Forwarded, ForwardedRefusal, FrontProxy, Network, ProxiedClient, ProxyHeader,
    ProxyHeaderError, Said,
};
pub use headers::{
    FOREIGN_IDENTITY_FIELDS, IDENTITY_FIELD_PREFIXES, IdentityBlock, IdentitySelection,
    IdentitySet, WRITTEN_IDENTITY_FIELDS, ascii_name, begins, fold, folded_equal,
    identity_field_names, is_identity_field, is_written_identity_field, url_encoded_pem,
};
pub use identifier::{Identifier, IdentifierError, IdentityKind};
pub use known_client::{KnownClient, VerifiedCertificate};
pub use proxy_protocol::{ProxiedConnection, Session, proxy_header};
pub use reserved::ReservedNames;
pub use users::{ApiUser, ApiUsers, RoleSource, Taken};

use crate::tls::UnusableName;
use std::sync::Arc;

/// An ApiUser within one snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UserId(u32);

impl UserId {
    /// Position among the users of the snapshot.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A role within one snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RoleId(u32);

impl RoleId {
    /// The role that stands at this position in the config.
    pub fn new(index: usize) -> Self {
        Self(u32::try_from(index).unwrap_or(u32::MAX))
    }

    /// Position among the roles of the snapshot.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// The ApiUser on a connection, proven by a certificate.
#[derive(Clone, Debug)]
pub struct Principal {
    /// Within the snapshot that named it.
    pub id: UserId,
    /// The ApiUser's name.
    pub name: Arc<str>,
    /// By what the certificate was found; `None` if no certificate was.
    pub identified_by: Option<IdentityKind>,
    /// Roles that O or OU of the certificate bring, beside those of the user.
    pub extra_roles: Box<[RoleId]>,
}

/// Whose a verified certificate is.
#[derive(Clone, Debug)]
pub enum Identified {
    /// This ApiUser's.
    Known(Principal),
    /// Nobody's.
    Unknown,
    /// Two ApiUsers', so neither's.
    Ambiguous(Arc<str>, Arc<str>),
    /// Nobody's, since this name of it is reserved.
    Reserved(Box<str>),
    /// Nobody's, since what it says of itself cannot be used.
    Unusable(UnusableName),
}

#[cfg(test)]
mod tests;
