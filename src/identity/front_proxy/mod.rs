//! Front proxies: who may say on a listener for whom it speaks, in which form it says so, and what is read from that.
//! Believes nothing beyond the proof of possession: certificates are verified by whoever asks.

mod network;
mod proxied;
mod rfc9440;
mod xfcc;

pub use network::{BadNetwork, Network};
pub use proxied::{ProxiedClient, ProxyHeader, ProxyHeaderError};

use super::{UserId, folded_equal};
use crate::config::{Belief, ForwardedIdentity};
use crate::head::{Fields, Several};
use crate::tls::{FailureReason, TrustDomain};
use rustls::pki_types::CertificateDer;
use std::net::IpAddr;
use std::sync::Arc;

/// Most certificates of a forwarded chain.
const MOST_CERTIFICATES: usize = 10;

/// Who speaks for others on a listener.
#[derive(Clone, Debug)]
pub struct FrontProxy {
    /// How it says for whom.
    pub identity: ForwardedIdentity,
    /// The ApiUsers that do.
    pub peers: Vec<UserId>,
    /// Where they are; empty is everywhere.
    pub sources: Vec<Network>,
    /// Who must vouch for forwarded certificates.
    pub trust_domain: Arc<TrustDomain>,
    /// What is believed without a certificate.
    pub belief: Belief,
}

impl FrontProxy {
    /// Whether this user speaks for others.
    pub fn is_peer(&self, user: UserId) -> bool {
        self.peers.contains(&user)
    }

    /// Whether a front proxy may be at this address.
    pub fn may_be_at(&self, address: IpAddr) -> bool {
        self.sources.is_empty() || self.sources.iter().any(|network| network.contains(address))
    }

    /// Whether the config says that front proxies are at this address, and not just everywhere.
    pub fn is_placed_at(&self, address: IpAddr) -> bool {
        self.sources.iter().any(|network| network.contains(address))
    }

    /// What a request's fields say about its client, as they stand: the same values mean the same client.
    ///
    /// # Errors
    /// [`Several`] if a field that may stand once stands more often.
    pub fn said<'h, F: Fields + ?Sized>(&self, fields: &'h F) -> Result<Said<'h>, Several> {
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

    /// Reads what was said, in the fields of a request or before the connection.
    ///
    /// # Errors
    /// [`ForwardedRefusal`]
    pub fn read(
        &self,
        said: Said<'_>,
        proxied: Option<&ProxiedClient>,
    ) -> Result<Forwarded, ForwardedRefusal> {
        match self.identity {
            ForwardedIdentity::Rfc9440 => {
                rfc9440::read(said.identity, said.chain).map(Forwarded::Chain)
            }
            ForwardedIdentity::Xfcc => xfcc::read(said.identity).map(Forwarded::Chain),
            ForwardedIdentity::ProxyV2 => proxied
                .map_or(Err(ForwardedRefusal::Missing), |proxied| {
                    proxied.identity(self.belief)
                }),
        }
    }
}

/// The value of the one field of this name. A second one is an error also if only a reader that folds names would take it
/// for the same.
fn only<'h, F: Fields + ?Sized>(fields: &'h F, known: &str) -> Result<Option<&'h [u8]>, Several> {
    let mut alike = fields.pairs().filter(|(name, _)| folded_equal(known, name));
    let first = alike.next();
    if alike.next().is_some() {
        return Err(Several);
    }
    Ok(first
        .filter(|(name, _)| name.eq_ignore_ascii_case(known))
        .map(|(_, value)| value))
}

/// The values of the fields that say who the client is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Said<'h> {
    /// The certificate, or all there is.
    pub identity: Option<&'h [u8]>,
    /// The chain, where it stands in a field of its own.
    pub chain: Option<&'h [u8]>,
}

/// For whom a front proxy speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forwarded {
    /// For who has shown it this chain, leaf first. Not verified.
    Chain(Vec<CertificateDer<'static>>),
    /// For who has this common name, as it says.
    CommonName(Box<str>),
}

/// Why nobody is recognized in what a front proxy said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardedRefusal {
    /// It said nothing.
    Missing,
    /// It named more than one client.
    Several,
    /// It cannot be read.
    Malformed(&'static str),
    /// It said who the client is, but not by a certificate.
    WithoutCertificate(&'static str),
    /// It says itself that it has not verified the certificate.
    Unverified,
    /// The forwarded certificate does not count.
    Certificate(FailureReason),
    /// The forwarded certificate is a front proxy's.
    FrontProxyItself,
    /// A front proxy at an address where none may be.
    WrongSource,
    /// Somebody who is no front proxy speaks for others.
    NotAFrontProxy,
}

impl ForwardedRefusal {
    /// The reason in one word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Missing => "no_forwarded_identity",
            Self::Several => "ambiguous_forwarded_identity",
            Self::Malformed(_) => "bad_forwarded_identity",
            Self::WithoutCertificate(_) => "no_forwarded_certificate",
            Self::Unverified => "forwarded_identity_unverified",
            Self::Certificate(reason) => reason.word(),
            Self::FrontProxyItself => "forwarded_front_proxy",
            Self::WrongSource => "front_proxy_source",
            Self::NotAFrontProxy => "not_a_front_proxy",
        }
    }

    /// What the log says beside the word.
    pub fn detail(self) -> Option<&'static str> {
        match self {
            Self::Malformed(what) | Self::WithoutCertificate(what) => Some(what),
            Self::Certificate(_) => Some("the forwarded certificate does not count"),
            _ => None,
        }
    }
}
