//! What upstreams are told about the client of a connection, in headers and in the PROXY protocol: made when it is first
//! needed, and kept beside what one snapshot sees of the client. Finds out nothing about the client.

use super::client::{ClientView, ConnectedClient};
use super::record::ConnectionFacts;
use crate::config::ProxyProtocol;
use crate::identity::{
    IdentityBlock, IdentitySelection, KnownClient, Principal, ProxiedConnection, Session, UserId, VerifiedCertificate,
    proxy_header,
};
use crate::snapshot::Snapshot;
use crate::tls::Resumption;
use crate::upstream::Upstream;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// What one kind of upstream is told about a user.
pub(super) struct Told {
    selection: Arc<IdentitySelection>,
    user: Option<UserId>,
    block: Rc<IdentityBlock>,
}

impl Told {
    fn is_for(&self, selection: &Arc<IdentitySelection>, user: Option<UserId>) -> bool {
        self.user == user && (Arc::ptr_eq(&self.selection, selection) || self.selection == *selection)
    }
}

/// So many are kept for a client: its upstreams have few selections, and it is nearly always one user.
const MOST_KEPT: usize = 16;

impl ConnectedClient {
    /// What an upstream is told about the client of this view, which belongs to this snapshot, and about who it has proven
    /// to be. Made at the first such request, and anew when its assertion has grown old.
    pub(super) fn identity(
        &self,
        view: &ClientView,
        user: Option<&Principal>,
        (upstream, snapshot): (&Upstream, &Snapshot),
    ) -> Rc<IdentityBlock> {
        let selection = &upstream.identity;
        let id = user.map(|user| user.id);
        let mut told = view.told.borrow_mut();
        let place = told.iter().position(|told| told.is_for(selection, id));
        if let Some(kept) = place.and_then(|place| told.get(place))
            && kept.block.is_fresh(wall_clock)
        {
            return kept.block.clone();
        }
        let known = KnownClient { user, ..self.known(view, snapshot) };
        let block = Rc::new(IdentityBlock::new(selection, &known, snapshot.assertions.as_deref(), wall_clock()));
        if let Some(old) = place {
            told.remove(old);
        } else if told.len() >= MOST_KEPT {
            told.remove(0);
        }
        told.push(Told { selection: selection.clone(), user: id, block: block.clone() });
        block
    }

    /// What a connection to this upstream begins with; `view` is `None` where nothing about the client may be told.
    pub(super) fn preface(
        &self,
        view: Option<&ClientView>,
        user: Option<&Principal>,
        (upstream, snapshot, facts): (&Upstream, &Snapshot, &ConnectionFacts),
    ) -> Option<Box<[u8]>> {
        if upstream.proxy_protocol == ProxyProtocol::Off {
            return None;
        }
        let connection = ProxiedConnection {
            client: facts.client,
            local: facts.local,
            server_name: facts.server_name.as_deref(),
            version: facts.tls,
            session: match self.facts.resumption {
                Resumption::Full => Session::New,
                Resumption::Resumed => Session::Resumed,
            },
            known: view.map_or_else(KnownClient::default, |view| KnownClient { user, ..self.known(view, snapshot) }),
        };
        Some(proxy_header(&connection).into_boxed_slice())
    }

    fn known<'a>(&'a self, view: &'a ClientView, snapshot: &'a Snapshot) -> KnownClient<'a> {
        let certificate = view.peer.as_ref().map(|peer| VerifiedCertificate {
            peer,
            domain: snapshot.trust_domain(peer.trust_domain).map_or("", |domain| &domain.name),
            chain: view.voice.chain().unwrap_or(&self.facts.chain),
        });
        let own_uri = view.place.as_ref().and_then(|(_, host)| host.own_uri.as_deref());
        KnownClient { certificate, user: view.principal(), forwarded_by: view.forwarded_by(), own_uri }
    }
}

/// Seconds since 1970; 0 before.
fn wall_clock() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
