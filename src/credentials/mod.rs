//! Credentials beside the certificate: passwords and tokens. Independent of routes and permissions.

mod authorization;
mod password;
mod rule;
mod token;

pub use authorization::{BasicCredentials, PresentedCredential};
pub use password::{
    AttemptLimits, HashDigest, HashError, PasswordChecks, PasswordFailure, PasswordHash,
    PasswordVerdict, Passwords, Source, hash_password,
};
pub use rule::{CredentialRule, RuleError};
pub use token::{
    Algorithm, IssuerSettings, KeyDigest, KeyFetchError, KeySet, KeySetError, KeySource,
    RemoteKeys, TokenError, TokenIssuer, TokenIssuers, TokenProof,
};

use crate::config::CredentialKind;
use crate::identity::{ApiUsers, Principal};
use crate::reason::Reason;
use std::time::Duration;

/// The passwords and token issuers of a snapshot.
#[derive(Debug, Default)]
pub struct Credentials {
    /// The passwords of all users.
    pub passwords: Passwords,
    /// The trusted token issuers.
    pub issuers: TokenIssuers,
}

/// The user that a credential proved, and the evidence. A later snapshot can check whether it is still valid.
#[derive(Clone, Debug)]
pub struct CredentialProof {
    /// The user, in the snapshot that verified the credential.
    pub principal: Principal,
    /// The evidence.
    pub by: ProofEvidence,
}

/// The evidence of a [`CredentialProof`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProofEvidence {
    /// A password that matches this hash.
    Password(HashDigest),
    /// A token.
    Token(TokenProof),
}

impl CredentialProof {
    /// The kind of credential.
    pub fn kind(&self) -> CredentialKind {
        match self.by {
            ProofEvidence::Password(_) => CredentialKind::Password,
            ProofEvidence::Token(_) => CredentialKind::Token,
        }
    }
}

impl Credentials {
    /// The kinds of credentials beside certificates that a user has.
    pub fn kinds_of(&self, user: &str) -> impl Iterator<Item = CredentialKind> {
        let password = self
            .passwords
            .has_any(user)
            .then_some(CredentialKind::Password);
        password
            .into_iter()
            .chain(self.issuers.names(user).then_some(CredentialKind::Token))
    }

    /// A hypothetical proof of a user, for explanations. No credential was verified.
    pub fn assumed(
        &self,
        users: &ApiUsers,
        user: &str,
        rule: CredentialRule,
    ) -> Option<CredentialProof> {
        let principal = users.named(user)?;
        let password = self
            .passwords
            .any_of(user)
            .filter(|_| rule.accepts(CredentialKind::Password));
        let token = || {
            self.issuers
                .assumed(user)
                .filter(|_| rule.accepts(CredentialKind::Token))
        };
        let by = password
            .map(ProofEvidence::Password)
            .or_else(|| token().map(ProofEvidence::Token))?;
        Some(CredentialProof { principal, by })
    }

    /// The principal in this snapshot for a proof of this or an earlier snapshot. `None` if the user or the evidence was
    /// removed, or the evidence has expired at `now` (seconds since 1970).
    pub fn still_names(
        &self,
        users: &ApiUsers,
        proof: &CredentialProof,
        now: u64,
    ) -> Option<Principal> {
        let name = &proof.principal.name;
        let is_valid = match &proof.by {
            ProofEvidence::Password(hash) => self.passwords.has(name, hash),
            ProofEvidence::Token(token) => self.issuers.user_of(token, now) == Some(name),
        };
        if is_valid { users.named(name) } else { None }
    }
}

/// The reason why credentials beside the certificate are rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialFailure {
    /// The request has no credential that the route accepts.
    Missing,
    /// Several `Authorization` fields, or a malformed one.
    Malformed,
    /// Wrong password, unknown user, or a user without a password. The difference is not disclosed.
    WrongPassword,
    /// Too many wrong passwords.
    TooManyAttempts {
        /// The time until the next attempt is allowed.
        retry_after: Duration,
    },
    /// The queue of password checks is full.
    Busy,
    /// The token is rejected. The reason is not disclosed to the client.
    BadToken(TokenError),
    /// The keys of the token's issuer are not fetched yet.
    NoKeys,
    /// The token is valid, but names no ApiUser.
    UnknownUser,
    /// The proof was valid when the request began, but not any more.
    Gone,
    /// The user is on a deny list.
    Revoked,
    /// Two credentials that name different ApiUsers.
    Contradictory,
}

impl CredentialFailure {
    /// The reason.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Malformed => Reason::BadAuthorization,
            Self::Missing => Reason::NoCredentials,
            Self::WrongPassword => Reason::WrongPassword,
            Self::TooManyAttempts { .. } => Reason::TooManyAttempts,
            Self::Busy => Reason::PasswordChecksBusy,
            Self::Contradictory => Reason::ContradictoryCredentials,
            Self::BadToken(_) => Reason::InvalidToken,
            Self::NoKeys => Reason::NoKeys,
            Self::UnknownUser => Reason::UnknownTokenUser,
            Self::Gone => Reason::CredentialsGone,
            Self::Revoked => Reason::RevokedUser,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    const HASHES: [&str; 2] = [
        "$5$abcdefgh$ruMep1ijHnJPZbETDNiumskxcX3kN4lzZd5VlsqE7eB",
        "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
    ];
    const KEYS: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    const OTHER_KEYS: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik"}]}"#;

    fn users(names: &[&str]) -> ApiUsers {
        let place = crate::config::Place::new(
            crate::config::Sources::default()
                .add("x".into(), String::new())
                .unwrap(),
            &(0..0),
        );
        let mut users = ApiUsers::default();
        names
            .iter()
            .for_each(|name| drop(users.add(name, place, Duration::ZERO)));
        users
    }

    fn credentials(hash: &str, keys: &str, subject: &str) -> Credentials {
        let mut credentials = Credentials::default();
        credentials
            .passwords
            .add("alice", vec![PasswordHash::parse(hash).unwrap()]);
        let settings = IssuerSettings {
            name: "idp".into(),
            issuer: "https://idp".to_owned(),
            audiences: vec!["here".to_owned()],
            algorithms: vec![Algorithm::EdDsa],
            user_claim: "sub".to_owned(),
            leeway: Duration::ZERO,
        };
        let keys = KeySource::File(Arc::new(KeySet::read(keys.as_bytes()).unwrap()));
        let mut issuer = TokenIssuer::new(settings, keys);
        issuer.bind(subject, "alice").unwrap();
        credentials.issuers.add(issuer).unwrap();
        credentials
    }

    #[test]
    fn a_password_is_valid_as_long_as_its_user_and_its_hash() {
        let before = credentials(HASHES[0], KEYS, "a");
        let proof = CredentialProof {
            principal: users(&["alice"]).named("alice").unwrap(),
            by: ProofEvidence::Password(before.passwords.any_of("alice").unwrap()),
        };
        let later = users(&["bob", "alice"]);
        assert_eq!(
            before
                .still_names(&later, &proof, 5)
                .map(|user| user.id.index()),
            Some(1),
            "in the later snapshot"
        );
        assert!(before.still_names(&users(&["bob"]), &proof, 5).is_none());
        assert!(
            credentials(HASHES[1], KEYS, "a")
                .still_names(&later, &proof, 5)
                .is_none()
        );
        assert!(
            Credentials::default()
                .still_names(&later, &proof, 5)
                .is_none()
        );
    }

    #[test]
    fn a_token_is_valid_as_long_as_its_user_its_key_and_its_time() {
        let before = credentials(HASHES[0], KEYS, "a");
        let key = before.issuers.iter().next().unwrap().any_key().unwrap();
        let token = TokenProof {
            issuer: "https://idp".into(),
            subject: "a".into(),
            key,
            until: 100,
        };
        let users = users(&["alice"]);
        let proof = CredentialProof {
            principal: users.named("alice").unwrap(),
            by: ProofEvidence::Token(token),
        };
        assert!(before.still_names(&users, &proof, 100).is_some());
        assert!(before.still_names(&users, &proof, 101).is_none());
        assert!(
            credentials(HASHES[0], KEYS, "b")
                .still_names(&users, &proof, 5)
                .is_none()
        );
        assert!(
            credentials(HASHES[0], OTHER_KEYS, "a")
                .still_names(&users, &proof, 5)
                .is_none()
        );
    }
}
