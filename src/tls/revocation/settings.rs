//! How a trust domain deals with revocation, as its config says. Judges nothing.

use super::age::StaleCrls;

/// What happens with a certificate whose issuer has no list here, once the domain has any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownRevocation {
    /// It does not count.
    #[default]
    Refuse,
    /// It counts.
    Allow,
}

/// Which certificates of a chain must not be revoked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RevocationCheck {
    /// All below the anchor.
    #[default]
    Chain,
    /// The client's own.
    Leaf,
}

/// How a domain deals with revocation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RevocationSettings {
    /// Lists past their time.
    pub stale: StaleCrls,
    /// Issuers without a list.
    pub unknown: UnknownRevocation,
    /// How far up.
    pub check: RevocationCheck,
}
