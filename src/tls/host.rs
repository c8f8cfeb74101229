//! What a listener shows and asks under one server name. Its sessions live on over a reload only where nothing has changed
//! that they were made under: a resumed session skips the verifier, so none may outlive its trust.

use super::provider;
use super::sessions::Sessions;
use super::subject_names::SubjectNames;
use super::tickets::BoundedTickets;
use super::trust::{
    ChainError, HandshakeVerifier, Presence, Traces, Trust, TrustDomain, TrustDomainId, Vouched,
    vouch,
};
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
use rustls::{CertificateError, Error, ServerConfig};
use std::sync::Arc;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Who opens and seals records where the config does not say it. A FIPS module approves only nonces of its own.
pub fn default_record_layer() -> RecordLayer {
    match FIPS {
        Fips::Only => RecordLayer::Rustls,
        Fips::No => RecordLayer::InPlace,
    }
}

/// A server certificate and the clients that may come under its names.
#[derive(Debug)]
pub struct HostPolicy {
    /// The names as configured, or `*` for the listener's own entry.
    pub label: String,
    /// Whether clients must show a certificate.
    pub client_auth: ClientAuth,
    /// Whose certificates count; none only where no certificate is asked for.
    pub trust_domains: Vec<Arc<TrustDomain>>,
    /// Who opens and seals the records.
    pub record_layer: RecordLayer,
    /// The first URI among the names of the certificate that is shown.
    pub own_uri: Option<Box<str>>,
    pub(super) config: Arc<ServerConfig>,
    /// What the config was made of: SHA-256.
    made_of: [u8; 32],
}

/// What is shown.
pub struct ServerIdentity {
    /// Leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    /// The leaf's.
    pub key: PrivateKeyDer<'static>,
}

/// Why a host cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// Key and certificate do not belong together.
    #[error("the private key does not belong to the certificate")]
    KeyMismatch,
    /// The key or the certificate is of a kind that cannot be used.
    #[error("the certificate or key cannot be used: {}", tls_error_text(.0))]
    Unusable(Error),
    /// A build with the feature `fips` would do what its module does not cover.
    #[error("this listener would not be FIPS")]
    NotFips,
}

impl HostPolicy {
    /// Builds what is shown and asked. Sessions of a previous policy with the same label go on if all else is the same.
    ///
    /// # Errors
    /// [`HostError`] if certificate and key cannot serve.
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
        let made_of = identity.digest(client_auth, record_layer);
        let same = previous.and_then(|table| {
            table.iter().find(|host| {
                host.label == label
                    && host.made_of == made_of
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
            made_of,
        })
    }

    /// The same host with other states of its trust domains, by their ids; sessions begin anew.
    ///
    /// # Errors
    /// [`HostError`], as at first.
    pub fn with_trust_domains(&self, domains: &[Arc<TrustDomain>]) -> Result<Self, HostError> {
        let now = |old: &Arc<TrustDomain>| {
            domains
                .iter()
                .find(|domain| domain.id == old.id)
                .unwrap_or(old)
                .clone()
        };
        let trust_domains: Vec<_> = self.trust_domains.iter().map(now).collect();
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
            made_of: self.made_of,
        })
    }

    /// Judges a chain, leaf first, at this moment: exactly one of the domains must vouch for it.
    ///
    /// # Errors
    /// Why the chain does not count.
    pub fn vouch(
        &self,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<Vouched, ChainError> {
        let (leaf, intermediates) = chain.split_first().ok_or(CertificateError::BadEncoding)?;
        let trusts = self
            .trust_domains
            .iter()
            .map(|domain| (domain.id, &*domain.trust));
        vouch(trusts, leaf, intermediates, (now, Traces::Left))
    }

    /// As [`Self::vouch`] at any moment, for explanations: nothing is remembered and nothing is said in the log.
    ///
    /// # Errors
    /// Why the chain would not count.
    pub fn would_vouch(
        &self,
        chain: &[CertificateDer<'_>],
        at: UnixTime,
    ) -> Result<Vouched, ChainError> {
        let (leaf, intermediates) = chain.split_first().ok_or(CertificateError::BadEncoding)?;
        let trusts = self
            .trust_domains
            .iter()
            .map(|domain| (domain.id, &*domain.trust));
        vouch(trusts, leaf, intermediates, (at, Traces::None))
    }

    /// One of the host's domains.
    pub fn trust_domain(&self, id: TrustDomainId) -> Option<&Arc<TrustDomain>> {
        self.trust_domains.iter().find(|domain| domain.id == id)
    }
}

/// The very same, not others like them: verdicts from memory belong to one.
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
        let mut octets = [0; 32];
        octets
            .iter_mut()
            .zip(context.finish().as_ref())
            .for_each(|(to, from)| *to = *from);
        octets
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
        ClientAuth::Required => Presence::Mandatory,
        ClientAuth::Optional | ClientAuth::Off => Presence::Optional,
    };
    let builder = match trusts.is_empty() {
        false => {
            builder.with_client_cert_verifier(Arc::new(HandshakeVerifier::new(trusts, presence)))
        }
        true => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(resolver);
    // A client that offers HTTP/1.0 alone (`curl --http1.0`) is served as one that offers nothing.
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec(), b"http/1.0".to_vec()];
    config.ticketer = Arc::new(BoundedTickets::of(
        Ticketer::new().map_err(HostError::Unusable)?,
    ));
    config.session_storage = Arc::new(Sessions::new());
    config.send_tls13_tickets = 1;
    // Early data could be replayed, so an authenticating edge takes none.
    config.max_early_data_size = 0;
    // Without this, keys do not leave rustls.
    config.enable_secret_extraction = record_layer == RecordLayer::InPlace;
    // Nonces of our own records are chosen by us, and the module approves only its own.
    let is_fips = config.fips() && record_layer == RecordLayer::Rustls;
    if FIPS == Fips::Only && !is_fips {
        return Err(HostError::NotFips);
    }
    Ok(config)
}
