//! The client that a front proxy names with a request. Its chain is verified here, and the result is kept for the
//! connection while the fields stay the same. Without a front proxy this costs one comparison.

use super::chain_identification::{
    ChainIdentification, ClientIdentification, identify_leaf, is_denied, principal,
};
use super::client::{ClientRole, ConnectedClient};
use super::client_view::ClientView;
use super::connection_facts::ConnectionAddresses;
use super::front_proxy_role::FrontProxyRole;
use super::request::ClientIdentity;
use crate::head::Fields;
use crate::identity::{
    Forwarded, ForwardedRejection, FrontProxy, Identifier, IdentityKind, ProxiedClient, ProxyHeader,
};
use crate::snapshot::Snapshot;
use crate::tls::{
    ChainError, ChainVerification, FailureReason, HandshakeFailure, PresentedCertificate,
};
use rustls::pki_types::{CertificateDer, UnixTime};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

/// A client that a front proxy named, and its chain, leaf first.
struct ForwardedIdentification {
    identification: ChainIdentification,
    /// Empty if the front proxy sent only a name, or nothing valid.
    chain: Vec<CertificateDer<'static>>,
}

impl From<ChainIdentification> for ForwardedIdentification {
    fn from(identification: ChainIdentification) -> Self {
        Self {
            identification,
            chain: Vec::new(),
        }
    }
}

impl ConnectedClient {
    /// The client of a request with these fields: that of the connection, which `view` shows, or the one that it names.
    pub(super) fn client_of_request<F: Fields + ?Sized>(
        &self,
        view: Rc<ClientView>,
        fields: &F,
        snapshot: &Snapshot,
        now: Instant,
    ) -> Rc<ClientView> {
        let FrontProxyRole::ForOthers(front) = &view.role else {
            return view;
        };
        let Ok(identity_fields) = front.said(fields) else {
            let identity = ClientIdentity::Forwarded(ForwardedRejection::Several);
            let rejected = ChainIdentification::without_certificate(identity).into();
            return self.forwarded_view(&view, rejected, snapshot, now);
        };
        if let Some(kept) = self.forwarded.find(&identity_fields, snapshot, now) {
            return kept;
        }
        let forwarded = match front.read(identity_fields, self.proxied()) {
            Ok(forwarded) => identify_forwarded(snapshot, front, forwarded, |chain| {
                front.trust_domain.verify_chain(chain, UnixTime::now())
            }),
            Err(rejection) => {
                ChainIdentification::without_certificate(ClientIdentity::Forwarded(rejection))
                    .into()
            }
        };
        let named = self.forwarded_view(&view, forwarded, snapshot, now);
        self.forwarded.keep(&identity_fields, &named);
        named
    }

    /// The addresses of the connection: those of the socket, unless the header of a front proxy states others.
    ///
    /// # Errors
    /// A client that is no front proxy sent a PROXY header.
    pub(super) fn addresses(
        &self,
        snapshot: &Arc<Snapshot>,
        socket: ConnectionAddresses,
    ) -> Result<ConnectionAddresses, Box<HandshakeFailure>> {
        let Some(header) = &self.remote.header else {
            return Ok(socket);
        };
        let view = self.view(snapshot, Instant::now());
        if let ClientIdentity::Forwarded(rejection) = &view.identity {
            let detail = format!(
                "a PROXY header from a client that may send none: {}",
                rejection.reason().word()
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
        Ok(match header {
            ProxyHeader::Client(proxied) if view.role.is_for_others() => {
                proxied
                    .addresses
                    .map_or(socket, |(client, local)| ConnectionAddresses {
                        client,
                        local,
                    })
            }
            ProxyHeader::Client(_) | ProxyHeader::Local => socket,
        })
    }

    fn proxied(&self) -> Option<&ProxiedClient> {
        match &self.remote.header {
            Some(ProxyHeader::Client(client)) => Some(client),
            Some(ProxyHeader::Local) | None => None,
        }
    }

    fn forwarded_view(
        &self,
        front_proxy: &ClientView,
        forwarded: ForwardedIdentification,
        snapshot: &Snapshot,
        now: Instant,
    ) -> Rc<ClientView> {
        let by = front_proxy
            .principal()
            .map(|user| user.name.clone())
            .unwrap_or_default();
        let role = ClientRole {
            policies: front_proxy.policies.clone(),
            role: FrontProxyRole::Forwarded {
                by,
                chain: forwarded.chain,
            },
        };
        Rc::new(self.new_view(snapshot, now, role, forwarded.identification))
    }
}

/// Identifies a forwarded client as after a handshake, but in the trust domain of the front proxy only. A rejection
/// concerns the forwarded client, not the connection.
fn identify_forwarded(
    snapshot: &Snapshot,
    front: &FrontProxy,
    forwarded: Forwarded,
    verify: impl FnOnce(&[CertificateDer<'static>]) -> Result<ChainVerification, ChainError>,
) -> ForwardedIdentification {
    let (mut identification, chain) = match forwarded {
        Forwarded::Chain(chain) => match chain.first() {
            Some(leaf) => {
                let result = verify(&chain);
                (identify_leaf(snapshot, leaf, result), chain)
            }
            None => (
                ChainIdentification::without_certificate(ClientIdentity::Forwarded(
                    ForwardedRejection::Missing,
                )),
                chain,
            ),
        },
        Forwarded::CommonName(name) => (identify_common_name(snapshot, front, &name), Vec::new()),
    };
    if let ClientIdentity::Refused(reason) = identification.identity {
        identification.identity =
            ClientIdentity::Forwarded(ForwardedRejection::Certificate(reason));
    }
    if principal(&identification.identity).is_some_and(|user| front.is_peer(user.id)) {
        identification.identity = ClientIdentity::Forwarded(ForwardedRejection::FrontProxyItself);
    }
    ForwardedIdentification {
        identification,
        chain,
    }
}

/// Identifies the client of a chain that a front proxy forwards at a moment, by the trust of this snapshot: for
/// explanations.
pub fn identify_forwarded_chain(
    snapshot: &Snapshot,
    front: &FrontProxy,
    chain: Vec<CertificateDer<'static>>,
    at: UnixTime,
) -> ClientIdentification {
    identify_forwarded(snapshot, front, Forwarded::Chain(chain), |chain| {
        front.trust_domain.verify_chain_dry_run(chain, at)
    })
    .identification
    .into()
}

/// Identifies the client with a common name that the front proxy states as verified.
fn identify_common_name(
    snapshot: &Snapshot,
    front: &FrontProxy,
    name: &str,
) -> ChainIdentification {
    let domain = front.trust_domain.id;
    let Ok(identifier) = Identifier::parse(IdentityKind::CommonName, name) else {
        let malformed = ForwardedRejection::Malformed("the common name cannot be one");
        return ChainIdentification::without_certificate(ClientIdentity::Forwarded(malformed));
    };
    let mut identity = ClientIdentity::from(snapshot.users.identify_by(domain, &identifier));
    let denied = front.trust_domain.revocation().denies_common_name(name);
    if denied || principal(&identity).is_some_and(|user| is_denied(snapshot, domain, user)) {
        identity = ClientIdentity::Refused(FailureReason::Denied);
    }
    let mut identification = ChainIdentification::without_certificate(identity);
    identification.verified_by = Some(domain);
    identification
}
