//! Who is at the other end of a connection, in the snapshot that is in force now: found once for each generation, and
//! found again after every reload. For whom a front proxy speaks stands in `forwarded`. Judges no request.

mod shared;

use super::chain_standing::{Stood, principal, stand};
use super::expiry::{self, Expiry};
use super::forwarded::{ForwardedClients, Voice};
use super::request::{Client, Standing};
use super::told::Told;
use crate::clock;
use crate::identity::{Principal, ProxyHeader};
use crate::snapshot::{ListenerPolicy, Snapshot, SnapshotVersion};
use crate::telemetry::Telemetry;
use crate::tls::{
    FailureReason, HandshakeFacts, HostPolicy, PeerCertificate, PresentedCertificate, TrustDomainId,
};
use rustls::pki_types::UnixTime;
use std::cell::{Cell, OnceCell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The client of one connection.
pub(super) struct ConnectedClient {
    pub(super) listener: Arc<str>,
    pub(super) facts: HandshakeFacts,
    /// Where it is, and what it said before its handshake.
    pub(super) remote: RemoteEnd,
    telemetry: Arc<Telemetry>,
    pub(super) forwarded: ForwardedClients,
    view: RefCell<Option<Rc<ClientView>>>,
}

/// Who is at the other end of the socket.
pub(super) struct RemoteEnd {
    pub(super) address: IpAddr,
    /// The PROXY header, on a listener where connections begin with one.
    pub(super) header: Option<ProxyHeader>,
}

impl RemoteEnd {
    /// Where the client is. A PROXY header says so, and who may send none is not served.
    fn source(&self) -> IpAddr {
        match &self.header {
            Some(ProxyHeader::Client(said)) => said
                .addresses
                .map_or(self.address, |(client, _)| client.ip()),
            Some(ProxyHeader::Local) | None => self.address,
        }
    }
}

/// The policies that a client is under.
type ServedAt = (Arc<ListenerPolicy>, Arc<HostPolicy>);

/// A client as one snapshot sees it. Connections of the same client share it, so it says nothing of one alone.
pub(super) struct ClientView {
    version: SnapshotVersion,
    /// When its certificate's time was last compared with the clock.
    checked: Cell<Instant>,
    /// The last second, since 1970, in which its chain counts without being asked about again.
    until: i64,
    pub(super) place: Option<ServedAt>,
    pub(super) standing: Standing,
    pub(super) peer: Option<PeerCertificate>,
    /// What a certificate that does not count says of itself: for the log, and nobody else.
    pub(super) refused: Option<PresentedCertificate>,
    /// The domain that vouched, also where there is a name and no certificate.
    pub(super) vouched_by: Option<TrustDomainId>,
    /// For whom it speaks.
    pub(super) voice: Voice,
    /// What upstreams are told, the newest last: nearly always one.
    pub(super) told: RefCell<Vec<Told>>,
    pub(super) expiry: Expiry,
    /// Where the client is.
    source: IpAddr,
    /// Its certificate as the audit log has it, made when that is first asked for.
    pub(super) certificate_json: OnceCell<Option<Box<str>>>,
}

impl ConnectedClient {
    /// A client after its handshake.
    pub(super) fn new(
        listener: Arc<str>,
        facts: HandshakeFacts,
        remote: RemoteEnd,
        telemetry: Arc<Telemetry>,
    ) -> Self {
        Self {
            listener,
            facts,
            remote,
            telemetry,
            forwarded: RefCell::default(),
            view: RefCell::default(),
        }
    }

    /// Counts what is left of its certificate, right after the handshake. The look at it is the first request's, too.
    pub(super) fn observe(&self, snapshot: &Arc<Snapshot>, now: Instant) {
        if let Some(peer) = &self.view(snapshot, now).peer {
            expiry::observe(&self.telemetry, snapshot, peer);
        }
    }

    /// The client as this snapshot sees it now.
    pub(super) fn view(&self, snapshot: &Arc<Snapshot>, now: Instant) -> Rc<ClientView> {
        if let Some(view) = &*self.view.borrow()
            && view.holds(snapshot, now)
        {
            return view.clone();
        }
        let view = self.shared_view(snapshot, now).unwrap_or_else(|| {
            let view = Rc::new(self.look(snapshot, now));
            self.share(snapshot, &view);
            view
        });
        *self.view.borrow_mut() = Some(view.clone());
        view
    }

    /// Who it was when it was last looked at.
    pub(super) fn known_user(&self) -> Option<Arc<str>> {
        self.view
            .borrow()
            .as_ref()
            .and_then(|view| view.principal())
            .map(|user| user.name.clone())
    }

    /// Why the client of a listener that is gone does not count any more. Whom its host asks is gone with it; but the trust
    /// domain that vouched before may still be there, and then it is asked.
    pub(super) fn refused_without_listener(
        &self,
        snapshot: &Snapshot,
        before: &ClientView,
    ) -> Option<FailureReason> {
        let (peer, (_, host)) = (before.peer.as_ref()?, before.place.as_ref()?);
        let name = &host.trust_domain(peer.trust_domain)?.name;
        let domain = snapshot
            .trust_domains
            .iter()
            .find(|domain| domain.name == *name)?;
        if let Err(error) = domain.vouch(&self.facts.chain, UnixTime::now()) {
            return Some(error.reason());
        }
        let user = before.principal()?;
        domain
            .revocation()
            .denies_user(&user.name)
            .then_some(FailureReason::Revoked)
    }

    fn look(&self, snapshot: &Snapshot, now: Instant) -> ClientView {
        let listener = snapshot.listeners.get(&self.listener);
        let place = listener.and_then(|listener| {
            let host = listener.host(self.facts.server_name.as_ref())?;
            Some((listener.clone(), host.clone()))
        });
        let mut stood = match &place {
            Some((_, host)) => stand(snapshot, host, &self.facts.chain, |chain| {
                host.vouch(chain, UnixTime::now())
            }),
            None => Stood::without_certificate(Standing::Refused(FailureReason::UnknownServerName)),
        };
        let front = place
            .as_ref()
            .and_then(|(listener, _)| listener.front_proxy.as_ref());
        let voice = match Voice::of(&self.remote, front, &stood.standing) {
            Ok(voice) => voice,
            Err(refusal) => {
                stood.standing = Standing::Forwarded(refusal);
                Voice::Own
            }
        };
        self.seen(snapshot, now, (place, voice), stood)
    }

    /// Notes and tells of what was found.
    pub(super) fn seen(
        &self,
        snapshot: &Snapshot,
        now: Instant,
        (place, voice): (Option<ServedAt>, Voice),
        stood: Stood,
    ) -> ClientView {
        let Stood {
            standing,
            peer,
            vouched_by,
            until,
            expired_for,
        } = stood;
        let expiry = Expiry::of(&snapshot.expiry, peer.as_ref());
        if let Some(peer) = &peer {
            expiry::tell(&self.telemetry, snapshot, &standing, peer);
            if let (Some(over), Some(user)) = (expired_for, principal(&standing)) {
                expiry::tell_of_expired(&self.telemetry, snapshot, user, (peer, over));
            }
        }
        let refused = match (&standing, &peer, &voice) {
            (Standing::Refused(_), None, Voice::Own) => self
                .facts
                .chain
                .first()
                .and_then(PresentedCertificate::read),
            _ => None,
        };
        let (checked, told) = (Cell::new(now), RefCell::default());
        let version = snapshot.version();
        let source = self.remote.source();
        ClientView {
            version,
            checked,
            until,
            place,
            standing,
            peer,
            refused,
            vouched_by,
            voice,
            told,
            expiry,
            source,
            certificate_json: OnceCell::new(),
        }
    }
}

/// Whether a second has passed.
fn is_over(second: i64) -> bool {
    let now = clock::signed_seconds();
    // A clock before 1970 makes every certificate expired rather than none.
    now == 0 || now > second
}

impl ClientView {
    /// Whether it is what this snapshot sees at this moment.
    pub(super) fn holds(&self, snapshot: &Snapshot, now: Instant) -> bool {
        self.version == snapshot.version() && self.still_holds(now)
    }

    /// A certificate also expires in the middle of a connection and of a generation. The clock on the wall is looked at
    /// ten times a second at most; certificates count seconds.
    fn still_holds(&self, now: Instant) -> bool {
        const FRESH: Duration = Duration::from_millis(100);
        if now.saturating_duration_since(self.checked.get()) < FRESH {
            return true;
        }
        let holds = matches!(self.standing, Standing::Refused(_))
            || self.peer.is_none()
            || !is_over(self.until) && !self.expiry.is_outdated();
        // Once it does not hold, that must be found by all connections that share it, and not only by the first to look.
        if holds {
            self.checked.set(now);
        }
        holds
    }

    /// The client for [`decide`](super::request::decide). `None` if its listener or host is gone.
    pub(super) fn client(&self) -> Option<Client<'_>> {
        let (listener, host) = self.place.as_ref()?;
        Some(Client {
            listener,
            host,
            standing: &self.standing,
            vouched_by: self.vouched_by,
            certificate: self.peer.as_ref(),
            source: self.source,
            now: clock::signed_seconds(),
        })
    }

    /// The ApiUser, if it is one.
    pub(super) fn principal(&self) -> Option<&Principal> {
        principal(&self.standing)
    }
}
