//! The verifier of client certificates in handshakes: connects rustls with the trust domains of a host.

use super::chain_verification::verify_chain;
use super::generation::Trust;
use crate::tls::certification_path::PresentedChain;
use crate::tls::provider;
use crate::tls::rejected_certificate::{
    PresentedCertificate, RejectedCertificate, report_rejected,
};
use crate::tls::trust_domain_id::TrustDomainId;
use crate::tls::verification_context::VerificationContext;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use std::sync::Arc;

/// Whether a handshake continues without a client certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tls) enum CertificatePresence {
    Mandatory,
    Optional,
}

/// Requests and verifies client certificates in the handshakes of one host. Records what it rejects, for the log.
#[derive(Debug)]
pub(in crate::tls) struct HandshakeVerifier {
    trusts: Vec<Arc<Trust>>,
    presence: CertificatePresence,
    /// The names of all anchors; empty if they exceed [`Self::MAX_HINT_BYTES`].
    hints: Vec<DistinguishedName>,
}

impl HandshakeVerifier {
    /// Maximum size of the hints. The list has a length field of two bytes, and some clients accept no message of more
    /// than 32 KiB.
    const MAX_HINT_BYTES: usize = 24 * 1024;

    pub(in crate::tls) fn new(trusts: Vec<Arc<Trust>>, presence: CertificatePresence) -> Self {
        let mut hints: Vec<DistinguishedName> = Vec::new();
        for hint in trusts.iter().flat_map(|trust| trust.anchor_names()) {
            if !hints.iter().any(|known| known.as_ref() == hint) {
                // The hint comes from a certificate, outer tag included.
                hints.push(DistinguishedName::from(hint.to_vec()));
            }
        }
        // Hints are optional, and more than the message can hold would break every handshake.
        if hints
            .iter()
            .map(|hint| hint.as_ref().len() + 2)
            .sum::<usize>()
            > Self::MAX_HINT_BYTES
        {
            hints.clear();
        }
        Self {
            trusts,
            presence,
            hints,
        }
    }
}

impl ClientCertVerifier for HandshakeVerifier {
    fn offer_client_auth(&self) -> bool {
        true
    }

    fn client_auth_mandatory(&self) -> bool {
        self.presence == CertificatePresence::Mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        // The domain does not matter here, so the id is a placeholder.
        let trusts = self.trusts.iter().map(|trust| (TrustDomainId(0), &**trust));
        let chain = PresentedChain {
            leaf,
            intermediates,
        };
        match verify_chain(trusts, chain, VerificationContext::live(now)) {
            Ok(_) => Ok(ClientCertVerified::assertion()),
            Err(error) => {
                report_rejected(RejectedCertificate {
                    reason: error.reason(),
                    detail: error.to_string(),
                    certificate: PresentedCertificate::read(leaf),
                });
                Err(error.into_certificate_error().into())
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            leaf,
            signature,
            &provider().signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            leaf,
            signature,
            &provider().signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}
