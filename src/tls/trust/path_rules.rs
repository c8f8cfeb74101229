//! Certification paths from a leaf to an anchor: webpki builds and checks a path; this file applies the domain's rules
//! and the time to it. Caches nothing.

use super::usage::{ExtendedKeyUsagePolicy, PathUsage, keys_may_sign};
use super::verdict::ChainVerdict;
use crate::tls::authorities::Authorities;
use crate::tls::authority::AuthorityFacts;
use crate::tls::certificate_facts::CertificateFacts;
use crate::tls::certification_path::{CertificationPath, PresentedChain};
use crate::tls::chain_error::ChainError;
use crate::tls::provider;
use crate::tls::validity::ValidityPeriod;
use rustls::CertificateError;
use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use std::cell::RefCell;
use std::time::Duration;
use webpki::{EndEntityCert, VerifiedPath, anchor_from_trusted_cert};

/// The CAs from which paths are built, and the rules for a path.
#[derive(Debug)]
pub(super) struct PathRules {
    /// In the same order as `authorities`.
    anchors: Vec<TrustAnchor<'static>>,
    authorities: Vec<AuthorityFacts>,
    /// Configured intermediates; clients need not send them.
    intermediates: Vec<CertificateDer<'static>>,
    /// Public keys of anchors and intermediates, in DER.
    public_keys: Vec<Box<[u8]>>,
    usage: ExtendedKeyUsagePolicy,
    /// Maximum number of certificates between leaf and anchor.
    depth: usize,
}

/// Checks a path for revoked certificates. Returns the last second in which the result is valid, since 1970.
pub(super) type CheckRevocation<'f> = &'f dyn Fn(&CertificationPath<'_>) -> Result<i64, ChainError>;

impl PathRules {
    pub(super) fn new(
        authorities: &Authorities,
        usage: ExtendedKeyUsagePolicy,
        depth: usize,
    ) -> Result<Self, webpki::Error> {
        let trusted = |(der, _): &(CertificateDer<'static>, AuthorityFacts)| {
            Ok(anchor_from_trusted_cert(der)?.to_owned())
        };
        Ok(Self {
            anchors: authorities
                .anchors
                .iter()
                .map(trusted)
                .collect::<Result<_, webpki::Error>>()?,
            authorities: authorities
                .anchors
                .iter()
                .map(|(_, authority)| authority.clone())
                .collect(),
            intermediates: authorities
                .intermediates
                .iter()
                .map(|(der, _)| der.clone())
                .collect(),
            public_keys: authorities
                .unexpired()
                .map(|authority| authority.public_key.clone())
                .collect(),
            usage,
            depth,
        })
    }

    /// The facts of the anchors.
    pub(super) fn anchors(&self) -> &[AuthorityFacts] {
        &self.authorities
    }

    /// The public keys of all CAs of the domain, in DER.
    pub(super) fn public_keys(&self) -> &[Box<[u8]>] {
        &self.public_keys
    }

    pub(super) fn usage(&self) -> ExtendedKeyUsagePolicy {
        self.usage
    }

    /// Finds a path that is valid now. For a leaf that expired no longer than `tolerance` ago: a path that was valid in
    /// the leaf's last second, over CAs that are valid now.
    pub(super) fn find(
        &self,
        chain: PresentedChain<'_>,
        now: UnixTime,
        tolerance: Duration,
        check_revocation: CheckRevocation<'_>,
    ) -> Result<ChainVerdict, ChainError> {
        let facts = CertificateFacts::read(chain.leaf).ok_or(CertificateError::BadEncoding)?;
        let leaf_validity = ValidityPeriod {
            not_before: facts.not_before,
            not_after: facts.not_after,
        };
        let at = path_time(leaf_validity, now, tolerance);
        let intermediates: Vec<_> = chain
            .intermediates
            .iter()
            .map(borrowed)
            .chain(self.intermediates.iter().map(borrowed))
            .collect();
        let leaf = borrowed(chain.leaf);
        let parsed = EndEntityCert::try_from(&leaf)?;
        // webpki tries other paths after this closure rejects one, and accepts only its own error type.
        let last_result: RefCell<Option<Result<ChainVerdict, ChainError>>> = RefCell::new(None);
        let verify = |path: &VerifiedPath<'_>| {
            let result = self.check_path(&leaf, leaf_validity, path, now, check_revocation);
            let is_rejected = result.is_err();
            let mut last_result = last_result.borrow_mut();
            // A rejection by revocation is binding for the other domains, so the error of a later path must not replace
            // it.
            let is_final = is_rejected
                && matches!(&*last_result, Some(Err(previous)) if previous.is_after_path());
            if !is_final {
                *last_result = Some(result);
            }
            if is_rejected {
                Err(webpki::Error::UnknownIssuer)
            } else {
                Ok(())
            }
        };
        let algorithms = provider().signature_verification_algorithms.all;
        let result = parsed.verify_for_usage(
            algorithms,
            &self.anchors,
            &intermediates,
            at,
            self.usage,
            None,
            Some(&verify),
        );
        match (result.map(|_| ()), last_result.into_inner()) {
            (Ok(()), Some(verdict)) | (Err(_), Some(verdict @ Err(_))) => verdict,
            (Err(error), _) => Err(error.into()),
            (Ok(()), None) => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn check_path(
        &self,
        leaf: &CertificateDer<'_>,
        leaf_validity: ValidityPeriod,
        path: &VerifiedPath<'_>,
        now: UnixTime,
        check_revocation: CheckRevocation<'_>,
    ) -> Result<ChainVerdict, ChainError> {
        let position = self
            .anchors
            .iter()
            .position(|anchor| std::ptr::eq(anchor, path.anchor()));
        let anchor = position
            .and_then(|position| self.authorities.get(position))
            .ok_or(CertificateError::UnknownIssuer)?;
        let intermediates: Vec<_> = path
            .intermediate_certificates()
            .map(webpki::Cert::der)
            .collect();
        if intermediates.len() > self.depth {
            return Err(ChainError::TooLong);
        }
        // webpki does not check the path length constraint of anchors.
        if anchor
            .path_length
            .is_some_and(|limit| intermediates.len() > limit)
        {
            return Err(webpki::Error::PathLenConstraintViolated.into());
        }
        let intermediate_validity =
            ValidityPeriod::of(intermediates.iter()).ok_or(CertificateError::BadEncoding)?;
        let authorities = intermediate_validity.and(anchor.validity);
        authorities.check(now)?;
        if !keys_may_sign(leaf, intermediates.iter()).ok_or(CertificateError::BadEncoding)? {
            return Err(CertificateError::InvalidPurpose.into());
        }
        let usage = PathUsage::of(leaf, intermediates.iter().cloned())
            .ok_or(CertificateError::BadEncoding)?;
        let usage_until = self
            .usage
            .until(usage)
            .ok_or(CertificateError::InvalidPurpose)?;
        let crls_until = check_revocation(&CertificationPath {
            leaf: borrowed(leaf),
            intermediates,
            anchor,
        })?;
        Ok(ChainVerdict {
            leaf: leaf_validity,
            authorities,
            usage_until,
            crls_until,
        })
    }
}

/// The time for which a path is built: now, or the last second of a leaf that expired within `tolerance`.
fn path_time(leaf: ValidityPeriod, now: UnixTime, tolerance: Duration) -> UnixTime {
    let last = Duration::from_secs(u64::try_from(leaf.not_after).unwrap_or(0));
    let last_time = UnixTime::since_unix_epoch(last);
    let is_tolerated =
        now > last_time && now.as_secs() - last_time.as_secs() <= tolerance.as_secs();
    if is_tolerated { last_time } else { now }
}

fn borrowed<'a>(der: &'a CertificateDer<'_>) -> CertificateDer<'a> {
    CertificateDer::from(der.as_ref())
}
