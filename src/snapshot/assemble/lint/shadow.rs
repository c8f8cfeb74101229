//! Lint of shadow mode: each place where a denial has no effect.

use super::super::Assembly;
use super::LintKind;
use crate::authorize::Permission;
use crate::config::Enforcement;

const HINT: &str =
    "remove `shadow = true` as soon as the log shows no request with `shadow` that must pass";

impl Assembly<'_> {
    /// Warns about shadow mode of the gateway, routes and users. `false` of a user or route overrides `[gateway]`.
    pub(super) fn lint_shadow(&self) {
        if let Some(setting) = &self.config.gateway.shadow
            && setting.value == Enforcement::Shadow
        {
            let message = "`[gateway] shadow = true`: ApiUsers without the permission are let through, and only marked";
            self.problems.warning(setting.place, message, HINT);
        }
        for route in &self.config.routes {
            if let Some(setting) = route
                .shadow
                .as_ref()
                .filter(|setting| setting.value == Enforcement::Shadow)
            {
                let path = route.path.as_ref().map_or("", |path| &path.value);
                let message = format!(
                    "route {path} is in shadow mode: what is denied on it passes, and is only marked"
                );
                self.problems.warning(setting.place, message, HINT);
            }
        }
        for user in &self.config.api_users {
            if let Some(setting) = user
                .shadow
                .as_ref()
                .filter(|setting| setting.value == Enforcement::Shadow)
            {
                let name = &user.name.value;
                let message = format!(
                    "api_user \"{name}\" is in shadow mode: what it is denied passes, and is only marked"
                );
                self.lint(LintKind::Shadow, setting.place, message, HINT);
            }
        }
    }

    /// Warns about `deny` entries in shadow mode. A granted permission in shadow mode still grants, so it needs no
    /// warning.
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
