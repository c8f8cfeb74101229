//! What the config says about passwords and tokens. No meaning yet, as in the rest of the model.

use crate::config::source::Spanned;
use std::time::Duration;

/// What a client proves itself by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialKind {
    /// The certificate of its connection.
    Certificate,
    /// User and password in `Authorization: Basic`.
    Password,
    /// A token that is bound to the certificate, in `Authorization: Bearer`.
    Token,
}

impl CredentialKind {
    /// The word in config, logs and metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::Password => "password",
            Self::Token => "token",
        }
    }
}

/// How many of a route's credentials a client must show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CredentialsRequired {
    /// One is enough; all that are shown must be good, and name the same ApiUser.
    #[default]
    Any,
    /// Each, and for the same ApiUser.
    All,
}

/// `[token_issuer.NAME]`: somebody whose tokens count.
#[derive(Debug)]
pub struct TokenIssuer {
    /// The NAME.
    pub name: Spanned<String>,
    /// What `iss` says.
    pub issuer: Option<Spanned<String>>,
    /// What `aud` must hold one of.
    pub audience: Vec<Spanned<String>>,
    /// File with its keys.
    pub jwks: Option<Spanned<String>>,
    /// URL of its keys.
    pub jwks_url: Option<Spanned<String>>,
    /// PEM files with the CAs that may vouch for that URL.
    pub anchors: Vec<Spanned<String>>,
    /// How often that URL is read.
    pub refresh: Option<Duration>,
    /// What may sign, by name.
    pub algorithms: Option<Vec<Spanned<&'static str>>>,
    /// The claim that names the user.
    pub user_claim: Option<Spanned<String>>,
    /// How far clocks may differ.
    pub leeway: Option<Duration>,
}

/// `[passwords]`: how passwords are checked.
#[derive(Debug, Default)]
pub struct Passwords {
    /// Wrong passwords for one user in a window.
    pub failures_per_user: Option<u32>,
    /// Wrong passwords from one source in a window.
    pub failures_per_source: Option<u32>,
    /// How long wrong passwords count.
    pub window: Option<Duration>,
    /// How long a right password is not hashed again; `Some(None)` is off.
    pub remember: Option<Option<Duration>>,
}
