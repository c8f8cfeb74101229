//! Assembly of front proxies. A front proxy that cannot authenticate on its listener is an error.

use super::Assembly;
use super::trust::TrustDomains;
use super::users::Users;
use crate::config::{self, Belief, ForwardedIdentity, Spanned};
use crate::identity::{FrontProxy, Network, UserId};
use crate::snapshot::ListenerPolicy;
use std::sync::Arc;

impl Assembly<'_> {
    pub(super) fn front_proxies(
        &self,
        listeners: &mut [ListenerPolicy],
        users: &Users,
        trust: &TrustDomains,
    ) {
        for table in &self.config.listeners {
            let Some(front) = &table.front_proxy else {
                continue;
            };
            let listener = listeners
                .iter_mut()
                .find(|listener| *listener.name == *table.name.value);
            let built = self.front_proxy(front, listener.as_deref(), users, trust);
            if let Some(listener) = listener {
                listener.front_proxy = built.map(Arc::new);
            }
        }
    }

    /// Builds a front proxy. All errors are reported before the function returns `None`.
    fn front_proxy(
        &self,
        table: &config::FrontProxyTable,
        listener: Option<&ListenerPolicy>,
        users: &Users,
        trust: &TrustDomains,
    ) -> Option<FrontProxy> {
        let named = table.trust_domain.as_ref();
        let domain = named.and_then(|name| {
            self.resolve_domain(trust, Some(name), name.place, "this front proxy")
        });
        let peers: Vec<_> = table
            .peers
            .iter()
            .map(|name| self.peer(name, listener, users))
            .collect();
        if peers.is_empty() {
            let hint = "name the ApiUsers that speak for others: `peers = [\"edge-lb\"]`";
            self.problems
                .error(table.place, "`front_proxy` has no `peers`", hint);
        }
        let sources: Option<Vec<_>> = match &table.sources {
            None => Some(Vec::new()),
            Some(sources) if sources.is_empty() => {
                let hint = "name networks such as \"10.0.0.0/8\", or remove it: then they may be everywhere";
                self.problems.error(
                    table.place,
                    "`sources` is empty, so no front proxy could be anywhere",
                    hint,
                );
                None
            }
            Some(sources) => {
                let read: Vec<_> = sources.iter().map(|text| self.network(text)).collect();
                read.into_iter().collect()
            }
        };
        let belief = self.belief(table);
        let peers: Vec<UserId> = peers.into_iter().collect::<Option<_>>()?;
        let identity = table.identity.as_ref()?.value;
        let complete = !peers.is_empty();
        let front = FrontProxy {
            identity,
            peers,
            sources: sources?,
            trust_domain: domain?,
            belief: belief?,
        };
        complete.then_some(front)
    }

    /// The user of a front proxy. Reports an unknown user, and a user that cannot authenticate on this listener.
    fn peer(
        &self,
        name: &Spanned<String>,
        listener: Option<&ListenerPolicy>,
        users: &Users,
    ) -> Option<UserId> {
        let Some(user) = users.users.named(&name.value) else {
            let names: Vec<String> = users
                .users
                .iter()
                .map(|user| user.name.to_string())
                .collect();
            let message = format!("there is no api_user \"{}\"", name.value);
            self.problems
                .error(name.place, message, self.known("api_users", names.iter()));
            return None;
        };
        let mut hosts = listener
            .into_iter()
            .flat_map(|listener| listener.hosts.iter());
        let can_authenticate = hosts.any(|host| {
            host.trust_domains
                .iter()
                .any(|domain| users.users.can_be_proven_in(domain.id, user.id))
        });
        if !can_authenticate && listener.is_some() && !self.problems.any_error() {
            let message = format!(
                "api_user \"{}\" cannot prove on this listener who it is",
                name.value
            );
            let hint = "let a host of the listener ask for the user's trust domain, and give the user a `client_cn` or \
                        another `client_` key";
            self.problems.error(name.place, message, hint);
            return None;
        }
        Some(user.id)
    }

    pub(super) fn network(&self, text: &Spanned<String>) -> Option<Network> {
        let report = |error| {
            let message = format!("\"{}\" is not a network: {error}", text.value);
            self.problems.error(
                text.place,
                message,
                "write for example \"10.0.0.0/8\", \"192.0.2.7\" or \"2001:db8::/32\"",
            );
        };
        text.value.parse().map_err(report).ok()
    }

    fn belief(&self, table: &config::FrontProxyTable) -> Option<Belief> {
        let Some(belief) = &table.believe else {
            return Some(Belief::default());
        };
        let identity = table.identity.as_ref().map(|setting| setting.value);
        if belief.value == Belief::CommonName
            && identity.is_some_and(|table| table != ForwardedIdentity::ProxyV2)
        {
            let message = "`believe = \"common-name\"` is for `identity = \"proxy-v2\"`";
            self.problems.error(
                belief.place,
                message,
                "remove it: by header fields, certificates come whole",
            );
            return None;
        }
        if belief.value == Belief::CommonName && self.depth == super::Depth::Warnings {
            let message = "this front proxy can claim any client name, without a certificate";
            let hint = "revocation lists and expiry cannot be held against a name; let the proxy send the certificate \
                        (PP2_SUBTYPE_SSL_CLIENT_CERT) if it can, and remove `believe`";
            self.problems.warning(belief.place, message, hint);
        }
        Some(belief.value)
    }
}
