//! Assembly of token issuers, their keys, and the mapping of tokens to ApiUsers.

use super::unusable_file::{CHECK_THE_PATH, unreadable_hint};
use super::{super::defaults, Assembly};
use crate::config::{self, CredentialKind, Place, Spanned};
use crate::credentials::{
    Algorithm, IssuerSettings, KeySet, KeySetError, KeySource, RemoteKeys, TokenIssuer,
    TokenIssuers,
};
use crate::fetch::{FetchScheme, FetchUrl};
use crate::file_read::{self, FileKind};
use std::collections::HashMap;
use std::sync::Arc;

impl Assembly<'_> {
    pub(super) fn token_issuers(&self) -> TokenIssuers {
        let _ = self.unique("token issuer", &self.config.token_issuers, |issuer| {
            &issuer.name
        });
        let mut built: HashMap<&str, TokenIssuer> = HashMap::new();
        for table in &self.config.token_issuers {
            let settings = self.issuer_settings(table);
            let keys = self.key_source(table);
            if let (Some(settings), Some(keys)) = (settings, keys) {
                built.insert(&table.name.value, TokenIssuer::new(settings, keys));
            }
        }
        self.bind_tokens(&mut built);
        self.check_token_routes();
        let mut issuers = TokenIssuers::default();
        for table in &self.config.token_issuers {
            let Some(issuer) = built.remove(table.name.value.as_str()) else {
                continue;
            };
            if let Err(other) = issuers.add(issuer) {
                let place = table
                    .issuer
                    .as_ref()
                    .map_or(table.name.place, |issuer| issuer.place);
                let message = format!(
                    "token_issuer \"{}\" already has this `issuer`",
                    other.name()
                );
                self.problems.error(
                    place,
                    message,
                    "one issuer is one table; it may have several audiences",
                );
            }
        }
        issuers
    }

    fn issuer_settings(&self, table: &config::TokenIssuerTable) -> Option<IssuerSettings> {
        if table.audience.is_empty() {
            let message = format!("token_issuer \"{}\" has no `audience`", table.name.value);
            let hint = "write what `aud` says in tokens for this gateway; tokens for others must not count here";
            self.problems.error(table.name.place, message, hint);
            return None;
        }
        let algorithms = match &table.algorithms {
            None => Algorithm::USUAL.to_vec(),
            Some(names) => names
                .iter()
                .filter_map(|name| Algorithm::named(name.value))
                .collect(),
        };
        if algorithms.is_empty() {
            let message = format!("token_issuer \"{}\" may use no algorithm", table.name.value);
            self.problems.error(
                table.name.place,
                message,
                "remove `algorithms`, or name one",
            );
            return None;
        }
        Some(IssuerSettings {
            name: table.name.value.as_str().into(),
            issuer: table.issuer.as_ref()?.value.clone(),
            audiences: table
                .audience
                .iter()
                .map(|audience| audience.value.clone())
                .collect(),
            algorithms,
            user_claim: table
                .user_claim
                .as_ref()
                .map_or(defaults::USER_CLAIM, |claim| claim.value.as_str())
                .to_owned(),
            leeway: table.leeway.unwrap_or(defaults::TOKEN_LEEWAY),
        })
    }

    fn key_source(&self, table: &config::TokenIssuerTable) -> Option<KeySource> {
        match (&table.jwks, &table.jwks_url) {
            (Some(file), None) => {
                if let Some(useless) = table.anchors.first() {
                    let message = "`anchors` verify a `jwks_url`, and there is none";
                    self.problems.error(useless.place, message, "remove them");
                }
                self.keys_of_file(file)
                    .map(|keys| KeySource::File(Arc::new(keys)))
            }
            (None, Some(url)) => self.remote_keys(table, url).map(KeySource::Remote),
            (Some(_), Some(url)) => {
                self.problems.error(
                    url.place,
                    "keys come from `jwks` or from `jwks_url`, not both",
                    "keep one",
                );
                None
            }
            (None, None) => {
                let message = format!("token_issuer \"{}\" has no keys", table.name.value);
                let hint = "write `jwks = \"keys.json\"`, or `jwks_url` and `anchors`";
                self.problems.error(table.name.place, message, hint);
                None
            }
        }
    }

    fn keys_of_file(&self, file: &Spanned<String>) -> Option<KeySet> {
        let path = self.path(file);
        let text = file_read::read(&path, FileKind::KeySet)
            .map_err(|error| {
                let message = format!("cannot read {}: {error}", path.display());
                self.problems
                    .error(file.place, message, unreadable_hint(file, CHECK_THE_PATH));
            })
            .ok()?;
        KeySet::read(&text)
            .map_err(|error| {
                let hint = match error {
                    KeySetError::PrivateKey => {
                        "take the private key away from here; only public keys are needed"
                    }
                    _ => "give the issuer's JWK set: `{\"keys\": [...]}`",
                };
                self.problems
                    .error(file.place, format!("{}: {error}", path.display()), hint);
            })
            .ok()
    }

    /// Keys from a URL. Unchanged settings keep the fetched keys of the previous snapshot.
    fn remote_keys(
        &self,
        table: &config::TokenIssuerTable,
        url: &Spanned<String>,
    ) -> Option<Arc<RemoteKeys>> {
        let parsed = FetchUrl::parse(&url.value).filter(|url| url.scheme() == FetchScheme::Https);
        if parsed.is_none() {
            let message = format!("\"{}\" is no https URL", url.value);
            self.problems.error(
                url.place,
                message,
                "write for example \"https://idp.example.org/jwks.json\"",
            );
        }
        if table.anchors.is_empty() {
            let hint = "name CA files: `anchors = [\"pki/idp-ca.crt\"]`; there is no default";
            self.problems
                .error(url.place, "there are no `anchors` to verify this URL", hint);
        }
        let mut signature = url.value.clone().into_bytes();
        let tls = self.fetch_tls(&table.anchors, &mut signature);
        let refresh = table.refresh.unwrap_or(defaults::TOKEN_KEYS_REFRESH);
        signature.extend_from_slice(&refresh.as_nanos().to_le_bytes());
        let parsed = parsed?;
        let tls = tls?;
        let before = self
            .previous
            .iter()
            .flat_map(|previous| previous.credentials.issuers.iter());
        let mut before = before
            .filter_map(|issuer| issuer.remote())
            .filter(|keys| keys.signature() == signature);
        let unchanged = before.next().cloned();
        Some(
            unchanged.unwrap_or_else(|| Arc::new(RemoteKeys::new(parsed, tls, refresh, signature))),
        )
    }

    fn bind_tokens(&self, issuers: &mut HashMap<&str, TokenIssuer>) {
        for user in &self.config.api_users {
            let Some(first) = user.client_token.first() else {
                if let Some(named) = &user.token_issuer {
                    let message = "`token_issuer` says who issues the tokens of `client_token`, which is missing";
                    self.problems.error(
                        named.place,
                        message,
                        "add `client_token = \"...\"`, or remove it",
                    );
                }
                continue;
            };
            let Some(name) = self.resolve_issuer(user.token_issuer.as_ref(), first.place) else {
                continue;
            };
            let Some(issuer) = issuers.get_mut(name) else {
                continue;
            };
            for subject in &user.client_token {
                if subject.value.is_empty() {
                    self.problems.error(
                        subject.place,
                        "`client_token` is empty",
                        "write what the user claim says",
                    );
                } else if let Err(other) = issuer.bind(&subject.value, &user.name.value) {
                    let message = format!(
                        "client_token \"{}\" already is api_user \"{other}\"",
                        subject.value
                    );
                    self.problems
                        .error(subject.place, message, "one token is one user");
                }
            }
        }
    }

    /// Name of the issuer: the named one, or the only one.
    fn resolve_issuer(&self, named: Option<&Spanned<String>>, at: Place) -> Option<&str> {
        let all = &self.config.token_issuers;
        let names = || all.iter().map(|issuer| &issuer.name.value);
        match (named, all.as_slice()) {
            (Some(named), _) => {
                let known = names().find(|name| **name == named.value);
                if known.is_none() {
                    let message = format!("there is no token_issuer \"{}\"", named.value);
                    self.problems
                        .error(named.place, message, self.known("token issuers", names()));
                }
                known.map(String::as_str)
            }
            (None, [only]) => Some(&only.name.value),
            (None, []) => {
                let hint = "add `[token_issuer.NAME]` with `issuer`, `audience` and `jwks`";
                self.problems.error(
                    at,
                    "`client_token` needs a token issuer, and there is none",
                    hint,
                );
                None
            }
            (None, _) => {
                let message =
                    "`client_token` needs `token_issuer`, since there are several issuers";
                self.problems
                    .error(at, message, "add `token_issuer = \"NAME\"`");
                None
            }
        }
    }

    /// Reports routes that accept tokens if there is no issuer.
    fn check_token_routes(&self) {
        if !self.config.token_issuers.is_empty() {
            return;
        }
        let kinds = self
            .config
            .routes
            .iter()
            .flat_map(|route| route.credentials.iter().flatten());
        for kind in kinds.filter(|kind| kind.value == CredentialKind::Token) {
            let hint = "add `[token_issuer.NAME]` with `issuer`, `audience` and `jwks`";
            self.problems.error(
                kind.place,
                "this route accepts tokens, but there is no token issuer",
                hint,
            );
        }
    }
}
