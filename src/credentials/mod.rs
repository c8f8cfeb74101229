//! What a client may prove itself by beside its certificate: passwords and tokens. Finds no route and grants nothing.

mod authorization;
mod password;
mod rule;
mod token;

pub use authorization::{BasicCredentials, Shown};
pub use password::{
    AttemptLimits, HashDigest, HashError, PasswordChecks, PasswordFailure, PasswordHash, Passwords,
    Source, Verdict, hash_password,
};
pub use rule::{CredentialRule, RuleError};
pub use token::{
    Algorithm, IssuerSettings, KeyDigest, KeyFetchError, KeySet, KeySetError, KeySource,
    RemoteKeys, TokenError, TokenIssuer, TokenIssuers, TokenProof,
};

use crate::config::CredentialKind;
use crate::identity::{ApiUsers, Principal};
use std::time::Duration;

/// Everything in a snapshot by which passwords and tokens are judged.
#[derive(Debug, Default)]
pub struct Credentials {
    /// Who has which password.
    pub passwords: Passwords,
    /// Whose tokens count.
    pub issuers: TokenIssuers,
}

/// What was proven beside the certificate, and by what: enough to ask a later snapshot whether it still stands.
#[derive(Clone, Debug)]
pub struct Proof {
    /// Who it is, in the snapshot that it was proven in.
    pub principal: Principal,
    /// What proved it.
    pub by: ProvenBy,
}

/// What proved who a client is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProvenBy {
    /// A password that this hash was made from.
    Password(HashDigest),
    /// A token.
    Token(TokenProof),
}

impl Proof {
    /// The kind of credential.
    pub fn kind(&self) -> CredentialKind {
        match self.by {
            ProvenBy::Password(_) => CredentialKind::Password,
            ProvenBy::Token(_) => CredentialKind::Token,
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

    /// A proof as the user would give it, for explanations: nothing was looked at.
    pub fn assumed(&self, users: &ApiUsers, user: &str, rule: CredentialRule) -> Option<Proof> {
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
            .map(ProvenBy::Password)
            .or_else(|| token().map(ProvenBy::Token))?;
        Some(Proof { principal, by })
    }

    /// The principal of this snapshot whom a proof of this or an earlier one still names. `None` if the user, or what
    /// proved it, is gone, or its time is over at this second since 1970.
    pub fn still_names(&self, users: &ApiUsers, proof: &Proof, now: u64) -> Option<Principal> {
        let name = &proof.principal.name;
        let stands = match &proof.by {
            ProvenBy::Password(hash) => self.passwords.has(name, hash),
            ProvenBy::Token(token) => self.issuers.user_of(token, now) == Some(name),
        };
        if stands { users.named(name) } else { None }
    }
}

/// Why what a client showed beside its certificate, or did not show, does not prove who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialFailure {
    /// It showed nothing that the route takes.
    Missing,
    /// Several `Authorization` fields, or one that cannot be read.
    Malformed,
    /// Wrong password, unknown user, or a user without a password: nobody is told which.
    WrongPassword,
    /// Too many wrong passwords; come back later.
    TooManyAttempts {
        /// When it is worth trying again.
        retry_after: Duration,
    },
    /// More passwords to check than can be.
    Busy,
    /// A token that does not count. The client is not told why.
    BadToken(TokenError),
    /// The keys of the token's issuer are not here yet.
    NoKeys,
    /// A good token that names no ApiUser.
    UnknownUser,
    /// What it proved stood when the request began, and does not any more.
    Gone,
    /// A deny list names the user.
    Revoked,
    /// Two credentials that name different ApiUsers.
    Contradictory,
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
    fn a_password_stands_for_as_long_as_its_user_and_its_hash() {
        let before = credentials(HASHES[0], KEYS, "a");
        let proof = Proof {
            principal: users(&["alice"]).named("alice").unwrap(),
            by: ProvenBy::Password(before.passwords.any_of("alice").unwrap()),
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
    fn a_token_stands_for_as_long_as_its_user_its_key_and_its_time() {
        let before = credentials(HASHES[0], KEYS, "a");
        let key = before.issuers.iter().next().unwrap().any_key().unwrap();
        let token = TokenProof {
            issuer: "https://idp".into(),
            subject: "a".into(),
            key,
            until: 100,
        };
        let users = users(&["alice"]);
        let proof = Proof {
            principal: users.named("alice").unwrap(),
            by: ProvenBy::Token(token),
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
