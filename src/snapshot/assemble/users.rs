//! ApiUsers, roles and their permissions. Equal permissions are compiled once, however many users have them.

use super::trust::TrustDomains;
use super::{Assembly, Depth};
use crate::authorize::{
    CompiledPermission, Effect, Permission, PermissionSet, Policy, UnusablePermission, UserPermissions,
};
use crate::config::{ApiUser, Spanned};
use crate::identity::{ApiUsers, RoleId, Taken, UserId};
use std::collections::HashMap;
use std::sync::Arc;

/// Who is who, and who may do what.
pub(super) struct Users {
    pub(super) users: ApiUsers,
    pub(super) policy: Policy,
    /// Every distinct permission with one place of it; only where warnings are asked for.
    pub(super) granted: Vec<Permission>,
}

#[derive(Default)]
struct Interner<'c>(HashMap<(&'c str, Effect), Arc<CompiledPermission>>);

impl Assembly<'_> {
    pub(super) fn users(&self, trust: &TrustDomains) -> Users {
        let mut interner = Interner::default();
        let mut granted = Vec::new();
        let _ = self.unique("role", &self.config.roles, |role| &role.name);
        let mut roles: HashMap<&str, Arc<PermissionSet>> = HashMap::new();
        for role in &self.config.roles {
            let mut set = self.permission_set(&mut interner, &mut granted, &role.permissions, &role.deny);
            set.role = Some(role.name.value.as_str().into());
            roles.insert(&role.name.value, Arc::new(set));
        }
        let mut users = ApiUsers::default();
        self.reserve_names(&mut users, trust);
        let mut in_order = Vec::with_capacity(self.config.roles.len());
        for (at, role) in self.config.roles.iter().enumerate() {
            in_order.extend(roles.get(role.name.value.as_str()).cloned());
            self.bind_role(&mut users, role, RoleId::new(at), trust);
        }
        let mut permissions = Vec::with_capacity(self.config.api_users.len());
        for user in &self.config.api_users {
            let own = self.permission_set(&mut interner, &mut granted, &user.permissions, &user.deny);
            let Some(id) = self.add_user(&mut users, user) else {
                continue;
            };
            self.bind_user(&mut users, user, id, trust);
            let roles = user.roles.iter().filter_map(|name| self.role(&roles, name)).collect();
            permissions.push(UserPermissions { own, roles });
        }
        Users { users, policy: Policy::new(permissions, in_order), granted }
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

    fn role(&self, roles: &HashMap<&str, Arc<PermissionSet>>, name: &Spanned<String>) -> Option<Arc<PermissionSet>> {
        let role = roles.get(name.value.as_str());
        if role.is_none() {
            let names: Vec<String> = roles.keys().map(|name| (*name).to_owned()).collect();
            let message = format!("there is no role \"{}\"", name.value);
            self.problems.error(name.place, message, self.known("roles", names.iter()));
        }
        role.cloned()
    }

    fn permission_set<'c>(
        &self,
        interner: &mut Interner<'c>,
        all: &mut Vec<Permission>,
        granted: &'c [Spanned<String>],
        denied: &'c [Spanned<String>],
    ) -> PermissionSet {
        let mut compile = |texts: &'c [Spanned<String>], effect: Effect| -> Vec<Permission> {
            let usable = texts.iter().filter(|text| !self.is_unusable_permission(text));
            let mut compiled = Vec::with_capacity(texts.len());
            compiled.extend(usable.map(|text| {
                let known = interner.0.len();
                let compiled = interner
                    .0
                    .entry((text.value.as_str(), effect))
                    .or_insert_with(|| Arc::new(CompiledPermission::new(&text.value, effect)))
                    .clone();
                let permission = Permission::new(compiled, text.place);
                if interner.0.len() > known && effect == Effect::Grant && self.depth == Depth::Warnings {
                    all.push(permission.clone());
                }
                permission
            }));
            compiled
        };
        let granted = compile(granted, Effect::Grant);
        PermissionSet { role: None, granted, denied: compile(denied, Effect::Deny) }
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
