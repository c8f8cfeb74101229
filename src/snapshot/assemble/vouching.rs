//! Which trust domains a route demands. Whom a host asks stands in `listeners`.

use super::Assembly;
use super::trust::TrustDomains;
use crate::config::{self, ClientAuth, Spanned};
use crate::route::VouchedBy;
use crate::snapshot::ListenerPolicy;
use crate::tls::TrustDomain;
use std::sync::Arc;

impl Assembly<'_> {
    /// Who must have vouched for a route's clients; `None` if that could not be settled and was reported.
    pub(super) fn vouched_by(
        &self,
        said: &config::Route,
        trust: &TrustDomains,
        listeners: &[ListenerPolicy],
    ) -> Option<VouchedBy> {
        if let (Some(_), Some(several)) = (&said.trust_domain, said.trust_domains.first()) {
            let message = "a route has both `trust_domain` and `trust_domains`";
            self.problems.error(several.place, message, "keep one");
            return None;
        }
        let named: Vec<_> = said
            .trust_domain
            .iter()
            .chain(&said.trust_domains)
            .collect();
        let Some(first) = named.first() else {
            return Some(VouchedBy::Any);
        };
        if said
            .client_auth
            .as_ref()
            .is_some_and(|auth| auth.value != ClientAuth::Required)
        {
            let message = "a route that lets everybody in cannot demand a trust domain";
            let hint = "remove it, or `client_auth` (then it is \"required\")";
            self.problems.error(first.place, message, hint);
            return None;
        }
        let read: Vec<_> = named
            .into_iter()
            .map(|name| {
                let domain = self.meant_domain(trust, Some(name), name.place, "this route")?;
                self.is_asked_for(said, name, &domain, listeners)
                    .then_some(domain.id)
            })
            .collect();
        read.into_iter()
            .collect::<Option<Box<[_]>>>()
            .map(VouchedBy::OneOf)
    }

    /// A demand that nobody can meet is a mistake.
    fn is_asked_for(
        &self,
        said: &config::Route,
        name: &Spanned<String>,
        domain: &Arc<TrustDomain>,
        listeners: &[ListenerPolicy],
    ) -> bool {
        let names = &said.listeners;
        let mut serving = listeners
            .iter()
            .filter(|listener| {
                names.is_empty() || names.iter().any(|name| *name.value == *listener.name)
            })
            .peekable();
        // Unknown listeners, and those that could not be built, are reported elsewhere.
        let asked = serving.peek().is_none()
            || listeners.len() < self.config.listeners.len()
            || serving.any(|listener| {
                let mut asked = listener.hosts.iter().flat_map(|host| &host.trust_domains);
                asked.any(|asked| Arc::ptr_eq(asked, domain))
                    || listener
                        .front_proxy
                        .as_ref()
                        .is_some_and(|front| Arc::ptr_eq(&front.trust_domain, domain))
            })
            || self.problems.any_error();
        if !asked {
            let message = format!(
                "no host of this route's listeners asks for trust domain \"{}\"",
                domain.name
            );
            let hint = "add it to a host of the listener, or name another domain";
            self.problems.error(name.place, message, hint);
        }
        asked
    }
}
