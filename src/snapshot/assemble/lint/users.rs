//! Lint of users: no user at all, names with wildcards, and passwords or tokens that cannot be sent.

use super::super::Assembly;
use super::super::identities::written_identifiers;
use super::LintKind;
use crate::config::{ApiUserTable, ClientAuth, CredentialKind, Host, Role, RouteEntry, Spanned};

impl Assembly<'_> {
    /// Warns if there is no user although a route requires one.
    pub(super) fn lint_no_users(&self) {
        let Some(listener) = self
            .config
            .listeners
            .first()
            .filter(|_| self.config.api_users.is_empty())
        else {
            return;
        };
        let mut routes = self.config.routes.iter();
        if !routes.any(|route| {
            route
                .client_auth
                .as_ref()
                .is_none_or(|setting| setting.value == ClientAuth::Required)
        }) {
            return;
        }
        let message = "there is no api_user, so routes that require one reject every client";
        let hint = "add `[api_user.NAME]` with `client_cn` and `permissions`; a route for all clients says \
                    `client_auth = \"off\"`";
        self.problems.warning(listener.name.place, message, hint);
    }

    pub(in super::super) fn lint_wildcards_of_role(&self, role: &Role) {
        for text in &role.client_o {
            self.lint_wildcard("client_o", text, "list the organizations, one by one");
        }
        for text in &role.client_ou {
            self.lint_wildcard(
                "client_ou",
                text,
                "list the organizational units, one by one",
            );
        }
    }

    /// Warns about a name that looks like a pattern although names are compared exactly.
    pub(in super::super) fn lint_wildcard(&self, key: &str, text: &Spanned<String>, hint: &str) {
        if text.value.contains('*') {
            let message = format!(
                "{key} \"{}\" looks like a pattern, but names are exact: it matches only a literal `*`",
                text.value
            );
            self.lint(LintKind::Wildcard, text.place, message, hint);
        }
    }

    /// Warns about `client_cn = "CN=name"`: a common name does not include the prefix.
    pub(in super::super) fn lint_distinguished_name(&self, key: &str, text: &Spanned<String>) {
        let name = match text.value.split_once('=') {
            Some((attribute, rest))
                if key == "client_cn" && attribute.trim().eq_ignore_ascii_case("cn") =>
            {
                rest
            }
            _ => return,
        };
        let name = name.split(',').next().unwrap_or_default().trim();
        let message = format!(
            "client_cn \"{}\" looks like a distinguished name, but it is compared with the common name alone",
            text.value
        );
        self.lint(
            LintKind::DistinguishedName,
            text.place,
            message,
            format!("write `client_cn = \"{name}\"`"),
        );
    }

    /// Warns about a user with `permissions = []` and no role.
    pub(in super::super) fn lint_no_permissions(&self, user: &ApiUserTable) {
        let Some(place) = user.empty_permissions.filter(|_| user.roles.is_empty()) else {
            return;
        };
        let message = format!(
            "api_user \"{}\" has no permission, so no request of it is permitted",
            user.name.value
        );
        let hint = "write for example `permissions = [\"GET /api/*\"]`, or `roles`; remove the user if it shall have no rights";
        self.lint(LintKind::NoPermissions, place, message, hint);
    }

    /// Warns about users with only a password or token, if all listeners of its routes require a certificate.
    pub(in super::super) fn lint_users_without_certificate(&self) {
        for user in self
            .config
            .api_users
            .iter()
            .filter(|user| written_identifiers(user).next().is_none())
        {
            let has_password =
                !user.password_hashes.is_empty() || !user.password_hash_files.is_empty();
            let kinds = [
                has_password.then_some((CredentialKind::Password, "a password")),
                (!user.client_token.is_empty()).then_some((CredentialKind::Token, "tokens")),
            ];
            for (kind, what) in kinds.into_iter().flatten() {
                self.lint_credential_of(user, kind, what);
            }
        }
    }

    fn lint_credential_of(&self, user: &ApiUserTable, kind: CredentialKind, what: &str) {
        let name = &user.name.value;
        let accepts_kind = |route: &&RouteEntry| {
            route
                .credentials
                .iter()
                .flatten()
                .any(|setting| setting.value == kind)
        };
        let mut routes = self.config.routes.iter().filter(accepts_kind).peekable();
        if routes.peek().is_none() {
            let message = format!("api_user \"{name}\" has {what} alone, and no route takes that");
            let hint = "name the kind in `credentials` of a route, or give the user a `client_cn`";
            self.lint(LintKind::NoCertificate, user.name.place, message, hint);
            return;
        }
        let mut hosts = routes.flat_map(|route| self.hosts_of(route));
        let certificate_is_optional = |host: &Host| {
            host.client_auth
                .as_ref()
                .is_some_and(|setting| setting.value != ClientAuth::Required)
        };
        if hosts.any(certificate_is_optional) {
            return;
        }
        let message = format!(
            "api_user \"{name}\" has {what} and no certificate, but the listener rejects clients without one \
             (`client_auth = \"required\"`)"
        );
        let hint = "write `client_auth = \"optional\"` on the listener: routes still ask who the client is";
        self.lint(LintKind::NoCertificate, user.name.place, message, hint);
    }

    /// The host entries of all listeners that a route is on.
    fn hosts_of<'c>(&'c self, route: &'c RouteEntry) -> impl Iterator<Item = &'c Host> {
        let listeners = self.config.listeners.iter().filter(|listener| {
            route.listeners.is_empty()
                || route
                    .listeners
                    .iter()
                    .any(|name| name.value == listener.name.value)
        });
        listeners.flat_map(|listener| listener.default_host.iter().chain(&listener.hosts))
    }
}
