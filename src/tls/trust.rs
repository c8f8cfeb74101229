//! Trust domains: named sets of CAs, and what they say of a client's chain. Fails closed: a domain without a usable
//! anchor cannot be made, and there is no fallback to the system's roots.

mod authorities;
mod path;
mod refused;
mod usage;
mod verdict;
mod vouch;

pub use authorities::{Authorities, TrustDomainError};
pub(super) use path::Path;
pub use refused::ChainError;
pub use usage::ExtendedKeyUsage;
pub(super) use verdict::Verdict;
pub use vouch::Vouched;
pub(super) use vouch::{HandshakeVerifier, Presence, vouch};

use super::revocation::Revocation;
use super::verified::{ChainDigest, VerifiedChains, seconds};
use crate::error_text::chain_error_text;
use path::PathRules;
use rustls::CertificateError;
use rustls::pki_types::{CertificateDer, UnixTime};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use verdict::Held;

/// A trust domain within one snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TrustDomainId(pub u16);

/// A named set of anchors.
#[derive(Debug)]
pub struct TrustDomain {
    /// Within the snapshot.
    pub id: TrustDomainId,
    /// The name.
    pub name: Arc<str>,
    pub(super) trust: Arc<Trust>,
}

/// Whether a look at a chain leaves traces: verdicts that are remembered, lines in the log, lists to be fetched. A look by
/// another clock than ours must not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Traces {
    Left,
    None,
}

/// How chains are judged in a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrustSettings {
    /// What a certificate must be for.
    pub usage: ExtendedKeyUsage,
    /// Most certificates between leaf and anchor.
    pub chain_depth: u8,
    /// The longest that any user of the domain may come with a certificate that has expired.
    pub tolerance: Duration,
}

impl Default for TrustSettings {
    fn default() -> Self {
        Self {
            usage: ExtendedKeyUsage::default(),
            chain_depth: 4,
            tolerance: Duration::ZERO,
        }
    }
}

/// What vouches. Lives on from snapshot to snapshot for as long as all that it was made of is the same: one trust
/// generation. Sessions and verdicts belong to it and to no other.
#[derive(Debug)]
pub(super) struct Trust {
    /// SHA-256 of everything that a verdict depends on, but the time.
    made_of: ChainDigest,
    authorities: Arc<Authorities>,
    settings: TrustSettings,
    rules: PathRules,
    revocation: Revocation,
    tolerance: Duration,
    verified: VerifiedChains,
    /// When it was last said in the log that a server's certificate came as a client's; seconds since 1970.
    warned_at: AtomicI64,
}

impl TrustDomain {
    /// A domain in which these CAs vouch. It goes on with the trust of a previous one, if that is the same.
    ///
    /// # Errors
    /// [`TrustDomainError`] if no verdict could be given.
    pub fn new(
        id: TrustDomainId,
        name: &str,
        authorities: &Arc<Authorities>,
        revocation: Revocation,
        settings: TrustSettings,
        previous: Option<&Self>,
    ) -> Result<Self, TrustDomainError> {
        let made_of = authorities.digest(&format!("{settings:?} {}", revocation.made_of()));
        let made_of = made_of.ok_or_else(TrustDomainError::unreadable)?;
        let same = previous
            .filter(|previous| *previous.name == *name && previous.trust.made_of == made_of);
        let trust = match same {
            Some(previous) => previous.trust.clone(),
            None => Arc::new(Trust::new(made_of, authorities, revocation, settings)?),
        };
        Ok(Self {
            id,
            name: name.into(),
            trust,
        })
    }

    /// Judges a chain, leaf first, at this moment, where no other domain is asked.
    ///
    /// # Errors
    /// Why the chain does not count.
    pub fn vouch(
        &self,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<Vouched, ChainError> {
        let (leaf, intermediates) = chain.split_first().ok_or(CertificateError::BadEncoding)?;
        vouch(
            std::iter::once((self.id, &*self.trust)),
            leaf,
            intermediates,
            (now, Traces::Left),
        )
    }

    /// As [`Self::vouch`] at any moment, for explanations: nothing is remembered and nothing is said in the log.
    ///
    /// # Errors
    /// Why the chain would not count.
    pub fn would_vouch(
        &self,
        chain: &[CertificateDer<'_>],
        at: UnixTime,
    ) -> Result<Vouched, ChainError> {
        let (leaf, intermediates) = chain.split_first().ok_or(CertificateError::BadEncoding)?;
        vouch(
            std::iter::once((self.id, &*self.trust)),
            leaf,
            intermediates,
            (at, Traces::None),
        )
    }

    /// The same domain where other certificates are revoked: new sessions and verdicts, since none may outlive that.
    ///
    /// # Errors
    /// [`TrustDomainError`], as at first.
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

    /// Its CAs, which sign revocation lists.
    pub fn authorities(&self) -> &Arc<Authorities> {
        &self.trust.authorities
    }

    /// Who is out although an anchor vouches.
    pub fn revocation(&self) -> &Revocation {
        &self.trust.revocation
    }

    /// The anchors: name as in RFC 4514, and last second of validity, since 1970.
    pub fn anchors(&self) -> impl Iterator<Item = (&str, i64)> {
        self.trust
            .rules
            .anchors()
            .iter()
            .map(|anchor| (anchor.name.as_str(), anchor.validity.not_after))
    }

    /// Whether both would vouch for the same chains, since the key of a CA, anchor or intermediate, is in both: under
    /// whatever name, its owner would speak for both.
    pub fn shares_an_authority_with(&self, other: &Self) -> bool {
        let theirs = other.trust.rules.public_keys();
        self.trust
            .rules
            .public_keys()
            .iter()
            .any(|key| theirs.contains(key))
    }
}

impl Trust {
    fn new(
        made_of: ChainDigest,
        authorities: &Arc<Authorities>,
        revocation: Revocation,
        settings: TrustSettings,
    ) -> Result<Self, TrustDomainError> {
        Ok(Self {
            made_of,
            authorities: authorities.clone(),
            settings,
            rules: PathRules::new(
                authorities,
                settings.usage,
                usize::from(settings.chain_depth),
            )
            .map_err(|error| TrustDomainError::BadAnchor(chain_error_text(&error)))?,
            revocation,
            tolerance: settings.tolerance,
            verified: VerifiedChains::new(),
            warned_at: AtomicI64::new(0),
        })
    }

    /// Judges a chain for leaves that expired no longer than `tolerance` ago, which may be more than is ours.
    fn judge(
        &self,
        chain: (&CertificateDer<'_>, &[CertificateDer<'_>]),
        digest: Option<ChainDigest>,
        (now, traces): (UnixTime, Traces),
        tolerance: Duration,
    ) -> Result<Held, ChainError> {
        if traces == Traces::None {
            let verdict = self.rules.find(chain, now, tolerance, &|path| {
                self.revocation.judge(path, (now, Traces::None))
            })?;
            return verdict.at(now, tolerance);
        }
        let remembered = digest.and_then(|digest| self.verified.get(&digest));
        let held = match remembered.map(|verdict| (verdict, verdict.at(now, tolerance))) {
            // What is remembered says that signatures are right, which they stay; its times are compared each time.
            Some((verdict, Ok(held))) => (verdict, held),
            // There may be another path by now, over a CA that was renewed.
            _ => {
                let verdict = self.rules.find(chain, now, tolerance, &|path| {
                    self.revocation.judge(path, (now, traces))
                })?;
                let held = verdict.at(now, tolerance)?;
                if let Some(digest) = digest {
                    self.verified.insert(digest, verdict);
                }
                (verdict, held)
            }
        };
        if held.0.usage_until != i64::MAX {
            self.warn_about_usage(chain.0, now);
        }
        Ok(held.1)
    }

    /// Once an hour at most: whoever gets in by an exception must be seen before it ends.
    fn warn_about_usage(&self, leaf: &CertificateDer<'_>, now: UnixTime) {
        const PAUSE: i64 = 3600;
        let (now, last) = (seconds(now), self.warned_at.load(Ordering::Relaxed));
        let is_mine = now.saturating_sub(last) >= PAUSE
            && self
                .warned_at
                .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if is_mine {
            let subject =
                super::peer_certificate::CertificateFacts::read(leaf).map(|facts| facts.subject);
            let until = self.rules.usage().exception_ends();
            tracing::warn!(
                subject,
                until,
                "a client came with a certificate that is for servers only"
            );
        }
    }

    /// The names of the anchors, in DER.
    fn anchor_names(&self) -> impl Iterator<Item = &[u8]> {
        self.rules.anchors().iter().map(|anchor| &*anchor.subject)
    }
}

#[cfg(test)]
mod tests;
