//! The config of upstream quirks, and of the accounts of ApiUsers at upstreams.

use super::Preset;
use crate::config::source::{Place, Spanned};
use std::time::Duration;

/// Method that is sent to an upstream for HEAD.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HeadMethod {
    /// HEAD.
    #[default]
    Head,
    /// GET, and the response body is dropped.
    Get,
}

/// Framing of a redirect with neither a length nor `Connection: close`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LengthlessRedirect {
    /// As in HTTP: the body ends when the upstream closes the connection.
    #[default]
    UntilClose,
    /// The redirect has no body.
    Empty,
}

/// TCP acknowledgement of data from an upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QuickAck {
    /// By the default of the system.
    #[default]
    Off,
    /// Immediately while a response is incomplete.
    Adaptive,
}

/// Who may use an upstream with the gateway's own credentials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CredentialsOfUsers {
    /// Every ApiUser without an account at the upstream.
    #[default]
    Optional,
    /// No ApiUser: each needs an account.
    Required,
}

/// Maximum size in bytes of a response that can be held back: the buffer of an engine without the space for a head.
pub const MOST_HELD_BACK: u64 = 48 * 1024;

/// Keys of `[upstream.NAME]` for quirks.
#[derive(Debug, Default)]
pub struct UpstreamQuirks {
    /// Preset with defaults for the keys below.
    pub preset: Option<Spanned<Preset>>,
    /// Method that is sent for HEAD.
    pub head: Option<Spanned<HeadMethod>>,
    /// Framing of redirects without a length.
    pub lengthless_redirect: Option<Spanned<LengthlessRedirect>>,
    /// How long a refused connection is retried; `Some(None)` means not at all.
    pub connect_retry: Option<Option<Duration>>,
    /// Responses up to this size in bytes are forwarded only once they are complete; `Some(None)` means none.
    pub hold_back: Option<Option<u64>>,
    /// TCP acknowledgements.
    pub quick_ack: Option<Spanned<QuickAck>>,
    /// Who may use the gateway's own credentials.
    pub credentials_of_users: Option<Spanned<CredentialsOfUsers>>,
}

/// `[api_user.NAME.upstream.UPSTREAM]`: the account of an ApiUser at an upstream.
#[derive(Debug)]
pub struct UpstreamAccount {
    /// The UPSTREAM.
    pub upstream: Spanned<String>,
    /// File (or `env:NAME`) with `user:password` to send as HTTP basic authentication.
    pub basic_credentials: Option<Spanned<String>>,
    /// PEM file with the client certificate for the upstream.
    pub certificate: Option<Spanned<String>>,
    /// File with its key.
    pub private_key: Option<Spanned<String>>,
    /// File (or `env:NAME`) with the passphrase of certificate and key.
    pub passphrase_file: Option<Spanned<String>>,
    /// Place of the table.
    pub place: Place,
}
