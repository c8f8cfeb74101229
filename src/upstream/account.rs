//! Who an ApiUser is at an upstream, in place of the gateway: by a password there, or by a certificate, on connections
//! that no other request shares. Decides for nobody who that is.

use super::here::{Key, Mark};
use crate::identity::UserId;
use rustls::ClientConfig;
use std::collections::HashMap;
use std::sync::Arc;

/// What an upstream is shown of one ApiUser.
pub struct Account {
    shown: Shown,
    /// Names the connections that are this account's.
    key: Key,
    /// Digest of all that it was made from; equal for equal accounts.
    pub signature: Vec<u8>,
}

/// What proves it.
enum Shown {
    /// A field with each request.
    Authorization(Vec<u8>),
    /// A certificate on each connection.
    Certificate(Arc<ClientConfig>),
}

impl std::fmt::Debug for Account {
    /// Without secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = match &self.shown {
            Shown::Authorization(_) => "password",
            Shown::Certificate(_) => "certificate",
        };
        f.debug_struct("Account")
            .field("shown", &shown)
            .finish_non_exhaustive()
    }
}

impl Account {
    /// By `Authorization`.
    pub fn by_authorization(authorization: Vec<u8>, signature: Vec<u8>) -> Self {
        Self {
            shown: Shown::Authorization(authorization),
            key: Key::new(),
            signature,
        }
    }

    /// By the client certificate of this config, whose sessions are nobody else's.
    pub fn by_certificate(config: Arc<ClientConfig>, signature: Vec<u8>) -> Self {
        Self {
            shown: Shown::Certificate(config),
            key: Key::new(),
            signature,
        }
    }

    /// `Authorization` to send, if it is known by that.
    pub fn authorization(&self) -> Option<&[u8]> {
        match &self.shown {
            Shown::Authorization(authorization) => Some(authorization),
            Shown::Certificate(_) => None,
        }
    }

    /// How its connections are made, if they are its own.
    pub(super) fn tls(&self) -> Option<&Arc<ClientConfig>> {
        match &self.shown {
            Shown::Authorization(_) => None,
            Shown::Certificate(config) => Some(config),
        }
    }

    /// The mark on connections that are its own. It stands for as long as the account does.
    pub(super) fn mark(&self) -> Option<Mark> {
        self.tls().map(|_| self.key.mark())
    }
}

/// The ApiUsers that are somebody at one upstream.
#[derive(Debug, Default)]
pub struct Accounts(HashMap<UserId, Arc<Account>>);

impl Accounts {
    /// Adds one.
    pub fn insert(&mut self, user: UserId, account: Arc<Account>) {
        self.0.insert(user, account);
    }

    /// Who this user is there, if not the gateway.
    pub fn of(&self, user: UserId) -> Option<&Arc<Account>> {
        self.0.get(&user)
    }

    /// All users that are somebody.
    pub fn users(&self) -> impl Iterator<Item = UserId> {
        self.0.keys().copied()
    }
}
