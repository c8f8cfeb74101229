//! Trust domains: named sets of anchors, and the verdict on a client's chain. Fails closed: a domain without a usable
//! anchor cannot be made, and there is no fallback to the system's roots.

use super::peer_certificate::CertificateFacts;
use super::provider;
use super::refusal::{self, PresentedCertificate};
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
    verifier: Arc<dyn ClientCertVerifier>,
    /// When the last of its anchors expires, seconds since 1970.
    not_after: i64,
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
    /// A domain in which these anchors vouch.
    ///
    /// # Errors
    /// [`TrustDomainError`] if no verdict could be given.
    pub fn new(id: TrustDomainId, name: &str, anchors: &[CertificateDer<'static>]) -> Result<Self, TrustDomainError> {
        if anchors.is_empty() {
            return Err(TrustDomainError::NoAnchors);
        }
        let mut roots = RootCertStore::empty();
        let mut not_after = i64::MIN;
        for anchor in anchors {
            let unreadable = || TrustDomainError::BadAnchor(CertificateError::BadEncoding.into());
            let facts = CertificateFacts::read(anchor).ok_or_else(unreadable)?;
            if !facts.may_sign {
                return Err(TrustDomainError::NotACa(facts.subject));
            }
            // The library looks at no anchor's validity, so an expired one is left out here.
            if facts.not_after >= seconds(UnixTime::now()) {
                not_after = not_after.max(facts.not_after);
                roots.add(anchor.clone()).map_err(TrustDomainError::BadAnchor)?;
            }
        }
        if roots.is_empty() {
            return Err(TrustDomainError::Expired);
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
            .build()
            .map_err(TrustDomainError::Unusable)?;
        Ok(Self { id, name: name.into(), verifier, not_after })
    }

    /// Judges a chain, leaf first, at this moment.
    ///
    /// # Errors
    /// Why the chain does not count.
    pub fn verify(&self, chain: &[CertificateDer<'_>], now: UnixTime) -> Result<(), CertificateError> {
        let Some((leaf, intermediates)) = chain.split_first() else {
            return Err(CertificateError::BadEncoding);
        };
        match self.verify_presented(leaf, intermediates, now) {
            Ok(_) => Ok(()),
            Err(Error::InvalidCertificate(error)) => Err(error),
            Err(_) => Err(CertificateError::ApplicationVerificationFailure),
        }
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
        self.verifier.verify_client_cert(leaf, intermediates, now)
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
    pub(super) domain: Arc<TrustDomain>,
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
        self.domain.verifier.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verdict = self.domain.verify_presented(leaf, intermediates, now);
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
        self.domain.verifier.verify_tls12_signature(message, leaf, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.domain.verifier.verify_tls13_signature(message, leaf, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.domain.verifier.supported_verify_schemes()
    }
}
