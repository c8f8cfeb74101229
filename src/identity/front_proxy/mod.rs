//! Front proxies: the peers that may forward client identities on a listener, the form of these identities, and their
//! parsers. Trusts only the proof of possession by the front proxy; the caller verifies certificates.

mod network;
mod proxied;
mod rfc9440;
mod xfcc;

pub use network::{BadNetwork, Network};
pub use proxied::{ProxiedClient, ProxyHeader, ProxyHeaderError};

use super::{UserId, folded_equal};
use crate::config::{Belief, ForwardedIdentity};
use crate::head::{DuplicateField, Fields};
use crate::reason::Reason;
use crate::tls::{FailureReason, TrustDomain};
use rustls::pki_types::CertificateDer;
use std::net::IpAddr;
use std::sync::Arc;

/// Maximum number of certificates in a forwarded chain.
const MAX_CERTIFICATES: usize = 10;

/// The front proxies of a listener.
#[derive(Clone, Debug)]
pub struct FrontProxy {
    /// The form of forwarded identities.
    pub identity: ForwardedIdentity,
    /// The ApiUsers that are front proxies.
    pub peers: Vec<UserId>,
    /// The networks of the front proxies; empty allows every address.
    pub sources: Vec<Network>,
    /// The trust domain that verifies forwarded certificates.
    pub trust_domain: Arc<TrustDomain>,
    /// Whether a common name without a certificate is accepted.
    pub belief: Belief,
}

impl FrontProxy {
    /// Whether this user is a front proxy.
    pub fn is_peer(&self, user: UserId) -> bool {
        self.peers.contains(&user)
    }

    /// Whether a front proxy may connect from this address.
    pub fn may_be_at(&self, address: IpAddr) -> bool {
        self.sources.is_empty() || self.sources.iter().any(|network| network.contains(address))
    }

    /// Whether the config explicitly lists this address for front proxies.
    pub fn is_placed_at(&self, address: IpAddr) -> bool {
        self.sources.iter().any(|network| network.contains(address))
    }

    /// The raw values of the identity fields of a request. Equal values mean the same client.
    ///
    /// # Errors
    /// [`DuplicateField`] if an identity field is repeated.
    pub fn said<'h, F: Fields + ?Sized>(&self, fields: &'h F) -> Result<Said<'h>, DuplicateField> {
        Ok(match self.identity {
            ForwardedIdentity::Rfc9440 => Said {
                identity: only(fields, "client-cert")?,
                chain: only(fields, "client-cert-chain")?,
            },
            ForwardedIdentity::Xfcc => Said {
                identity: only(fields, "x-forwarded-client-cert")?,
                chain: None,
            },
            ForwardedIdentity::ProxyV2 => Said::default(),
        })
    }

    /// Parses the forwarded identity, from the fields of a request or the PROXY header of the connection.
    ///
    /// # Errors
    /// [`ForwardedRejection`]
    pub fn read(
        &self,
        fields: Said<'_>,
        proxied: Option<&ProxiedClient>,
    ) -> Result<Forwarded, ForwardedRejection> {
        match self.identity {
            ForwardedIdentity::Rfc9440 => {
                rfc9440::read(fields.identity, fields.chain).map(Forwarded::Chain)
            }
            ForwardedIdentity::Xfcc => xfcc::read(fields.identity).map(Forwarded::Chain),
            ForwardedIdentity::ProxyV2 => proxied
                .map_or(Err(ForwardedRejection::Missing), |proxied| {
                    proxied.identity(self.belief)
                }),
        }
    }
}

/// The value of the only field of this name. A second field is an error even if the names are equal only after folding.
fn only<'h, F: Fields + ?Sized>(
    fields: &'h F,
    known: &str,
) -> Result<Option<&'h [u8]>, DuplicateField> {
    let mut matching = fields.pairs().filter(|(name, _)| folded_equal(known, name));
    let first = matching.next();
    if matching.next().is_some() {
        return Err(DuplicateField);
    }
    Ok(first
        .filter(|(name, _)| name.eq_ignore_ascii_case(known))
        .map(|(_, value)| value))
}

/// The raw values of the fields with a forwarded identity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Said<'h> {
    /// The field with the certificate, or the only field.
    pub identity: Option<&'h [u8]>,
    /// The field with the chain, if the form has a separate one.
    pub chain: Option<&'h [u8]>,
}

/// A forwarded identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forwarded {
    /// The chain of the client, leaf first. Not verified.
    Chain(Vec<CertificateDer<'static>>),
    /// The common name of the client, as the front proxy states.
    CommonName(Box<str>),
}

/// The reason why a forwarded identity is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardedRejection {
    /// There is no forwarded identity.
    Missing,
    /// There is more than one forwarded identity.
    Several,
    /// The forwarded identity is malformed; a description.
    Malformed(&'static str),
    /// The forwarded identity has no certificate; a description.
    WithoutCertificate(&'static str),
    /// The front proxy states that it did not verify the certificate.
    Unverified,
    /// The forwarded certificate is rejected.
    Certificate(FailureReason),
    /// The forwarded certificate belongs to a front proxy.
    FrontProxyItself,
    /// A front proxy connected from a disallowed address.
    WrongSource,
    /// A client that is not a front proxy sent a forwarded identity.
    NotAFrontProxy,
}

impl ForwardedRejection {
    /// The reason.
    pub fn reason(self) -> Reason {
        match self {
            Self::Missing => Reason::NoForwardedIdentity,
            Self::Several => Reason::AmbiguousForwardedIdentity,
            Self::Malformed(_) => Reason::BadForwardedIdentity,
            Self::WithoutCertificate(_) => Reason::NoForwardedCertificate,
            Self::Unverified => Reason::ForwardedIdentityUnverified,
            Self::Certificate(reason) => Reason::ForwardedCertificate(reason),
            Self::FrontProxyItself => Reason::ForwardedFrontProxy,
            Self::WrongSource => Reason::FrontProxySource,
            Self::NotAFrontProxy => Reason::NotAFrontProxy,
        }
    }

    /// The detail for the log beside the reason word.
    pub fn detail(self) -> Option<&'static str> {
        match self {
            Self::Malformed(what) | Self::WithoutCertificate(what) => Some(what),
            Self::Certificate(_) => Some("the forwarded certificate is rejected"),
            _ => None,
        }
    }
}
