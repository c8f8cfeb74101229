//! Whether a connected client is a front proxy, and whether a front proxy named the client. Verifies no certificate.

use super::chain_identification::principal;
use super::request::ClientIdentity;
use crate::config::ForwardedIdentity;
use crate::identity::{ForwardedRejection, FrontProxy, ProxyHeader};
use rustls::pki_types::CertificateDer;
use std::net::IpAddr;
use std::sync::Arc;

/// The remote end of the socket.
pub(super) struct RemoteEnd {
    pub(super) address: IpAddr,
    /// The PROXY header, on a listener where connections begin with one.
    pub(super) header: Option<ProxyHeader>,
}

impl RemoteEnd {
    /// The address of the client. It is that of the PROXY header if there is one, since a connection with a header from a
    /// peer that may send none is not served.
    pub(super) fn source(&self) -> IpAddr {
        match &self.header {
            Some(ProxyHeader::Client(proxied)) => proxied
                .addresses
                .map_or(self.address, |(client, _)| client.ip()),
            Some(ProxyHeader::Local) | None => self.address,
        }
    }
}

/// The part that front proxies play for a client.
pub(super) enum FrontProxyRole {
    /// None: the client makes its requests in its own name.
    Own,
    /// The client is this front proxy. It names another client with each request.
    ForOthers(Arc<FrontProxy>),
    /// A front proxy named the client.
    Forwarded {
        /// The ApiUser of the front proxy.
        by: Arc<str>,
        /// Leaf first; empty if the front proxy sent only a name.
        chain: Vec<CertificateDer<'static>>,
    },
}

impl FrontProxyRole {
    /// The role of a connected client.
    ///
    /// # Errors
    /// The client is a front proxy where it may not be one, or it sent a PROXY header and is no front proxy.
    pub(super) fn of(
        remote: &RemoteEnd,
        front: Option<&Arc<FrontProxy>>,
        identity: &ClientIdentity,
    ) -> Result<Self, ForwardedRejection> {
        if let ClientIdentity::Refused(_) = identity {
            return Ok(Self::Own);
        }
        let user = principal(identity).map(|user| user.id);
        let front = front.filter(|front| {
            user.is_some_and(|user| front.is_peer(user)) || remote.header.is_some()
        });
        let Some(front) = front else {
            return if remote.header.is_some() {
                Err(ForwardedRejection::NotAFrontProxy)
            } else {
                Ok(Self::Own)
            };
        };
        if !user.is_some_and(|user| front.is_peer(user)) {
            return Err(ForwardedRejection::NotAFrontProxy);
        }
        if !front.may_be_at(remote.address) {
            return Err(ForwardedRejection::WrongSource);
        }
        match (front.identity, &remote.header) {
            (ForwardedIdentity::ProxyV2, Some(ProxyHeader::Local)) => Ok(Self::Own),
            // The connection is older than a reload that changed how identities are forwarded.
            (ForwardedIdentity::Rfc9440 | ForwardedIdentity::Xfcc, Some(_)) => {
                Err(ForwardedRejection::NotAFrontProxy)
            }
            _ => Ok(Self::ForOthers(front.clone())),
        }
    }

    /// Whether the client names another client with each request.
    pub(super) fn is_for_others(&self) -> bool {
        matches!(self, Self::ForOthers(_))
    }

    /// The forwarded chain, if any.
    pub(super) fn chain(&self) -> Option<&[CertificateDer<'static>]> {
        match self {
            Self::Forwarded { chain, .. } => Some(chain),
            Self::Own | Self::ForOthers(_) => None,
        }
    }
}
