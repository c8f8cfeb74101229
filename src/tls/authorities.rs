//! The checked CAs of a trust domain: unexpired anchors that may sign certificates, and intermediates that they issued.
//! Verifies no client.

use super::authority::AuthorityFacts;
use super::chain_digest::ChainDigest;
use super::signed::SignedDer;
use super::validity::seconds;
use rustls::pki_types::{CertificateDer, UnixTime};

/// Why a trust domain cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum TrustDomainError {
    /// There is no anchor. The domain would reject every client, and an operator might react by trusting every client.
    #[error("there is no trust anchor")]
    NoAnchors,
    /// A certificate that cannot be an anchor.
    #[error("a certificate cannot be a trust anchor: {0}")]
    BadAnchor(String),
    /// A certificate that may not sign others. As an anchor, it would let its owner issue a certificate for any user.
    #[error("\"{0}\" is not the certificate of a CA, so it cannot be a trust anchor")]
    NotACa(String),
    /// All anchors have expired, so no client could be verified.
    #[error("all trust anchors have expired")]
    Expired,
    /// A certificate that cannot be an intermediate.
    #[error("\"{0}\" is not the certificate of a CA, so it cannot be an intermediate")]
    IntermediateNotACa(String),
    /// No anchor leads to the intermediate: it has no effect, or belongs to another domain.
    #[error("no trust anchor of this domain verifies the intermediate \"{0}\"")]
    UnverifiedIntermediate(String),
}

impl TrustDomainError {
    pub(super) fn unreadable() -> Self {
        Self::BadAnchor("it cannot be read".to_owned())
    }
}

/// Anchors and intermediates of one domain.
#[derive(Debug)]
pub struct Authorities {
    pub(super) anchors: Vec<(CertificateDer<'static>, AuthorityFacts)>,
    pub(super) intermediates: Vec<(CertificateDer<'static>, AuthorityFacts)>,
    /// Expired anchors, and intermediates that only those issued: they verify no client, but the config may still name
    /// their revocation lists.
    expired: Vec<(CertificateDer<'static>, AuthorityFacts)>,
}

impl Authorities {
    /// Checks anchors and intermediates, and separates the expired ones.
    ///
    /// # Errors
    /// [`TrustDomainError`] for the first certificate that cannot be used.
    pub fn new(
        anchors: &[CertificateDer<'static>],
        intermediates: &[CertificateDer<'static>],
    ) -> Result<Self, TrustDomainError> {
        if anchors.is_empty() {
            return Err(TrustDomainError::NoAnchors);
        }
        let mut unexpired = Vec::new();
        let mut expired = Vec::new();
        for anchor in anchors {
            let facts = AuthorityFacts::read(anchor).ok_or_else(TrustDomainError::unreadable)?;
            if !facts.may_sign_certificates {
                return Err(TrustDomainError::NotACa(facts.name));
            }
            let is_unexpired = facts.validity.not_after >= seconds(UnixTime::now());
            let anchors = if is_unexpired {
                &mut unexpired
            } else {
                &mut expired
            };
            anchors.push((anchor.clone(), facts));
        }
        if unexpired.is_empty() {
            return Err(TrustDomainError::Expired);
        }
        let all = read_intermediates(intermediates)?;
        let (usable, rest) = issued_under(&unexpired, all);
        let (issued_under_expired, rest) = issued_under(&expired, rest);
        if let Some((_, facts)) = rest.into_iter().next() {
            return Err(TrustDomainError::UnverifiedIntermediate(facts.name));
        }
        expired.extend(issued_under_expired);
        Ok(Self {
            anchors: unexpired,
            intermediates: usable,
            expired,
        })
    }

    /// All CAs, including the expired ones.
    pub(super) fn all(&self) -> impl Iterator<Item = &AuthorityFacts> {
        self.unexpired()
            .chain(self.expired.iter().map(|(_, authority)| authority))
    }

    /// All CAs that verify clients.
    pub(super) fn unexpired(&self) -> impl Iterator<Item = &AuthorityFacts> {
        self.anchors
            .iter()
            .chain(&self.intermediates)
            .map(|(_, authority)| authority)
    }

    /// Whether a CA is the issuer of an intermediate.
    pub(super) fn issued_an_intermediate(&self, authority: &AuthorityFacts) -> bool {
        self.intermediates
            .iter()
            .any(|(der, facts)| facts.key != authority.key && issued(authority, der))
    }

    /// SHA-256 of all certificates and of `settings`.
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

type Certificates = Vec<(CertificateDer<'static>, AuthorityFacts)>;

fn read_intermediates(
    intermediates: &[CertificateDer<'static>],
) -> Result<Certificates, TrustDomainError> {
    let read = |der: &CertificateDer<'static>| {
        let facts = AuthorityFacts::read(der)
            .ok_or_else(|| TrustDomainError::IntermediateNotACa("unreadable".to_owned()))?;
        match facts.may_sign_certificates {
            true => Ok((der.clone(), facts)),
            false => Err(TrustDomainError::IntermediateNotACa(facts.name)),
        }
    };
    intermediates.iter().map(read).collect()
}

/// Splits intermediates: those that these anchors issued, directly or through other intermediates, and the rest.
fn issued_under(
    anchors: &[(CertificateDer<'static>, AuthorityFacts)],
    mut remaining: Certificates,
) -> (Certificates, Certificates) {
    let mut issued_by_anchors = Vec::new();
    loop {
        let (found, rest): (Vec<_>, Vec<_>) = remaining.into_iter().partition(|(der, _)| {
            anchors
                .iter()
                .chain(&issued_by_anchors)
                .any(|(_, issuer)| issued(issuer, der))
        });
        remaining = rest;
        if found.is_empty() {
            return (issued_by_anchors, remaining);
        }
        issued_by_anchors.extend(found);
    }
}

fn issued(issuer: &AuthorityFacts, der: &CertificateDer<'_>) -> bool {
    AuthorityFacts::issuer_of(der).is_some_and(|name| *name == *issuer.subject)
        && SignedDer::read(der).is_ok_and(|signed| signed.is_by(&issuer.public_key))
}
