//! All issuers of a snapshot: which of them a token is from, and whom it names.

use super::issuer::{TokenIssuer, TokenProof};
use super::jwt::Jwt;
use super::memory::{remember, remembered};
use super::{KeyDigest, TokenError};
use std::collections::HashMap;
use std::sync::Arc;

/// All issuers of a snapshot, by what `iss` says.
#[derive(Debug, Default)]
pub struct TokenIssuers(HashMap<Box<str>, Arc<TokenIssuer>>);

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
    pub fn check(
        &self,
        token: &str,
        certificate: Option<&str>,
        now: u64,
    ) -> Result<TokenProof, TokenError> {
        if let Some(found) = self.remembered(token, certificate, now) {
            return found;
        }
        let jwt = Jwt::read(token)?;
        let issuer = jwt
            .text("iss")
            .and_then(|issuer| self.0.get(issuer))
            .ok_or(TokenError::UnknownIssuer)?;
        let verified = issuer.verify(&jwt)?;
        let proof = verified.on_connection(certificate, now);
        remember(token, verified, now);
        proof
    }

    /// The same from memory, as long as issuer and keys are those that verified it.
    fn remembered(
        &self,
        token: &str,
        certificate: Option<&str>,
        now: u64,
    ) -> Option<Result<TokenProof, TokenError>> {
        remembered(token, |verified| {
            let is_current = self
                .0
                .get(verified.issuer())
                .is_some_and(|issuer| verified.is_by(issuer));
            is_current.then(|| verified.on_connection(certificate, now))
        })
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
            Some(TokenProof {
                issuer: issuer.issuer().into(),
                subject: subject.clone(),
                key,
                until: 0,
            })
        })
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
