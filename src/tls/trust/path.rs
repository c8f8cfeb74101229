//! From a leaf to an anchor: the library builds and checks the path, and says which it was; we hold it to the domain's
//! rules and to the time. Remembers nothing.

use super::authorities::Authorities;
use super::refused::ChainError;
use super::usage::{ExtendedKeyUsage, FoundUsage, keys_may_sign};
use super::verdict::Verdict;
use crate::tls::authority::Authority;
use crate::tls::peer_certificate::CertificateFacts;
use crate::tls::provider;
use crate::tls::verified::Validity;
use rustls::CertificateError;
use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use std::cell::RefCell;
use std::time::Duration;
use webpki::{EndEntityCert, VerifiedPath, anchor_from_trusted_cert};

/// What a path may consist of, and how it must look.
#[derive(Debug)]
pub(super) struct PathRules {
    /// In the same order as `authorities`.
    anchors: Vec<TrustAnchor<'static>>,
    authorities: Vec<Authority>,
    /// CAs that clients need not send.
    intermediates: Vec<CertificateDer<'static>>,
    /// Of anchors and intermediates, in DER.
    public_keys: Vec<Box<[u8]>>,
    usage: ExtendedKeyUsage,
    /// Most certificates between leaf and anchor.
    depth: usize,
}

/// A path whose signatures, usages and constraints are right.
pub(in crate::tls) struct Path<'p> {
    pub(in crate::tls) leaf: CertificateDer<'p>,
    /// From the leaf upwards.
    pub(in crate::tls) intermediates: Vec<CertificateDer<'p>>,
    pub(in crate::tls) anchor: &'p Authority,
}

/// Judges what is not the path's own: revocation. Gives the second until which that holds.
pub(super) type JudgeRevocation<'f> = &'f dyn Fn(&Path<'_>) -> Result<i64, ChainError>;

impl PathRules {
    pub(super) fn new(
        authorities: &Authorities,
        usage: ExtendedKeyUsage,
        depth: usize,
    ) -> Result<Self, webpki::Error> {
        let trusted = |(der, _): &(CertificateDer<'static>, Authority)| {
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
                .living()
                .map(|authority| authority.public_key.clone())
                .collect(),
            usage,
            depth,
        })
    }

    /// What the anchors say.
    pub(super) fn anchors(&self) -> &[Authority] {
        &self.authorities
    }

    /// The keys of all CAs of the domain.
    pub(super) fn public_keys(&self) -> &[Box<[u8]>] {
        &self.public_keys
    }

    pub(super) fn usage(&self) -> ExtendedKeyUsage {
        self.usage
    }

    /// Looks for a path that holds now; for a leaf that expired no longer than `tolerance` ago, one that held in its
    /// last second, by CAs that are valid now.
    pub(super) fn find(
        &self,
        chain: (&CertificateDer<'_>, &[CertificateDer<'_>]),
        now: UnixTime,
        tolerance: Duration,
        judge: JudgeRevocation<'_>,
    ) -> Result<Verdict, ChainError> {
        let (leaf, presented) = chain;
        let facts = CertificateFacts::read(leaf).ok_or(CertificateError::BadEncoding)?;
        let leaf_validity = Validity {
            not_before: facts.not_before,
            not_after: facts.not_after,
        };
        let at = as_of(leaf_validity, now, tolerance);
        let intermediates: Vec<_> = presented
            .iter()
            .map(borrowed)
            .chain(self.intermediates.iter().map(borrowed))
            .collect();
        let leaf = borrowed(leaf);
        let parsed = EndEntityCert::try_from(&leaf)?;
        // The library goes on to other paths when one is refused here, and takes only its own errors.
        let found: RefCell<Option<Result<Verdict, ChainError>>> = RefCell::new(None);
        let verify = |path: &VerifiedPath<'_>| {
            let verdict = self.judge_path((&leaf, leaf_validity), path, now, judge);
            let is_refused = verdict.is_err();
            let mut found = found.borrow_mut();
            // Other domains are held to a refusal by revocation, so no further path makes it another one.
            let stays =
                is_refused && matches!(&*found, Some(Err(before)) if before.is_about_a_path());
            if !stays {
                *found = Some(verdict);
            }
            if is_refused {
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
        match (result.map(|_| ()), found.into_inner()) {
            (Ok(()), Some(verdict)) | (Err(_), Some(verdict @ Err(_))) => verdict,
            (Err(error), _) => Err(error.into()),
            (Ok(()), None) => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn judge_path(
        &self,
        (leaf, leaf_validity): (&CertificateDer<'_>, Validity),
        path: &VerifiedPath<'_>,
        now: UnixTime,
        judge: JudgeRevocation<'_>,
    ) -> Result<Verdict, ChainError> {
        let at = self
            .anchors
            .iter()
            .position(|anchor| std::ptr::eq(anchor, path.anchor()));
        let anchor = at
            .and_then(|at| self.authorities.get(at))
            .ok_or(CertificateError::UnknownIssuer)?;
        let intermediates: Vec<_> = path
            .intermediate_certificates()
            .map(webpki::Cert::der)
            .collect();
        if intermediates.len() > self.depth {
            return Err(ChainError::TooLong);
        }
        // The library does not ask this of anchors.
        if anchor
            .most_below
            .is_some_and(|most| intermediates.len() > most)
        {
            return Err(webpki::Error::PathLenConstraintViolated.into());
        }
        let between = Validity::of(intermediates.iter()).ok_or(CertificateError::BadEncoding)?;
        let authorities = between.and(anchor.validity);
        authorities.check(now)?;
        if !keys_may_sign(leaf, intermediates.iter()).ok_or(CertificateError::BadEncoding)? {
            return Err(CertificateError::InvalidPurpose.into());
        }
        let usage = FoundUsage::of(leaf, intermediates.iter().cloned())
            .ok_or(CertificateError::BadEncoding)?;
        let usage_until = self
            .usage
            .until(usage)
            .ok_or(CertificateError::InvalidPurpose)?;
        let crls_until = judge(&Path {
            leaf: borrowed(leaf),
            intermediates,
            anchor,
        })?;
        Ok(Verdict {
            leaf: leaf_validity,
            authorities,
            usage_until,
            crls_until,
        })
    }
}

/// The moment that a path is looked for: now, or the last second of a leaf that is a little too old.
fn as_of(leaf: Validity, now: UnixTime, tolerance: Duration) -> UnixTime {
    let last = Duration::from_secs(u64::try_from(leaf.not_after).unwrap_or(0));
    let last_time = UnixTime::since_unix_epoch(last);
    let is_tolerated =
        now > last_time && now.as_secs() - last_time.as_secs() <= tolerance.as_secs();
    if is_tolerated { last_time } else { now }
}

fn borrowed<'a>(der: &'a CertificateDer<'_>) -> CertificateDer<'a> {
    CertificateDer::from(der.as_ref())
}
