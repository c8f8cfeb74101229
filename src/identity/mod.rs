//! PeerCertificate to Principal: which ApiUser is this? Says nothing about what the user may do.

mod assertion;
mod headers;
mod proxy_protocol;

pub use assertion::{AssertionKey, AssertionSigner, UnsupportedKey};
pub use headers::{
    IDENTITY_FIELD_NAMES, IDENTITY_FIELD_PREFIXES, IdentityBlock, IdentitySelection, IdentitySet, KnownClient,
    VerifiedCertificate, fold, folded_equal, is_identity_field,
};
pub use proxy_protocol::{ProxiedConnection, Session, proxy_header};

use crate::config::Place;
use crate::tls::{CommonName, PeerCertificate, TrustDomainId};
use std::collections::HashMap;
use std::sync::Arc;

/// An ApiUser within one snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UserId(u32);

impl UserId {
    /// Position among the users of the snapshot.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// The ApiUser on a connection, proven by a certificate.
#[derive(Clone, Debug)]
pub struct Principal {
    /// Within the snapshot that named it.
    pub id: UserId,
    /// The ApiUser's name.
    pub name: Arc<str>,
}

/// A configured user.
#[derive(Clone, Debug)]
pub struct ApiUser {
    /// The name.
    pub name: Arc<str>,
    /// Where it stands in the config.
    pub place: Place,
}

/// All ApiUsers, found by what their certificates say.
#[derive(Clone, Debug, Default)]
pub struct ApiUsers {
    users: Vec<ApiUser>,
    by_common_name: HashMap<(TrustDomainId, CommonName), UserId>,
    by_name: HashMap<Arc<str>, UserId>,
}

/// Two users want the same.
#[derive(Debug)]
pub struct Taken(pub ApiUser);

impl ApiUsers {
    /// Adds a user, who is not yet found by any certificate.
    ///
    /// # Errors
    /// The user that has the name already.
    pub fn add(&mut self, name: &str, place: Place) -> Result<UserId, Taken> {
        if let Some(there) = self.by_name.get(name).and_then(|id| self.users.get(id.index())) {
            return Err(Taken(there.clone()));
        }
        let id = UserId(u32::try_from(self.users.len()).unwrap_or(u32::MAX));
        let name: Arc<str> = name.into();
        self.by_name.insert(name.clone(), id);
        self.users.push(ApiUser { name, place });
        Ok(id)
    }

    /// Lets certificates of a trust domain with this common name be the user.
    ///
    /// # Errors
    /// The other user that they are already.
    pub fn bind(&mut self, domain: TrustDomainId, name: CommonName, user: UserId) -> Result<(), Taken> {
        let there = *self.by_common_name.entry((domain, name)).or_insert(user);
        match self.users.get(there.index()) {
            Some(other) if there != user => Err(Taken(other.clone())),
            _ => Ok(()),
        }
    }

    /// The user whom a verified certificate names. `None` means no rights.
    pub fn identify(&self, peer: &PeerCertificate) -> Option<Principal> {
        self.by_common_name(peer.trust_domain, peer.common_name.as_ref().ok()?)
    }

    /// The user of a common name that a trust domain vouches for.
    pub fn by_common_name(&self, domain: TrustDomainId, name: &CommonName) -> Option<Principal> {
        // The name is cloned for the look-up; this runs once for each connection and generation.
        self.principal(*self.by_common_name.get(&(domain, name.clone()))?)
    }

    /// Whether any certificate of a trust domain can be this user.
    pub fn can_be_proven_in(&self, domain: TrustDomainId, user: UserId) -> bool {
        let mut bound = self.by_common_name.iter();
        bound.any(|((bound_domain, _), bound_user)| *bound_domain == domain && *bound_user == user)
    }

    /// The user with this name.
    pub fn named(&self, name: &str) -> Option<Principal> {
        self.principal(*self.by_name.get(name)?)
    }

    /// The configured user behind a principal of this snapshot.
    pub fn get(&self, id: UserId) -> Option<&ApiUser> {
        self.users.get(id.index())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.users.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// All users.
    pub fn iter(&self) -> impl Iterator<Item = &ApiUser> {
        self.users.iter()
    }

    fn principal(&self, id: UserId) -> Option<Principal> {
        let user = self.users.get(id.index())?;
        Some(Principal { id, name: user.name.clone() })
    }
}

#[cfg(test)]
mod tests;
