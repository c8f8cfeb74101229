//! The identity of a client for upstreams, as headers and as a PROXY header. Made when it is first needed, and kept in
//! the client's view.

use super::checked_evidence::CheckedEvidence;
use super::client::ConnectedClient;
use super::client_view::{CertificateDisclosure, ClientView, IdentityHeaderCache};
use super::connection_facts::ConnectionFacts;
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

impl IdentityHeaderCache {
    fn is_for(
        &self,
        selection: &Arc<IdentitySelection>,
        user: Option<UserId>,
        certificate: CertificateDisclosure,
    ) -> bool {
        (self.user, self.certificate) == (user, certificate)
            && (Arc::ptr_eq(&self.selection, selection) || self.selection == *selection)
    }
}

impl CertificateDisclosure {
    fn of(view: &ClientView, checked: &CheckedEvidence) -> Self {
        match shows_its_own_certificate(&view.identity, &checked.evidence.presented) {
            true => Self::Disclosed,
            false => Self::Hidden,
        }
    }
}

/// The maximum number of identity blocks of a client. Its upstreams have few selections, and it is nearly always one
/// user.
const MOST_KEPT: usize = 16;

impl ConnectedClient {
    /// The identity block for an upstream: the client of this view, which belongs to this snapshot, and the user that it
    /// has proven to be. Made at the first such request, and again when its assertion is too old.
    pub(super) fn identity(
        &self,
        view: &ClientView,
        checked: &CheckedEvidence,
        upstream: &Upstream,
        snapshot: &Snapshot,
    ) -> Rc<IdentityBlock> {
        let selection = &upstream.identity;
        let user = checked.user(view).map(|user| user.id);
        let certificate = CertificateDisclosure::of(view, checked);
        let mut cached = view.identity_headers.borrow_mut();
        let index = cached
            .iter()
            .position(|headers| headers.is_for(selection, user, certificate));
        if let Some(kept) = index.and_then(|index| cached.get(index))
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
        if let Some(old) = index {
            cached.remove(old);
        } else if cached.len() >= MOST_KEPT {
            cached.remove(0);
        }
        cached.push(IdentityHeaderCache {
            selection: selection.clone(),
            user,
            certificate,
            block: block.clone(),
        });
        block
    }

    /// The PROXY header for a connection to this upstream. `view` is `None` if the upstream gets no identity.
    pub(super) fn preface(
        &self,
        view: Option<&ClientView>,
        checked: &CheckedEvidence,
        upstream: &Upstream,
        snapshot: &Snapshot,
        facts: &ConnectionFacts,
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

    /// The client of this view and the user that it has proven to be, as upstreams may know them.
    pub(super) fn known<'a>(
        &'a self,
        view: &'a ClientView,
        checked: &'a CheckedEvidence,
        snapshot: &'a Snapshot,
    ) -> KnownClient<'a> {
        let shown = view.peer.as_ref().filter(|_| {
            CertificateDisclosure::of(view, checked) == CertificateDisclosure::Disclosed
        });
        let certificate = shown.map(|peer| VerifiedCertificate {
            peer,
            domain: snapshot
                .trust_domain(peer.trust_domain)
                .map_or("", |domain| &domain.name),
            chain: view.role.chain().unwrap_or(&self.facts.chain),
        });
        let own_uri = view
            .policies
            .as_ref()
            .and_then(|policies| policies.host.own_uri.as_deref());
        KnownClient {
            certificate,
            user: checked.user(view),
            forwarded_by: view.forwarded_by(),
            own_uri,
        }
    }
}
