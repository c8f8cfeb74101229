//! What upstreams are told about the client of a connection, in headers and in the PROXY protocol: made when it is first
//! needed, and kept beside what one snapshot sees of the client. Finds out nothing about the client.

use super::client::{ClientView, ConnectedClient};
use super::connection_facts::ConnectionFacts;
use super::credentials::Checked;
use super::request::shows_its_own_certificate;
use crate::clock;
use crate::config::ProxyProtocol;
use crate::identity::{
    IdentityBlock, IdentitySelection, KnownClient, ProxiedConnection, Session, UserId,
    VerifiedCertificate, proxy_header,
};
use crate::snapshot::Snapshot;
use crate::tls::Resumption;
use crate::upstream::Upstream;
use std::rc::Rc;
use std::sync::Arc;

/// What one kind of upstream is told about a user.
pub(super) struct Told {
    selection: Arc<IdentitySelection>,
    user: Option<UserId>,
    certificate: Certificate,
    block: Rc<IdentityBlock>,
}

impl Told {
    fn is_for(
        &self,
        selection: &Arc<IdentitySelection>,
        user: Option<UserId>,
        certificate: Certificate,
    ) -> bool {
        (self.user, self.certificate) == (user, certificate)
            && (Arc::ptr_eq(&self.selection, selection) || self.selection == *selection)
    }
}

/// Whether an upstream is told of the certificate of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Certificate {
    Told,
    /// A password has proven another one than it names, and an upstream is told of one person only.
    Hidden,
}

impl Certificate {
    fn of(view: &ClientView, checked: &Checked) -> Self {
        match shows_its_own_certificate(&view.standing, &checked.evidence.presented) {
            true => Self::Told,
            false => Self::Hidden,
        }
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
        checked: &Checked,
        (upstream, snapshot): (&Upstream, &Snapshot),
    ) -> Rc<IdentityBlock> {
        let selection = &upstream.identity;
        let (id, certificate) = (
            checked.user(view).map(|user| user.id),
            Certificate::of(view, checked),
        );
        let mut told = view.told.borrow_mut();
        let place = told
            .iter()
            .position(|told| told.is_for(selection, id, certificate));
        if let Some(kept) = place.and_then(|place| told.get(place))
            && kept.block.is_fresh(clock::seconds)
        {
            return kept.block.clone();
        }
        let known = self.known(view, checked, snapshot);
        let block = Rc::new(IdentityBlock::new(
            selection,
            &known,
            snapshot.assertions.as_deref(),
            clock::seconds(),
        ));
        if let Some(old) = place {
            told.remove(old);
        } else if told.len() >= MOST_KEPT {
            told.remove(0);
        }
        told.push(Told {
            selection: selection.clone(),
            user: id,
            certificate,
            block: block.clone(),
        });
        block
    }

    /// What a connection to this upstream begins with; `view` is `None` where nothing about the client may be told.
    pub(super) fn preface(
        &self,
        view: Option<&ClientView>,
        checked: &Checked,
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
            known: view.map_or_else(KnownClient::default, |view| {
                self.known(view, checked, snapshot)
            }),
        };
        Some(proxy_header(&connection).into_boxed_slice())
    }

    /// All that may be told about the client of this view, and about who it has proven to be.
    pub(super) fn known<'a>(
        &'a self,
        view: &'a ClientView,
        checked: &'a Checked,
        snapshot: &'a Snapshot,
    ) -> KnownClient<'a> {
        let shown = view
            .peer
            .as_ref()
            .filter(|_| Certificate::of(view, checked) == Certificate::Told);
        let certificate = shown.map(|peer| VerifiedCertificate {
            peer,
            domain: snapshot
                .trust_domain(peer.trust_domain)
                .map_or("", |domain| &domain.name),
            chain: view.voice.chain().unwrap_or(&self.facts.chain),
        });
        let own_uri = view
            .place
            .as_ref()
            .and_then(|(_, host)| host.own_uri.as_deref());
        KnownClient {
            certificate,
            user: checked.user(view),
            forwarded_by: view.forwarded_by(),
            own_uri,
        }
    }
}
