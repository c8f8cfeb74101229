//! The facts about a client that an upstream may receive.

use super::Principal;
use crate::tls::PeerCertificate;
use rustls::pki_types::CertificateDer;

/// A certificate that a trust domain verified.
#[derive(Clone, Copy, Debug)]
pub struct VerifiedCertificate<'a> {
    /// The content of the certificate.
    pub peer: &'a PeerCertificate,
    /// The name of the trust domain.
    pub domain: &'a str,
    /// The chain as the client sent it, leaf first.
    pub chain: &'a [CertificateDer<'static>],
}

/// The facts about a client that an upstream may receive.
#[derive(Clone, Copy, Debug, Default)]
pub struct KnownClient<'a> {
    /// The certificate, if the client has one.
    pub certificate: Option<VerifiedCertificate<'a>>,
    /// The ApiUser.
    pub user: Option<&'a Principal>,
    /// The front proxy that forwarded the identity.
    pub forwarded_by: Option<&'a str>,
    /// The URI in the server certificate of the connection.
    pub own_uri: Option<&'a str>,
}
