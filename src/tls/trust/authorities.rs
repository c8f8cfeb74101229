//! The CAs of a trust domain, checked: anchors that may sign and live, and intermediates that they vouch for. Judges no
//! client.

use crate::tls::authority::Authority;
use crate::tls::signed::Signed;
use crate::tls::verified::{ChainDigest, seconds};
use rustls::pki_types::{CertificateDer, UnixTime};

/// Why a trust domain cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum TrustDomainError {
    /// It would refuse everybody, or worse, somebody would "fix" that by trusting everybody.
    #[error("there is no trust anchor")]
    NoAnchors,
    /// A certificate that cannot be an anchor.
    #[error("a certificate cannot be a trust anchor: {0}")]
    BadAnchor(String),
    /// A certificate that may not sign others; as an anchor it would let its owner make any user.
    #[error("\"{0}\" is not the certificate of a CA, so it cannot be a trust anchor")]
    NotACa(String),
    /// Nobody could be verified.
    #[error("all trust anchors have expired")]
    Expired,
    /// A certificate that cannot stand between anchor and leaf.
    #[error("\"{0}\" is not the certificate of a CA, so it cannot be an intermediate")]
    IntermediateNotACa(String),
    /// It would be there for nothing, or for another domain.
    #[error("no trust anchor of this domain vouches for the intermediate \"{0}\"")]
    NotVouchedFor(String),
}

impl TrustDomainError {
    pub(super) fn unreadable() -> Self {
        Self::BadAnchor("it cannot be read".to_owned())
    }
}

/// Anchors and intermediates of one domain.
#[derive(Debug)]
pub struct Authorities {
    pub(super) anchors: Vec<(CertificateDer<'static>, Authority)>,
    pub(super) intermediates: Vec<(CertificateDer<'static>, Authority)>,
    /// Anchors that have expired, and intermediates that only they vouch for: they verify nobody, but their revocation
    /// lists may still be named.
    expired: Vec<(CertificateDer<'static>, Authority)>,
}

impl Authorities {
    /// Takes the anchors that have not expired, and the intermediates that lead to them.
    ///
    /// # Errors
    /// [`TrustDomainError`]
    pub fn new(
        anchors: &[CertificateDer<'static>],
        intermediates: &[CertificateDer<'static>],
    ) -> Result<Self, TrustDomainError> {
        if anchors.is_empty() {
            return Err(TrustDomainError::NoAnchors);
        }
        let (mut living, mut expired) = (Vec::new(), Vec::new());
        for anchor in anchors {
            let facts = Authority::read(anchor).ok_or_else(TrustDomainError::unreadable)?;
            if !facts.may_sign_certificates {
                return Err(TrustDomainError::NotACa(facts.name));
            }
            let is_living = facts.validity.not_after >= seconds(UnixTime::now());
            let anchors = if is_living { &mut living } else { &mut expired };
            anchors.push((anchor.clone(), facts));
        }
        if living.is_empty() {
            return Err(TrustDomainError::Expired);
        }
        let all = read_intermediates(intermediates)?;
        let (usable, rest) = vouched_for(&living, all);
        let (only_by_expired, rest) = vouched_for(&expired, rest);
        if let Some((_, facts)) = rest.into_iter().next() {
            return Err(TrustDomainError::NotVouchedFor(facts.name));
        }
        expired.extend(only_by_expired);
        Ok(Self {
            anchors: living,
            intermediates: usable,
            expired,
        })
    }

    /// All CAs, those that have expired included.
    pub(in crate::tls) fn all(&self) -> impl Iterator<Item = &Authority> {
        self.living()
            .chain(self.expired.iter().map(|(_, authority)| authority))
    }

    /// All CAs that verify clients.
    pub(super) fn living(&self) -> impl Iterator<Item = &Authority> {
        self.anchors
            .iter()
            .chain(&self.intermediates)
            .map(|(_, authority)| authority)
    }

    /// Whether a CA is the issuer of an intermediate.
    pub(in crate::tls) fn issued_an_intermediate(&self, authority: &Authority) -> bool {
        self.intermediates
            .iter()
            .any(|(der, own)| own.key != authority.key && issued(authority, der))
    }

    /// SHA-256 of all of them, and of what else belongs to it.
    pub(super) fn digest(&self, settings: &str) -> Option<ChainDigest> {
        let counts = format!(
            "{} {} {settings}",
            self.anchors.len(),
            self.intermediates.len()
        );
        let settings = CertificateDer::from(counts.as_bytes());
        let all = self
            .anchors
            .iter()
            .chain(&self.intermediates)
            .map(|(der, _)| der);
        ChainDigest::of(std::iter::once(&settings).chain(all))
    }
}

type Certificates = Vec<(CertificateDer<'static>, Authority)>;

fn read_intermediates(
    intermediates: &[CertificateDer<'static>],
) -> Result<Certificates, TrustDomainError> {
    let read = |der: &CertificateDer<'static>| {
        let facts = Authority::read(der)
            .ok_or_else(|| TrustDomainError::IntermediateNotACa("unreadable".to_owned()))?;
        match facts.may_sign_certificates {
            true => Ok((der.clone(), facts)),
            false => Err(TrustDomainError::IntermediateNotACa(facts.name)),
        }
    };
    intermediates.iter().map(read).collect()
}

/// The intermediates that lead to one of these anchors, over others if need be, and those that do not.
fn vouched_for(
    anchors: &[(CertificateDer<'static>, Authority)],
    mut waiting: Certificates,
) -> (Certificates, Certificates) {
    let mut known = Vec::new();
    loop {
        let (found, rest): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|(der, _)| {
            anchors
                .iter()
                .chain(&known)
                .any(|(_, above)| issued(above, der))
        });
        waiting = rest;
        if found.is_empty() {
            return (known, waiting);
        }
        known.extend(found);
    }
}

fn issued(above: &Authority, der: &CertificateDer<'_>) -> bool {
    Authority::issuer_of(der).is_some_and(|issuer| *issuer == *above.subject)
        && Signed::read(der).is_ok_and(|signed| signed.is_by(&above.public_key))
}
