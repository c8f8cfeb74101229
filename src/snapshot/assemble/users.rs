//! Assembly of ApiUsers and their permissions. Permissions are moved out of the config user by user, since there may be
//! millions and two copies would need too much memory.

use super::Assembly;
use super::interner::Interner;
use super::trust::TrustDomains;
use crate::authorize::{
    CompiledPermission, Effect, Permission, PermissionSet, Policy, UnusablePermission,
    UserPermissions,
};
use crate::config::{ApiUserTable, Enforcement, PermissionEntry, Spanned, Text};
use crate::identity::{ApiUsers, RoleId, UserConflict, UserId};
use crate::limit::Limiters;
use std::sync::Arc;

/// ApiUsers with their permissions and request limits.
pub(super) struct Users {
    pub(super) users: ApiUsers,
    pub(super) policy: Policy,
    pub(super) limiters: Limiters,
}

impl Assembly<'_> {
    pub(super) fn users(&self, trust: &TrustDomains) -> Users {
        let mut interner = Interner::default();
        let roles = self.roles(&mut interner);
        let mut users = ApiUsers::default();
        self.reserve_names(&mut users, trust);
        for (at, role) in self.config.roles.iter().enumerate() {
            let included: Vec<RoleId> = roles
                .included(at)
                .iter()
                .copied()
                .map(RoleId::new)
                .collect();
            self.bind_role(&mut users, role, &included, trust);
        }
        let mut permissions = Vec::with_capacity(self.config.api_users.len());
        for user in &self.config.api_users {
            let own = self.permission_set(&mut interner, user.permissions.take(), user.deny.take());
            let Some(id) = self.add_user(&mut users, user) else {
                continue;
            };
            self.bind_user(&mut users, user, id, trust);
            self.lint_denied(&own.denied, "api_user", &user.name.value);
            self.lint_no_permissions(user);
            let owner = format!("api_user \"{}\"", user.name.value);
            let enabled_until = self.enabled_until(&owner, user.enabled_until.as_ref());
            let enforcement = user.shadow.as_ref().map(|setting| setting.value);
            let roles = self.sets_of(&roles, &user.roles);
            permissions.push(UserPermissions {
                own,
                roles,
                enabled_until,
                enforcement,
            });
        }
        let limiters = self.user_limiters(&users, &roles);
        let enforcement = self
            .config
            .gateway
            .shadow
            .as_ref()
            .map_or_else(Enforcement::default, |setting| setting.value);
        Users {
            users,
            policy: Policy::new(permissions, roles.sets, enforcement),
            limiters,
        }
    }

    fn add_user(&self, users: &mut ApiUsers, user: &ApiUserTable) -> Option<UserId> {
        let name = &user.name;
        if name.value.is_empty() || name.value.chars().any(char::is_control) {
            self.problems.error(
                name.place,
                "the name of an ApiUser is empty, or has control characters",
                "choose a name",
            );
        }
        users
            .add(
                &name.value,
                name.place,
                user.tolerate_expiry.unwrap_or_default(),
            )
            .map_err(|UserConflict(other)| {
                let other = self.sources.describe(other.place);
                let message = format!("api_user \"{}\" is defined twice", name.value);
                self.problems.error(
                    name.place,
                    message,
                    format!("the other stands at {other}; keep one"),
                );
            })
            .ok()
    }

    pub(super) fn permission_set(
        &self,
        interner: &mut Interner,
        granted: Vec<PermissionEntry>,
        denied: Vec<PermissionEntry>,
    ) -> PermissionSet {
        let mut compile = |entries: Vec<PermissionEntry>, effect: Effect| -> Vec<Permission> {
            let mut compiled = Vec::with_capacity(entries.len());
            entries
                .iter()
                .for_each(|entry| self.lint_method(&entry.text, effect));
            let usable = entries
                .iter()
                .filter(|entry| !self.is_unusable_permission(&entry.text));
            compiled.extend(usable.filter_map(|entry| {
                Some(Permission::new(
                    self.compiled(interner, entry, effect)?,
                    entry.text.place,
                ))
            }));
            compiled
        };
        let granted = compile(granted, Effect::Grant);
        let denied = compile(denied, Effect::Deny);
        self.lint_shadow_of_denied(&denied);
        PermissionSet {
            role: None,
            granted,
            denied,
        }
    }

    /// The compiled permission. `None` if its condition is invalid, which was reported.
    fn compiled(
        &self,
        interner: &mut Interner,
        entry: &PermissionEntry,
        effect: Effect,
    ) -> Option<Arc<CompiledPermission>> {
        let text = &entry.text.value;
        let Some(qualifiers) = &entry.qualifiers else {
            return Some(interner.plain(text, effect));
        };
        let when = qualifiers.when.as_ref().map(|when| when.value.clone());
        let enforcement = qualifiers
            .shadow
            .as_ref()
            .map_or_else(Default::default, |setting| setting.value);
        let key = (text.clone(), effect, when, enforcement);
        if let Some(known) = interner.qualified.get(&key) {
            return Some(known.clone());
        }
        let condition = self.condition_of(entry).ok()?;
        let compiled = Arc::new(
            CompiledPermission::new(text.clone(), effect).qualified(condition, enforcement),
        );
        interner.qualified.insert(key, compiled.clone());
        Some(compiled)
    }

    fn is_unusable_permission(&self, text: &Spanned<Text>) -> bool {
        let Err(error) = CompiledPermission::check(&text.value) else {
            return false;
        };
        let meant = CompiledPermission::meant(&text.value);
        let meant = meant
            .iter()
            .map(|meant| format!("\"{meant}\""))
            .collect::<Vec<_>>()
            .join(" and ");
        let hint = match error {
            UnusablePermission::Empty => {
                "write a pattern such as \"GET /api/*\", or remove it; no permission means no right"
            }
            UnusablePermission::PathWithoutMethod => {
                "write the method, a space and the path; `*` is every method"
            }
            UnusablePermission::MethodWithoutPath => {
                "write the method, a space and the path; `/*` is every path"
            }
            _ if !meant.is_empty() => &format!("write {meant}"),
            UnusablePermission::Separator
            | UnusablePermission::SeveralMethods
            | UnusablePermission::PathWithoutSlash
            | UnusablePermission::SpaceInPath
            | UnusablePermission::DoubleEncoding => {
                "write one method, one space, and a path in its canonical form"
            }
            UnusablePermission::DotSegment => {
                "write the path that is left when its dot segments are resolved"
            }
        };
        self.problems.error(
            text.place,
            format!("\"{}\" can never match: {error}", text.value),
            hint,
        );
        true
    }
}
