//! One trust generation: the inputs of a trust domain, and the chains verified with them.

use super::path_rules::PathRules;
use super::settings::TrustSettings;
use super::verdict::ChainStatus;
use super::verified_chains::VerifiedChains;
use crate::error_text::chain_error_text;
use crate::tls::authorities::{Authorities, TrustDomainError};
use crate::tls::certificate_facts::CertificateFacts;
use crate::tls::certification_path::PresentedChain;
use crate::tls::chain_digest::ChainDigest;
use crate::tls::chain_error::ChainError;
use crate::tls::revocation::Revocation;
use crate::tls::validity::seconds;
use crate::tls::verification_context::{VerificationContext, VerificationMode};
use rustls::pki_types::{CertificateDer, UnixTime};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// Verifies the chains of one domain. Shared by successive snapshots as long as its inputs are the same: one trust
/// generation. Sessions and cached verdicts belong to exactly one generation.
#[derive(Debug)]
pub(in crate::tls) struct Trust {
    /// SHA-256 of everything that a verdict depends on, except the time.
    pub(super) digest: ChainDigest,
    pub(super) authorities: Arc<Authorities>,
    pub(super) settings: TrustSettings,
    pub(super) rules: PathRules,
    pub(super) revocation: Revocation,
    pub(super) tolerance: Duration,
    pub(super) verified: VerifiedChains,
    /// When the log last reported a client with a server-only certificate; seconds since 1970.
    warned_at: AtomicI64,
}

impl Trust {
    pub(super) fn new(
        digest: ChainDigest,
        authorities: &Arc<Authorities>,
        revocation: Revocation,
        settings: TrustSettings,
    ) -> Result<Self, TrustDomainError> {
        Ok(Self {
            digest,
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

    /// Verifies a chain. Accepts a leaf that expired no longer than `tolerance` ago, which may exceed the tolerance of
    /// this domain.
    pub(super) fn verify(
        &self,
        chain: PresentedChain<'_>,
        digest: Option<ChainDigest>,
        context: VerificationContext,
        tolerance: Duration,
    ) -> Result<ChainStatus, ChainError> {
        let now = context.now;
        let find = || {
            self.rules.find(chain, now, tolerance, &|path| {
                self.revocation.check(path, context)
            })
        };
        if context.mode == VerificationMode::DryRun {
            return find()?.at(now, tolerance);
        }
        let cached = digest.and_then(|digest| self.verified.get(&digest));
        let cached = cached.and_then(|verdict| Some((verdict, verdict.at(now, tolerance).ok()?)));
        let (verdict, status) = match cached {
            // The cached verdict proves the signatures, which do not change; the times are compared on each use.
            Some(cached) => cached,
            // A new path may exist, over a renewed CA.
            None => {
                let verdict = find()?;
                let status = verdict.at(now, tolerance)?;
                if let Some(digest) = digest {
                    self.verified.insert(digest, verdict);
                }
                (verdict, status)
            }
        };
        if verdict.usage_until != i64::MAX {
            self.warn_about_usage(chain.leaf, now);
        }
        Ok(status)
    }

    /// Logs a server-only certificate, once an hour at most: an operator must see such clients before the exception ends.
    fn warn_about_usage(&self, leaf: &CertificateDer<'_>, now: UnixTime) {
        const PAUSE: i64 = 3600;
        let now = seconds(now);
        let last = self.warned_at.load(Ordering::Relaxed);
        let is_due = now.saturating_sub(last) >= PAUSE
            && self
                .warned_at
                .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if is_due {
            let subject = CertificateFacts::read(leaf).map(|facts| facts.subject);
            let until = self.rules.usage().exception_ends();
            tracing::warn!(
                subject,
                until,
                "a client came with a certificate that is for servers only"
            );
        }
    }

    /// The names of the anchors, in DER.
    pub(super) fn anchor_names(&self) -> impl Iterator<Item = &[u8]> {
        self.rules.anchors().iter().map(|anchor| &*anchor.subject)
    }
}
