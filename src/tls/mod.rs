//! TLS: from an accepted stream to a verified client. Contains all certificate policy; knows no users and no HTTP.

// Texts, encodings and signatures
mod hexadecimal;
mod name;
mod pem;
pub mod der;
mod passphrase;
mod pkcs12;
mod credential_file;
mod signed;

// What a certificate says
mod common_name;
mod subject_names;
mod certificate_facts;
mod trust_domain_id;
mod peer_certificate;
mod validity;

// Why a handshake fails
mod failure_reason;
mod rejected_certificate;
mod handshake_failure;
mod alert;

// Chains, and the CAs that verify them
mod authority;
mod chain_digest;
mod client_chain;
mod authorities;
mod chain_error;
mod certification_path;
mod verification_context;
mod revocation;
mod trust;

// The server's side, and connections
mod server_chain;
mod sessions;
mod tickets;
mod host;
pub mod record;
mod handshake;

pub use authorities::{Authorities, TrustDomainError};
pub use certificate_facts::CertificateFacts;
pub use chain_digest::ChainDigest;
pub use chain_error::ChainError;
pub use client_chain::ClientChain;
pub use common_name::{CommonName, CommonNameError};
pub use credential_file::{CredentialFileError, CredentialPart, PassphraseUse, chain_of, key_of};
pub use failure_reason::FailureReason;
pub use handshake::{HandshakeFacts, Protocol, Resumption, TlsConnection, handshake};
pub use handshake_failure::HandshakeFailure;
pub(crate) use hexadecimal::{hexadecimal, sha256_text};
pub use host::{HostError, HostPolicy, ServerIdentity, default_record_layer};
pub use passphrase::{DecryptionError, MAX_DERIVATION_ROUNDS};
pub use peer_certificate::{PeerCertificate, UnreadableCertificate};
pub use pem::{PemError, PemTextError, certificates, certificates_in, pem_of, private_key};
pub use pkcs12::Pkcs12Error;
pub use rejected_certificate::PresentedCertificate;
pub use revocation::{
    CrlError, CrlFacts, CrlFetchError, CrlFetchOutcome, CrlFetchSettings, CrlFetcher, CrlFile,
    CrlFileError, CrlLabel, CrlSourceFacts, CrlStoreError, DenyList, DenyListError, OlderCrl,
    Revocation, RevocationDepth, RevocationSettings, RevocationUpdate, StaleCrlPolicy,
    UnknownRevocationPolicy,
};
pub use server_chain::{ServerChainFault, owner_of_key, server_chain_faults};
pub use signed::is_signed_by;
pub use subject_names::{
    NameError, NameKind, TextError, UnusableName, dns_name, email, organization, uri,
};
pub use trust::{ChainVerification, ExtendedKeyUsagePolicy, TrustDomain, TrustSettings};
pub use trust_domain_id::TrustDomainId;

use crate::telemetry::build::{self, Fips};
use rustls::crypto::CryptoProvider;
use std::sync::{Arc, OnceLock};

/// The only crypto provider: aws-lc-rs, with X25519MLKEM768 offered first. With the feature `fips` it offers only the
/// algorithms that the FIPS module approves.
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER
        .get_or_init(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .clone()
}

/// The binary was built with the feature `fips`, and its crypto provider is not in FIPS mode. The process must exit.
#[derive(Debug, thiserror::Error)]
#[error(
    "this binary is built with the feature `fips`, but its crypto provider is not in FIPS mode"
)]
pub struct NotFips;

/// Checks that the crypto provider matches the build.
///
/// # Errors
/// [`NotFips`], only in a build with the feature `fips`.
pub fn check_provider() -> Result<(), NotFips> {
    match build::FIPS {
        Fips::Only if !provider().fips() => Err(NotFips),
        Fips::Only | Fips::No => Ok(()),
    }
}

/// Random bytes for names and serials.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // The provider's generator fails only in an environment in which the process cannot start.
    let _ = provider().secure_random.fill(&mut bytes);
    bytes
}
