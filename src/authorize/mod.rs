//! (Principal, what the route requires) to a permit or a refusal. Pure: no socket, no clock. Fails closed: what no
//! permission grants is denied, and a [`Permit`] can be made nowhere else.

mod asked;
mod pattern;
mod permission;

pub use asked::Asked;
pub use pattern::{Case, Pattern, Subject};
pub use permission::{CompiledPermission, Effect, Permission, UnusablePermission};

use crate::identity::{Principal, UserId};
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
}

/// All that one ApiUser may do.
#[derive(Clone, Debug, Default)]
pub struct UserPermissions {
    /// The user's own permissions.
    pub own: PermissionSet,
    /// Those of its roles.
    pub roles: Vec<Arc<PermissionSet>>,
}

impl UserPermissions {
    /// The user's own set, then its roles' in the order of the config.
    pub fn sets(&self) -> impl Iterator<Item = &PermissionSet> {
        std::iter::once(&self.own).chain(self.roles.iter().map(AsRef::as_ref))
    }
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
    /// A policy where the permissions stand in the order of the users' ids.
    pub fn new(users: Vec<UserPermissions>) -> Self {
        Self { users }
    }

    /// What a user has. `None` for an id of another snapshot, which therefore has nothing.
    pub fn of(&self, user: UserId) -> Option<&UserPermissions> {
        self.users.get(user.index())
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
        let user = self.of(principal.id).ok_or(Denied::NoPermission)?;
        let asked = Asked::of(requirement);
        refuse_denied(user, &asked)?;
        if *requirement == Requirement::AnyApiUser {
            return Ok(Permit { grant: Grant::AnyApiUser });
        }
        find(user, |set| &set.granted, |permission| permission.grants(&asked))
            .map(|matched| Permit { grant: Grant::Permission(matched) })
            .ok_or(Denied::NoPermission)
    }

    /// Only whether a `deny` matches: for routes that need no permission, where a known user's `deny` still counts.
    ///
    /// # Errors
    /// [`Denied::DeniedBy`]
    pub fn refuse_denied<'s>(&'s self, principal: &Principal, requirement: &Requirement<'_>) -> Result<(), Denied<'s>> {
        let user = self.of(principal.id).ok_or(Denied::NoPermission)?;
        refuse_denied(user, &Asked::of(requirement))
    }
}

fn refuse_denied<'s>(user: &'s UserPermissions, asked: &Asked<'_>) -> Result<(), Denied<'s>> {
    match find(user, |set| &set.denied, |permission| permission.denies(asked)) {
        Some(denied) => Err(Denied::DeniedBy(denied)),
        None => Ok(()),
    }
}

/// The permit for a route that lets everybody in. `None` for all other routes.
pub fn public_permit(admission: Admission) -> Option<Permit<'static>> {
    match admission {
        Admission::Authorized => None,
        Admission::PublicWithIdentity | Admission::Public => Some(Permit { grant: Grant::PublicRoute }),
    }
}

fn find<'s>(
    user: &'s UserPermissions,
    list: impl Fn(&'s PermissionSet) -> &'s Vec<Permission>,
    matches: impl Fn(&Permission) -> bool,
) -> Option<Matched<'s>> {
    user.sets().find_map(|set| {
        let permission = list(set).iter().find(|permission| matches(permission))?;
        Some(Matched { permission, role: set.role.as_deref() })
    })
}
