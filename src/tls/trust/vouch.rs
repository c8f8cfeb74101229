//! The word of one or several trust domains on a chain: exactly one of them must vouch. Also how handshakes ask for it.

use super::refused::ChainError;
use super::{Traces, Trust, TrustDomainId};
use crate::tls::provider;
use crate::tls::refusal::{self, PresentedCertificate, RefusedCertificate};
use crate::tls::verified::ChainDigest;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use std::sync::Arc;
use std::time::Duration;

/// A chain for which a trust domain vouches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vouched {
    /// The domain.
    pub domain: TrustDomainId,
    /// How long ago the leaf has expired, if that is within what the domain's users tolerate at most. Whether this user
    /// does is not known here: without asking, such a leaf is to be refused.
    pub expired_for: Option<Duration>,
    /// The last second, since 1970, in which this is so without asking again.
    pub until: i64,
}

/// Which of these vouches, and for how long.
pub(in crate::tls) fn vouch<'t>(
    trusts: impl Iterator<Item = (TrustDomainId, &'t Trust)> + Clone,
    leaf: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    at: (UnixTime, Traces),
) -> Result<Vouched, ChainError> {
    let digest = ChainDigest::of(std::iter::once(leaf).chain(intermediates));
    // One tolerance for all while paths are looked for, or a chain that two vouch for would become one domain's alone
    // once it has expired.
    let tolerance = trusts
        .clone()
        .map(|(_, trust)| trust.tolerance)
        .max()
        .unwrap_or_default();
    let mut vouched: Option<(Vouched, Duration)> = None;
    let mut refused: Option<ChainError> = None;
    for (domain, trust) in trusts {
        match trust.judge((leaf, intermediates), digest, at, tolerance) {
            Ok(_) if vouched.is_some() => return Err(ChainError::Ambiguous),
            Ok(held) => {
                vouched = Some((
                    Vouched {
                        domain,
                        expired_for: held.expired_for,
                        until: held.until,
                    },
                    trust.tolerance,
                ));
            }
            // A domain that knows the chain and refuses it is not outvoted by another one.
            Err(error) if error.is_about_a_path() => return Err(error),
            Err(error) => {
                refused = Some(refused.map_or(error.clone(), |before| before.more_telling(error)))
            }
        }
    }
    let Some((vouched, tolerance)) = vouched else {
        return Err(refused.unwrap_or(CertificateError::UnknownIssuer.into()));
    };
    match vouched.expired_for {
        Some(over) if over > tolerance => Err(CertificateError::Expired.into()),
        _ => Ok(vouched),
    }
}

/// Whether a handshake goes on without a client certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tls) enum Presence {
    Mandatory,
    Optional,
}

/// Asks for certificates of one host's domains during handshakes, and remembers what it refuses, for the log.
#[derive(Debug)]
pub(in crate::tls) struct HandshakeVerifier {
    trusts: Vec<Arc<Trust>>,
    presence: Presence,
    /// The names of all anchors; none if they are too many.
    hints: Vec<DistinguishedName>,
}

impl HandshakeVerifier {
    /// Octets. Their list has a length of two octets, and some clients take no message of more than 32 KiB.
    const MOST_HINTS: usize = 24 * 1024;

    pub(in crate::tls) fn new(trusts: Vec<Arc<Trust>>, presence: Presence) -> Self {
        let mut hints: Vec<DistinguishedName> = Vec::new();
        for hint in trusts.iter().flat_map(|trust| trust.anchor_names()) {
            if !hints.iter().any(|there| there.as_ref() == hint) {
                // What is taken here is read from a certificate, outer tag included.
                hints.push(DistinguishedName::from(hint.to_vec()));
            }
        }
        // They are a help only; and more than their message can hold would break every handshake.
        if hints
            .iter()
            .map(|hint| hint.as_ref().len() + 2)
            .sum::<usize>()
            > Self::MOST_HINTS
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
        self.presence == Presence::Mandatory
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
        // Which domain it is does not matter here, so no ids are needed.
        let trusts = self.trusts.iter().map(|trust| (TrustDomainId(0), &**trust));
        match vouch(trusts, leaf, intermediates, (now, Traces::Left)) {
            Ok(_) => Ok(ClientCertVerified::assertion()),
            Err(error) => {
                refusal::remember(RefusedCertificate {
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
