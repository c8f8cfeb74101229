//! The TLS policy of one server name: certificate, client authentication, sessions. Sessions survive a reload only if
//! nothing that they depend on has changed: a resumed session skips the verifier, so it must not outlive its trust.

use super::certification_path::PresentedChain;
use super::chain_error::ChainError;
use super::provider;
use super::sessions::Sessions;
use super::subject_names::SubjectNames;
use super::tickets::BoundedTickets;
use super::trust::{
    CertificatePresence, ChainVerification, HandshakeVerifier, Trust, TrustDomain, verify_chain,
};
use super::trust_domain_id::TrustDomainId;
use super::verification_context::VerificationContext;
use crate::config::{ClientAuth, RecordLayer};
use crate::error_text::tls_error_text;
use crate::host::HostTable;
use crate::telemetry::build::{FIPS, Fips};
use aws_lc_rs::digest::{Context, SHA256};
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::ResolvesServerCert;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls::{Error, ServerConfig};
use std::sync::Arc;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The record layer if the config names none. A FIPS module approves only its own nonces, so a FIPS build uses rustls.
pub fn default_record_layer() -> RecordLayer {
    match FIPS {
        Fips::Only => RecordLayer::Rustls,
        Fips::No => RecordLayer::InPlace,
    }
}

/// A server certificate and the rules for clients that connect under its names.
#[derive(Debug)]
pub struct HostPolicy {
    /// The names as configured, or `*` for the listener's own entry.
    pub label: String,
    /// Whether clients must present a certificate.
    pub client_auth: ClientAuth,
    /// The domains that verify client certificates; empty only if none are requested.
    pub trust_domains: Vec<Arc<TrustDomain>>,
    /// The record layer after the handshake.
    pub record_layer: RecordLayer,
    /// The first URI among the names of the server certificate.
    pub own_uri: Option<Box<str>>,
    pub(super) config: Arc<ServerConfig>,
    /// SHA-256 over the inputs of `config`, without the trust domains.
    digest: [u8; 32],
}

/// The certificate chain and key of a server.
pub struct ServerIdentity {
    /// Leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    /// The private key of the leaf.
    pub key: PrivateKeyDer<'static>,
}

/// Why a host cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// Key and certificate do not match.
    #[error("the private key does not belong to the certificate")]
    KeyMismatch,
    /// The key or the certificate is of an unsupported kind.
    #[error("the certificate or key cannot be used: {}", tls_error_text(.0))]
    Unusable(Error),
    /// A build with the feature `fips`, and a configuration outside FIPS mode.
    #[error("this listener would not be FIPS")]
    NotFips,
}

impl HostPolicy {
    /// Builds the policy. Reuses the sessions of a previous policy with the same label if everything else is equal.
    ///
    /// # Errors
    /// [`HostError`] if certificate and key cannot be used.
    pub fn new(
        label: String,
        identity: ServerIdentity,
        clients: (ClientAuth, Vec<Arc<TrustDomain>>),
        record_layer: RecordLayer,
        previous: Option<&HostTable<Arc<Self>>>,
    ) -> Result<Self, HostError> {
        let (client_auth, trust_domains) = match clients {
            (auth, domains) if auth != ClientAuth::Off && !domains.is_empty() => (auth, domains),
            _ => (ClientAuth::Off, Vec::new()),
        };
        let own_uri = identity.uri();
        let digest = identity.digest(client_auth, record_layer);
        let same = previous.and_then(|table| {
            table.iter().find(|host| {
                host.label == label
                    && host.digest == digest
                    && same_trust(&host.trust_domains, &trust_domains)
            })
        });
        let config = match same {
            Some(host) => host.config.clone(),
            None => {
                let trusts = trust_domains
                    .iter()
                    .map(|domain| domain.trust.clone())
                    .collect();
                Arc::new(server_config(
                    resolver(identity)?,
                    trusts,
                    client_auth,
                    record_layer,
                )?)
            }
        };
        Ok(Self {
            label,
            client_auth,
            trust_domains,
            record_layer,
            own_uri,
            config,
            digest,
        })
    }

    /// The same host with new states of its trust domains, matched by id. Sessions start empty.
    ///
    /// # Errors
    /// [`HostError`], as in [`Self::new`].
    pub fn with_trust_domains(&self, domains: &[Arc<TrustDomain>]) -> Result<Self, HostError> {
        let updated = |old: &Arc<TrustDomain>| {
            domains
                .iter()
                .find(|domain| domain.id == old.id)
                .unwrap_or(old)
                .clone()
        };
        let trust_domains: Vec<_> = self.trust_domains.iter().map(updated).collect();
        let trusts = trust_domains
            .iter()
            .map(|domain| domain.trust.clone())
            .collect();
        let resolver = self.config.cert_resolver.clone();
        let config = server_config(resolver, trusts, self.client_auth, self.record_layer)?;
        Ok(Self {
            label: self.label.clone(),
            client_auth: self.client_auth,
            trust_domains,
            record_layer: self.record_layer,
            own_uri: self.own_uri.clone(),
            config: Arc::new(config),
            digest: self.digest,
        })
    }

    /// Verifies a chain, leaf first, at the current time: exactly one of the domains must accept it.
    ///
    /// # Errors
    /// Why the chain is rejected.
    pub fn verify_chain(
        &self,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ChainVerification, ChainError> {
        verify_chain(
            self.trusts(),
            PresentedChain::of(chain)?,
            VerificationContext::live(now),
        )
    }

    /// As [`Self::verify_chain`] at any time, for explanations: caches and logs nothing.
    ///
    /// # Errors
    /// Why the chain would be rejected.
    pub fn verify_chain_dry_run(
        &self,
        chain: &[CertificateDer<'_>],
        at: UnixTime,
    ) -> Result<ChainVerification, ChainError> {
        verify_chain(
            self.trusts(),
            PresentedChain::of(chain)?,
            VerificationContext::dry_run(at),
        )
    }

    fn trusts(&self) -> impl Iterator<Item = (TrustDomainId, &Trust)> + Clone {
        self.trust_domains
            .iter()
            .map(|domain| (domain.id, &*domain.trust))
    }

    /// One of the host's domains.
    pub fn trust_domain(&self, id: TrustDomainId) -> Option<&Arc<TrustDomain>> {
        self.trust_domains.iter().find(|domain| domain.id == id)
    }
}

/// Whether both lists refer to the same trust generations. Equal content is not enough: cached verdicts belong to one.
fn same_trust(ours: &[Arc<TrustDomain>], others: &[Arc<TrustDomain>]) -> bool {
    ours.len() == others.len()
        && ours
            .iter()
            .zip(others)
            .all(|(one, other)| Arc::ptr_eq(&one.trust, &other.trust))
}

impl ServerIdentity {
    fn uri(&self) -> Option<Box<str>> {
        let (_, certificate) = X509Certificate::from_der(self.chain.first()?).ok()?;
        SubjectNames::read(&certificate).uris.into_iter().next()
    }

    fn digest(&self, client_auth: ClientAuth, record_layer: RecordLayer) -> [u8; 32] {
        let mut context = Context::new(&SHA256);
        let settings = format!("{client_auth:?} {record_layer:?} {}", self.chain.len());
        let parts = [settings.as_bytes(), self.key.secret_der()]
            .into_iter()
            .chain(self.chain.iter().map(|der| &**der));
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut digest = [0; 32];
        digest
            .iter_mut()
            .zip(context.finish().as_ref())
            .for_each(|(to, from)| *to = *from);
        digest
    }
}

fn resolver(identity: ServerIdentity) -> Result<Arc<dyn ResolvesServerCert>, HostError> {
    let certified =
        CertifiedKey::from_der(identity.chain, identity.key, &provider()).map_err(|error| {
            match error {
                Error::InconsistentKeys(_) => HostError::KeyMismatch,
                other => HostError::Unusable(other),
            }
        })?;
    Ok(Arc::new(SingleCertAndKey::from(certified)))
}

fn server_config(
    resolver: Arc<dyn ResolvesServerCert>,
    trusts: Vec<Arc<Trust>>,
    client_auth: ClientAuth,
    record_layer: RecordLayer,
) -> Result<ServerConfig, HostError> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(HostError::Unusable)?;
    let presence = match client_auth {
        ClientAuth::Required => CertificatePresence::Mandatory,
        ClientAuth::Optional | ClientAuth::Off => CertificatePresence::Optional,
    };
    let builder = match trusts.is_empty() {
        false => {
            builder.with_client_cert_verifier(Arc::new(HandshakeVerifier::new(trusts, presence)))
        }
        true => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(resolver);
    // A client that offers only HTTP/1.0 (`curl --http1.0`) is treated as one that offers nothing.
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec(), b"http/1.0".to_vec()];
    config.ticketer = Arc::new(BoundedTickets::of(
        Ticketer::new().map_err(HostError::Unusable)?,
    ));
    config.session_storage = Arc::new(Sessions::new());
    config.send_tls13_tickets = 1;
    // Early data can be replayed, so an authenticating proxy accepts none.
    config.max_early_data_size = 0;
    // The in-place record layer needs the traffic keys.
    config.enable_secret_extraction = record_layer == RecordLayer::InPlace;
    // The in-place layer chooses its own nonces, and the FIPS module approves only those that it chooses.
    let is_fips = config.fips() && record_layer == RecordLayer::Rustls;
    if FIPS == Fips::Only && !is_fips {
        return Err(HostError::NotFips);
    }
    Ok(config)
}
