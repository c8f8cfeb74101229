//! Trust domains that a route requires.

use super::Assembly;
use super::trust::TrustDomains;
use crate::config::{self, ClientAuth, Spanned};
use crate::route::AcceptedDomains;
use crate::snapshot::ListenerPolicy;
use crate::tls::TrustDomain;
use std::sync::Arc;

impl Assembly<'_> {
    /// The trust domains that must have verified a client of the route. `None` for an error, which was reported.
    pub(super) fn required_domains(
        &self,
        entry: &config::RouteEntry,
        trust: &TrustDomains,
        listeners: &[ListenerPolicy],
    ) -> Option<AcceptedDomains> {
        if let (Some(_), Some(several)) = (&entry.trust_domain, entry.trust_domains.first()) {
            let message = "a route has both `trust_domain` and `trust_domains`";
            self.problems.error(several.place, message, "keep one");
            return None;
        }
        let named: Vec<_> = entry
            .trust_domain
            .iter()
            .chain(&entry.trust_domains)
            .collect();
        let Some(first) = named.first() else {
            return Some(AcceptedDomains::Any);
        };
        if entry
            .client_auth
            .as_ref()
            .is_some_and(|auth| auth.value != ClientAuth::Required)
        {
            let message = "a route for all clients cannot require a trust domain";
            let hint = "remove it, or `client_auth` (then it is \"required\")";
            self.problems.error(first.place, message, hint);
            return None;
        }
        let resolved: Vec<_> = named
            .into_iter()
            .map(|name| {
                let domain = self.resolve_domain(trust, Some(name), name.place, "this route")?;
                self.is_verified_on(entry, name, &domain, listeners)
                    .then_some(domain.id)
            })
            .collect();
        resolved
            .into_iter()
            .collect::<Option<Box<[_]>>>()
            .map(AcceptedDomains::OneOf)
    }

    /// Checks that a listener of the route verifies clients with this domain. Otherwise no client could use the route.
    fn is_verified_on(
        &self,
        entry: &config::RouteEntry,
        name: &Spanned<String>,
        domain: &Arc<TrustDomain>,
        listeners: &[ListenerPolicy],
    ) -> bool {
        let names = &entry.listeners;
        let mut serving = listeners
            .iter()
            .filter(|listener| {
                names.is_empty() || names.iter().any(|name| *name.value == *listener.name)
            })
            .peekable();
        // Unknown listeners, and those with errors, are reported elsewhere.
        let verified = serving.peek().is_none()
            || listeners.len() < self.config.listeners.len()
            || serving.any(|listener| {
                let mut verified = listener.hosts.iter().flat_map(|host| &host.trust_domains);
                verified.any(|verified| Arc::ptr_eq(verified, domain))
                    || listener
                        .front_proxy
                        .as_ref()
                        .is_some_and(|front| Arc::ptr_eq(&front.trust_domain, domain))
            })
            || self.problems.any_error();
        if !verified {
            let message = format!(
                "no host of this route's listeners asks for trust domain \"{}\"",
                domain.name
            );
            let hint = "add it to a host of the listener, or name another domain";
            self.problems.error(name.place, message, hint);
        }
        verified
    }
}
