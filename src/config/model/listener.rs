//! `[listener.NAME]` and its hosts.

use super::front_proxy::FrontProxyTable;
use super::limits::LimitSettings;
use super::record_layer::RecordLayer;
use crate::config::source::{Place, Spanned};

/// Whether a client must present a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientAuth {
    /// A certificate is required.
    #[default]
    Required,
    /// A certificate is requested, and verified if presented.
    Optional,
    /// No certificate is requested.
    Off,
}

/// A server certificate and its rules for client certificates.
#[derive(Debug)]
pub struct Host {
    /// Place of the entry.
    pub place: Place,
    /// Server names (SNI); empty for the listener's default entry, which matches every name.
    pub names: Vec<Spanned<String>>,
    /// PEM file with the certificate chain.
    pub certificate: Option<Spanned<String>>,
    /// File with the key.
    pub private_key: Option<Spanned<String>>,
    /// File (or `env:NAME`) with the passphrase of certificate and key.
    pub passphrase_file: Option<Spanned<String>>,
    /// Whether clients must present a certificate.
    pub client_auth: Option<Spanned<ClientAuth>>,
    /// The trust domain that verifies client certificates.
    pub trust_domain: Option<Spanned<String>>,
    /// Several such trust domains.
    pub trust_domains: Vec<Spanned<String>>,
}

/// `[listener.NAME]`
#[derive(Debug)]
pub struct Listener {
    /// The NAME.
    pub name: Spanned<String>,
    /// `IP:PORT`
    pub address: Option<Spanned<String>>,
    /// The default entry, if the listener itself has a certificate.
    pub default_host: Option<Host>,
    /// `[[listener.NAME.host]]`
    pub hosts: Vec<Host>,
    /// TLS record layer.
    pub record_layer: Option<Spanned<RecordLayer>>,
    /// Front proxies that forward client identities.
    pub front_proxy: Option<FrontProxyTable>,
    /// Networks without a limit of half-open connections.
    pub half_open_exempt: Vec<Spanned<String>>,
    /// Limits in this table.
    pub limits: LimitSettings,
}
