//! ApiUsers, roles and their permissions. Equal permissions are compiled once, however many users have them.

use super::trust::TrustDomains;
use super::{Assembly, Depth};
use crate::authorize::{
    CompiledPermission, Effect, Permission, PermissionSet, Policy, UnusablePermission, UserPermissions,
};
use crate::config::{ApiUser, Enforcement, PermissionEntry, Spanned};
use crate::identity::{ApiUsers, RoleId, Taken, UserId};
use crate::limit::Limiters;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

/// Who is who, and who may do what.
pub(super) struct Users {
    pub(super) users: ApiUsers,
    pub(super) policy: Policy,
    pub(super) limiters: Limiters,
    /// Every distinct permission with one place of it; only where warnings are asked for.
    pub(super) granted: Vec<Permission>,
}

/// What makes a permission the same: its text, what it does, its condition, and whether it is on trial.
type Written<'c> = (&'c str, Effect, Option<&'c str>, Enforcement);

#[derive(Default)]
pub(super) struct Interner<'c>(HashMap<Written<'c>, Arc<CompiledPermission>>);

impl<'c> Assembly<'c> {
    pub(super) fn users(&self, trust: &TrustDomains) -> Users {
        let mut interner = Interner::default();
        let mut granted = Vec::new();
        let roles = self.roles(&mut interner, &mut granted);
        let mut users = ApiUsers::default();
        self.reserve_names(&mut users, trust);
        for (at, role) in self.config.roles.iter().enumerate() {
            let held: Vec<RoleId> = roles.held(at).iter().copied().map(RoleId::new).collect();
            self.bind_role(&mut users, role, &held, trust);
        }
        let mut permissions = Vec::with_capacity(self.config.api_users.len());
        for user in &self.config.api_users {
            let own = self.permission_set(&mut interner, &mut granted, &user.permissions, &user.deny);
            let Some(id) = self.add_user(&mut users, user) else {
                continue;
            };
            self.bind_user(&mut users, user, id, trust);
            let whose = format!("api_user \"{}\"", user.name.value);
            let enabled_until = self.enabled_until(&whose, user.enabled_until.as_ref());
            let enforcement = user.shadow.as_ref().map(|said| said.value);
            let roles = self.sets_of(&roles, &user.roles);
            permissions.push(UserPermissions { own, roles, enabled_until, enforcement });
        }
        let limiters = self.user_limiters(&users, &roles);
        let enforcement = self.config.gateway.shadow.as_ref().map_or_else(Enforcement::default, |said| said.value);
        Users { users, policy: Policy::new(permissions, roles.sets, enforcement), limiters, granted }
    }

    fn add_user(&self, users: &mut ApiUsers, user: &ApiUser) -> Option<UserId> {
        let name = &user.name;
        if name.value.is_empty() || name.value.chars().any(char::is_control) {
            self.problems.error(
                name.place,
                "the name of an ApiUser is empty, or has control characters",
                "choose a name",
            );
        }
        users
            .add(&name.value, name.place, user.tolerate_expiry.unwrap_or_default())
            .map_err(|Taken(other)| {
                let other = self.sources.describe(other.place);
                let message = format!("api_user \"{}\" is defined twice", name.value);
                self.problems.error(name.place, message, format!("the other stands at {other}; keep one"));
            })
            .ok()
    }

    pub(super) fn permission_set(
        &self,
        interner: &mut Interner<'c>,
        all: &mut Vec<Permission>,
        granted: &'c [PermissionEntry],
        denied: &'c [PermissionEntry],
    ) -> PermissionSet {
        let mut compile = |entries: &'c [PermissionEntry], effect: Effect| -> Vec<Permission> {
            let mut compiled = Vec::with_capacity(entries.len());
            let usable = entries.iter().filter(|entry| !self.is_unusable_permission(&entry.text));
            compiled.extend(usable.filter_map(|entry| {
                let known = interner.0.len();
                let permission = Permission::new(self.compiled(interner, entry, effect)?, entry.text.place);
                if interner.0.len() > known && effect == Effect::Grant && self.depth == Depth::Warnings {
                    all.push(permission.clone());
                }
                Some(permission)
            }));
            compiled
        };
        let granted = compile(granted, Effect::Grant);
        PermissionSet { role: None, granted, denied: compile(denied, Effect::Deny) }
    }

    /// `None` if its condition was reported.
    fn compiled(
        &self,
        interner: &mut Interner<'c>,
        entry: &'c PermissionEntry,
        effect: Effect,
    ) -> Option<Arc<CompiledPermission>> {
        let qualifiers = entry.qualifiers.as_ref();
        let when = qualifiers.and_then(|said| said.when.as_ref()).map(|when| when.value.as_str());
        let enforcement = qualifiers.and_then(|said| said.shadow.as_ref()).map_or_else(Default::default, |it| it.value);
        match interner.0.entry((entry.text.value.as_str(), effect, when, enforcement)) {
            Entry::Occupied(there) => Some(there.get().clone()),
            Entry::Vacant(place) => {
                let condition = self.condition_of(entry).ok()?;
                let compiled = CompiledPermission::new(&entry.text.value, effect).qualified(condition, enforcement);
                Some(place.insert(Arc::new(compiled)).clone())
            }
        }
    }

    fn is_unusable_permission(&self, text: &Spanned<String>) -> bool {
        let Err(error) = CompiledPermission::check(&text.value) else { return false };
        let hint = match error {
            UnusablePermission::Empty => {
                "write a pattern such as \"GET /api/*\", or remove it; no permission means no right"
            }
            UnusablePermission::PathWithoutMethod => "write the method, a space and the path; `*` is every method",
            UnusablePermission::MethodWithoutPath => "write the method, a space and the path; `/*` is every path",
        };
        self.problems.error(text.place, format!("\"{}\" can never match: {error}", text.value), hint);
        true
    }
}
