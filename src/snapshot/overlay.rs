//! Overlays: copies of the active snapshot with fewer rights, made without a load. An overlay never grants a right, and
//! the next successful load replaces it.

use super::{ListenerPolicy, Snapshot};
use crate::identity::{FrontProxy, UserId};
use crate::tls::{
    HostError, HostPolicy, RevocationUpdate, TrustDomain, TrustDomainError, TrustDomainId,
};
use std::collections::HashMap;
use std::sync::Arc;

/// ApiUsers that a rejected config removes or ends sooner.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WithdrawnUsers {
    /// Users that are removed.
    pub removed: Vec<UserId>,
    /// Last second in which the user is enabled, in Unix time.
    pub ends: HashMap<UserId, i64>,
}

/// Why an overlay cannot be made. The active snapshot stays.
#[derive(Debug, thiserror::Error)]
pub enum OverlayError {
    /// A trust domain cannot be rebuilt.
    #[error("the trust domain \"{0}\" cannot be made anew")]
    TrustDomain(Arc<str>, #[source] TrustDomainError),
    /// A host of a listener cannot be rebuilt.
    #[error("the listener \"{0}\" cannot be made anew")]
    Host(Arc<str>, #[source] HostError),
}

impl Snapshot {
    /// A copy without these users. `None` if nothing changes.
    pub fn without_users(&self, withdrawn: &WithdrawnUsers) -> Option<Self> {
        let is_active = |user: &UserId| self.users.get_left(*user).is_some();
        let removed: Vec<UserId> = withdrawn
            .removed
            .iter()
            .copied()
            .filter(is_active)
            .collect();
        let is_sooner = |user: &UserId, end: i64| {
            self.policy
                .enabled_until(*user)
                .is_none_or(|until| end < until)
        };
        let ends: HashMap<UserId, i64> = withdrawn
            .ends
            .iter()
            .map(|(user, end)| (*user, *end))
            .filter(|(user, end)| is_active(user) && is_sooner(user, *end))
            .collect();
        if removed.is_empty() && ends.is_empty() {
            return None;
        }
        let mut overlay = self.next_overlay();
        overlay.changes_with_time |= !ends.is_empty();
        overlay.policy = self.policy.with_end_times(&ends);
        overlay.users = self.users.without(&removed);
        Some(overlay)
    }

    /// A copy with newer revocations. `None` if there are none.
    ///
    /// # Errors
    /// [`OverlayError`]
    pub fn with_revocations(
        &self,
        updates: &HashMap<TrustDomainId, RevocationUpdate>,
    ) -> Result<Option<Self>, OverlayError> {
        let mut changed: Vec<Arc<TrustDomain>> = Vec::new();
        for domain in &self.trust_domains {
            let updated = updates
                .get(&domain.id)
                .and_then(|update| domain.revocation().updated(update));
            let Some(revocation) = updated else { continue };
            let failed = |error| OverlayError::TrustDomain(domain.name.clone(), error);
            changed.push(Arc::new(
                domain.with_revocation(revocation).map_err(failed)?,
            ));
        }
        if changed.is_empty() {
            return Ok(None);
        }
        let mut overlay = self.next_overlay();
        for domain in &mut overlay.trust_domains {
            *domain = current(&changed, domain);
        }
        for listener in overlay.listeners.values_mut() {
            let failed = |error| OverlayError::Host(listener.name.clone(), error);
            *listener = Arc::new(listener.with_trust_domains(&changed).map_err(failed)?);
        }
        Ok(Some(overlay))
    }

    fn next_overlay(&self) -> Self {
        Self {
            overlay: self.overlay + 1,
            ..self.clone()
        }
    }
}

impl ListenerPolicy {
    fn with_trust_domains(&self, changed: &[Arc<TrustDomain>]) -> Result<Self, HostError> {
        // One host may have several names.
        let mut rebuilt: Vec<(*const HostPolicy, Arc<HostPolicy>)> = Vec::new();
        let hosts = self.hosts.try_map(|host| {
            if let Some((_, known)) = rebuilt.iter().find(|(old, _)| *old == Arc::as_ptr(host)) {
                return Ok(known.clone());
            }
            let is_changed = host
                .trust_domains
                .iter()
                .any(|domain| !Arc::ptr_eq(&current(changed, domain), domain));
            let new = if is_changed {
                Arc::new(host.with_trust_domains(changed)?)
            } else {
                host.clone()
            };
            rebuilt.push((Arc::as_ptr(host), new.clone()));
            Ok(new)
        })?;
        let front_proxy = self.front_proxy.as_ref().map(|front| {
            let trust_domain = current(changed, &front.trust_domain);
            Arc::new(FrontProxy {
                trust_domain,
                ..FrontProxy::clone(front)
            })
        });
        Ok(Self {
            hosts,
            front_proxy,
            ..self.clone()
        })
    }
}

fn current(changed: &[Arc<TrustDomain>], domain: &Arc<TrustDomain>) -> Arc<TrustDomain> {
    changed
        .iter()
        .find(|new| new.id == domain.id)
        .unwrap_or(domain)
        .clone()
}
