//! All ApiUsers of a snapshot, and the identification of certificates. A certificate that matches two users identifies no
//! user. Independent of permissions.

use super::{Identification, Identifier, IdentityKind, Principal, ReservedNames, RoleId, UserId};
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
    /// The place in the config.
    pub place: Place,
    /// How long expired certificates of the user are accepted.
    pub tolerate_expiry: Duration,
}

/// A part of a subject that grants roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RoleSource {
    /// O
    Organization,
    /// OU
    OrganizationalUnit,
}

/// All ApiUsers, indexed by identifier. Cloning is cheap.
#[derive(Clone, Debug, Default)]
pub struct ApiUsers {
    loaded: Arc<LoadedUsers>,
    /// Users removed since loading. They are not identified, and their names and identifiers stay taken.
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

/// The name or identifier belongs to another user already.
#[derive(Debug)]
pub struct UserConflict(pub ApiUser);

impl ApiUsers {
    /// Adds a user without identifiers.
    ///
    /// # Errors
    /// The existing user with this name.
    pub fn add(
        &mut self,
        name: &str,
        place: Place,
        tolerate_expiry: Duration,
    ) -> Result<UserId, UserConflict> {
        let loaded = Arc::make_mut(&mut self.loaded);
        if let Some(existing) = loaded
            .by_name
            .get(name)
            .and_then(|id| loaded.users.get(id.index()))
        {
            return Err(UserConflict(existing.clone()));
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

    /// Adds an identifier of a user in a trust domain.
    ///
    /// # Errors
    /// The other user with this identifier.
    pub fn bind(
        &mut self,
        domain: TrustDomainId,
        identifier: Identifier,
        user: UserId,
    ) -> Result<(), UserConflict> {
        let loaded = Arc::make_mut(&mut self.loaded);
        let bound = *loaded
            .by_identifier
            .entry((domain, identifier))
            .or_insert(user);
        match loaded.users.get(bound.index()) {
            Some(other) if bound != user => Err(UserConflict(other.clone())),
            _ => Ok(()),
        }
    }

    /// Grants a role to the users of certificates of a trust domain with this O or OU.
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

    /// Sets the reserved names of a trust domain.
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

    /// Identifies the user of a verified certificate. Called once per connection and generation.
    pub fn identify(&self, peer: &PeerCertificate) -> Identification {
        if let Some(name) = self
            .loaded
            .reserved
            .get(&peer.trust_domain)
            .and_then(|names| names.find(peer))
        {
            return Identification::Reserved(name);
        }
        let mut matched: Option<(UserId, IdentityKind)> = None;
        for identifier in Identifier::of(peer) {
            let kind = identifier.kind();
            let Some(user) = self
                .loaded
                .by_identifier
                .get(&(peer.trust_domain, identifier))
            else {
                continue;
            };
            match matched {
                None => matched = Some((*user, kind)),
                Some((other, _)) if other != *user => return self.ambiguous(other, *user),
                Some(_) => {}
            }
        }
        let Some((user, kind)) = matched else {
            return unidentified(peer);
        };
        match self.roles_of(peer) {
            Ok(roles) => self.known(user, Some(kind), roles),
            Err(unusable) => Identification::Unusable(unusable),
        }
    }

    /// Identifies the user of a hypothetical certificate of a trust domain with only this identifier.
    pub fn identify_by(&self, domain: TrustDomainId, identifier: &Identifier) -> Identification {
        if self.is_reserved(domain, identifier) {
            return Identification::Reserved(identifier.value().into());
        }
        match self.loaded.by_identifier.get(&(domain, identifier.clone())) {
            Some(user) => self.known(*user, Some(identifier.kind()), Box::default()),
            None => Identification::Unknown,
        }
    }

    fn known(
        &self,
        id: UserId,
        identified_by: Option<IdentityKind>,
        extra_roles: Box<[RoleId]>,
    ) -> Identification {
        match self
            .loaded
            .users
            .get(id.index())
            .filter(|_| !self.removed.contains(&id))
        {
            Some(user) => Identification::Known(Principal {
                id,
                name: user.name.clone(),
                identified_by,
                extra_roles,
            }),
            None => Identification::Unknown,
        }
    }

    fn ambiguous(&self, one: UserId, other: UserId) -> Identification {
        let name = |id: UserId| {
            self.loaded
                .users
                .get(id.index())
                .map(|user| user.name.clone())
                .unwrap_or_default()
        };
        Identification::Ambiguous(name(one), name(other))
    }

    /// The roles that a certificate grants.
    ///
    /// # Errors
    /// [`UnusableName`] if roles depend on O or OU and it is unreadable, since a role may also deny.
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

    /// Whether this user has an identifier in a trust domain.
    pub fn can_be_proven_in(&self, domain: TrustDomainId, user: UserId) -> bool {
        let mut bound = self.loaded.by_identifier.iter();
        bound.any(|((bound_domain, _), bound_user)| *bound_domain == domain && *bound_user == user)
    }

    /// All users with an identifier, each with the trust domain of the identifier.
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
            Identification::Known(principal) => Some(principal),
            _ => None,
        }
    }

    /// The configured user of an id, even if removed.
    pub fn get(&self, id: UserId) -> Option<&ApiUser> {
        self.loaded.users.get(id.index())
    }

    /// A copy without these users. Ids do not change, and a certificate that matched two users still identifies none.
    #[must_use]
    pub fn without(&self, users: &[UserId]) -> Self {
        let removed = self.removed.iter().chain(users).copied().collect();
        Self {
            loaded: self.loaded.clone(),
            removed: Arc::new(removed),
        }
    }

    /// The configured user of an id, if not removed.
    pub fn get_left(&self, id: UserId) -> Option<&ApiUser> {
        self.get(id).filter(|_| !self.removed.contains(&id))
    }

    /// The number of removed users.
    pub fn removed(&self) -> usize {
        self.removed.len()
    }

    /// All users with their ids, without removed users.
    pub fn with_ids(&self) -> impl Iterator<Item = (UserId, &ApiUser)> {
        let ids = (0..=u32::MAX).map(UserId);
        ids.zip(&self.loaded.users)
            .filter(|(id, _)| !self.removed.contains(id))
    }

    /// The number of users, without removed users.
    pub fn len(&self) -> usize {
        self.loaded.users.len() - self.removed.len()
    }

    /// Whether there are no users.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All users, without removed users.
    pub fn iter(&self) -> impl Iterator<Item = &ApiUser> {
        self.with_ids().map(|(_, user)| user)
    }
}

/// The reason why a certificate identifies no user: it has no usable name, an unusable one, or only unknown names.
fn unidentified(peer: &PeerCertificate) -> Identification {
    let alternative = [NameKind::Dns, NameKind::Uri, NameKind::Email];
    if let Some((kind, reason)) = peer
        .unusable_names
        .iter()
        .find(|(kind, _)| alternative.contains(kind))
    {
        return Identification::Unusable(UnusableName::Names(*kind, *reason));
    }
    let has_other = [&peer.dns_names, &peer.uris, &peer.emails]
        .into_iter()
        .any(|names| !names.is_empty());
    match peer.common_name {
        Err(error) if !has_other => Identification::Unusable(UnusableName::CommonName(error)),
        _ => Identification::Unknown,
    }
}

#[cfg(test)]
mod tests;
