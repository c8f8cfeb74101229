//! All token issuers of a snapshot: finds the issuer of a token and the ApiUser that it names.

use super::issuer::{TokenIssuer, TokenProof};
use super::jwt::Jwt;
use super::memory::{cached, store};
use super::{KeyDigest, TokenError};
use std::collections::HashMap;
use std::sync::Arc;

/// All token issuers of a snapshot, by the value of `iss`.
#[derive(Debug, Default)]
pub struct TokenIssuers(HashMap<Box<str>, Arc<TokenIssuer>>);

impl TokenIssuers {
    /// Adds an issuer.
    ///
    /// # Errors
    /// The existing issuer with the same `iss`.
    pub fn add(&mut self, issuer: TokenIssuer) -> Result<(), Arc<TokenIssuer>> {
        match self.0.get(issuer.issuer()) {
            Some(existing) => Err(existing.clone()),
            None => {
                self.0.insert(issuer.issuer().into(), Arc::new(issuer));
                Ok(())
            }
        }
    }

    /// All issuers.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<TokenIssuer>> {
        self.0.values()
    }

    /// Verifies a token on a connection whose verified certificate has this SHA-256 (lower-case hex), at `now` (seconds
    /// since 1970).
    ///
    /// # Errors
    /// [`TokenError`]
    pub fn check(
        &self,
        token: &str,
        certificate: Option<&str>,
        now: u64,
    ) -> Result<TokenProof, TokenError> {
        if let Some(result) = self.cached(token, certificate, now) {
            return result;
        }
        let jwt = Jwt::read(token)?;
        let issuer = jwt
            .text("iss")
            .and_then(|issuer| self.0.get(issuer))
            .ok_or(TokenError::UnknownIssuer)?;
        let verified = issuer.verify(&jwt)?;
        let proof = verified.proof_on_connection(certificate, now);
        store(token, verified, now);
        proof
    }

    /// The result from the cache, if issuer and keys have not changed since verification.
    fn cached(
        &self,
        token: &str,
        certificate: Option<&str>,
        now: u64,
    ) -> Option<Result<TokenProof, TokenError>> {
        cached(token, |verified| {
            let is_current = self
                .0
                .get(verified.issuer())
                .is_some_and(|issuer| verified.is_current(issuer));
            is_current.then(|| verified.proof_on_connection(certificate, now))
        })
    }

    /// The ApiUser of a proof from this or an earlier snapshot. `None` if the issuer or key was removed, or the proof has
    /// expired.
    pub fn user_of(&self, proof: &TokenProof, now: u64) -> Option<&Arc<str>> {
        let issuer = self.0.get(&proof.issuer)?;
        let is_valid = now <= proof.until && issuer.keys()?.has(&proof.key);
        issuer.users.get(&proof.subject).filter(|_| is_valid)
    }

    /// Whether any token can name this ApiUser.
    pub fn names(&self, user: &str) -> bool {
        self.assumed(user).is_some()
    }

    /// A hypothetical proof of a user, for explanations. No token was verified.
    pub fn assumed(&self, user: &str) -> Option<TokenProof> {
        self.0.values().find_map(|issuer| {
            let (subject, _) = issuer.users.iter().find(|(_, mapped)| ***mapped == *user)?;
            let key = KeyDigest::default();
            Some(TokenProof {
                issuer: issuer.issuer().into(),
                subject: subject.clone(),
                key,
                until: 0,
            })
        })
    }

    /// Whether there are no issuers.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
