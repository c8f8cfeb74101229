//! What a listener shows and asks under one server name. Each snapshot makes these anew, tickets included: a resumed
//! session skips the verifier, so none may outlive the trust that it was made under.

use super::provider;
use super::trust::{HandshakeVerifier, Presence, TrustDomain};
use crate::config::{ClientAuth, RecordLayer};
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ResolvesServerCert, ServerSessionMemoryCache};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls::{Error, ServerConfig};
use std::sync::Arc;

/// A server certificate and the clients that may come under its names.
#[derive(Debug)]
pub struct HostPolicy {
    /// The names as configured, or `*` for the listener's own entry.
    pub label: String,
    /// Whether clients must show a certificate.
    pub client_auth: ClientAuth,
    /// Whose certificates count; `None` only where none is asked for.
    pub trust_domain: Option<Arc<TrustDomain>>,
    /// Who opens and seals the records.
    pub record_layer: RecordLayer,
    pub(super) config: Arc<ServerConfig>,
}

/// Why a host cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// Key and certificate do not belong together.
    #[error("the private key does not belong to the certificate")]
    KeyMismatch,
    /// The key or the certificate is of a kind that cannot be used.
    #[error("the certificate or key cannot be used: {0}")]
    Unusable(Error),
}

impl HostPolicy {
    /// Builds what is shown and asked.
    ///
    /// # Errors
    /// [`HostError`] if certificate and key cannot serve.
    pub fn new(
        label: String,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        clients: Option<(Arc<TrustDomain>, ClientAuth)>,
        record_layer: RecordLayer,
    ) -> Result<Self, HostError> {
        let certified = CertifiedKey::from_der(chain, key, &provider()).map_err(|error| match error {
            Error::InconsistentKeys(_) => HostError::KeyMismatch,
            other => HostError::Unusable(other),
        })?;
        let resolver: Arc<dyn ResolvesServerCert> = Arc::new(SingleCertAndKey::from(certified));
        let builder = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(HostError::Unusable)?;
        let (client_auth, trust_domain) = match clients {
            Some((domain, auth)) if auth != ClientAuth::Off => (auth, Some(domain)),
            _ => (ClientAuth::Off, None),
        };
        let builder = match &trust_domain {
            Some(domain) => {
                let presence = match client_auth {
                    ClientAuth::Required => Presence::Mandatory,
                    ClientAuth::Optional | ClientAuth::Off => Presence::Optional,
                };
                builder.with_client_cert_verifier(Arc::new(HandshakeVerifier { domain: domain.clone(), presence }))
            }
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(resolver);
        // A client that offers HTTP/1.0 alone (`curl --http1.0`) is served as one that offers nothing.
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec(), b"http/1.0".to_vec()];
        config.ticketer = Ticketer::new().map_err(HostError::Unusable)?;
        config.session_storage = ServerSessionMemoryCache::new(4096);
        config.send_tls13_tickets = 1;
        // Early data could be replayed, so an authenticating edge takes none.
        config.max_early_data_size = 0;
        // Without this, keys do not leave rustls.
        config.enable_secret_extraction = record_layer == RecordLayer::InPlace;
        Ok(Self { label, client_auth, trust_domain, record_layer, config: Arc::new(config) })
    }
}
