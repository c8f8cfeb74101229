//! `[trust_domain.NAME]` and its settings.

use crate::config::source::{Place, Spanned};
use std::time::Duration;

/// `[trust_domain.NAME]`
#[derive(Debug)]
pub struct TrustDomainTable {
    /// The NAME.
    pub name: Spanned<String>,
    /// PEM files with CA certificates.
    pub anchors: Vec<Spanned<String>>,
    /// Patterns of names that no ApiUser may have.
    pub reserved_names: Vec<Spanned<String>>,
    /// PEM files with intermediate CA certificates, which are signed by the anchors.
    pub intermediates: Vec<Spanned<String>>,
    /// Required extended key usage of client certificates.
    pub extended_key_usage: Option<Spanned<ExtendedKeyUsageSetting>>,
    /// Maximum number of certificates between leaf and anchor.
    pub chain_depth: Option<u32>,
    /// CRL files, patterns of file names, and folders.
    pub crls: Vec<Spanned<String>>,
    /// Handling of stale CRLs.
    pub stale_crls: Option<Spanned<StaleCrlsSetting>>,
    /// Handling of issuers without a CRL.
    pub unknown_revocation: Option<Spanned<UnknownRevocationSetting>>,
    /// Which certificates of a chain are checked for revocation.
    pub revocation_check: Option<Spanned<RevocationCheckSetting>>,
    /// File with denied certificates and users.
    pub deny_list: Option<Spanned<String>>,
    /// Fetching of CRLs.
    pub crl_fetch: Option<CrlFetchTable>,
}

/// `[trust_domain.NAME.crl_fetch]`
#[derive(Debug)]
pub struct CrlFetchTable {
    /// Place of the table.
    pub place: Place,
    /// URLs of CRLs.
    pub urls: Vec<Spanned<String>>,
    /// Whether distribution points in certificates are used.
    pub distribution_points: Option<Spanned<DistributionPoints>>,
    /// Allowed hosts of distribution points, with a port if it is not the default.
    pub allowed_hosts: Vec<Spanned<String>>,
    /// Folder for fetched CRLs.
    pub cache: Option<Spanned<String>>,
    /// Maximum time between two fetches.
    pub refresh: Option<Duration>,
    /// Maximum time from the connect to the last byte.
    pub timeout: Option<Duration>,
    /// Maximum size of a CRL in bytes.
    pub size_limit: Option<u64>,
    /// PEM files with the CAs for `https` URLs.
    pub anchors: Vec<Spanned<String>>,
}

/// Whether CRLs are fetched from the distribution points in certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DistributionPoints {
    /// They are ignored.
    Ignore,
    /// Those in verified certificates are used, if their host is allowed.
    Follow,
}

/// Required extended key usage of client certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExtendedKeyUsageSetting {
    /// `clientAuth` is required.
    Require,
    /// `clientAuth`, or no extended key usage.
    AllowMissing,
    /// Also `serverAuth` alone, until the end of this day.
    AllowServerAuthUntil(String),
}

/// Handling of CRLs past their next update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StaleCrlsSetting {
    /// They are not accepted, so certificates of the issuer are rejected.
    Refuse,
    /// They are accepted for this time after the next update.
    AllowFor(Duration),
    /// They are accepted at any age.
    Ignore,
}

/// Handling of certificates from an issuer without a CRL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownRevocationSetting {
    /// They are rejected.
    Refuse,
    /// They are accepted.
    Allow,
}

/// Which certificates of a chain are checked for revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationCheckSetting {
    /// All below the anchor.
    Chain,
    /// Only the client's.
    Leaf,
}
