//! The permissions of all ApiUsers and roles, and the decision by them. Knows no routes.

use super::decision::{Denied, Grant, Matched, Permit};
use super::enforcement::EnforcementSetting;
use super::permission::{Effect, Permission};
use super::requirement_subject::RequirementSubject;
use super::trace::{ComparedPermission, Trace};
use crate::condition::{EvaluationError, Facts};
use crate::config::Enforcement;
use crate::identity::{Principal, UserId};
use crate::route::{Name, Requirement};
use std::collections::HashMap;
use std::sync::Arc;

/// Permissions that belong together: a user's own, or a role's.
#[derive(Clone, Debug, Default)]
pub struct PermissionSet {
    /// The role's name; `None` for a user's own.
    pub role: Option<Arc<str>>,
    /// Permissions that grant.
    pub granted: Vec<Permission>,
    /// Permissions that deny. They override grants of all sets.
    pub denied: Vec<Permission>,
}

/// The permissions of all users and roles. Clones are cheap.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    users: Arc<Vec<UserPermissions>>,
    roles: Arc<Vec<Arc<PermissionSet>>>,
    /// The enforcement mode if neither user nor route sets one.
    enforcement: Enforcement,
    /// End times of users, in seconds since 1970, that were set after the config was loaded.
    cut_short: Arc<HashMap<UserId, i64>>,
}

/// The permissions of one ApiUser.
#[derive(Clone, Debug, Default)]
pub struct UserPermissions {
    /// The user's own permissions.
    pub own: PermissionSet,
    /// The sets of its roles, and of the roles within them.
    pub roles: Vec<Arc<PermissionSet>>,
    /// The last second, since 1970, in which the user is active.
    pub enabled_until: Option<i64>,
    /// The enforcement mode; `None` if the user sets none.
    pub enforcement: Option<Enforcement>,
}

/// An active user, its principal, the facts of the request, and the observer of the steps.
struct Decider<'s, 'p, T> {
    policy: &'s Policy,
    user: &'s UserPermissions,
    principal: &'p Principal,
    facts: &'p Facts<'p>,
    trace: &'p mut T,
}

/// A grant, with the denial that shadow mode of a permission suppressed; or the denial.
type GrantResult<'s> = Result<(Grant<'s>, Option<Denied<'s>>), Denied<'s>>;

impl Policy {
    /// A policy. `users` is indexed by user id, and `roles` by role id.
    pub fn new(
        users: Vec<UserPermissions>,
        roles: Vec<Arc<PermissionSet>>,
        enforcement: Enforcement,
    ) -> Self {
        Self {
            users: Arc::new(users),
            roles: Arc::new(roles),
            enforcement,
            cut_short: Arc::default(),
        }
    }

    /// The same policy with earlier end times, in seconds since 1970, for these users. Later ones have no effect.
    #[must_use]
    pub fn with_end_times(&self, ends: &HashMap<UserId, i64>) -> Self {
        let mut cut_short = HashMap::clone(&self.cut_short);
        for (user, end) in ends {
            cut_short
                .entry(*user)
                .and_modify(|known| *known = (*end).min(*known))
                .or_insert(*end);
        }
        Self {
            cut_short: Arc::new(cut_short),
            ..self.clone()
        }
    }

    /// The last second, since 1970, in which a user is active.
    pub fn enabled_until(&self, user: UserId) -> Option<i64> {
        let configured = self
            .users
            .get(user.index())
            .and_then(|user| user.enabled_until);
        configured
            .into_iter()
            .chain(self.cut_short.get(&user).copied())
            .min()
    }

    /// The permission sets of a principal: the user's own, then its roles' in the order of the config, then those of the roles
    /// from the certificate. Empty for an id of another snapshot, even if it has roles.
    pub fn sets<'s>(&'s self, principal: &Principal) -> impl Iterator<Item = &'s PermissionSet> {
        self.user(principal)
            .into_iter()
            .flat_map(|user| self.sets_of(user, principal))
    }

    fn sets_of<'s>(
        &'s self,
        user: &'s UserPermissions,
        principal: &Principal,
    ) -> impl Iterator<Item = &'s PermissionSet> {
        let own = std::iter::once(&user.own).chain(user.roles.iter().map(AsRef::as_ref));
        own.chain(self.certificate_role_sets(principal))
    }

    fn certificate_role_sets<'s>(
        &'s self,
        principal: &Principal,
    ) -> impl Iterator<Item = &'s PermissionSet> {
        principal
            .extra_roles
            .iter()
            .filter_map(|role| self.roles.get(role.index()))
            .map(AsRef::as_ref)
    }

    /// The names of the roles from the certificate of a principal.
    pub fn certificate_roles<'s>(&'s self, principal: &Principal) -> impl Iterator<Item = &'s str> {
        self.certificate_role_sets(principal)
            .filter_map(|set| set.role.as_deref())
    }

    /// The permissions of a principal. `None` for an id of another snapshot.
    pub fn user(&self, principal: &Principal) -> Option<&UserPermissions> {
        self.users.get(principal.id.index())
    }

    /// All permissions, those of `deny` included.
    pub fn permissions(&self) -> impl Iterator<Item = &Permission> {
        let own = self.users.iter().map(|user| &user.own);
        own.chain(self.roles.iter().map(AsRef::as_ref))
            .flat_map(|set| set.granted.iter().chain(&set.denied))
    }

    /// All permissions that grant something, those of roles first.
    pub fn granted(&self) -> impl Iterator<Item = &Permission> {
        self.all_sets().flat_map(|set| &set.granted)
    }

    /// All permissions that deny something, those of roles first.
    pub fn denied(&self) -> impl Iterator<Item = &Permission> {
        self.all_sets().flat_map(|set| &set.denied)
    }

    fn all_sets(&self) -> impl Iterator<Item = &PermissionSet> {
        let roles = self.roles.iter().map(AsRef::as_ref);
        roles.chain(self.users.iter().map(|user| &user.own))
    }

    /// All users.
    pub fn users(&self) -> impl Iterator<Item = &UserPermissions> {
        self.users.iter()
    }

    /// The enforcement mode for a principal on a route with this setting, as [`EnforcementSetting`] has it.
    pub fn enforcement(
        &self,
        principal: Option<&Principal>,
        route: Option<Enforcement>,
    ) -> EnforcementSetting {
        let user = principal
            .and_then(|principal| self.user(principal))
            .and_then(|user| user.enforcement);
        EnforcementSetting::of(user, route, self.enforcement)
    }

    /// Decides. The cost depends only on the permissions of this user.
    ///
    /// # Errors
    /// [`Denied`] with the reason.
    pub fn authorize<'s>(
        &'s self,
        principal: &Principal,
        requirement: &Requirement<'_>,
        facts: &Facts<'_>,
        trace: &mut impl Trace,
    ) -> Result<Permit<'s>, Denied<'s>> {
        let mut decider = self.decider(principal, facts, trace)?;
        let (grant, shadowed) = match requirement {
            Requirement::Every(names) => decider.grant_every(names)?,
            Requirement::AnyApiUser => (
                Grant::AnyApiUser,
                decider.find_deny(&RequirementSubject::of(requirement))?,
            ),
            single => decider.grant(&RequirementSubject::of(single))?,
        };
        Ok(Permit::of(grant, shadowed))
    }

    /// Checks only that the user is active and no `deny` matches, for routes that need no permission. Returns the denial of a
    /// `deny` in shadow mode.
    ///
    /// # Errors
    /// [`Denied`] with the reason.
    pub fn check_denies<'s>(
        &'s self,
        principal: &Principal,
        requirement: &Requirement<'_>,
        facts: &Facts<'_>,
        trace: &mut impl Trace,
    ) -> Result<Option<Denied<'s>>, Denied<'s>> {
        self.decider(principal, facts, trace)?
            .find_deny(&RequirementSubject::of(requirement))
    }

    /// The decider for an active user. A user of another snapshot has no permissions.
    fn decider<'s, 'p, T: Trace>(
        &'s self,
        principal: &'p Principal,
        facts: &'p Facts<'p>,
        trace: &'p mut T,
    ) -> Result<Decider<'s, 'p, T>, Denied<'s>> {
        let user = self.user(principal).ok_or(Denied::NoPermission)?;
        if self
            .enabled_until(principal.id)
            .is_some_and(|until| facts.now > until)
        {
            return Err(Denied::UserDisabled);
        }
        Ok(Decider {
            policy: self,
            user,
            principal,
            facts,
            trace,
        })
    }
}

impl<'s, T: Trace> Decider<'s, '_, T> {
    fn grant(&mut self, subject: &RequirementSubject<'_>) -> GrantResult<'s> {
        let shadowed_deny = self.find_deny(subject)?;
        let (grant, shadowed) = self.find_grant(subject)?;
        Ok((grant, shadowed_deny.or(shadowed)))
    }

    /// Each name must be granted, possibly by different permissions. Denied without names.
    fn grant_every(&mut self, names: &[Name<'_>]) -> GrantResult<'s> {
        let mut result: GrantResult<'s> = Err(Denied::NoPermission);
        for name in names {
            self.trace.required_name(name);
            let (grant, shadowed) = self.grant(&RequirementSubject::of_name(name))?;
            result = match result {
                Ok((first, first_shadowed)) => Ok((first, first_shadowed.or(shadowed))),
                Err(_) => Ok((grant, shadowed)),
            };
        }
        result
    }

    /// The first permission that grants. One in shadow mode also grants, with the denial that it suppressed.
    fn find_grant(&mut self, subject: &RequirementSubject<'_>) -> GrantResult<'s> {
        let mut denied = Denied::NoPermission;
        let mut shadow_grant = None;
        for set in self.policy.sets_of(self.user, self.principal) {
            for permission in &set.granted {
                let matched = Matched {
                    permission,
                    role: set.role.as_deref(),
                };
                let Some(outcome) = self.compare(matched, Effect::Grant, subject) else {
                    continue;
                };
                match (outcome, permission.enforcement()) {
                    (Ok(true), Enforcement::Enforce) => {
                        return Ok((Grant::Permission(matched), None));
                    }
                    (Ok(true), Enforcement::Shadow) => {
                        shadow_grant = shadow_grant.or(Some(matched));
                    }
                    // A failed condition overrides other reasons, since an operator must repair it.
                    (Err(error), _) => denied = Denied::ConditionFailed(matched, error),
                    (Ok(false), _) if matches!(denied, Denied::NoPermission) => {
                        denied = Denied::ConditionNotMet(matched);
                    }
                    (Ok(false), _) => {}
                }
            }
        }
        match shadow_grant {
            Some(matched) => Ok((Grant::Permission(matched), Some(denied))),
            None => Err(denied),
        }
    }

    /// Fails with the first enforced `deny` that matches. Returns the first one in shadow mode.
    fn find_deny(
        &mut self,
        subject: &RequirementSubject<'_>,
    ) -> Result<Option<Denied<'s>>, Denied<'s>> {
        let mut shadowed = None;
        for set in self.policy.sets_of(self.user, self.principal) {
            for permission in &set.denied {
                let matched = Matched {
                    permission,
                    role: set.role.as_deref(),
                };
                let denied = match self.compare(matched, Effect::Deny, subject) {
                    None | Some(Ok(false)) => continue,
                    Some(Ok(true)) => Denied::DeniedBy(matched),
                    // Fail closed: a `deny` with a condition that fails denies.
                    Some(Err(error)) => Denied::DenyConditionFailed(matched, error),
                };
                match permission.enforcement() {
                    Enforcement::Enforce => return Err(denied),
                    Enforcement::Shadow => shadowed = shadowed.or(Some(denied)),
                }
            }
        }
        Ok(shadowed)
    }

    /// The outcome of the condition of a permission, which is true without one. `None` if its pattern does not match.
    #[inline]
    fn compare(
        &mut self,
        compared: Matched<'s>,
        effect: Effect,
        subject: &RequirementSubject<'_>,
    ) -> Option<Result<bool, EvaluationError>> {
        let permission = compared.permission;
        let matches = match effect {
            Effect::Grant => permission.grants(subject),
            Effect::Deny => permission.denies(subject),
        };
        let outcome = matches.then(|| permission.holds(self.facts));
        self.trace.permission(&ComparedPermission {
            compared,
            effect,
            facts: self.facts,
            outcome: outcome.as_ref(),
        });
        outcome
    }
}

#[cfg(test)]
mod tests;
