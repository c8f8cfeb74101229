//! What `[trust_domain.NAME]` says, and the words it has for policies. No meaning yet.

use crate::config::source::{Place, Spanned};
use std::time::Duration;

/// `[trust_domain.NAME]`
#[derive(Debug)]
pub struct TrustDomain {
    /// The NAME.
    pub name: Spanned<String>,
    /// PEM files with CA certificates.
    pub anchors: Vec<Spanned<String>>,
    /// Patterns of names that are no ApiUser's.
    pub reserved_names: Vec<Spanned<String>>,
    /// PEM files with certificates of CAs that the anchors vouch for.
    pub intermediates: Vec<Spanned<String>>,
    /// What a client's certificate must be for.
    pub extended_key_usage: Option<Spanned<ExtendedKeyUsage>>,
    /// Most certificates between leaf and anchor.
    pub chain_depth: Option<u32>,
    /// Files with revocation lists, patterns of their names, and folders of them.
    pub crls: Vec<Spanned<String>>,
    /// What happens with lists past their time.
    pub stale_crls: Option<Spanned<StaleCrls>>,
    /// What happens with issuers that have no list.
    pub unknown_revocation: Option<Spanned<UnknownRevocation>>,
    /// Which certificates of a chain are looked for.
    pub revocation_check: Option<Spanned<RevocationCheck>>,
    /// A file with certificates and users that are out.
    pub deny_list: Option<Spanned<String>>,
    /// From where revocation lists are fetched.
    pub crl_fetch: Option<CrlFetch>,
}

/// `[trust_domain.NAME.crl_fetch]`
#[derive(Debug)]
pub struct CrlFetch {
    /// Where the table stands.
    pub place: Place,
    /// Where lists are.
    pub urls: Vec<Spanned<String>>,
    /// Whether certificates may say where more are.
    pub distribution_points: Option<Spanned<DistributionPoints>>,
    /// Hosts that certificates may name, with a port if it is an unusual one.
    pub allowed_hosts: Vec<Spanned<String>>,
    /// The folder where fetched lists lie.
    pub cache: Option<Spanned<String>>,
    /// The longest time between two fetches.
    pub refresh: Option<Duration>,
    /// From connecting to the last octet.
    pub timeout: Option<Duration>,
    /// Most octets of a list.
    pub size_limit: Option<u64>,
    /// PEM files with CA certificates that vouch for `https`.
    pub anchors: Vec<Spanned<String>>,
}

/// Whether URLs in certificates are asked for revocation lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DistributionPoints {
    /// No.
    Ignore,
    /// Those of verified certificates, at hosts that are allowed.
    Follow,
}

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
