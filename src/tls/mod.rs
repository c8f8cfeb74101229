//! TLS: handshake(stream) to a verified client. Owns all policy about certificates; knows no users and no HTTP.

mod alert;
mod authority;
mod client_chain;
mod common_name;
mod der;
mod handshake;
mod host;
mod name;
mod peer_certificate;
mod pem;
pub mod record;
mod refusal;
mod revocation;
mod server_chain;
mod sessions;
mod tickets;
mod signed;
mod subject_names;
mod trust;
mod verified;

pub use client_chain::ClientChain;
pub use common_name::{CommonName, CommonNameError};
pub use handshake::{Established, HandshakeFacts, Protocol, Resumption, handshake};
pub use host::{HostError, HostPolicy, ServerIdentity, default_record_layer};
pub use peer_certificate::{CertificateFacts, PeerCertificate, UnreadableCertificate};
pub(crate) use peer_certificate::{hexadecimal, sha256_text};
pub use pem::{PemError, PemTextError, certificates, certificates_in, pem_of, private_key};
pub use refusal::{FailureReason, HandshakeFailure, PresentedCertificate};
pub use revocation::{
    CrlError, CrlFacts, CrlFetch, CrlFetchError, CrlFetchSettings, CrlFetched, CrlFile,
    CrlFileError, CrlLabel, CrlSourceFacts, CrlStoreError, DenyList, DenyListError, OlderCrl,
    Revocation, RevocationCheck, RevocationSettings, RevocationUpdate, StaleCrls,
    UnknownRevocation,
};
pub use server_chain::{ServerChainFault, owner_of_key, server_chain_faults};
pub use signed::is_signed_by;
pub use subject_names::{
    NameError, NameKind, TextError, UnusableName, dns_name, email, organization, uri,
};
pub use trust::{
    Authorities, ChainError, ExtendedKeyUsage, TrustDomain, TrustDomainError, TrustDomainId,
    TrustSettings, Vouched,
};
pub use verified::ChainDigest;

use crate::telemetry::build::{self, Fips};
use rustls::crypto::CryptoProvider;
use std::sync::{Arc, OnceLock};

/// The one crypto provider: aws-lc-rs, with X25519MLKEM768 offered first. With the feature `fips` it offers only what the
/// FIPS module approves.
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER
        .get_or_init(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .clone()
}

/// The process must not go on: it was built to use a FIPS module alone, and something would not.
#[derive(Debug, thiserror::Error)]
#[error(
    "this binary is built with the feature `fips`, but its crypto provider is not in FIPS mode"
)]
pub struct NotFips;

/// Whether the provider is what this binary was built for.
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
    let mut octets = [0; N];
    // The provider's generator fails only where the process could not have started.
    let _ = provider().secure_random.fill(&mut octets);
    octets
}
