//! A chain as the client presented it, and a path from its leaf to an anchor. Builds and verifies no path.

use super::authority::AuthorityFacts;
use super::chain_error::ChainError;
use rustls::CertificateError;
use rustls::pki_types::CertificateDer;

/// A chain as the client presented it.
#[derive(Clone, Copy, Debug)]
pub(super) struct PresentedChain<'c> {
    pub(super) leaf: &'c CertificateDer<'c>,
    pub(super) intermediates: &'c [CertificateDer<'c>],
}

impl<'c> PresentedChain<'c> {
    /// Splits a chain, leaf first. An empty one is an error.
    pub(super) fn of(chain: &'c [CertificateDer<'c>]) -> Result<Self, ChainError> {
        let (leaf, intermediates) = chain.split_first().ok_or(CertificateError::BadEncoding)?;
        Ok(Self {
            leaf,
            intermediates,
        })
    }
}

/// A path with valid signatures, usages and constraints.
pub(super) struct CertificationPath<'p> {
    pub(super) leaf: CertificateDer<'p>,
    /// From the leaf upwards.
    pub(super) intermediates: Vec<CertificateDer<'p>>,
    pub(super) anchor: &'p AuthorityFacts,
}
