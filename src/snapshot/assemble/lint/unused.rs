//! Lint of unused roles and upstreams.

use super::super::Assembly;
use super::LintKind;
use std::collections::HashSet;

impl Assembly<'_> {
    pub(in super::super) fn lint_unused(&self) {
        let routes = self.config.routes.iter();
        let used: HashSet<&str> = routes
            .filter_map(|route| Some(route.upstream.as_ref()?.value.as_str()))
            .collect();
        let upstreams = self.config.upstreams.iter();
        for upstream in upstreams.filter(|upstream| !used.contains(upstream.name.value.as_str())) {
            let name = &upstream.name.value;
            let message = format!("no route leads to upstream \"{name}\"");
            self.problems.warning(
                upstream.name.place,
                message,
                format!("add `[[route]]` with `upstream = \"{name}\"`, or remove it"),
            );
        }
        self.lint_unused_roles();
    }

    fn lint_unused_roles(&self) {
        if self.config.roles.is_empty() {
            return;
        }
        let of_users = self.config.api_users.iter().flat_map(|user| &user.roles);
        let of_roles = self.config.roles.iter().flat_map(|role| &role.roles);
        let used: HashSet<&str> = of_users
            .chain(of_roles)
            .map(|name| name.value.as_str())
            .collect();
        for role in &self.config.roles {
            let is_certificate_role = !role.client_o.is_empty() || !role.client_ou.is_empty();
            if is_certificate_role || used.contains(role.name.value.as_str()) {
                continue;
            }
            let name = &role.name.value;
            let hint =
                format!("write `roles = [\"{name}\"]` in an `[api_user.NAME]`, or remove it");
            self.lint(
                LintKind::UnusedRole,
                role.name.place,
                format!("no api_user has role \"{name}\""),
                hint,
            );
        }
    }
}
