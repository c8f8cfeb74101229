//! Trust domains: named sets of anchors, and the verdict on a client's chain. Fails closed: a domain without a usable
//! anchor cannot be made, and there is no fallback to the system's roots.

use super::peer_certificate::CertificateFacts;
use super::provider;
use super::refusal::{self, PresentedCertificate};
use super::verified::{ChainDigest, Validity, VerifiedChains};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};
use std::sync::Arc;

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

/// What vouches. Lives on from snapshot to snapshot for as long as the anchors are the same octets: one trust
/// generation. Sessions and verdicts belong to it and to no other.
#[derive(Debug)]
pub(super) struct Trust {
    anchors: ChainDigest,
    verifier: Arc<dyn ClientCertVerifier>,
    /// When the last of the anchors expires, seconds since 1970.
    not_after: i64,
    /// When all of the anchors are valid. Which of them vouched for a chain is not known.
    all_valid: Validity,
    verified: VerifiedChains,
}

/// Why a trust domain cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum TrustDomainError {
    /// It would refuse everybody, or worse, somebody would "fix" that by trusting everybody.
    #[error("there is no trust anchor")]
    NoAnchors,
    /// A certificate that cannot be an anchor.
    #[error("a certificate cannot be a trust anchor")]
    BadAnchor(#[source] Error),
    /// A certificate that may not sign others; as an anchor it would let its owner make any user.
    #[error("\"{0}\" is not the certificate of a CA, so it cannot be a trust anchor")]
    NotACa(String),
    /// Nobody could be verified.
    #[error("all trust anchors have expired")]
    Expired,
    /// The verifier cannot be built.
    #[error("the anchors cannot be used")]
    Unusable(#[source] rustls::server::VerifierBuilderError),
}

impl TrustDomain {
    /// A domain in which these anchors vouch. It goes on with the trust of a previous one, if that is the same.
    ///
    /// # Errors
    /// [`TrustDomainError`] if no verdict could be given.
    pub fn new(
        id: TrustDomainId,
        name: &str,
        anchors: &[CertificateDer<'static>],
        previous: Option<&Self>,
    ) -> Result<Self, TrustDomainError> {
        let living = living(anchors)?;
        let digest = ChainDigest::of(living.iter().copied());
        let same = previous.filter(|previous| *previous.name == *name && Some(previous.trust.anchors) == digest);
        let trust = match same {
            Some(previous) => previous.trust.clone(),
            None => Arc::new(Trust::new(&living)?),
        };
        Ok(Self { id, name: name.into(), trust })
    }

    /// Judges a chain, leaf first, at this moment.
    ///
    /// # Errors
    /// Why the chain does not count.
    pub fn verify(&self, chain: &[CertificateDer<'_>], now: UnixTime) -> Result<(), CertificateError> {
        let Some((leaf, intermediates)) = chain.split_first() else {
            return Err(CertificateError::BadEncoding);
        };
        match self.trust.verify_presented(leaf, intermediates, now) {
            Ok(_) => Ok(()),
            Err(Error::InvalidCertificate(error)) => Err(error),
            Err(_) => Err(CertificateError::ApplicationVerificationFailure),
        }
    }
}

/// The anchors that have not expired: the library looks at no anchor's validity.
fn living<'a>(anchors: &'a [CertificateDer<'static>]) -> Result<Vec<&'a CertificateDer<'static>>, TrustDomainError> {
    if anchors.is_empty() {
        return Err(TrustDomainError::NoAnchors);
    }
    let mut living = Vec::new();
    for anchor in anchors {
        let facts = CertificateFacts::read(anchor).ok_or_else(unreadable)?;
        if !facts.may_sign {
            return Err(TrustDomainError::NotACa(facts.subject));
        }
        if facts.not_after >= seconds(UnixTime::now()) {
            living.push(anchor);
        }
    }
    if living.is_empty() { Err(TrustDomainError::Expired) } else { Ok(living) }
}

fn unreadable() -> TrustDomainError {
    TrustDomainError::BadAnchor(CertificateError::BadEncoding.into())
}

impl Trust {
    fn new(anchors: &[&CertificateDer<'static>]) -> Result<Self, TrustDomainError> {
        let mut roots = RootCertStore::empty();
        let mut not_after = i64::MIN;
        for anchor in anchors {
            let facts = CertificateFacts::read(anchor).ok_or_else(unreadable)?;
            not_after = not_after.max(facts.not_after);
            roots.add((*anchor).clone()).map_err(TrustDomainError::BadAnchor)?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
            .build()
            .map_err(TrustDomainError::Unusable)?;
        Ok(Self {
            anchors: ChainDigest::of(anchors.iter().copied()).ok_or_else(unreadable)?,
            verifier,
            not_after,
            all_valid: Validity::of(anchors.iter().copied()).ok_or_else(unreadable)?,
            verified: VerifiedChains::new(),
        })
    }

    fn verify_presented(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if seconds(now) > self.not_after {
            return Err(CertificateError::Expired.into());
        }
        let chain = || std::iter::once(leaf).chain(intermediates);
        let digest = ChainDigest::of(chain());
        // A verdict from memory says that the anchors vouch and that all are valid now. What can change besides, such as
        // a revocation, is to be asked behind this, for either kind of verdict.
        if digest.is_some_and(|digest| self.verified.contains(&digest, seconds(now))) {
            return Ok(ClientCertVerified::assertion());
        }
        let verdict = self.verifier.verify_client_cert(leaf, intermediates, now)?;
        if let (Some(digest), Some(validity)) = (digest, Validity::of(chain())) {
            self.verified.insert(digest, validity.and(self.all_valid));
        }
        Ok(verdict)
    }
}

fn seconds(time: UnixTime) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

/// Whether a handshake goes on without a client certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    Mandatory,
    Optional,
}

/// Asks for certificates of one domain during handshakes, and remembers the one that it refuses, for the log.
#[derive(Debug)]
pub(super) struct HandshakeVerifier {
    pub(super) trust: Arc<Trust>,
    pub(super) presence: Presence,
}

impl ClientCertVerifier for HandshakeVerifier {
    fn offer_client_auth(&self) -> bool {
        true
    }

    fn client_auth_mandatory(&self) -> bool {
        self.presence == Presence::Mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.trust.verifier.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verdict = self.trust.verify_presented(leaf, intermediates, now);
        if verdict.is_err() {
            refusal::remember(PresentedCertificate::read(leaf));
        }
        verdict
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.trust.verifier.verify_tls12_signature(message, leaf, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.trust.verifier.verify_tls13_signature(message, leaf, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.trust.verifier.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests;
