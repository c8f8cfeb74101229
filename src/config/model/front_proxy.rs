//! `[listener.NAME.front_proxy]`: who may say for whom it speaks. Looks nobody up.

use crate::config::source::{Place, Spanned};

/// How a front proxy says who the client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardedIdentity {
    /// `Client-Cert` and `Client-Cert-Chain` (RFC 9440).
    Rfc9440,
    /// `X-Forwarded-Client-Cert`, as Envoy writes it.
    Xfcc,
    /// The PROXY protocol, version 2, before TLS.
    ProxyV2,
}

/// What of that is believed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Belief {
    /// A certificate, which the gateway verifies itself.
    #[default]
    Certificate,
    /// Also a mere common name, which the front proxy says that it has verified.
    CommonName,
}

/// `[listener.NAME.front_proxy]`
#[derive(Debug)]
pub struct FrontProxy {
    /// Where the table stands.
    pub place: Place,
    /// How it says who the client is.
    pub identity: Option<Spanned<ForwardedIdentity>>,
    /// Names of ApiUsers that speak for others.
    pub peers: Vec<Spanned<String>>,
    /// Networks where they are; `None` is everywhere.
    pub sources: Option<Vec<Spanned<String>>>,
    /// The domain that must vouch for the forwarded certificate.
    pub trust_domain: Option<Spanned<String>>,
    /// What is believed.
    pub believe: Option<Spanned<Belief>>,
}
