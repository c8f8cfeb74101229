//! Who ApiUsers are at upstreams: `[api_user.NAME.upstream.UPSTREAM]`, each with a password or a certificate there. What is
//! contradictory is refused, so that no request goes up as somebody whom nobody meant.

use super::Assembly;
use super::peers::{CertificateOwner, Inputs};
use super::upstreams::{Upstreams, peer};
use crate::config::{
    ApiUser, CredentialsOfUsers, Spanned, Upstream as SaidUpstream, UserAtUpstream,
};
use crate::identity::ApiUsers;
use crate::route::{Admission, KnownThere, Target};
use crate::upstream::{Account, Accounts};
use rustls::client::Resumption;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// TLS sessions that are kept for one user: one for each endpoint, and a few to spare.
const SESSIONS: usize = 8;

impl Assembly<'_> {
    /// By the name of the upstream; those where nobody is somebody are left out.
    pub(super) fn accounts(
        &self,
        users: &ApiUsers,
        upstreams: &Upstreams,
    ) -> HashMap<Arc<str>, Arc<Accounts>> {
        let mut all: HashMap<Arc<str>, Accounts> = HashMap::new();
        for user in &self.config.api_users {
            let principal = users.named(&user.name.value);
            for there in &user.at_upstreams {
                let account = self.account(user, there, upstreams);
                if let (Some((name, account)), Some(principal)) = (account, &principal) {
                    all.entry(name).or_default().insert(principal.id, account);
                }
            }
        }
        all.into_iter()
            .map(|(name, accounts)| (name, Arc::new(accounts)))
            .collect()
    }

    /// `None` if that cannot be and was reported, here or with the upstream.
    fn account(
        &self,
        user: &ApiUser,
        there: &UserAtUpstream,
        upstreams: &Upstreams,
    ) -> Option<(Arc<str>, Arc<Account>)> {
        let Some(said) = self
            .config
            .upstreams
            .iter()
            .find(|said| said.name.value == there.upstream.value)
        else {
            let message = format!("there is no upstream \"{}\"", there.upstream.value);
            let names = self
                .config
                .upstreams
                .iter()
                .map(|upstream| &upstream.name.value);
            self.problems.error(
                there.upstream.place,
                message,
                self.known("upstreams", names),
            );
            return None;
        };
        self.check_account(there, said)?;
        let (name, upstream) = upstreams
            .by_name
            .get_key_value(there.upstream.value.as_str())?;
        let mut inputs = Inputs::default();
        inputs.add(&upstream.signature);
        inputs.add(user.name.value.as_bytes());
        let make: Box<dyn FnOnce(Vec<u8>) -> Account> = match &there.basic_credentials {
            Some(text) => {
                let authorization = self.basic_credentials(text)?;
                inputs.add(&authorization);
                Box::new(|signature| Account::by_authorization(authorization, signature))
            }
            None => {
                let files = (there.certificate.as_ref(), there.private_key.as_ref());
                let owner = CertificateOwner {
                    kind: "upstream_user",
                    name,
                    user: Some(&user.name.value),
                };
                let shown = self.client_certificate(files, owner, &mut inputs).ok()?;
                let mut config = self
                    .config_showing(&peer(said), upstreams.roots.get(name)?, shown)
                    .ok()?;
                // One for each user, or a session would speak for somebody else; so they are small.
                config.resumption = Resumption::in_memory_sessions(SESSIONS);
                Box::new(|signature| Account::by_certificate(Arc::new(config), signature))
            }
        };
        let signature = inputs.digest();
        let before = self.account_before(name, &user.name);
        // Who did not change keeps its connections.
        let unchanged = before.filter(|account| account.signature == signature);
        Some((
            name.clone(),
            unchanged.unwrap_or_else(|| Arc::new(make(signature))),
        ))
    }

    fn account_before(&self, upstream: &Arc<str>, user: &Spanned<String>) -> Option<Arc<Account>> {
        let previous = self.previous?;
        let principal = previous.users.named(&user.value)?;
        previous.accounts.get(upstream)?.of(principal.id).cloned()
    }

    /// One proof, and one that counts there.
    fn check_account(&self, there: &UserAtUpstream, said: &SaidUpstream) -> Option<()> {
        let of_certificate = there.certificate.as_ref().or(there.private_key.as_ref());
        let (place, message, hint) = match (&there.basic_credentials, of_certificate) {
            (None, None) => (
                there.place,
                "this says nothing about who the user is at the upstream".to_owned(),
                "write `basic_credentials`, or `certificate` and `private_key`, or remove the table",
            ),
            (Some(password), Some(_)) => (
                password.place,
                "a user is somebody at an upstream by a password or by a certificate, and this has both".to_owned(),
                "keep one: Icinga 2, for one, looks at no password where a certificate counts",
            ),
            (Some(password), None) if said.certificate.is_some() => (
                password.place,
                format!(
                    "upstream \"{}\" is shown the gateway's certificate, beside which no password may count",
                    said.name.value
                ),
                "give the user a certificate there, too, or remove `certificate` of the upstream",
            ),
            (None, Some(certificate)) if said.endpoints.iter().any(|text| !text.value.starts_with("https://")) => (
                certificate.place,
                format!(
                    "upstream \"{}\" has an endpoint without https, where nobody sees a certificate",
                    said.name.value
                ),
                "write https:// in its `endpoints`, or give the user `basic_credentials`",
            ),
            _ => return Some(()),
        };
        self.problems.error(place, message, hint);
        None
    }

    /// Whose requests a route may pass on; `None` if nobody's, which was reported.
    pub(super) fn known_there(
        &self,
        target: &Target,
        admission: Admission,
        accounts: &HashMap<Arc<str>, Arc<Accounts>>,
        place: crate::config::Place,
    ) -> Option<KnownThere> {
        let Target::Upstream(name) = target else {
            return Some(KnownThere::Anybody);
        };
        let said = self
            .config
            .upstreams
            .iter()
            .find(|said| *said.name.value == **name);
        let rule = said
            .and_then(|said| said.manners.credentials_of_users.as_ref())
            .map(|said| said.value);
        if rule.unwrap_or_default() == CredentialsOfUsers::Optional {
            return Some(KnownThere::Anybody);
        }
        if admission == Admission::Public {
            let message = format!(
                "everybody may use this route, but upstream \"{name}\" takes only users that it knows"
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
        Some(KnownThere::Only(Arc::new(users)))
    }
}
