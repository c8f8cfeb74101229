//! Faults of a server's own certificate chain that make clients reject it. For warnings: TLS serves any chain.

use super::authority::AuthorityFacts;
use super::name::rfc4514;
use super::provider;
use super::signed::SignedDer;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::extensions::ParsedExtension;
use x509_parser::oid_registry::OID_PKIX_ACCESS_DESCRIPTOR_CA_ISSUERS;
use x509_parser::prelude::{FromDer, X509Certificate};

/// One fault of a chain. Names are as in RFC 4514.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerChainFault {
    /// The extended key usage of the leaf lacks `serverAuth` (RFC 5280 section 4.2.1.12).
    NotForServers {
        /// The leaf.
        subject: String,
    },
    /// Each certificate has its issuer in the file, but not directly after it (RFC 8446 section 4.4.2).
    OutOfOrder {
        /// The subjects in the right order.
        right_order: Vec<String>,
    },
    /// A certificate is followed by others, and none of them issued it.
    Broken {
        /// The last certificate that can be reached from the leaf.
        subject: String,
        /// Its issuer.
        issuer: String,
        /// The subject of a later certificate that does not belong to the chain.
        next: String,
    },
    /// The file contains only the leaf, and the leaf names a URL of its issuer's certificate: public CAs issue by
    /// intermediates, and clients know only the roots.
    Alone {
        /// The leaf.
        subject: String,
        /// Its issuer.
        issuer: String,
    },
}

/// The facts of a certificate that are needed to link it to its issuer.
struct ChainCertificate<'c> {
    der: &'c CertificateDer<'c>,
    subject: String,
    issuer: String,
    issuer_der: Box<[u8]>,
    authority: AuthorityFacts,
}

impl<'c> ChainCertificate<'c> {
    fn read(der: &'c CertificateDer<'c>) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        Some(Self {
            der,
            subject: rfc4514(certificate.subject()),
            issuer: rfc4514(certificate.issuer()),
            issuer_der: certificate.issuer().as_raw().into(),
            authority: AuthorityFacts::read(der)?,
        })
    }

    fn is_issued_by(&self, other: &Self) -> bool {
        *self.issuer_der == *other.authority.subject
            && SignedDer::read(self.der)
                .is_ok_and(|signed| signed.is_by(&other.authority.public_key))
    }

    fn is_self_issued(&self) -> bool {
        *self.issuer_der == *self.authority.subject
    }
}

/// All faults of a chain, leaf first. Empty for a chain that cannot be read, which is an error elsewhere.
pub fn server_chain_faults(chain: &[CertificateDer<'_>]) -> Vec<ServerChainFault> {
    let links: Option<Vec<ChainCertificate<'_>>> =
        chain.iter().map(ChainCertificate::read).collect();
    let Some((leaf, above)) = links.as_deref().and_then(<[_]>::split_first) else {
        return Vec::new();
    };
    let mut faults = Vec::new();
    if !is_for_servers(leaf.der) {
        faults.push(ServerChainFault::NotForServers {
            subject: leaf.subject.clone(),
        });
    }
    faults.extend(if above.is_empty() {
        missing_intermediates(leaf)
    } else {
        fault_of_order(leaf, above)
    });
    faults
}

/// The position in `chain` of the certificate that a private key belongs to.
pub fn owner_of_key(
    chain: &[CertificateDer<'static>],
    key: &PrivateKeyDer<'static>,
) -> Option<usize> {
    chain.iter().position(|der| {
        CertifiedKey::from_der(vec![der.clone()], key.clone_key(), &provider()).is_ok()
    })
}

fn is_for_servers(der: &CertificateDer<'_>) -> bool {
    let Ok((_, certificate)) = X509Certificate::from_der(der) else {
        return true;
    };
    match certificate.extended_key_usage() {
        Ok(Some(usage)) => usage.value.server_auth || usage.value.any,
        Ok(None) | Err(_) => true,
    }
}

fn missing_intermediates(leaf: &ChainCertificate<'_>) -> Option<ServerChainFault> {
    if leaf.is_self_issued() || !names_issuer_url(leaf.der) {
        return None;
    }
    Some(ServerChainFault::Alone {
        subject: leaf.subject.clone(),
        issuer: leaf.issuer.clone(),
    })
}

/// Whether the certificate names a URL of its issuer's certificate (`caIssuers`, RFC 5280 section 4.2.2.1).
fn names_issuer_url(der: &CertificateDer<'_>) -> bool {
    let Ok((_, certificate)) = X509Certificate::from_der(der) else {
        return false;
    };
    certificate
        .extensions()
        .iter()
        .any(|extension| match extension.parsed_extension() {
            ParsedExtension::AuthorityInfoAccess(access) => access.iter().any(|description| {
                description.access_method == OID_PKIX_ACCESS_DESCRIPTOR_CA_ISSUERS
            }),
            _ => false,
        })
}

fn fault_of_order(
    leaf: &ChainCertificate<'_>,
    above: &[ChainCertificate<'_>],
) -> Option<ServerChainFault> {
    let mut unused: Vec<&ChainCertificate<'_>> = above.iter().collect();
    let mut ordered = vec![leaf];
    let mut last = leaf;
    while let Some(at) = unused.iter().position(|link| last.is_issued_by(link)) {
        last = unused.remove(at);
        ordered.push(last);
    }
    if let Some(next) = unused.first() {
        return Some(ServerChainFault::Broken {
            subject: last.subject.clone(),
            issuer: last.issuer.clone(),
            next: next.subject.clone(),
        });
    }
    let written = std::iter::once(leaf).chain(above);
    if ordered
        .iter()
        .zip(written)
        .all(|(right, written)| right.der == written.der)
    {
        return None;
    }
    let right_order = ordered.iter().map(|link| link.subject.clone()).collect();
    Some(ServerChainFault::OutOfOrder { right_order })
}

#[cfg(test)]
mod tests;
