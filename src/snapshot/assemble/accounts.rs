//! Assembly of the accounts of ApiUsers at upstreams (`[api_user.NAME.upstream.UPSTREAM]`), each with a password or a
//! certificate. Contradictory accounts are errors, so that no request is sent with unintended credentials.

use super::Assembly;
use super::own_certificates::CertificatePaths;
use super::remote_servers::{CertificateOwner, Inputs};
use super::upstreams::{Upstreams, peer};
use crate::config::{ApiUserTable, CredentialsOfUsers, Spanned, UpstreamAccount, UpstreamTable};
use crate::endpoint::EndpointAddress;
use crate::identity::ApiUsers;
use crate::route::{Admission, Target, UpstreamUsers};
use crate::upstream::{Account, Accounts};
use rustls::client::Resumption;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Number of cached TLS sessions per account: enough for one per endpoint.
const SESSIONS: usize = 8;

impl Assembly<'_> {
    /// Accounts by name of the upstream. Upstreams without accounts have no entry.
    pub(super) fn accounts(
        &self,
        users: &ApiUsers,
        upstreams: &Upstreams,
    ) -> HashMap<Arc<str>, Arc<Accounts>> {
        let mut all: HashMap<Arc<str>, Accounts> = HashMap::new();
        for user in &self.config.api_users {
            let principal = users.named(&user.name.value);
            for entry in &user.upstream_accounts {
                let account = self.account(user, entry, upstreams);
                if let (Some((name, account)), Some(principal)) = (account, &principal) {
                    all.entry(name).or_default().insert(principal.id, account);
                }
            }
        }
        all.into_iter()
            .map(|(name, accounts)| (name, Arc::new(accounts)))
            .collect()
    }

    /// The account of a user. `None` for an error, which was reported here or with the upstream.
    fn account(
        &self,
        user: &ApiUserTable,
        entry: &UpstreamAccount,
        upstreams: &Upstreams,
    ) -> Option<(Arc<str>, Arc<Account>)> {
        let table = self.upstream_of_account(entry)?;
        self.check_account(entry, table)?;
        let (name, upstream) = upstreams
            .by_name
            .get_key_value(entry.upstream.value.as_str())?;
        let mut inputs = Inputs::default();
        inputs.add(&upstream.signature);
        inputs.add(user.name.value.as_bytes());
        let make: Box<dyn FnOnce(Vec<u8>) -> Account> = match &entry.basic_credentials {
            Some(text) => {
                let authorization = self.basic_credentials(text)?;
                inputs.add(&authorization);
                Box::new(|signature| Account::by_authorization(authorization, signature))
            }
            None => {
                let paths = account_certificate(entry);
                let owner = CertificateOwner {
                    kind: "upstream_user",
                    name,
                    user: Some(&user.name.value),
                };
                let client_certificate = self.client_certificate(paths, owner, &mut inputs).ok()?;
                let roots = upstreams.roots.get(name);
                let roots = roots.or_else(|| self.report_account_without_anchors(entry, table))?;
                let mut config = self
                    .config_with_certificate(&peer(table), roots, client_certificate)
                    .ok()?;
                // Each account has its own session cache, since resumption keeps the identity. So the caches are small.
                config.resumption = Resumption::in_memory_sessions(SESSIONS);
                Box::new(|signature| Account::by_certificate(Arc::new(config), signature))
            }
        };
        let signature = inputs.digest();
        let before = self.account_before(name, &user.name);
        // An unchanged account keeps its connections.
        let unchanged = before.filter(|account| account.signature == signature);
        Some((
            name.clone(),
            unchanged.unwrap_or_else(|| Arc::new(make(signature))),
        ))
    }

    /// The pattern of the client certificate that an endpoint of the upstream is shown.
    fn pattern_of_upstream(&self, table: &UpstreamTable) -> Option<String> {
        if table.certificate.is_some() {
            return None;
        }
        let hosts = table
            .endpoints
            .iter()
            .filter_map(|text| EndpointAddress::parse(&text.value).ok());
        let mut entries = hosts.filter_map(|address| self.host_certificate(&address.host));
        entries
            .next()
            .map(|entry| entry.pattern.as_str().to_owned())
    }

    /// Reports a user's certificate at an upstream whose endpoints are verified by the anchors of patterns alone.
    fn report_account_without_anchors<T>(
        &self,
        entry: &UpstreamAccount,
        table: &UpstreamTable,
    ) -> Option<T> {
        let message = format!(
            "upstream \"{}\" has no `anchors`, which connections with a user's certificate need",
            table.name.value
        );
        self.problems.error(
            entry.place,
            message,
            "write `anchors` in the table of the upstream",
        );
        None
    }

    /// The table of the upstream. Reports an unknown name.
    fn upstream_of_account(&self, entry: &UpstreamAccount) -> Option<&UpstreamTable> {
        let table = self
            .config
            .upstreams
            .iter()
            .find(|upstream| upstream.name.value == entry.upstream.value);
        if table.is_none() {
            let message = format!("there is no upstream \"{}\"", entry.upstream.value);
            let names = self
                .config
                .upstreams
                .iter()
                .map(|upstream| &upstream.name.value);
            self.problems.error(
                entry.upstream.place,
                message,
                self.known("upstreams", names),
            );
        }
        table
    }

    fn account_before(&self, upstream: &Arc<str>, user: &Spanned<String>) -> Option<Arc<Account>> {
        let previous = self.previous?;
        let principal = previous.users.named(&user.value)?;
        previous.accounts.get(upstream)?.of(principal.id).cloned()
    }

    /// Checks that an account has exactly one credential, and one that the upstream can accept.
    fn check_account(&self, entry: &UpstreamAccount, table: &UpstreamTable) -> Option<()> {
        let of_certificate = account_certificate(entry).first();
        let (place, message, hint) = match (&entry.basic_credentials, of_certificate) {
            (None, None) => (
                entry.place,
                "this says nothing about who the user is at the upstream".to_owned(),
                "write `basic_credentials`, or `certificate` and `private_key`, or remove the table",
            ),
            (Some(password), Some(_)) => (
                password.place,
                "a user has either a password or a certificate at an upstream, and this has both"
                    .to_owned(),
                "keep one: Icinga 2, for one, looks at no password where a certificate counts",
            ),
            (Some(password), None) if table.certificate.is_some() => (
                password.place,
                format!(
                    "upstream \"{}\" is shown the gateway's certificate, beside which no password may count",
                    table.name.value
                ),
                "give the user a certificate there, too, or remove `certificate` of the upstream",
            ),
            (Some(password), None) if let Some(pattern) = self.pattern_of_upstream(table) => (
                password.place,
                format!(
                    "upstream \"{}\" is shown the client certificate for \"{pattern}\", beside which no password may count",
                    table.name.value
                ),
                "give the user a certificate there, too, or a pattern that does not match the upstream",
            ),
            (None, Some(certificate))
                if table
                    .endpoints
                    .iter()
                    .any(|text| !text.value.starts_with("https://")) =>
            {
                (
                    certificate.place,
                    format!(
                        "upstream \"{}\" has an endpoint without https, which cannot receive a certificate",
                        table.name.value
                    ),
                    "write https:// in its `endpoints`, or give the user `basic_credentials`",
                )
            }
            _ => return Some(()),
        };
        self.problems.error(place, message, hint);
        None
    }

    /// The users that a route may forward to its upstream. `None` for an error, which was reported.
    pub(super) fn known_users(
        &self,
        target: &Target,
        admission: Admission,
        accounts: &HashMap<Arc<str>, Arc<Accounts>>,
        place: crate::config::Place,
    ) -> Option<UpstreamUsers> {
        let Target::Upstream(name) = target else {
            return Some(UpstreamUsers::Any);
        };
        let table = self
            .config
            .upstreams
            .iter()
            .find(|table| *table.name.value == **name);
        let rule = table
            .and_then(|upstream| upstream.quirks.credentials_of_users.as_ref())
            .map(|setting| setting.value);
        if rule.unwrap_or_default() == CredentialsOfUsers::Optional {
            return Some(UpstreamUsers::Any);
        }
        if admission == Admission::Public {
            let message = format!(
                "all clients may use this route, but upstream \"{name}\" takes only users that it knows"
            );
            let hint = "set `client_auth` of the route, or `credentials_of_users = \"optional\"` of the upstream";
            self.problems.error(place, message, hint);
            return None;
        }
        let users: HashSet<_> = accounts
            .get(name)
            .into_iter()
            .flat_map(|accounts| accounts.users())
            .collect();
        Some(UpstreamUsers::Only(Arc::new(users)))
    }
}

fn account_certificate(entry: &UpstreamAccount) -> CertificatePaths<'_> {
    CertificatePaths {
        certificate: entry.certificate.as_ref(),
        private_key: entry.private_key.as_ref(),
        passphrase_file: entry.passphrase_file.as_ref(),
    }
}
