//! An issuer of tokens, and what one of them proves on a connection. Fetches nothing.

use super::jwt::Jwt;
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
    pub(super) users: HashMap<Box<str>, Arc<str>>,
}

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
    issuer: Arc<TokenIssuer>,
    keys: Arc<KeySet>,
    certificate: String,
    not_before: u64,
    proof: TokenProof,
}

impl TokenIssuer {
    /// An issuer whose tokens name nobody yet.
    pub fn new(settings: IssuerSettings, keys: KeySource) -> Self {
        Self {
            settings,
            keys,
            users: HashMap::new(),
        }
    }

    /// Lets a user claim name an ApiUser. Gives the ApiUser that it names already.
    ///
    /// # Errors
    /// The name of the other.
    pub fn bind(&mut self, subject: &str, user: &str) -> Result<(), Arc<str>> {
        let there = self
            .users
            .entry(subject.into())
            .or_insert_with(|| user.into());
        if **there == *user {
            Ok(())
        } else {
            Err(there.clone())
        }
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
    pub(super) fn keys(&self) -> Option<Arc<KeySet>> {
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

    pub(super) fn verify(self: &Arc<Self>, jwt: &Jwt<'_>) -> Result<Verified, TokenError> {
        let keys = self.keys().ok_or(TokenError::NoKeys)?;
        if !self.settings.algorithms.contains(&jwt.algorithm) {
            return Err(TokenError::Algorithm);
        }
        let key = keys.verify(
            (jwt.algorithm, jwt.key_id.as_deref()),
            jwt.signed,
            &jwt.signature,
        );
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
        let until = jwt
            .time("exp")?
            .ok_or(TokenError::Expired)?
            .saturating_add(leeway)
            .saturating_sub(1);
        let begins = jwt.time("nbf")?.max(jwt.time("iat")?).unwrap_or(0);
        let subject = jwt
            .text(&self.settings.user_claim)
            .filter(|subject| !subject.is_empty());
        let subject = subject.ok_or(TokenError::NoUser)?.into();
        Ok(Verified {
            certificate: jwt.certificate()?,
            not_before: begins.saturating_sub(leeway),
            proof: TokenProof {
                issuer: self.issuer().into(),
                subject,
                key,
                until,
            },
            issuer: self.clone(),
            keys,
        })
    }
}

impl Verified {
    /// Whether its issuer and its keys are these, and no newer ones.
    pub(super) fn is_by(&self, issuer: &Arc<TokenIssuer>) -> bool {
        Arc::ptr_eq(issuer, &self.issuer)
            && self
                .issuer
                .keys()
                .is_some_and(|keys| Arc::ptr_eq(&keys, &self.keys))
    }

    /// What `iss` says.
    pub(super) fn issuer(&self) -> &str {
        &self.proof.issuer
    }

    pub(super) fn until(&self) -> u64 {
        self.proof.until
    }

    /// What it proves now, on a connection whose verified certificate has this SHA-256 (in lower-case hex).
    pub(super) fn on_connection(
        &self,
        certificate: Option<&str>,
        now: u64,
    ) -> Result<TokenProof, TokenError> {
        if now > self.proof.until {
            return Err(TokenError::Expired);
        }
        if now < self.not_before {
            return Err(TokenError::NotYetValid);
        }
        let bound = |shown: &str| {
            verify_slices_are_equal(shown.as_bytes(), self.certificate.as_bytes()).is_ok()
        };
        if !certificate.is_some_and(bound) {
            return Err(TokenError::OtherCertificate);
        }
        Ok(self.proof.clone())
    }
}
