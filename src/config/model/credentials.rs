//! The config of passwords and tokens.

use crate::config::source::Spanned;
use std::time::Duration;

/// Kind of client credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialKind {
    /// The certificate of its connection.
    Certificate,
    /// User and password in `Authorization: Basic`.
    Password,
    /// A certificate-bound token in `Authorization: Bearer`.
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

/// How many of a route's credentials a client must present.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CredentialsRequired {
    /// At least one. All presented credentials must be valid and identify the same ApiUser.
    #[default]
    Any,
    /// All of them, for the same ApiUser.
    All,
}

/// `[token_issuer.NAME]`: an issuer of accepted tokens.
#[derive(Debug)]
pub struct TokenIssuerTable {
    /// The NAME.
    pub name: Spanned<String>,
    /// Value of `iss`.
    pub issuer: Option<Spanned<String>>,
    /// Accepted values of `aud`.
    pub audience: Vec<Spanned<String>>,
    /// File with its keys.
    pub jwks: Option<Spanned<String>>,
    /// URL of its keys.
    pub jwks_url: Option<Spanned<String>>,
    /// PEM files with the CAs for that URL.
    pub anchors: Vec<Spanned<String>>,
    /// Interval between fetches of that URL.
    pub refresh: Option<Duration>,
    /// Names of accepted signature algorithms.
    pub algorithms: Option<Vec<Spanned<&'static str>>>,
    /// The claim that names the user.
    pub user_claim: Option<Spanned<String>>,
    /// Tolerated clock difference.
    pub leeway: Option<Duration>,
}

/// `[passwords]`: how passwords are checked.
#[derive(Debug, Default)]
pub struct PasswordsTable {
    /// Maximum of wrong passwords for one user in a window.
    pub failures_per_user: Option<u32>,
    /// Maximum of wrong passwords from one source in a window.
    pub failures_per_source: Option<u32>,
    /// Length of the window.
    pub window: Option<Duration>,
    /// How long a verified password is cached; `Some(None)` means not at all.
    pub remember: Option<Option<Duration>>,
}
