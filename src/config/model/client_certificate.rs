//! `[client_certificate."PATTERN"]`: client certificates by the host of an endpoint.

use crate::config::source::Spanned;

/// `[client_certificate."PATTERN"]`
#[derive(Debug)]
pub struct ClientCertificateTable {
    /// The PATTERN.
    pub pattern: Spanned<String>,
    /// File with the certificate.
    pub certificate: Option<Spanned<String>>,
    /// File with its key.
    pub private_key: Option<Spanned<String>>,
    /// File (or `env:NAME`) with the passphrase of certificate and key.
    pub passphrase_file: Option<Spanned<String>>,
    /// PEM files with the CAs of the hosts.
    pub anchors: Vec<Spanned<String>>,
}
