//! Who may do what: the permissions of all ApiUsers and roles, and the judgement over them. Knows no routes.

use super::asked::Asked;
use super::decision::{Denied, Grant, Matched, Permit};
use super::permission::Permission;
use crate::condition::Facts;
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
    /// What is granted.
    pub granted: Vec<Permission>,
    /// What is denied whatever is granted, here or in another set.
    pub denied: Vec<Permission>,
}

/// Who may do what. A clone costs little.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    users: Arc<Vec<UserPermissions>>,
    roles: Arc<Vec<Arc<PermissionSet>>>,
    /// What becomes of refusals where neither user nor route says so.
    enforcement: Enforcement,
    /// The last seconds of users whose time was cut short since.
    cut_short: Arc<HashMap<UserId, i64>>,
}

/// All that one ApiUser may do.
#[derive(Clone, Debug, Default)]
pub struct UserPermissions {
    /// The user's own permissions.
    pub own: PermissionSet,
    /// Those of its roles, and of the roles of these.
    pub roles: Vec<Arc<PermissionSet>>,
    /// The last second, since 1970, in which the user counts.
    pub enabled_until: Option<i64>,
    /// What becomes of refusals; `None` if the user does not say.
    pub enforcement: Option<Enforcement>,
}

/// Whose permissions are looked through.
type Whose<'s, 'p> = (&'s UserPermissions, &'p Principal);

/// What a request is worth by all that somebody has, and what it would be worth if nothing were on trial.
type Found<'s> = Result<(Grant<'s>, Option<Denied<'s>>), Denied<'s>>;

impl Policy {
    /// A policy where the permissions stand in the order of the users' ids, and the roles in that of theirs.
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

    /// The same policy, in which these users count until these seconds at most.
    #[must_use]
    pub fn cut_short(&self, ends: &HashMap<UserId, i64>) -> Self {
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

    /// The last second, since 1970, in which a user counts.
    pub fn enabled_until(&self, user: UserId) -> Option<i64> {
        let said = self
            .users
            .get(user.index())
            .and_then(|user| user.enabled_until);
        said.into_iter()
            .chain(self.cut_short.get(&user).copied())
            .min()
    }

    /// What somebody has: the user's own set, then its roles' in the order of the config, then those of the roles that
    /// the certificate brings. Nothing for an id of another snapshot, whatever roles it has.
    pub fn sets<'s>(&'s self, principal: &Principal) -> impl Iterator<Item = &'s PermissionSet> {
        self.user(principal)
            .into_iter()
            .flat_map(|user| self.sets_of((user, principal)))
    }

    fn sets_of<'s>(
        &'s self,
        (user, principal): Whose<'s, '_>,
    ) -> impl Iterator<Item = &'s PermissionSet> {
        let own = std::iter::once(&user.own).chain(user.roles.iter().map(AsRef::as_ref));
        own.chain(self.brought(principal))
    }

    fn brought<'s>(&'s self, principal: &Principal) -> impl Iterator<Item = &'s PermissionSet> {
        principal
            .extra_roles
            .iter()
            .filter_map(|role| self.roles.get(role.index()))
            .map(AsRef::as_ref)
    }

    /// The names of the roles that somebody's certificate brings.
    pub fn brought_roles<'s>(&'s self, principal: &Principal) -> impl Iterator<Item = &'s str> {
        self.brought(principal)
            .filter_map(|set| set.role.as_deref())
    }

    /// What is said of somebody. `None` for an id of another snapshot.
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

    /// What becomes of a refusal of somebody on a route that says this: shadow mode has to be said, and whoever says
    /// that it is off, user or route, is stronger than whoever says that it is on.
    pub fn enforcement(
        &self,
        principal: Option<&Principal>,
        route: Option<Enforcement>,
    ) -> Enforcement {
        let user = principal
            .and_then(|principal| self.user(principal))
            .and_then(|user| user.enforcement);
        match (user, route) {
            (Some(Enforcement::Enforce), _) | (_, Some(Enforcement::Enforce)) => {
                Enforcement::Enforce
            }
            (Some(Enforcement::Shadow), _) | (_, Some(Enforcement::Shadow)) => Enforcement::Shadow,
            (None, None) => self.enforcement,
        }
    }

    /// Decides. The cost depends on the permissions of this user alone.
    ///
    /// # Errors
    /// [`Denied`] with the reason.
    pub fn authorize<'s>(
        &'s self,
        principal: &Principal,
        requirement: &Requirement<'_>,
        facts: &Facts<'_>,
    ) -> Result<Permit<'s>, Denied<'s>> {
        let user = self.counting(principal, facts)?;
        let (grant, on_trial) = match requirement {
            Requirement::Every(names) => self.every(user, principal, (names, facts))?,
            Requirement::AnyApiUser => (
                Grant::AnyApiUser,
                self.denying((user, principal), &Asked::of(requirement), facts)?,
            ),
            one => self.one((user, principal), &Asked::of(one), facts)?,
        };
        Ok(Permit::of(grant, on_trial))
    }

    /// Only whether the user counts and no `deny` matches: for routes that need no permission, where a known user's
    /// `deny` still counts. Gives what a `deny` on trial would say.
    ///
    /// # Errors
    /// [`Denied`] with the reason.
    pub fn refuse_denied<'s>(
        &'s self,
        principal: &Principal,
        requirement: &Requirement<'_>,
        facts: &Facts<'_>,
    ) -> Result<Option<Denied<'s>>, Denied<'s>> {
        let user = self.counting(principal, facts)?;
        self.denying((user, principal), &Asked::of(requirement), facts)
    }

    /// A user of another snapshot has no right, and one whose time is over has none any more.
    fn counting(
        &self,
        principal: &Principal,
        facts: &Facts<'_>,
    ) -> Result<&UserPermissions, Denied<'_>> {
        let user = self.user(principal).ok_or(Denied::NoPermission)?;
        if self
            .enabled_until(principal.id)
            .is_some_and(|until| facts.now > until)
        {
            Err(Denied::UserDisabled)
        } else {
            Ok(user)
        }
    }

    fn one<'s>(&'s self, whose: Whose<'s, '_>, asked: &Asked<'_>, facts: &Facts<'_>) -> Found<'s> {
        let on_trial = self.denying(whose, asked, facts)?;
        let (grant, trial) = self.granting(whose, asked, facts)?;
        Ok((grant, on_trial.or(trial)))
    }

    /// Each name must be granted, by whatever permission. Of no name nothing is granted.
    fn every<'s>(
        &'s self,
        user: &'s UserPermissions,
        principal: &Principal,
        (names, facts): (&[Name<'_>], &Facts<'_>),
    ) -> Found<'s> {
        let mut found: Found<'s> = Err(Denied::NoPermission);
        for name in names {
            let (grant, trial) = self.one((user, principal), &Asked::of_name(name), facts)?;
            found = match found {
                Ok((first, before)) => Ok((first, before.or(trial))),
                Err(_) => Ok((grant, trial)),
            };
        }
        found
    }

    /// The first permission that grants. One that is on trial grants, too, but it is told that no other does.
    fn granting<'s>(
        &'s self,
        whose: Whose<'s, '_>,
        asked: &Asked<'_>,
        facts: &Facts<'_>,
    ) -> Found<'s> {
        let (mut why_not, mut on_trial) = (Denied::NoPermission, None);
        for set in self.sets_of(whose) {
            for permission in set
                .granted
                .iter()
                .filter(|permission| permission.grants(asked))
            {
                let matched = Matched {
                    permission,
                    role: set.role.as_deref(),
                };
                match (permission.holds(facts), permission.enforcement()) {
                    (Ok(true), Enforcement::Enforce) => {
                        return Ok((Grant::Permission(matched), None));
                    }
                    (Ok(true), Enforcement::Shadow) => on_trial = on_trial.or(Some(matched)),
                    // Of several reasons the one that needs looking after is told.
                    (Err(error), _) => why_not = Denied::ConditionFailed(matched, error),
                    (Ok(false), _) if matches!(why_not, Denied::NoPermission) => {
                        why_not = Denied::ConditionNotMet(matched);
                    }
                    (Ok(false), _) => {}
                }
            }
        }
        match on_trial {
            Some(matched) => Ok((Grant::Permission(matched), Some(why_not))),
            None => Err(why_not),
        }
    }

    fn denying<'s>(
        &'s self,
        whose: Whose<'s, '_>,
        asked: &Asked<'_>,
        facts: &Facts<'_>,
    ) -> Result<Option<Denied<'s>>, Denied<'s>> {
        let mut on_trial = None;
        for set in self.sets_of(whose) {
            for permission in set
                .denied
                .iter()
                .filter(|permission| permission.denies(asked))
            {
                let matched = Matched {
                    permission,
                    role: set.role.as_deref(),
                };
                let denied = match permission.holds(facts) {
                    Ok(false) => continue,
                    Ok(true) => Denied::DeniedBy(matched),
                    // What may have to be denied is denied.
                    Err(error) => Denied::ConditionFailed(matched, error),
                };
                match permission.enforcement() {
                    Enforcement::Enforce => return Err(denied),
                    Enforcement::Shadow => on_trial = on_trial.or(Some(denied)),
                }
            }
        }
        Ok(on_trial)
    }
}

#[cfg(test)]
mod tests;
