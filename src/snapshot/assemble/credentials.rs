//! Assembly of passwords, and of the credentials that a route accepts.

use super::{super::defaults, Assembly};
use crate::config::{self, ApiUserTable, ClientAuth, Spanned};
use crate::credentials::{
    AttemptLimits, CredentialRule, Credentials, HashError, PasswordHash, Passwords, RuleError,
};
use crate::file_read::{self, FileKind};

impl Assembly<'_> {
    pub(super) fn credentials(&self) -> Credentials {
        Credentials {
            passwords: self.passwords(),
            issuers: self.token_issuers(),
        }
    }

    fn passwords(&self) -> Passwords {
        let table = &self.config.passwords;
        let usual = AttemptLimits::default();
        let limits = AttemptLimits {
            failures_per_user: table.failures_per_user.unwrap_or(usual.failures_per_user),
            failures_per_source: table
                .failures_per_source
                .unwrap_or(usual.failures_per_source),
            window: table.window.unwrap_or(usual.window),
        };
        let mut passwords = Passwords::new(
            limits,
            table.remember.unwrap_or(Some(defaults::PASSWORD_REMEMBER)),
        );
        for user in &self.config.api_users {
            let hashes = self.password_hashes(user);
            if !hashes.is_empty() && user.name.value.contains(':') {
                let message = "the name of an ApiUser with a password has a colon, which ends the name in a request";
                self.problems
                    .error(user.name.place, message, "choose a name without a colon");
            }
            passwords.add(&user.name.value, hashes);
        }
        passwords
    }

    fn password_hashes(&self, user: &ApiUserTable) -> Vec<PasswordHash> {
        let inline = user
            .password_hashes
            .iter()
            .filter_map(|text| self.password_hash(text, &text.value));
        let mut hashes: Vec<_> = inline.collect();
        for file in &user.password_hash_files {
            let Some(text) = self.secret(file, "holds password hashes, one on each line") else {
                continue;
            };
            let lines = text
                .lines()
                .map(str::trim_end)
                .filter(|line| !line.is_empty() && !line.starts_with('#'));
            let mut lines = lines.peekable();
            if lines.peek().is_none() {
                let hint = "write a line with what `portcullis hash-password` prints";
                self.problems
                    .error(file.place, "the file holds no password hash", hint);
            }
            hashes.extend(lines.filter_map(|line| self.password_hash(file, line)));
        }
        hashes
    }

    fn password_hash(&self, source: &Spanned<String>, text: &str) -> Option<PasswordHash> {
        PasswordHash::parse(text)
            .map_err(|error| {
                let hint = match error {
                    HashError::CostTooHigh(_) => "make it anew: `portcullis hash-password`",
                    HashError::PlainText => {
                        "passwords never stand in a config; `portcullis hash-password` makes a hash"
                    }
                    _ => "use argon2id (`portcullis hash-password`), bcrypt ($2b$, $2y$) or SHA-crypt ($5$, $6$)",
                };
                // The line may contain a password.
                self.problems.error_about_secret(source.place, format!("password hash cannot be used: {error}"), hint);
            })
            .ok()
    }

    /// Reads a secret from a file or `env:NAME`.
    pub(super) fn secret(
        &self,
        text: &Spanned<String>,
        what: &str,
    ) -> Option<zeroize::Zeroizing<String>> {
        let read = match text.value.strip_prefix("env:") {
            Some(name) => {
                std::env::var(name).map_err(|error| format!("environment variable {name}: {error}"))
            }
            None => {
                let path = self.path(text);
                file_read::read_text(&path, FileKind::Secret)
                    .map_err(|error| format!("cannot read {}: {error}", path.display()))
            }
        };
        read.map(zeroize::Zeroizing::new)
            .map_err(|message| {
                let usual = || format!("give a file, or `env:NAME`, that {what}");
                self.problems.error(
                    text.place,
                    message,
                    config::unexpanded(&text.value).unwrap_or_else(usual),
                );
            })
            .ok()
    }

    /// The credentials that a route accepts. `None` for an error, which was reported.
    pub(super) fn credential_rule(&self, table: &config::RouteEntry) -> Option<CredentialRule> {
        let Some(kinds) = &table.credentials else {
            if let Some(required) = &table.credentials_required {
                let message = "`credentials_required` says how many of `credentials` are needed, which is missing";
                self.problems.error(
                    required.place,
                    message,
                    "add `credentials = [\"certificate\", \"password\"]`",
                );
                return None;
            }
            return Some(CredentialRule::default());
        };
        let place = kinds.first().map_or(table.place, |first| first.place);
        if matches!(&table.client_auth, Some(auth) if auth.value != ClientAuth::Required) {
            let message = "a route for all clients takes no credentials";
            self.problems
                .error(place, message, "remove `credentials`, or `client_auth`");
            return None;
        }
        let required = table
            .credentials_required
            .as_ref()
            .map_or_else(Default::default, |setting| setting.value);
        CredentialRule::new(kinds.iter().map(|kind| kind.value), required)
            .map_err(|error| {
                let hint = match error {
                    RuleError::Empty => "write `credentials = [\"certificate\"]`, or remove it",
                    RuleError::Twice => "name it once",
                    RuleError::BothInOneField => {
                        "leave one out, or write `credentials_required = \"any\"`"
                    }
                };
                self.problems.error(place, error.to_string(), hint);
            })
            .ok()
    }
}
