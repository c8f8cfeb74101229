//! (Principal, what the route requires) to a permit or a refusal. Pure: no socket, no clock. Fails closed: what no
//! permission grants is denied, and a [`Permit`] can be made nowhere else.

mod asked;
mod permission;
#[cfg(test)]
mod verdicts;

pub use crate::pattern::{Case, Pattern, Subject};
pub use asked::Asked;
pub use permission::{CompiledPermission, Effect, Permission, UnusablePermission};

use crate::identity::Principal;
use crate::route::{Admission, Requirement};
use std::sync::Arc;

/// Permissions that belong together: a user's own, or a role's.
#[derive(Clone, Debug, Default)]
pub struct PermissionSet {
    /// The role's name; `None` for a user's own.
    pub role: Option<Arc<str>>,
    /// What is granted.
    pub granted: Vec<Permission>,
    /// What is denied whatever is granted, here or in another set.
    pub denied: Vec<Permission>,
}

/// Who may do what.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    users: Vec<UserPermissions>,
    roles: Vec<Arc<PermissionSet>>,
}

/// All that one ApiUser may do.
#[derive(Clone, Debug, Default)]
pub struct UserPermissions {
    /// The user's own permissions.
    pub own: PermissionSet,
    /// Those of its roles.
    pub roles: Vec<Arc<PermissionSet>>,
}

/// Proof that a request may go on.
#[derive(Clone, Debug)]
pub struct Permit<'s> {
    grant: Grant<'s>,
}

/// Why a request may go on.
#[derive(Clone, Copy, Debug)]
pub enum Grant<'s> {
    /// This permission grants it.
    Permission(Matched<'s>),
    /// The route asks for no more than an ApiUser.
    AnyApiUser,
    /// The route is public.
    PublicRoute,
}

/// A permission and the set that it is in.
#[derive(Clone, Copy, Debug)]
pub struct Matched<'s> {
    /// The permission.
    pub permission: &'s Permission,
    /// The role that it came through.
    pub role: Option<&'s str>,
}

impl<'s> Permit<'s> {
    /// Why.
    pub fn grant(&self) -> Grant<'s> {
        self.grant
    }
}

/// Why a request may not go on.
#[derive(Clone, Debug)]
pub enum Denied<'s> {
    /// A `deny` pattern matches.
    DeniedBy(Matched<'s>),
    /// No permission grants the requirement.
    NoPermission,
}

impl Policy {
    /// A policy where the permissions stand in the order of the users' ids, and the roles in that of theirs.
    pub fn new(users: Vec<UserPermissions>, roles: Vec<Arc<PermissionSet>>) -> Self {
        Self { users, roles }
    }

    /// What somebody has: the user's own set, then its roles' in the order of the config, then those of the roles that
    /// the certificate brings. Nothing for an id of another snapshot, whatever roles it has.
    pub fn sets<'s>(&'s self, principal: &Principal) -> impl Iterator<Item = &'s PermissionSet> {
        let user = self.users.get(principal.id.index());
        let own =
            user.into_iter().flat_map(|user| std::iter::once(&user.own).chain(user.roles.iter().map(AsRef::as_ref)));
        own.chain(user.into_iter().flat_map(|_| self.brought(principal)))
    }

    fn brought<'s>(&'s self, principal: &Principal) -> impl Iterator<Item = &'s PermissionSet> {
        principal.extra_roles.iter().filter_map(|role| self.roles.get(role.index())).map(AsRef::as_ref)
    }

    /// The names of the roles that somebody's certificate brings.
    pub fn brought_roles<'s>(&'s self, principal: &Principal) -> impl Iterator<Item = &'s str> {
        self.brought(principal).filter_map(|set| set.role.as_deref())
    }

    /// Decides. The cost depends on the permissions of this user alone.
    ///
    /// # Errors
    /// [`Denied`] with the reason.
    pub fn authorize<'s>(
        &'s self,
        principal: &Principal,
        requirement: &Requirement<'_>,
    ) -> Result<Permit<'s>, Denied<'s>> {
        let asked = Asked::of(requirement);
        self.refuse_asked(principal, &asked)?;
        if *requirement == Requirement::AnyApiUser {
            return Ok(Permit { grant: Grant::AnyApiUser });
        }
        self.find(principal, |set| &set.granted, |permission| permission.grants(&asked))
            .map(|matched| Permit { grant: Grant::Permission(matched) })
            .ok_or(Denied::NoPermission)
    }

    /// Only whether a `deny` matches: for routes that need no permission, where a known user's `deny` still counts.
    ///
    /// # Errors
    /// [`Denied::DeniedBy`]
    pub fn refuse_denied<'s>(&'s self, principal: &Principal, requirement: &Requirement<'_>) -> Result<(), Denied<'s>> {
        self.refuse_asked(principal, &Asked::of(requirement))
    }

    fn refuse_asked<'s>(&'s self, principal: &Principal, asked: &Asked<'_>) -> Result<(), Denied<'s>> {
        // A user of another snapshot has no right, and nothing that could be denied.
        if self.users.get(principal.id.index()).is_none() {
            return Err(Denied::NoPermission);
        }
        match self.find(principal, |set| &set.denied, |permission| permission.denies(asked)) {
            Some(denied) => Err(Denied::DeniedBy(denied)),
            None => Ok(()),
        }
    }

    fn find<'s>(
        &'s self,
        principal: &Principal,
        list: impl Fn(&'s PermissionSet) -> &'s Vec<Permission>,
        matches: impl Fn(&Permission) -> bool,
    ) -> Option<Matched<'s>> {
        self.sets(principal).find_map(|set| {
            let permission = list(set).iter().find(|permission| matches(permission))?;
            Some(Matched { permission, role: set.role.as_deref() })
        })
    }
}

/// The permit for a route that lets everybody in. `None` for all other routes.
pub fn public_permit(admission: Admission) -> Option<Permit<'static>> {
    match admission {
        Admission::Authorized => None,
        Admission::PublicWithIdentity | Admission::Public => Some(Permit { grant: Grant::PublicRoute }),
    }
}
