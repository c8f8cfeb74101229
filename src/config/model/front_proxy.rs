//! `[listener.NAME.front_proxy]`: proxies that forward client identities.

use crate::config::source::{Place, Spanned};

/// How a front proxy forwards the client identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardedIdentity {
    /// `Client-Cert` and `Client-Cert-Chain` (RFC 9440).
    Rfc9440,
    /// `X-Forwarded-Client-Cert`, as Envoy writes it.
    Xfcc,
    /// The PROXY protocol, version 2, before TLS.
    ProxyV2,
}

/// Which forwarded identities are accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Belief {
    /// Certificates, which the gateway verifies.
    #[default]
    Certificate,
    /// Also a common name that the front proxy claims to have verified.
    CommonName,
}

/// `[listener.NAME.front_proxy]`
#[derive(Debug)]
pub struct FrontProxyTable {
    /// Place of the table.
    pub place: Place,
    /// Format of the forwarded identity.
    pub identity: Option<Spanned<ForwardedIdentity>>,
    /// Names of the ApiUsers that act as front proxies.
    pub peers: Vec<Spanned<String>>,
    /// Networks of the front proxies; `None` means any address.
    pub sources: Option<Vec<Spanned<String>>>,
    /// The trust domain that must verify the forwarded certificate.
    pub trust_domain: Option<Spanned<String>>,
    /// Accepted identities.
    pub believe: Option<Spanned<Belief>>,
}
