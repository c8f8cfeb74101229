//! Lint of certificates that expire, of users, and of routes. Warnings never stop a start.

use super::Assembly;
use super::identities::written_identifiers;
use super::users::Users;
use crate::authorize::Effect;
use crate::clock::{self, rfc3339};
use crate::config::{self, ApiUserTable, ClientAuth, CredentialKind, CredentialsRequired};
use crate::host::HostPattern;
use crate::route::Route;
use crate::snapshot::{ListenerPolicy, OwnExpiry};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// A longer `tolerate_expiry` in effect disables the expiry of certificates.
const LONG_TOLERANCE: Duration = Duration::from_secs(30 * 24 * 3600);

impl Assembly<'_> {
    pub(super) fn warn_about_expiries(&self, warn_before: Option<Duration>) {
        // Expired certificates are reported even if `warn_before` is off.
        let soon = i64::try_from(warn_before.unwrap_or_default().as_secs()).unwrap_or(i64::MAX);
        let now = clock::signed_seconds();
        let expiries = self.expiries.borrow();
        for expiry in expiries
            .iter()
            .filter(|expiry| expiry.not_after < now.saturating_add(soon))
        {
            self.problems.warning(
                expiry.file.place,
                expiry_message(expiry, now),
                expiry_hint(expiry, now),
            );
        }
    }

    /// Warns about users that no certificate can match, and permissions that no route requires.
    pub(super) fn warn_about_users(&self, users: &Users, routes: &[Arc<Route>]) {
        if self.problems.any_error() {
            return;
        }
        let used_domains: HashSet<&str> = self.domains_in_use();
        let only_domain = self.config.trust_domains.len() == 1;
        let has_certificate_only = |user: &&ApiUserTable| {
            user.password_hashes.is_empty()
                && user.password_hash_files.is_empty()
                && user.client_token.is_empty()
        };
        for user in self.config.api_users.iter().filter(has_certificate_only) {
            let domain = user
                .trust_domain
                .as_ref()
                .map(|domain| domain.value.as_str());
            let (reason, hint) = match domain {
                _ if written_identifiers(user).next().is_none() => (
                    "it has no `client_cn` or other `client_` key",
                    "give it a `client_cn`, or remove it",
                ),
                Some(domain) if !used_domains.contains(domain) => (
                    "no listener asks for certificates of its trust domain",
                    "name the domain in `trust_domain` of a listener that asks for certificates, or remove the user",
                ),
                None if only_domain && used_domains.is_empty() => (
                    "no listener asks for certificates (`client_auth = \"off\"`)",
                    "write `client_auth = \"required\"` or \"optional\" on a listener, or remove the user",
                ),
                _ => continue,
            };
            let message = format!("api_user \"{}\" can never match: {reason}", user.name.value);
            self.problems.warning(user.name.place, message, hint);
        }
        self.lint_users_without_certificate();
        self.lint_unused();
        for user in &self.config.api_users {
            if user
                .tolerate_expiry
                .is_some_and(|tolerance| tolerance > LONG_TOLERANCE)
            {
                let message = format!(
                    "api_user \"{}\" tolerates expired certificates for very long",
                    user.name.value
                );
                let hint = "shorten `tolerate_expiry` to what a renewal takes; a certificate ends so that a stolen one does";
                self.problems.warning(user.name.place, message, hint);
            }
        }
        self.warn_about_useless_permissions(users, routes);
    }

    fn warn_about_useless_permissions(&self, users: &Users, routes: &[Arc<Route>]) {
        /// Maximum number of permissions that are remembered as checked, to bound memory.
        const MAX_CHECKED: usize = 65_536;
        let mut checked = HashSet::new();
        let mut reported = HashSet::new();
        let granted = users
            .policy
            .granted()
            .map(|permission| (permission, Effect::Grant));
        let denied = users
            .policy
            .denied()
            .map(|permission| (permission, Effect::Deny));
        for (permission, effect) in granted.chain(denied) {
            if checked.len() >= MAX_CHECKED {
                checked.clear();
            }
            if !checked.insert(permission.identity())
                || routes
                    .iter()
                    .any(|route| permission.could_match(&route.requirement, &route.path_glob))
                || !reported.insert((permission.text(), effect))
            {
                continue;
            }
            let kind = match effect {
                Effect::Grant => "permission",
                Effect::Deny => "`deny`",
            };
            let message = format!("{kind} \"{}\" matches no route", permission.text());
            let hint = "check its spelling against the routes' paths and requirements";
            self.problems.warning(permission.place, message, hint);
        }
    }

    fn domains_in_use(&self) -> HashSet<&str> {
        let hosts = self
            .config
            .listeners
            .iter()
            .flat_map(|listener| listener.default_host.iter().chain(&listener.hosts));
        let verifying_hosts = hosts.filter(|host| {
            host.client_auth
                .as_ref()
                .is_none_or(|setting| setting.value != ClientAuth::Off)
        });
        let only = match self.config.trust_domains.as_slice() {
            [only] => Some(only.name.value.as_str()),
            _ => None,
        };
        let front_proxies = self
            .config
            .listeners
            .iter()
            .filter_map(|listener| listener.front_proxy.as_ref());
        let forwarded = front_proxies.filter_map(|front| front.trust_domain.as_ref());
        let mut in_use: HashSet<&str> = forwarded.map(|name| name.value.as_str()).collect();
        for host in verifying_hosts {
            let mut named = host
                .trust_domain
                .iter()
                .chain(&host.trust_domains)
                .map(|name| name.value.as_str())
                .peekable();
            match named.peek() {
                Some(_) => in_use.extend(named),
                None => in_use.extend(only),
            }
        }
        in_use
    }

    /// Warns about routes that no request can reach, and routes that need a certificate on listeners that request none.
    pub(super) fn warn_about_routes<'r>(
        &self,
        listeners: &[ListenerPolicy],
        unused: impl Iterator<Item = &'r Arc<Route>>,
    ) {
        // After an error, these warnings would be misleading.
        if self.problems.any_error() {
            return;
        }
        for route in unused {
            let message = format!(
                "route {} is shadowed: on each of its listeners another route takes its requests",
                route.name
            );
            self.problems.warning(
                route.place,
                message,
                "remove it, or the one that names the listeners",
            );
        }
        if self.config.routes.is_empty()
            && let Some(listener) = self.config.listeners.first()
        {
            self.problems.warning(
                listener.name.place,
                "there is no route, so every request is refused",
                "add `[[route]]`",
            );
        }
        for entry in &self.config.routes {
            let serving = listeners.iter().filter(|listener| {
                entry.listeners.is_empty()
                    || entry
                        .listeners
                        .iter()
                        .any(|name| *name.value == *listener.name)
            });
            let serving: Vec<_> = serving.collect();
            self.lint_open_route(entry, &serving);
            self.warn_about_hosts(entry, &serving);
            let needs_certificate = entry
                .client_auth
                .as_ref()
                .is_none_or(|setting| setting.value == ClientAuth::Required)
                && !password_is_enough(entry);
            let requests_certificate = serving
                .iter()
                .flat_map(|listener| listener.hosts.iter())
                .any(|host| host.client_auth != ClientAuth::Off);
            if needs_certificate && !requests_certificate && !serving.is_empty() {
                let message =
                    "this route needs a client certificate, but no listener of it asks for one";
                self.problems.warning(
                    entry.place,
                    message,
                    "set `client_auth` on a listener of it; a route for all clients sets `client_auth` itself",
                );
            }
        }
    }

    /// Warns about hosts of a route that none of its listeners serves.
    fn warn_about_hosts(&self, entry: &config::RouteEntry, serving: &[&ListenerPolicy]) {
        for host in &entry.hosts {
            let pattern = HostPattern::parse(&host.value);
            let served = pattern.is_some_and(|pattern| {
                serving
                    .iter()
                    .any(|listener| listener.hosts.could_serve(&pattern))
            });
            if !served && !serving.is_empty() {
                let message = format!(
                    "no listener of this route has a certificate entry for \"{}\"",
                    host.value
                );
                self.problems
                    .warning(host.place, message, "add the name to a listener's `host`");
            }
        }
    }
}

/// Message with the use, file and expiry of a certificate.
fn expiry_message(expiry: &OwnExpiry, now: i64) -> String {
    let (key, of) = match expiry.kind {
        "server" => ("certificate", "the server certificate of listener"),
        "trust_anchor" => ("anchors", "a trust anchor of trust domain"),
        "intermediate" => ("intermediates", "an intermediate of trust domain"),
        "upstream_anchor" => ("anchors", "an anchor of upstream"),
        "authorizer_anchor" => ("anchors", "an anchor of authorizer"),
        "authorizer_client" => ("certificate", "the client certificate for authorizer"),
        _ => ("certificate", "the client certificate for upstream"),
    };
    let expires = if expiry.not_after < now {
        "expired"
    } else {
        "expires"
    };
    let of_user = expiry
        .user
        .as_ref()
        .map(|user| format!(" of api_user \"{user}\""))
        .unwrap_or_default();
    format!(
        "{of} \"{}\"{of_user}, \"{}\" in {} (`{key}`), {expires} at {}",
        expiry.name,
        expiry.subject,
        expiry.file.value,
        rfc3339(expiry.not_after)
    )
}

fn expiry_hint(expiry: &OwnExpiry, now: i64) -> String {
    let consequence = match expiry.kind {
        _ if expiry.not_after >= now => "",
        "server" => "clients reject it: ",
        "trust_anchor" | "intermediate" => "clients whose certificates it signed are rejected: ",
        "upstream_anchor" | "authorizer_anchor" => {
            "servers whose certificates it signed are rejected: "
        }
        _ => "the server may reject it: ",
    };
    let how = match expiry.kind {
        "trust_anchor" | "intermediate" | "upstream_anchor" | "authorizer_anchor" => {
            "get the CA's new certificate"
        }
        _ => "have a new one signed",
    };
    format!(
        "{consequence}{how} and put it into {}; the gateway reads the file again when it changes",
        expiry.file.value
    )
}

/// Whether a password without a certificate is enough for this route.
fn password_is_enough(entry: &crate::config::RouteEntry) -> bool {
    let kinds = entry.credentials.iter().flatten();
    let any = entry
        .credentials_required
        .as_ref()
        .is_none_or(|setting| setting.value == CredentialsRequired::Any);
    let mut password = false;
    let mut other_kind = false;
    kinds.for_each(|kind| {
        if kind.value == CredentialKind::Password {
            password = true
        } else {
            other_kind = true
        }
    });
    password && (any || !other_kind)
}
