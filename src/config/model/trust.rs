//! What `[trust_domain.NAME]` says about chains and revocation: the words it has for policies. No meaning yet.

use std::time::Duration;

/// What a client's certificate must be for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExtendedKeyUsage {
    /// `clientAuth` must be there.
    Require,
    /// `clientAuth`, or no usage at all.
    AllowMissing,
    /// Also `serverAuth` alone, until the end of this day.
    AllowServerAuthUntil(String),
}

/// What happens with revocation lists past their next update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StaleCrls {
    /// They count no more.
    Refuse,
    /// They count for so long after.
    AllowFor(Duration),
    /// They count.
    Ignore,
}

/// What happens with certificates whose issuer has no revocation list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownRevocation {
    /// They do not count.
    Refuse,
    /// They count.
    Allow,
}

/// Which certificates of a chain must not be revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationCheck {
    /// All below the anchor.
    Chain,
    /// The client's own.
    Leaf,
}
