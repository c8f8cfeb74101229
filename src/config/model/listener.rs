//! What `[listener.NAME]` says, and each of its hosts. Binds nothing.

use super::engines::{Http1Engine, RecordLayer};
use super::front_proxy::FrontProxy;
use super::limits::Limits;
use crate::config::source::{Place, Spanned};

/// Whether a client must show a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// No certificate, no entry.
    Required,
    /// Verified if shown.
    Optional,
    /// Not asked for.
    Off,
}

/// A server certificate and who may show which client certificate for it.
#[derive(Debug)]
pub struct Host {
    /// Where the entry stands.
    pub place: Place,
    /// Server names (SNI); empty for the listener's own entry, which takes every name.
    pub names: Vec<Spanned<String>>,
    /// PEM file with the chain.
    pub certificate: Option<Spanned<String>>,
    /// PEM file with the key.
    pub private_key: Option<Spanned<String>>,
    /// Whether clients must show a certificate.
    pub client_auth: Option<Spanned<ClientAuth>>,
    /// Whose certificates count.
    pub trust_domain: Option<Spanned<String>>,
    /// The same for several domains.
    pub trust_domains: Vec<Spanned<String>>,
}

/// `[listener.NAME]`
#[derive(Debug)]
pub struct Listener {
    /// The NAME.
    pub name: Spanned<String>,
    /// `IP:PORT`
    pub address: Option<Spanned<String>>,
    /// The entry for every server name, if the listener itself has a certificate.
    pub default_host: Option<Host>,
    /// `[[listener.NAME.host]]`
    pub hosts: Vec<Host>,
    /// Who opens and seals records.
    pub record_layer: Option<Spanned<RecordLayer>>,
    /// Who serves HTTP/1.1.
    pub http1_engine: Option<Spanned<Http1Engine>>,
    /// Who may speak for others.
    pub front_proxy: Option<FrontProxy>,
    /// Networks whose half-open connections are not limited.
    pub half_open_exempt: Vec<Spanned<String>>,
    /// Limits said here.
    pub limits: Limits,
}
