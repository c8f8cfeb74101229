//! For whom a front proxy speaks: found from what it says with each request, verified by ourselves, and kept beside the
//! connection for as long as it says the same. Costs one look where there is no front proxy. Judges no request.

use super::chain_standing::{Stands, Stood, is_denied, principal, vouched_for};
use super::client::{ClientView, ConnectedClient, RemoteEnd};
use super::request::Standing;
use crate::config::ForwardedIdentity;
use crate::head::Fields;
use crate::identity::{
    Forwarded, ForwardedRefusal, FrontProxy, Identifier, IdentityKind, ProxiedClient, ProxyHeader,
    Said,
};
use crate::snapshot::Snapshot;
use crate::tls::{ChainError, FailureReason, HandshakeFailure, PresentedCertificate, Vouched};
use rustls::pki_types::{CertificateDer, UnixTime};
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

/// In whose name a client speaks.
pub(super) enum Voice {
    /// In its own.
    Own,
    /// In that of others, whom it names with each request.
    ForOthers(Arc<FrontProxy>),
    /// It is one of those others.
    Forwarded {
        /// The front proxy that named it.
        by: Arc<str>,
        /// Leaf first; empty where there is only a name.
        chain: Vec<CertificateDer<'static>>,
    },
}

impl Voice {
    /// In whose name a connection speaks.
    ///
    /// # Errors
    /// Why it may speak in nobody's: whoever is a front proxy has no rights from elsewhere, and a connection that begins
    /// with a header is a front proxy's.
    pub(super) fn of(
        remote: &RemoteEnd,
        front: Option<&Arc<FrontProxy>>,
        standing: &Standing,
    ) -> Result<Self, ForwardedRefusal> {
        if let Standing::Refused(_) = standing {
            return Ok(Self::Own);
        }
        let user = principal(standing).map(|user| user.id);
        let front = front.filter(|front| {
            user.is_some_and(|user| front.is_peer(user)) || remote.header.is_some()
        });
        let Some(front) = front else {
            return if remote.header.is_some() {
                Err(ForwardedRefusal::NotAFrontProxy)
            } else {
                Ok(Self::Own)
            };
        };
        if !user.is_some_and(|user| front.is_peer(user)) {
            return Err(ForwardedRefusal::NotAFrontProxy);
        }
        if !front.may_be_at(remote.address) {
            return Err(ForwardedRefusal::WrongSource);
        }
        match (front.identity, &remote.header) {
            (ForwardedIdentity::ProxyV2, Some(ProxyHeader::Local)) => Ok(Self::Own),
            // A connection from before a reload that changed how identities come.
            (ForwardedIdentity::Rfc9440 | ForwardedIdentity::Xfcc, Some(_)) => {
                Err(ForwardedRefusal::NotAFrontProxy)
            }
            _ => Ok(Self::ForOthers(front.clone())),
        }
    }

    /// Whether it names others with each request.
    pub(super) fn is_for_others(&self) -> bool {
        matches!(self, Self::ForOthers(_))
    }

    /// The chain that was forwarded, if one was.
    pub(super) fn chain(&self) -> Option<&[CertificateDer<'static>]> {
        match self {
            Self::Forwarded { chain, .. } => Some(chain),
            Self::Own | Self::ForOthers(_) => None,
        }
    }
}

impl ClientView {
    /// The front proxy that speaks for the client.
    pub(super) fn forwarded_by(&self) -> Option<&str> {
        match &self.voice {
            Voice::Forwarded { by, .. } => Some(by),
            Voice::Own | Voice::ForOthers(_) => None,
        }
    }
}

/// Those for whom a connection has spoken, the latest first.
pub(super) type ForwardedClients = RefCell<Vec<ForwardedClient>>;

/// So many are kept for a connection.
const MOST_KEPT: usize = 64;

/// A client, and what was said when it was found.
pub(super) struct ForwardedClient {
    identity: Option<Box<[u8]>>,
    chain: Option<Box<[u8]>>,
    view: Rc<ClientView>,
}

impl ForwardedClient {
    fn is(&self, said: &Said<'_>) -> bool {
        self.identity.as_deref() == said.identity && self.chain.as_deref() == said.chain
    }
}

impl ConnectedClient {
    /// Who asks with these fields: the client of the connection, which `view` shows, or the one that it names.
    pub(super) fn speaking<F: Fields + ?Sized>(
        &self,
        view: Rc<ClientView>,
        fields: &F,
        (snapshot, now): (&Snapshot, Instant),
    ) -> Rc<ClientView> {
        let Voice::ForOthers(front) = &view.voice else {
            return view;
        };
        let Ok(said) = front.said(fields) else {
            let refused =
                Stood::without_certificate(Standing::Forwarded(ForwardedRefusal::Several));
            return self.forwarded_view(&view, Vec::new(), refused, (snapshot, now));
        };
        if let Some(known) = self.known_as(&said, snapshot, now) {
            return known;
        }
        let (stood, chain) = match front.read(said, self.proxied()) {
            Ok(forwarded) => stand(snapshot, front, forwarded, |chain| {
                front.trust_domain.vouch(chain, UnixTime::now())
            }),
            Err(refusal) => (
                Stood::without_certificate(Standing::Forwarded(refusal)),
                Vec::new(),
            ),
        };
        let found = self.forwarded_view(&view, chain, stood, (snapshot, now));
        self.keep(&said, &found);
        found
    }

    /// Where the client is, and where it connected to: where its socket is, unless a front proxy says otherwise.
    ///
    /// # Errors
    /// Nobody else may say anything before the handshake.
    pub(super) fn addresses(
        &self,
        snapshot: &Arc<Snapshot>,
        address: SocketAddr,
        local: SocketAddr,
    ) -> Result<(SocketAddr, SocketAddr), Box<HandshakeFailure>> {
        let Some(header) = &self.remote.header else {
            return Ok((address, local));
        };
        let view = self.view(snapshot, Instant::now());
        if let Standing::Forwarded(refusal) = &view.standing {
            let detail = format!(
                "a PROXY header came from who may send none: {}",
                refusal.word()
            );
            let mut failure = HandshakeFailure::beside(FailureReason::NotAFrontProxy, detail);
            failure.certificate = self
                .facts
                .chain
                .first()
                .and_then(PresentedCertificate::read);
            failure.server_name = self
                .facts
                .server_name
                .as_ref()
                .map(|name| name.as_str().to_owned());
            return Err(Box::new(failure));
        }
        match header {
            ProxyHeader::Client(said) if view.voice.is_for_others() => {
                Ok(said.addresses.unwrap_or((address, local)))
            }
            ProxyHeader::Client(_) | ProxyHeader::Local => Ok((address, local)),
        }
    }

    fn known_as(
        &self,
        said: &Said<'_>,
        snapshot: &Snapshot,
        now: Instant,
    ) -> Option<Rc<ClientView>> {
        let mut kept = self.forwarded.borrow_mut();
        let at = kept.iter().position(|client| client.is(said))?;
        if !kept.get(at)?.view.holds(snapshot, now) {
            kept.remove(at);
            return None;
        }
        kept.get_mut(..=at)?.rotate_right(1);
        kept.first().map(|client| client.view.clone())
    }

    /// A refusal of a certificate is never remembered: it may count a moment later.
    fn keep(&self, said: &Said<'_>, found: &Rc<ClientView>) {
        if matches!(&found.standing, Standing::Forwarded(refusal) if *refusal != ForwardedRefusal::Missing)
        {
            return;
        }
        let mut kept = self.forwarded.borrow_mut();
        kept.truncate(MOST_KEPT - 1);
        let (identity, chain) = (said.identity.map(Into::into), said.chain.map(Into::into));
        kept.insert(
            0,
            ForwardedClient {
                identity,
                chain,
                view: found.clone(),
            },
        );
    }

    fn proxied(&self) -> Option<&ProxiedClient> {
        match &self.remote.header {
            Some(ProxyHeader::Client(client)) => Some(client),
            Some(ProxyHeader::Local) | None => None,
        }
    }

    fn forwarded_view(
        &self,
        view: &ClientView,
        chain: Vec<CertificateDer<'static>>,
        stood: Stood,
        (snapshot, now): (&Snapshot, Instant),
    ) -> Rc<ClientView> {
        let by = view
            .principal()
            .map(|user| user.name.clone())
            .unwrap_or_default();
        Rc::new(self.seen(
            snapshot,
            now,
            (view.place.clone(), Voice::Forwarded { by, chain }),
            stood,
        ))
    }
}

/// Who was forwarded: as at a handshake, but by the one domain, and a refusal is the client's and not the connection's.
fn stand(
    snapshot: &Snapshot,
    front: &FrontProxy,
    forwarded: Forwarded,
    vouch: impl FnOnce(&[CertificateDer<'static>]) -> Result<Vouched, ChainError>,
) -> (Stood, Vec<CertificateDer<'static>>) {
    let (mut stood, chain) = match forwarded {
        Forwarded::Chain(chain) => match chain.first() {
            Some(leaf) => {
                let judged = vouch(&chain);
                (vouched_for(snapshot, leaf, judged), chain)
            }
            None => (
                Stood::without_certificate(Standing::Forwarded(ForwardedRefusal::Missing)),
                chain,
            ),
        },
        Forwarded::CommonName(name) => (named(snapshot, front, &name), Vec::new()),
    };
    if let Standing::Refused(reason) = stood.standing {
        stood.standing = Standing::Forwarded(ForwardedRefusal::Certificate(reason));
    }
    if principal(&stood.standing).is_some_and(|user| front.is_peer(user.id)) {
        stood.standing = Standing::Forwarded(ForwardedRefusal::FrontProxyItself);
    }
    (stood, chain)
}

/// Who a chain would be that a front proxy forwards at a moment, judged by this snapshot's trust: for explanations.
pub fn standing_behind(
    snapshot: &Snapshot,
    front: &FrontProxy,
    chain: Vec<CertificateDer<'static>>,
    at: UnixTime,
) -> Stands {
    stand(snapshot, front, Forwarded::Chain(chain), |chain| {
        front.trust_domain.would_vouch(chain, at)
    })
    .0
    .into()
}

/// Who has a common name of which the front proxy says that it is verified.
fn named(snapshot: &Snapshot, front: &FrontProxy, name: &str) -> Stood {
    let domain = front.trust_domain.id;
    let Ok(identifier) = Identifier::parse(IdentityKind::CommonName, name) else {
        let malformed = ForwardedRefusal::Malformed("the common name cannot be one");
        return Stood::without_certificate(Standing::Forwarded(malformed));
    };
    let mut standing = Standing::from(snapshot.users.identify_by(domain, &identifier));
    let denied = front.trust_domain.revocation().denies_common_name(name);
    if denied || principal(&standing).is_some_and(|user| is_denied(snapshot, domain, user)) {
        standing = Standing::Refused(FailureReason::Denied);
    }
    let mut stood = Stood::without_certificate(standing);
    stood.vouched_by = Some(domain);
    stood
}
