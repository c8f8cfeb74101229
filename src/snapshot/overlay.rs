//! The overlay: what is taken away from the active snapshot without a load, as another value of the same snapshot. It takes
//! rights away and gives none, and ends with the next load that succeeds. Reads no file.

use super::{ListenerPolicy, Snapshot};
use crate::identity::{FrontProxy, UserId};
use crate::tls::{
    HostError, HostPolicy, RevocationUpdate, TrustDomain, TrustDomainError, TrustDomainId,
};
use std::collections::HashMap;
use std::sync::Arc;

/// ApiUsers that a rejected config has no more, or for a shorter time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WithdrawnUsers {
    /// They are gone.
    pub removed: Vec<UserId>,
    /// The last second, since 1970, in which they count.
    pub ends: HashMap<UserId, i64>,
}

/// Why an overlay cannot be made; the snapshot stays as it was.
#[derive(Debug, thiserror::Error)]
pub enum OverlayError {
    /// A trust domain.
    #[error("the trust domain \"{0}\" cannot be made anew")]
    TrustDomain(Arc<str>, #[source] TrustDomainError),
    /// A host of a listener.
    #[error("the listener \"{0}\" cannot be made anew")]
    Host(Arc<str>, #[source] HostError),
}

impl Snapshot {
    /// The same snapshot without these users. `None` if it has none of them.
    pub fn without_users(&self, withdrawn: &WithdrawnUsers) -> Option<Self> {
        let counts = |user: &UserId| self.users.get_left(*user).is_some();
        let removed: Vec<UserId> = withdrawn.removed.iter().copied().filter(counts).collect();
        let is_sooner = |user: &UserId, end: i64| {
            self.policy
                .enabled_until(*user)
                .is_none_or(|until| end < until)
        };
        let ends: HashMap<UserId, i64> = withdrawn
            .ends
            .iter()
            .map(|(user, end)| (*user, *end))
            .filter(|(user, end)| counts(user) && is_sooner(user, *end))
            .collect();
        if removed.is_empty() && ends.is_empty() {
            return None;
        }
        let mut overlay = self.next_overlay();
        overlay.changes_with_time |= !ends.is_empty();
        overlay.policy = self.policy.cut_short(&ends);
        overlay.users = self.users.without(&removed);
        Some(overlay)
    }

    /// The same snapshot where what files say by now is revoked. `None` if they say nothing new.
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
        // One host may stand under several names.
        let mut made: Vec<(*const HostPolicy, Arc<HostPolicy>)> = Vec::new();
        let hosts = self.hosts.try_map(|host| {
            if let Some((_, known)) = made.iter().find(|(old, _)| *old == Arc::as_ptr(host)) {
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
            made.push((Arc::as_ptr(host), new.clone()));
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
