//! What upstreams are told about clients: which sets of headers, and the keys that sign assertions.

use super::{super::defaults, Assembly};
use crate::config::{Assertions, Place, Route, Spanned, Upstream as Said};
use crate::forward::{BadFieldName, check_kept};
use crate::identity::{AssertionKey, AssertionSigner, IdentitySelection, IdentitySet};
use std::sync::Arc;
use std::time::Duration;

impl Assembly<'_> {
    /// The clients' header fields that a route sends on, and that are removed elsewhere.
    pub(super) fn kept_headers(&self, said: &Route) -> Box<[Box<str>]> {
        for text in &said.keep_headers {
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
        said.keep_headers
            .iter()
            .map(|name| name.value.to_ascii_lowercase().into())
            .collect()
    }

    /// What one upstream is told; `None` if that cannot be said and was reported.
    pub(super) fn identity_selection(&self, said: &Said) -> Option<IdentitySelection> {
        let named = said.identity_headers.as_ref();
        let sets = match named.or(self.config.identity_headers.sets.as_ref()) {
            // Those of all upstreams are checked once, with the keys.
            Some(words) if named.is_none() => known_sets(words),
            Some(words) => self.checked_sets(words)?,
            None => vec![IdentitySet::XClient],
        };
        let audience = match (&said.jwt_audience, sets.contains(&IdentitySet::Jwt)) {
            (Some(audience), false) => {
                let message =
                    "this upstream gets no assertion, so nobody would read `jwt_audience`";
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
                    "name whom assertions are meant for",
                );
                return None;
            }
            (Some(audience), true) => audience.value.as_str().into(),
            (None, true) => said.name.value.as_str().into(),
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

    /// Assertions need a key.
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

    /// Who signs assertions, if there are keys. Also checks what holds for all upstreams.
    pub(super) fn assertions(&self) -> Option<Arc<AssertionSigner>> {
        if let Some(words) = &self.config.identity_headers.sets {
            let _ = self.checked_sets(words);
        }
        let said = self.config.identity_headers.jwt.as_ref()?;
        if said.keys.is_empty() {
            let message = "`[identity_headers.jwt]` names no key";
            self.problems
                .error(said.place, message, "write `keys = [\"jwt.key\"]`");
        }
        let keys = self.assertion_keys(said);
        let issuer = said
            .issuer
            .as_ref()
            .map_or(defaults::JWT_ISSUER, |said| &said.value);
        if let Some(&Spanned { place, .. }) =
            said.issuer.as_ref().filter(|said| said.value.is_empty())
        {
            self.problems.error(
                place,
                "the issuer is empty",
                "name who vouches, for example the gateway's URL",
            );
        }
        let lifetime = self.assertion_lifetime(said.lifetime.as_ref());
        AssertionSigner::new(keys, issuer.to_owned(), lifetime).map(Arc::new)
    }

    fn assertion_keys(&self, said: &Assertions) -> Vec<AssertionKey> {
        let mut keys: Vec<AssertionKey> = Vec::new();
        for path in &said.keys {
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

    /// Seconds are what assertions count in; who steals a long one has it for long.
    fn assertion_lifetime(&self, said: Option<&Spanned<Duration>>) -> Duration {
        const ALLOWED: std::ops::RangeInclusive<Duration> =
            Duration::from_secs(2)..=Duration::from_secs(3600);
        let Some(said) = said else {
            return defaults::JWT_LIFETIME;
        };
        if !ALLOWED.contains(&said.value) {
            let message = "an assertion lives for two seconds at least, and for an hour at most";
            self.problems
                .error(said.place, message, "write for example \"60s\"");
        }
        said.value
    }

    /// `respond = "jwks"` needs keys, too.
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

/// The sets that there are among these words.
fn known_sets(words: &[Spanned<String>]) -> Vec<IdentitySet> {
    words
        .iter()
        .filter_map(|word| IdentitySet::from_word(&word.value))
        .collect()
}

/// Another way to say `[]`.
fn is_off(words: &[Spanned<String>]) -> bool {
    matches!(words, [only] if only.value == "off")
}
