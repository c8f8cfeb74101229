//! Verification of a chain against one or several trust domains: exactly one must verify it.

use super::generation::Trust;
use crate::tls::certification_path::PresentedChain;
use crate::tls::chain_digest::ChainDigest;
use crate::tls::chain_error::ChainError;
use crate::tls::trust_domain_id::TrustDomainId;
use crate::tls::verification_context::VerificationContext;
use rustls::CertificateError;
use std::time::Duration;

/// A chain that a trust domain has verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainVerification {
    /// The domain.
    pub domain: TrustDomainId,
    /// How long ago the leaf expired, if that is within the domain's tolerance. The tolerance of the user may be shorter:
    /// the caller must check it or reject the leaf.
    pub expired_for: Option<Duration>,
    /// The last second, since 1970, in which this result is valid.
    pub until: i64,
}

/// Verifies a chain: exactly one of these domains must accept it.
pub(in crate::tls) fn verify_chain<'t>(
    trusts: impl Iterator<Item = (TrustDomainId, &'t Trust)> + Clone,
    chain: PresentedChain<'_>,
    context: VerificationContext,
) -> Result<ChainVerification, ChainError> {
    let digest = ChainDigest::of(std::iter::once(chain.leaf).chain(chain.intermediates));
    // All domains build paths with the same tolerance. Otherwise a chain that two domains verify would stop being
    // ambiguous when it expires.
    let tolerance = trusts
        .clone()
        .map(|(_, trust)| trust.tolerance)
        .max()
        .unwrap_or_default();
    let mut accepted: Option<(ChainVerification, Duration)> = None;
    let mut rejection: Option<ChainError> = None;
    for (domain, trust) in trusts {
        match trust.verify(chain, digest, context, tolerance) {
            Ok(_) if accepted.is_some() => return Err(ChainError::Ambiguous),
            Ok(status) => {
                accepted = Some((
                    ChainVerification {
                        domain,
                        expired_for: status.expired_for,
                        until: status.until,
                    },
                    trust.tolerance,
                ));
            }
            // A domain that found a path and rejects it is not overruled by another domain.
            Err(error) if error.is_after_path() => return Err(error),
            Err(error) => {
                rejection = Some(match rejection {
                    Some(previous) => previous.or_more_specific(error),
                    None => error,
                });
            }
        }
    }
    let Some((accepted, tolerance)) = accepted else {
        return Err(rejection.unwrap_or(CertificateError::UnknownIssuer.into()));
    };
    match accepted.expired_for {
        Some(age) if age > tolerance => Err(CertificateError::Expired.into()),
        _ => Ok(accepted),
    }
}
