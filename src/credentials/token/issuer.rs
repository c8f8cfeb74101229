//! Who issues tokens, and what one of them proves on a connection. Fetches nothing.

use super::jwt::Jwt;
use super::memory::{remember, remembered};
use super::{Algorithm, KeyDigest, KeySet, RemoteKeys, TokenError};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// What the config says about an issuer.
#[derive(Debug)]
pub struct IssuerSettings {
    /// Its name in the config.
    pub name: Arc<str>,
    /// What `iss` says.
    pub issuer: String,
    /// What `aud` must hold one of.
    pub audiences: Vec<String>,
    /// What may sign.
    pub algorithms: Vec<Algorithm>,
    /// The claim that names the user.
    pub user_claim: String,
    /// How far clocks may differ.
    pub leeway: Duration,
}

/// Where keys come from.
#[derive(Debug)]
pub enum KeySource {
    /// A file, read with the config.
    File(Arc<KeySet>),
    /// A URL, read now and then.
    Remote(Arc<RemoteKeys>),
}

/// Somebody whose tokens count.
#[derive(Debug)]
pub struct TokenIssuer {
    settings: IssuerSettings,
    keys: KeySource,
    /// What the user claim says, to the name of the ApiUser.
    users: HashMap<Box<str>, Arc<str>>,
}

/// All issuers of a snapshot, by what `iss` says.
#[derive(Debug, Default)]
pub struct TokenIssuers(HashMap<Box<str>, Arc<TokenIssuer>>);

/// What a token has proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenProof {
    /// What `iss` says.
    pub issuer: Box<str>,
    /// What the user claim says.
    pub subject: Box<str>,
    /// The key that signed.
    pub key: KeyDigest,
    /// The last second in which it counts, since 1970, leeway included.
    pub until: u64,
}

/// A token whose signature and audience are right. Times and certificate are compared each time.
pub(super) struct Verified {
    pub(super) issuer: Arc<TokenIssuer>,
    pub(super) keys: Arc<KeySet>,
    certificate: String,
    not_before: u64,
    proof: TokenProof,
}

impl TokenIssuer {
    /// An issuer whose tokens name nobody yet.
    pub fn new(settings: IssuerSettings, keys: KeySource) -> Self {
        Self { settings, keys, users: HashMap::new() }
    }

    /// Lets a user claim name an ApiUser. Gives the ApiUser that it names already.
    ///
    /// # Errors
    /// The name of the other.
    pub fn bind(&mut self, subject: &str, user: &str) -> Result<(), Arc<str>> {
        let there = self.users.entry(subject.into()).or_insert_with(|| user.into());
        if **there == *user { Ok(()) } else { Err(there.clone()) }
    }

    /// Its name in the config.
    pub fn name(&self) -> &Arc<str> {
        &self.settings.name
    }

    /// What `iss` says.
    pub fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// Where its keys are fetched from, if they are.
    pub fn remote(&self) -> Option<&Arc<RemoteKeys>> {
        match &self.keys {
            KeySource::File(_) => None,
            KeySource::Remote(remote) => Some(remote),
        }
    }

    /// The keys that are here now.
    fn keys(&self) -> Option<Arc<KeySet>> {
        match &self.keys {
            KeySource::File(keys) => Some(keys.clone()),
            KeySource::Remote(remote) => remote.current(),
        }
    }

    /// One of its keys.
    #[cfg(test)]
    pub(in crate::credentials) fn any_key(&self) -> Option<KeyDigest> {
        self.keys()?.any()
    }

    fn verify(self: &Arc<Self>, jwt: &Jwt<'_>) -> Result<Verified, TokenError> {
        let keys = self.keys().ok_or(TokenError::NoKeys)?;
        if !self.settings.algorithms.contains(&jwt.algorithm) {
            return Err(TokenError::Algorithm);
        }
        let key = keys.verify((jwt.algorithm, jwt.key_id.as_deref()), jwt.signed, &jwt.signature);
        if let (Err(TokenError::UnknownKey), Some(remote)) = (&key, self.remote()) {
            // It may have new ones.
            remote.ask();
        }
        let key = key?;
        if !jwt.is_for(&self.settings.audiences) {
            return Err(TokenError::Audience);
        }
        let leeway = self.settings.leeway.as_secs();
        // It counts before the second that it names (RFC 7519 section 4.1.4).
        let until = jwt.time("exp")?.ok_or(TokenError::Expired)?.saturating_add(leeway).saturating_sub(1);
        let begins = jwt.time("nbf")?.max(jwt.time("iat")?).unwrap_or(0);
        let subject = jwt.text(&self.settings.user_claim).filter(|subject| !subject.is_empty());
        let subject = subject.ok_or(TokenError::NoUser)?.into();
        Ok(Verified {
            certificate: jwt.certificate()?,
            not_before: begins.saturating_sub(leeway),
            proof: TokenProof { issuer: self.issuer().into(), subject, key, until },
            issuer: self.clone(),
            keys,
        })
    }
}

impl Verified {
    /// Whether it still is what it was verified by.
    pub(super) fn still_stands(&self, issuers: &TokenIssuers) -> bool {
        let issuer = issuers.0.get(&self.proof.issuer);
        issuer.is_some_and(|issuer| Arc::ptr_eq(issuer, &self.issuer))
            && self.issuer.keys().is_some_and(|keys| Arc::ptr_eq(&keys, &self.keys))
    }

    pub(super) fn until(&self) -> u64 {
        self.proof.until
    }

    /// What it proves now, on a connection whose verified certificate has this SHA-256 (in lower-case hex).
    fn on_connection(&self, certificate: Option<&str>, now: u64) -> Result<TokenProof, TokenError> {
        if now > self.proof.until {
            return Err(TokenError::Expired);
        }
        if now < self.not_before {
            return Err(TokenError::NotYetValid);
        }
        let bound = |shown: &str| verify_slices_are_equal(shown.as_bytes(), self.certificate.as_bytes()).is_ok();
        if !certificate.is_some_and(bound) {
            return Err(TokenError::OtherCertificate);
        }
        Ok(self.proof.clone())
    }
}

impl TokenIssuers {
    /// Adds an issuer. Gives the one that says the same in `iss`.
    ///
    /// # Errors
    /// The issuer that is there.
    pub fn add(&mut self, issuer: TokenIssuer) -> Result<(), Arc<TokenIssuer>> {
        match self.0.get(issuer.issuer()) {
            Some(there) => Err(there.clone()),
            None => {
                self.0.insert(issuer.issuer().into(), Arc::new(issuer));
                Ok(())
            }
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<TokenIssuer>> {
        self.0.values()
    }

    /// What a token proves on a connection whose verified certificate has this SHA-256 (in lower-case hex), at this
    /// second since 1970.
    ///
    /// # Errors
    /// [`TokenError`]
    pub fn check(&self, token: &str, certificate: Option<&str>, now: u64) -> Result<TokenProof, TokenError> {
        if let Some(found) = remembered(self, token, |verified| verified.on_connection(certificate, now)) {
            return found;
        }
        let jwt = Jwt::read(token)?;
        let issuer = jwt.text("iss").and_then(|issuer| self.0.get(issuer)).ok_or(TokenError::UnknownIssuer)?;
        let verified = issuer.verify(&jwt)?;
        let proof = verified.on_connection(certificate, now);
        remember(token, verified, now);
        proof
    }

    /// The name of the ApiUser that a proof of this or an earlier snapshot names, if its issuer, its key and its time
    /// still stand.
    pub fn user_of(&self, proof: &TokenProof, now: u64) -> Option<&Arc<str>> {
        let issuer = self.0.get(&proof.issuer)?;
        let stands = now <= proof.until && issuer.keys()?.has(&proof.key);
        issuer.users.get(&proof.subject).filter(|_| stands)
    }

    /// Whether any token names an ApiUser.
    pub fn names(&self, user: &str) -> bool {
        self.assumed(user).is_some()
    }

    /// A proof as a user's token would give it, for explanations: no token was looked at.
    pub fn assumed(&self, user: &str) -> Option<TokenProof> {
        self.0.values().find_map(|issuer| {
            let (subject, _) = issuer.users.iter().find(|(_, named)| ***named == *user)?;
            let key = KeyDigest::default();
            Some(TokenProof { issuer: issuer.issuer().into(), subject: subject.clone(), key, until: 0 })
        })
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
