//! Identifies the ApiUser of a verified certificate. Independent of permissions.

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
    BadNetwork, Forwarded, ForwardedRejection, FrontProxy, Network, ProxiedClient, ProxyHeader,
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
pub use users::{ApiUser, ApiUsers, RoleSource, UserConflict};

use crate::tls::UnusableName;
use std::sync::Arc;

/// An ApiUser within one snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UserId(u32);

impl UserId {
    /// The position among the users of the snapshot.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A role within one snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RoleId(u32);

impl RoleId {
    /// The role at this position in the config.
    pub fn new(index: usize) -> Self {
        Self(u32::try_from(index).unwrap_or(u32::MAX))
    }

    /// The position among the roles of the snapshot.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// The ApiUser of a client.
#[derive(Clone, Debug)]
pub struct Principal {
    /// The id in the snapshot that identified the user.
    pub id: UserId,
    /// The ApiUser's name.
    pub name: Arc<str>,
    /// The kind of the identifier that matched the certificate; `None` if no certificate was used.
    pub identified_by: Option<IdentityKind>,
    /// Roles granted by O or OU of the certificate, in addition to those of the user.
    pub extra_roles: Box<[RoleId]>,
}

/// The result of the identification of a verified certificate.
#[derive(Clone, Debug)]
pub enum Identification {
    /// The certificate of this ApiUser.
    Known(Principal),
    /// No ApiUser matches.
    Unknown,
    /// Two ApiUsers match, so the certificate identifies neither.
    Ambiguous(Arc<str>, Arc<str>),
    /// The certificate has this reserved name, so it identifies no ApiUser.
    Reserved(Box<str>),
    /// The certificate has unusable names, so it identifies no ApiUser.
    Unusable(UnusableName),
}

#[cfg(test)]
mod tests;
