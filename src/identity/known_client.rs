//! What is known about a client and may be told to an upstream.

use super::Principal;
use crate::tls::PeerCertificate;
use rustls::pki_types::CertificateDer;

/// A certificate that a trust domain vouches for.
#[derive(Clone, Copy, Debug)]
pub struct VerifiedCertificate<'a> {
    /// What it says.
    pub peer: &'a PeerCertificate,
    /// The name of the domain.
    pub domain: &'a str,
    /// As the client sent it, leaf first.
    pub chain: &'a [CertificateDer<'static>],
}

/// All that is known about a client and may be told.
#[derive(Clone, Copy, Debug, Default)]
pub struct KnownClient<'a> {
    /// Its certificate, if it showed one.
    pub certificate: Option<VerifiedCertificate<'a>>,
    /// The ApiUser that it is.
    pub user: Option<&'a Principal>,
    /// The front proxy that speaks for it.
    pub forwarded_by: Option<&'a str>,
    /// The URI in the certificate that we showed it.
    pub own_uri: Option<&'a str>,
}
