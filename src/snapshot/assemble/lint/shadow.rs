//! Lint of shadow mode: each place where a refusal is only marked.

use super::super::Assembly;
use super::LintKind;
use crate::authorize::Permission;
use crate::config::Enforcement;

const HINT: &str =
    "remove `shadow = true` as soon as the log shows no request with `shadow` that must pass";

impl Assembly<'_> {
    /// Of the gateway, routes and users. A user or route that says `false` is stronger than `[gateway]`.
    pub(super) fn lint_shadow(&self) {
        if let Some(said) = &self.config.gateway.shadow
            && said.value == Enforcement::Shadow
        {
            let message = "`[gateway] shadow = true`: ApiUsers without the permission are let through, and only marked";
            self.problems.warning(said.place, message, HINT);
        }
        for route in &self.config.routes {
            if let Some(said) = route
                .shadow
                .as_ref()
                .filter(|said| said.value == Enforcement::Shadow)
            {
                let path = route.path.as_ref().map_or("", |path| &path.value);
                let message = format!(
                    "route {path} is in shadow mode: what is denied on it passes, and is only marked"
                );
                self.problems.warning(said.place, message, HINT);
            }
        }
        for user in &self.config.api_users {
            if let Some(said) = user
                .shadow
                .as_ref()
                .filter(|said| said.value == Enforcement::Shadow)
            {
                let name = &user.name.value;
                let message = format!(
                    "api_user \"{name}\" is in shadow mode: what it is denied passes, and is only marked"
                );
                self.lint(LintKind::Shadow, said.place, message, HINT);
            }
        }
    }

    /// Of `deny`. A permission in shadow mode grants as any other, so it switches nothing off.
    pub(in super::super) fn lint_shadow_of_denied(&self, denied: &[Permission]) {
        for entry in denied
            .iter()
            .filter(|entry| entry.enforcement() == Enforcement::Shadow)
        {
            let message = format!(
                "`deny` \"{}\" is in shadow mode: what it denies passes, and is only marked",
                entry.text()
            );
            self.lint(LintKind::Shadow, entry.place, message, HINT);
        }
    }
}
