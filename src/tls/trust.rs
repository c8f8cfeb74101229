//! Trust domains: named sets of CAs that verify client chains. Fails closed: a domain without a usable anchor is an
//! error, and there is no fallback to the system's roots.

mod settings;
mod usage;
mod verdict;
mod path_rules;
mod verified_chains;
mod generation;
mod chain_verification;
mod handshake_verifier;

pub use chain_verification::ChainVerification;
pub(super) use chain_verification::verify_chain;
pub(super) use generation::Trust;
pub(super) use handshake_verifier::{CertificatePresence, HandshakeVerifier};
pub use settings::TrustSettings;
pub use usage::ExtendedKeyUsagePolicy;

use super::authorities::{Authorities, TrustDomainError};
use super::certification_path::PresentedChain;
use super::chain_error::ChainError;
use super::revocation::Revocation;
use super::trust_domain_id::TrustDomainId;
use super::verification_context::VerificationContext;
use rustls::pki_types::{CertificateDer, UnixTime};
use std::sync::Arc;

/// A named set of anchors.
#[derive(Debug)]
pub struct TrustDomain {
    /// Unique within the snapshot.
    pub id: TrustDomainId,
    /// The configured name.
    pub name: Arc<str>,
    pub(super) trust: Arc<Trust>,
}

impl TrustDomain {
    /// A domain with these CAs as anchors. Reuses the trust of `previous` if name and inputs are equal.
    ///
    /// # Errors
    /// [`TrustDomainError`] if the domain could verify no chain.
    pub fn new(
        id: TrustDomainId,
        name: &str,
        authorities: &Arc<Authorities>,
        revocation: Revocation,
        settings: TrustSettings,
        previous: Option<&Self>,
    ) -> Result<Self, TrustDomainError> {
        let digest = authorities
            .digest(&format!("{settings:?} {}", revocation.digest_input()))
            .ok_or_else(TrustDomainError::unreadable)?;
        let same =
            previous.filter(|previous| *previous.name == *name && previous.trust.digest == digest);
        let trust = match same {
            Some(previous) => previous.trust.clone(),
            None => Arc::new(Trust::new(digest, authorities, revocation, settings)?),
        };
        Ok(Self {
            id,
            name: name.into(),
            trust,
        })
    }

    /// Verifies a chain, leaf first, at the current time against this domain alone.
    ///
    /// # Errors
    /// Why the chain is rejected.
    pub fn verify_chain(
        &self,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ChainVerification, ChainError> {
        verify_chain(
            std::iter::once((self.id, &*self.trust)),
            PresentedChain::of(chain)?,
            VerificationContext::live(now),
        )
    }

    /// As [`Self::verify_chain`] at any time, for explanations: caches and logs nothing.
    ///
    /// # Errors
    /// Why the chain would be rejected.
    pub fn verify_chain_dry_run(
        &self,
        chain: &[CertificateDer<'_>],
        at: UnixTime,
    ) -> Result<ChainVerification, ChainError> {
        verify_chain(
            std::iter::once((self.id, &*self.trust)),
            PresentedChain::of(chain)?,
            VerificationContext::dry_run(at),
        )
    }

    /// The same domain with other revocation data. Sessions and cached verdicts start empty, since the old ones may
    /// permit certificates that are now revoked.
    ///
    /// # Errors
    /// [`TrustDomainError`], as in [`Self::new`].
    pub fn with_revocation(&self, revocation: Revocation) -> Result<Self, TrustDomainError> {
        Self::new(
            self.id,
            &self.name,
            &self.trust.authorities,
            revocation,
            self.trust.settings,
            None,
        )
    }

    /// The CAs of the domain, which also sign its revocation lists.
    pub fn authorities(&self) -> &Arc<Authorities> {
        &self.trust.authorities
    }

    /// The revocation lists and the deny list of the domain.
    pub fn revocation(&self) -> &Revocation {
        &self.trust.revocation
    }

    /// The anchors: name as in RFC 4514, and last second of validity in seconds since 1970.
    pub fn anchors(&self) -> impl Iterator<Item = (&str, i64)> {
        self.trust
            .rules
            .anchors()
            .iter()
            .map(|anchor| (anchor.name.as_str(), anchor.validity.not_after))
    }

    /// Whether both domains contain the key of the same CA, anchor or intermediate, under any name. Both would then
    /// verify the chains that this CA issues.
    pub fn shares_an_authority_with(&self, other: &Self) -> bool {
        let theirs = other.trust.rules.public_keys();
        self.trust
            .rules
            .public_keys()
            .iter()
            .any(|key| theirs.contains(key))
    }
}

#[cfg(test)]
mod tests;
