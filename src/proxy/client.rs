//! Who is at the other end of a connection, in the snapshot that is in force now: found once for each generation, and
//! found again after every reload. Judges no request.

use super::request::{Client, Standing};
use crate::config::ClientAuth;
use crate::identity::{IdentityBlock, Principal};
use crate::snapshot::{ListenerPolicy, Snapshot};
use crate::tls::{FailureReason, HandshakeFacts, HostPolicy, PeerCertificate, Resumption};
use rustls::pki_types::{CertificateDer, UnixTime};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The client of one connection.
pub(super) struct ConnectedClient {
    listener: Arc<str>,
    pub(super) facts: HandshakeFacts,
    /// The generation whose verifier has seen the chain; none if the session was resumed.
    verified_in: Option<u64>,
    view: RefCell<Option<Rc<ClientView>>>,
}

/// A client as one snapshot sees it.
pub(super) struct ClientView {
    generation: u64,
    /// When its certificate's time was last compared with the clock.
    checked: Cell<Instant>,
    place: Option<(Arc<ListenerPolicy>, Arc<HostPolicy>)>,
    pub(super) standing: Standing,
    pub(super) peer: Option<PeerCertificate>,
    pub(super) identity: IdentityBlock,
}

impl ConnectedClient {
    /// A client whose handshake was made under `generation`.
    pub(super) fn new(listener: Arc<str>, facts: HandshakeFacts, generation: u64) -> Self {
        let verified_in = (facts.resumption == Resumption::Full).then_some(generation);
        Self { listener, facts, verified_in, view: RefCell::default() }
    }

    /// The client as this snapshot sees it now.
    pub(super) fn view(&self, snapshot: &Snapshot, now: Instant) -> Rc<ClientView> {
        if let Some(view) = &*self.view.borrow()
            && view.generation == snapshot.generation
            && view.still_holds(now)
        {
            return view.clone();
        }
        let view = Rc::new(self.look(snapshot, now));
        *self.view.borrow_mut() = Some(view.clone());
        view
    }

    fn look(&self, snapshot: &Snapshot, now: Instant) -> ClientView {
        let listener = snapshot.listeners.get(&self.listener);
        let place = listener.and_then(|listener| {
            let host = listener.host(self.facts.server_name.as_ref())?;
            Some((listener.clone(), host.clone()))
        });
        let (standing, peer) = match &place {
            Some((_, host)) => self.standing(snapshot, host),
            None => (Standing::Refused(FailureReason::UnknownServerName), None),
        };
        let sets = &snapshot.identity_sets;
        let identity = match &peer {
            Some(peer) => {
                let domain = snapshot.trust_domain(peer.trust_domain).map_or("", |domain| &domain.name);
                IdentityBlock::for_client(sets, peer, domain, principal(&standing))
            }
            None => IdentityBlock::for_nobody(sets),
        };
        let checked = Cell::new(now);
        ClientView { generation: snapshot.generation, checked, place, standing, peer, identity }
    }

    fn standing(&self, snapshot: &Snapshot, host: &HostPolicy) -> (Standing, Option<PeerCertificate>) {
        let seen = match self.verified_in {
            Some(generation) if generation == snapshot.generation => ChainSeen::ByHandshake,
            _ => ChainSeen::Never,
        };
        standing(snapshot, host, &self.facts.chain, seen)
    }
}

/// Whether this snapshot's trust has judged a chain already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainSeen {
    /// The handshake's verifier has just done so.
    ByHandshake,
    /// Not yet, or by another snapshot, or long ago (resumption).
    Never,
}

/// Who a chain is under a host's policy, judged by this snapshot's trust.
pub fn standing(
    snapshot: &Snapshot,
    host: &HostPolicy,
    chain: &[CertificateDer<'_>],
    seen: ChainSeen,
) -> (Standing, Option<PeerCertificate>) {
    let Some(domain) = &host.trust_domain else {
        return (Standing::Anonymous, None);
    };
    let Some(leaf) = chain.first() else {
        return match host.client_auth {
            ClientAuth::Required => (Standing::Refused(FailureReason::NoCertificate), None),
            ClientAuth::Optional | ClientAuth::Off => (Standing::Anonymous, None),
        };
    };
    if seen == ChainSeen::Never
        && let Err(error) = domain.verify(chain, UnixTime::now())
    {
        return (Standing::Refused(FailureReason::of_certificate(&error)), None);
    }
    let peer = match PeerCertificate::read(domain.id, leaf) {
        Ok(peer) => peer,
        Err(error) => {
            tracing::warn!(%error, "a verified certificate cannot be read");
            return (Standing::Refused(FailureReason::InvalidCertificate), None);
        }
    };
    if expired(&peer) {
        return (Standing::Refused(FailureReason::Expired), Some(peer));
    }
    let standing = match &peer.common_name {
        Err(error) => Standing::UnusableName(*error),
        Ok(_) => snapshot.users.identify(&peer).map_or(Standing::UnknownUser, Standing::Known),
    };
    (standing, Some(peer))
}

fn expired(peer: &PeerCertificate) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    // A clock before 1970 makes every certificate expired rather than none.
    now == 0 || i64::try_from(now).unwrap_or(i64::MAX) > peer.not_after
}

fn principal(standing: &Standing) -> Option<&Principal> {
    match standing {
        Standing::Known(principal) => Some(principal),
        _ => None,
    }
}

impl ClientView {
    /// A certificate also expires in the middle of a connection and of a generation. The clock on the wall is looked at
    /// ten times a second at most; certificates count seconds.
    fn still_holds(&self, now: Instant) -> bool {
        const FRESH: Duration = Duration::from_millis(100);
        if now.saturating_duration_since(self.checked.get()) < FRESH {
            return true;
        }
        self.checked.set(now);
        matches!(self.standing, Standing::Refused(_)) || !self.peer.as_ref().is_some_and(expired)
    }

    /// The client for [`decide`](super::request::decide). `None` if its listener or host is gone.
    pub(super) fn client(&self) -> Option<Client<'_>> {
        let (listener, host) = self.place.as_ref()?;
        Some(Client { listener, host, standing: &self.standing })
    }

    /// What upstreams are told where something beside the certificate has proven who the client is. `None` if that is
    /// what the certificate says, too.
    pub(super) fn identity_of(&self, snapshot: &Snapshot, user: &Principal) -> Option<IdentityBlock> {
        if self.principal().is_some_and(|known| known.id == user.id) {
            return None;
        }
        let sets = &snapshot.identity_sets;
        Some(match &self.peer {
            Some(peer) => {
                let domain = snapshot.trust_domain(peer.trust_domain).map_or("", |domain| &domain.name);
                IdentityBlock::for_client(sets, peer, domain, Some(user))
            }
            None => IdentityBlock::for_user(sets, user),
        })
    }

    /// The ApiUser, if it is one.
    pub(super) fn principal(&self) -> Option<&Principal> {
        principal(&self.standing)
    }
}
