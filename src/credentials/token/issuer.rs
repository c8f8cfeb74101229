//! A token issuer, and the verification of its tokens.

use super::jwt::Jwt;
use super::{Algorithm, KeyDigest, KeySet, RemoteKeys, TokenError};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// The settings of an issuer.
#[derive(Debug)]
pub struct IssuerSettings {
    /// The name in the config.
    pub name: Arc<str>,
    /// The value of `iss`.
    pub issuer: String,
    /// The accepted values of `aud`.
    pub audiences: Vec<String>,
    /// The accepted algorithms.
    pub algorithms: Vec<Algorithm>,
    /// The claim that names the user.
    pub user_claim: String,
    /// The tolerated clock difference.
    pub leeway: Duration,
}

/// The source of keys.
#[derive(Debug)]
pub enum KeySource {
    /// A file, read with the config.
    File(Arc<KeySet>),
    /// A URL, fetched periodically.
    Remote(Arc<RemoteKeys>),
}

/// A trusted token issuer.
#[derive(Debug)]
pub struct TokenIssuer {
    settings: IssuerSettings,
    keys: KeySource,
    /// The value of the user claim, to the name of the ApiUser.
    pub(super) users: HashMap<Box<str>, Arc<str>>,
}

/// The facts that a token proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenProof {
    /// The value of `iss`.
    pub issuer: Box<str>,
    /// The value of the user claim.
    pub subject: Box<str>,
    /// The key that signed the token.
    pub key: KeyDigest,
    /// The last second of validity since 1970, including leeway.
    pub until: u64,
}

/// A token with verified signature and audience. Times and certificate are checked at each use.
pub(super) struct VerifiedToken {
    issuer: Arc<TokenIssuer>,
    keys: Arc<KeySet>,
    certificate: String,
    not_before: u64,
    proof: TokenProof,
}

impl TokenIssuer {
    /// Creates an issuer without users.
    pub fn new(settings: IssuerSettings, keys: KeySource) -> Self {
        Self {
            settings,
            keys,
            users: HashMap::new(),
        }
    }

    /// Maps a value of the user claim to an ApiUser.
    ///
    /// # Errors
    /// The other ApiUser that the value already maps to.
    pub fn bind(&mut self, subject: &str, user: &str) -> Result<(), Arc<str>> {
        let mapped = self
            .users
            .entry(subject.into())
            .or_insert_with(|| user.into());
        if **mapped == *user {
            Ok(())
        } else {
            Err(mapped.clone())
        }
    }

    /// The name in the config.
    pub fn name(&self) -> &Arc<str> {
        &self.settings.name
    }

    /// The value of `iss`.
    pub fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// The remote keys; `None` if the keys are in a file.
    pub fn remote(&self) -> Option<&Arc<RemoteKeys>> {
        match &self.keys {
            KeySource::File(_) => None,
            KeySource::Remote(remote) => Some(remote),
        }
    }

    /// The current keys; `None` if they are not fetched yet.
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

    pub(super) fn verify(self: &Arc<Self>, jwt: &Jwt<'_>) -> Result<VerifiedToken, TokenError> {
        let keys = self.keys().ok_or(TokenError::NoKeys)?;
        if !self.settings.algorithms.contains(&jwt.algorithm) {
            return Err(TokenError::Algorithm);
        }
        let key = keys.verify(
            jwt.algorithm,
            jwt.key_id.as_deref(),
            jwt.signed,
            &jwt.signature,
        );
        if let (Err(TokenError::UnknownKey), Some(remote)) = (&key, self.remote()) {
            // The issuer may have new keys.
            remote.request_fetch();
        }
        let key = key?;
        if !jwt.is_for(&self.settings.audiences) {
            return Err(TokenError::Audience);
        }
        let leeway = self.settings.leeway.as_secs();
        // The token is valid before the second in `exp`, not in it (RFC 7519 section 4.1.4).
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
        Ok(VerifiedToken {
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

impl VerifiedToken {
    /// Whether this issuer, with its current keys, verified the token.
    pub(super) fn is_current(&self, issuer: &Arc<TokenIssuer>) -> bool {
        Arc::ptr_eq(issuer, &self.issuer)
            && self
                .issuer
                .keys()
                .is_some_and(|keys| Arc::ptr_eq(&keys, &self.keys))
    }

    /// The value of `iss`.
    pub(super) fn issuer(&self) -> &str {
        &self.proof.issuer
    }

    pub(super) fn until(&self) -> u64 {
        self.proof.until
    }

    /// The proof at `now` (seconds since 1970), on a connection with a verified certificate of this SHA-256 (lower-case
    /// hex).
    pub(super) fn proof_on_connection(
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
        let is_bound = |fingerprint: &str| {
            verify_slices_are_equal(fingerprint.as_bytes(), self.certificate.as_bytes()).is_ok()
        };
        if !certificate.is_some_and(is_bound) {
            return Err(TokenError::OtherCertificate);
        }
        Ok(self.proof.clone())
    }
}
