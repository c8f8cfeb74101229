//! Accounts of ApiUsers at an upstream, in place of the gateway's: a password, or a certificate on
//! connections that no other request shares. Does not select an account.

use super::thread_state::{StateKey, WeakStateKey};
use crate::identity::UserId;
use rustls::ClientConfig;
use std::collections::HashMap;
use std::sync::Arc;

/// The credential of one ApiUser at an upstream.
pub struct Account {
    credential: AccountCredential,
    /// Identifies the connections of this account.
    key: StateKey,
    /// Digest of all settings; equal for equal accounts.
    pub signature: Vec<u8>,
}

/// The kind of credential.
enum AccountCredential {
    /// An `Authorization` field on each request.
    Authorization(Vec<u8>),
    /// A client certificate on each connection.
    Certificate(Arc<ClientConfig>),
}

impl std::fmt::Debug for Account {
    /// Without secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match &self.credential {
            AccountCredential::Authorization(_) => "password",
            AccountCredential::Certificate(_) => "certificate",
        };
        f.debug_struct("Account")
            .field("credential", &kind)
            .finish_non_exhaustive()
    }
}

impl Account {
    /// An account with an `Authorization` value.
    pub fn by_authorization(authorization: Vec<u8>, signature: Vec<u8>) -> Self {
        Self {
            credential: AccountCredential::Authorization(authorization),
            key: StateKey::new(),
            signature,
        }
    }

    /// An account with the client certificate of this config. No other account shares its TLS
    /// sessions.
    pub fn by_certificate(config: Arc<ClientConfig>, signature: Vec<u8>) -> Self {
        Self {
            credential: AccountCredential::Certificate(config),
            key: StateKey::new(),
            signature,
        }
    }

    /// The `Authorization` to send, if the account has one.
    pub fn authorization(&self) -> Option<&[u8]> {
        match &self.credential {
            AccountCredential::Authorization(authorization) => Some(authorization),
            AccountCredential::Certificate(_) => None,
        }
    }

    /// The TLS config of its connections, if it has its own.
    pub(super) fn tls(&self) -> Option<&Arc<ClientConfig>> {
        match &self.credential {
            AccountCredential::Authorization(_) => None,
            AccountCredential::Certificate(config) => Some(config),
        }
    }

    /// The mark on its own connections. Valid as long as the account.
    pub(super) fn mark(&self) -> Option<WeakStateKey> {
        self.tls().map(|_| self.key.mark())
    }
}

/// The ApiUsers with an account at one upstream.
#[derive(Debug, Default)]
pub struct Accounts(HashMap<UserId, Arc<Account>>);

impl Accounts {
    /// Adds an account.
    pub fn insert(&mut self, user: UserId, account: Arc<Account>) {
        self.0.insert(user, account);
    }

    /// The account of a user, if it has one.
    pub fn of(&self, user: UserId) -> Option<&Arc<Account>> {
        self.0.get(&user)
    }

    /// All users with an account.
    pub fn users(&self) -> impl Iterator<Item = UserId> {
        self.0.keys().copied()
    }
}
