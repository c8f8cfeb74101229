//! All ApiUsers of a snapshot, and whose a certificate is: one user's, nobody's or, which is the same, two users'. Says
//! nothing about what a user may do.

use super::{Identified, Identifier, IdentityKind, Principal, ReservedNames, RoleId, UserId};
use crate::config::Place;
use crate::tls::{NameKind, PeerCertificate, TrustDomainId, UnusableName};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// A configured user.
#[derive(Clone, Debug)]
pub struct ApiUser {
    /// The name.
    pub name: Arc<str>,
    /// Where it stands in the config.
    pub place: Place,
    /// For how long its certificates still count when they have expired.
    pub tolerate_expiry: Duration,
}

/// Parts of a subject that bring roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RoleSource {
    /// O
    Organization,
    /// OU
    OrganizationalUnit,
}

/// All ApiUsers, found by what their certificates say. A clone costs little.
#[derive(Clone, Debug, Default)]
pub struct ApiUsers {
    loaded: Arc<LoadedUsers>,
    /// Those who are gone by now: nobody is them, and what is theirs is nobody else's.
    removed: Arc<HashSet<UserId>>,
}

#[derive(Clone, Debug, Default)]
struct LoadedUsers {
    users: Vec<ApiUser>,
    by_identifier: HashMap<(TrustDomainId, Identifier), UserId>,
    by_name: HashMap<Arc<str>, UserId>,
    reserved: HashMap<TrustDomainId, ReservedNames>,
    roles: HashMap<(TrustDomainId, RoleSource), HashMap<Box<str>, Vec<RoleId>>>,
}

/// Two users want the same.
#[derive(Debug)]
pub struct Taken(pub ApiUser);

impl ApiUsers {
    /// Adds a user, who is not yet found by any certificate.
    ///
    /// # Errors
    /// The user that has the name already.
    pub fn add(
        &mut self,
        name: &str,
        place: Place,
        tolerate_expiry: Duration,
    ) -> Result<UserId, Taken> {
        let loaded = Arc::make_mut(&mut self.loaded);
        if let Some(there) = loaded
            .by_name
            .get(name)
            .and_then(|id| loaded.users.get(id.index()))
        {
            return Err(Taken(there.clone()));
        }
        let id = UserId(u32::try_from(loaded.users.len()).unwrap_or(u32::MAX));
        let name: Arc<str> = name.into();
        loaded.by_name.insert(name.clone(), id);
        loaded.users.push(ApiUser {
            name,
            place,
            tolerate_expiry,
        });
        Ok(id)
    }

    /// Lets certificates of a trust domain with this value be the user.
    ///
    /// # Errors
    /// The other user that they are already.
    pub fn bind(
        &mut self,
        domain: TrustDomainId,
        identifier: Identifier,
        user: UserId,
    ) -> Result<(), Taken> {
        let loaded = Arc::make_mut(&mut self.loaded);
        let there = *loaded
            .by_identifier
            .entry((domain, identifier))
            .or_insert(user);
        match loaded.users.get(there.index()) {
            Some(other) if there != user => Err(Taken(other.clone())),
            _ => Ok(()),
        }
    }

    /// Lets certificates of a trust domain with this O or OU bring a role to whoever they are.
    pub fn bind_role(
        &mut self,
        domain: TrustDomainId,
        source: RoleSource,
        value: Box<str>,
        role: RoleId,
    ) {
        Arc::make_mut(&mut self.loaded)
            .roles
            .entry((domain, source))
            .or_default()
            .entry(value)
            .or_default()
            .push(role);
    }

    /// Lets no certificate of a trust domain with such a name be anybody.
    pub fn reserve(&mut self, domain: TrustDomainId, names: ReservedNames) {
        Arc::make_mut(&mut self.loaded)
            .reserved
            .insert(domain, names);
    }

    /// Whether a value is a reserved name of a trust domain.
    pub fn is_reserved(&self, domain: TrustDomainId, identifier: &Identifier) -> bool {
        self.loaded
            .reserved
            .get(&domain)
            .is_some_and(|names| names.reserves(identifier))
    }

    /// Whose a verified certificate is. This runs once for each connection and generation.
    pub fn identify(&self, peer: &PeerCertificate) -> Identified {
        if let Some(name) = self
            .loaded
            .reserved
            .get(&peer.trust_domain)
            .and_then(|names| names.find(peer))
        {
            return Identified::Reserved(name);
        }
        let mut found: Option<(UserId, IdentityKind)> = None;
        for identifier in Identifier::of(peer) {
            let kind = identifier.kind();
            let Some(user) = self
                .loaded
                .by_identifier
                .get(&(peer.trust_domain, identifier))
            else {
                continue;
            };
            match found {
                None => found = Some((*user, kind)),
                Some((other, _)) if other != *user => return self.ambiguous(other, *user),
                Some(_) => {}
            }
        }
        let Some((user, kind)) = found else {
            return nobody(peer);
        };
        match self.roles_of(peer) {
            Ok(roles) => self.known(user, Some(kind), roles),
            Err(unusable) => Identified::Unusable(unusable),
        }
    }

    /// Whose a certificate of a trust domain would be that had this value, and no other that counts.
    pub fn identify_by(&self, domain: TrustDomainId, identifier: &Identifier) -> Identified {
        if self.is_reserved(domain, identifier) {
            return Identified::Reserved(identifier.value().into());
        }
        match self.loaded.by_identifier.get(&(domain, identifier.clone())) {
            Some(user) => self.known(*user, Some(identifier.kind()), Box::default()),
            None => Identified::Unknown,
        }
    }

    fn known(
        &self,
        id: UserId,
        identified_by: Option<IdentityKind>,
        extra_roles: Box<[RoleId]>,
    ) -> Identified {
        match self
            .loaded
            .users
            .get(id.index())
            .filter(|_| !self.removed.contains(&id))
        {
            Some(user) => Identified::Known(Principal {
                id,
                name: user.name.clone(),
                identified_by,
                extra_roles,
            }),
            None => Identified::Unknown,
        }
    }

    fn ambiguous(&self, one: UserId, other: UserId) -> Identified {
        let name = |id: UserId| {
            self.loaded
                .users
                .get(id.index())
                .map(|user| user.name.clone())
                .unwrap_or_default()
        };
        Identified::Ambiguous(name(one), name(other))
    }

    /// The roles that a certificate brings. Where any depend on what it is organized in, that must be readable: a role
    /// may also deny.
    fn roles_of(&self, peer: &PeerCertificate) -> Result<Box<[RoleId]>, UnusableName> {
        let mut roles: Vec<RoleId> = Vec::new();
        for (source, kind, values) in [
            (
                RoleSource::Organization,
                NameKind::Organization,
                &peer.organizations,
            ),
            (
                RoleSource::OrganizationalUnit,
                NameKind::OrganizationalUnit,
                &peer.organizational_units,
            ),
        ] {
            let Some(known) = self.loaded.roles.get(&(peer.trust_domain, source)) else {
                continue;
            };
            if let Some((kind, reason)) = peer
                .unusable_names
                .iter()
                .find(|(unusable, _)| *unusable == kind)
            {
                return Err(UnusableName::Names(*kind, *reason));
            }
            roles.extend(values.iter().filter_map(|value| known.get(value)).flatten());
        }
        roles.sort_unstable();
        roles.dedup();
        Ok(roles.into())
    }

    /// Whether any certificate of a trust domain can be this user.
    pub fn can_be_proven_in(&self, domain: TrustDomainId, user: UserId) -> bool {
        let mut bound = self.loaded.by_identifier.iter();
        bound.any(|((bound_domain, _), bound_user)| *bound_domain == domain && *bound_user == user)
    }

    /// All that can be proven by a certificate, each with the trust domain that must vouch.
    pub fn provable(&self) -> std::collections::HashSet<(TrustDomainId, UserId)> {
        self.loaded
            .by_identifier
            .iter()
            .map(|((domain, _), user)| (*domain, *user))
            .collect()
    }

    /// The user with this name.
    pub fn named(&self, name: &str) -> Option<Principal> {
        match self.known(*self.loaded.by_name.get(name)?, None, Box::default()) {
            Identified::Known(principal) => Some(principal),
            _ => None,
        }
    }

    /// The configured user behind a principal of this snapshot.
    pub fn get(&self, id: UserId) -> Option<&ApiUser> {
        self.loaded.users.get(id.index())
    }

    /// The same users without these. Ids stay as they are, and a certificate that was two users' stays nobody's.
    #[must_use]
    pub fn without(&self, gone: &[UserId]) -> Self {
        let removed = self.removed.iter().chain(gone).copied().collect();
        Self {
            loaded: self.loaded.clone(),
            removed: Arc::new(removed),
        }
    }

    /// A user by its id, if it is not taken out.
    pub fn get_left(&self, id: UserId) -> Option<&ApiUser> {
        self.get(id).filter(|_| !self.removed.contains(&id))
    }

    /// How many were taken out.
    pub fn removed(&self) -> usize {
        self.removed.len()
    }

    /// All users that are left, with their ids.
    pub fn with_ids(&self) -> impl Iterator<Item = (UserId, &ApiUser)> {
        let ids = (0..=u32::MAX).map(UserId);
        ids.zip(&self.loaded.users)
            .filter(|(id, _)| !self.removed.contains(id))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.loaded.users.len() - self.removed.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All users.
    pub fn iter(&self) -> impl Iterator<Item = &ApiUser> {
        self.with_ids().map(|(_, user)| user)
    }
}

/// Why a certificate leads to no user: it says nothing that could be anybody's, or something that should have been, or a
/// name that no user has.
fn nobody(peer: &PeerCertificate) -> Identified {
    let alternative = [NameKind::Dns, NameKind::Uri, NameKind::Email];
    if let Some((kind, reason)) = peer
        .unusable_names
        .iter()
        .find(|(kind, _)| alternative.contains(kind))
    {
        return Identified::Unusable(UnusableName::Names(*kind, *reason));
    }
    let has_other = [&peer.dns_names, &peer.uris, &peer.emails]
        .into_iter()
        .any(|names| !names.is_empty());
    match peer.common_name {
        Err(error) if !has_other => Identified::Unusable(UnusableName::CommonName(error)),
        _ => Identified::Unknown,
    }
}

#[cfg(test)]
mod tests;
