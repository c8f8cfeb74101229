//! The settings by which a trust domain verifies chains. Verifies nothing.

use super::usage::ExtendedKeyUsagePolicy;
use std::time::Duration;

/// How a domain verifies chains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrustSettings {
    /// The extended key usages that a certificate must have.
    pub usage: ExtendedKeyUsagePolicy,
    /// Maximum number of certificates between leaf and anchor.
    pub chain_depth: u8,
    /// The longest time after expiry for which any user of the domain may still use a certificate.
    pub tolerance: Duration,
}

impl Default for TrustSettings {
    fn default() -> Self {
        Self {
            usage: ExtendedKeyUsagePolicy::default(),
            chain_depth: 4,
            tolerance: Duration::ZERO,
        }
    }
}
