//! The revocation settings of a trust domain. Checks nothing.

use super::age::StaleCrlPolicy;

/// The policy for a certificate from an issuer without a list, if the domain has any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownRevocationPolicy {
    /// It is rejected.
    #[default]
    Refuse,
    /// It is accepted.
    Allow,
}

/// Which certificates of a chain are checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RevocationDepth {
    /// All certificates below the anchor.
    #[default]
    Chain,
    /// Only the client certificate.
    Leaf,
}

/// The revocation settings of a domain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RevocationSettings {
    /// The policy for lists past their next update.
    pub stale: StaleCrlPolicy,
    /// The policy for issuers without a list.
    pub unknown: UnknownRevocationPolicy,
    /// Which certificates are checked.
    pub check: RevocationDepth,
}
