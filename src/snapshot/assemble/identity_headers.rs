//! Assembly of client identity for upstreams: header sets, and keys that sign assertions.

use super::{super::defaults, Assembly};
use crate::config::{Assertions, Place, RouteEntry, Spanned, UpstreamTable};
use crate::forward::{BadFieldName, check_kept};
use crate::identity::{AssertionKey, AssertionSigner, IdentitySelection, IdentitySet};
use std::sync::Arc;
use std::time::Duration;

impl Assembly<'_> {
    /// Header fields of clients that a route forwards although others remove them.
    pub(super) fn kept_headers(&self, table: &RouteEntry) -> Box<[Box<str>]> {
        for text in &table.keep_headers {
            let Err(error) = check_kept(&text.value) else {
                continue;
            };
            let hint = match error {
                BadFieldName::NotRemoved => "leave it out: it is sent as it came on every route",
                BadFieldName::NoName => "write a name such as \"True-Client-IP\"",
                BadFieldName::HasMeaning => {
                    "leave it out: upstreams rely on it that no client can set this field"
                }
            };
            let message = format!("`keep_headers` cannot hold \"{}\": {error}", text.value);
            self.problems.error(text.place, message, hint);
        }
        table
            .keep_headers
            .iter()
            .map(|name| name.value.to_ascii_lowercase().into())
            .collect()
    }

    /// The identity headers for an upstream. `None` for an error, which was reported.
    pub(super) fn identity_selection(&self, table: &UpstreamTable) -> Option<IdentitySelection> {
        let named = table.identity_headers.as_ref();
        let sets = match named.or(self.config.identity_headers.sets.as_ref()) {
            // The general sets are checked once, in `assertions`.
            Some(words) if named.is_none() => known_sets(words),
            Some(words) => self.checked_sets(words)?,
            None => vec![IdentitySet::XClient],
        };
        let audience = match (&table.jwt_audience, sets.contains(&IdentitySet::Jwt)) {
            (Some(audience), false) => {
                let message = "this upstream gets no assertion, so `jwt_audience` has no effect";
                self.problems.error(
                    audience.place,
                    message,
                    "name \"jwt\" in `identity_headers`, or remove the key",
                );
                return None;
            }
            (Some(audience), true) if audience.value.is_empty() => {
                self.problems.error(
                    audience.place,
                    "the audience is empty",
                    "name the receiver of the assertions",
                );
                return None;
            }
            (Some(audience), true) => audience.value.as_str().into(),
            (None, true) => table.name.value.as_str().into(),
            (None, false) => Arc::default(),
        };
        Some(IdentitySelection { sets, audience })
    }

    fn checked_sets(&self, words: &[Spanned<String>]) -> Option<Vec<IdentitySet>> {
        if is_off(words) {
            return Some(Vec::new());
        }
        let mut sets = Vec::new();
        let mut complete = true;
        for word in words {
            match IdentitySet::from_word(&word.value) {
                Some(set) if sets.contains(&set) => {
                    complete = false;
                    self.problems.error(
                        word.place,
                        "this set of headers is named twice",
                        "name it once",
                    );
                }
                Some(set @ (IdentitySet::Xfcc | IdentitySet::XfccCert))
                    if sets.contains(&IdentitySet::Xfcc)
                        || sets.contains(&IdentitySet::XfccCert) =>
                {
                    complete = false;
                    sets.push(set);
                    let message = "\"xfcc\" and \"xfcc-cert\" write the same field";
                    self.problems.error(word.place, message, "keep one");
                }
                Some(set) => sets.push(set),
                None => {
                    complete = false;
                    let message = format!("there is no set of identity headers \"{}\"", word.value);
                    self.problems.error(
                        word.place,
                        message,
                        format!("known sets: {}", IdentitySet::words()),
                    );
                }
            }
        }
        self.check_keys(words);
        complete.then_some(sets)
    }

    /// Reports the set "jwt" without a key.
    fn check_keys(&self, words: &[Spanned<String>]) {
        let jwt = words
            .iter()
            .find(|word| IdentitySet::from_word(&word.value) == Some(IdentitySet::Jwt));
        if let (Some(jwt), None) = (jwt, &self.config.identity_headers.jwt) {
            let hint = "add `[identity_headers.jwt]` with `keys = [\"jwt.key\"]`; make one with \
                        `openssl genpkey -algorithm ed25519 -out jwt.key`";
            self.problems.error(
                jwt.place,
                "there is no key that could sign assertions",
                hint,
            );
        }
    }

    /// The signer of assertions; `None` without keys. Also checks the general header sets.
    pub(super) fn assertions(&self) -> Option<Arc<AssertionSigner>> {
        if let Some(words) = &self.config.identity_headers.sets {
            let _ = self.checked_sets(words);
        }
        let table = self.config.identity_headers.jwt.as_ref()?;
        if table.keys.is_empty() {
            let message = "`[identity_headers.jwt]` names no key";
            self.problems
                .error(table.place, message, "write `keys = [\"jwt.key\"]`");
        }
        let keys = self.assertion_keys(table);
        let issuer = table
            .issuer
            .as_ref()
            .map_or(defaults::JWT_ISSUER, |setting| &setting.value);
        if let Some(&Spanned { place, .. }) = table
            .issuer
            .as_ref()
            .filter(|setting| setting.value.is_empty())
        {
            self.problems.error(
                place,
                "the issuer is empty",
                "name the issuer, for example the gateway's URL",
            );
        }
        let lifetime = self.assertion_lifetime(table.lifetime.as_ref());
        AssertionSigner::new(keys, issuer.to_owned(), lifetime).map(Arc::new)
    }

    fn assertion_keys(&self, table: &Assertions) -> Vec<AssertionKey> {
        let mut keys: Vec<AssertionKey> = Vec::new();
        for path in &table.keys {
            let Some(der) = self.private_key(path) else {
                continue;
            };
            match AssertionKey::read(&der) {
                Ok(key) if keys.iter().any(|other| other.id == key.id) => {
                    self.problems
                        .error(path.place, "this key is named twice", "name it once");
                }
                Ok(key) => keys.push(key),
                Err(error) => {
                    let message = format!("{}: {error}", path.value);
                    let hint = "make one with `openssl genpkey -algorithm ed25519 -out jwt.key`, or for ES256 with \
                                `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out jwt.key`";
                    self.problems.error(path.place, message, hint);
                }
            }
        }
        keys
    }

    /// Lifetime of assertions. The minimum follows from their resolution of one second, the maximum limits stolen
    /// assertions.
    fn assertion_lifetime(&self, lifetime: Option<&Spanned<Duration>>) -> Duration {
        const ALLOWED: std::ops::RangeInclusive<Duration> =
            Duration::from_secs(2)..=Duration::from_secs(3600);
        let Some(lifetime) = lifetime else {
            return defaults::JWT_LIFETIME;
        };
        if !ALLOWED.contains(&lifetime.value) {
            let message = "an assertion lives for two seconds at least, and for an hour at most";
            self.problems
                .error(lifetime.place, message, "write for example \"60s\"");
        }
        lifetime.value
    }

    /// Reports `respond = "jwks"` without keys.
    pub(super) fn check_published_keys(&self, place: Place) {
        if self.config.identity_headers.jwt.is_none() {
            let message = "there are no keys to publish";
            self.problems.error(
                place,
                message,
                "add `[identity_headers.jwt]` with `keys`, or remove the route",
            );
        }
    }
}

/// The sets with these names. Unknown names are skipped.
fn known_sets(words: &[Spanned<String>]) -> Vec<IdentitySet> {
    words
        .iter()
        .filter_map(|word| IdentitySet::from_word(&word.value))
        .collect()
}

/// Whether the list is `"off"`, which means `[]`.
fn is_off(words: &[Spanned<String>]) -> bool {
    matches!(words, [only] if only.value == "off")
}
